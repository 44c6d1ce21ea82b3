"""Two runs side by side: their scores with differences and intervals, and the same samples on one page.

Numbers of different protocols are compared only if the user forces it, and are then marked.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd

from pix2street.core.errors import UserError
from pix2street.core.files import read_json, with_keys
from pix2street.core.images import data_uri
from pix2street.core.pairs import pair_id_of
from pix2street.core.tables import read_table
from pix2street.metrics.bootstrap import SEED_OF_JUDGES, interval_of, resamples
from pix2street.metrics.segmentation import counted, resampled
from pix2street.reporting.protocols import unlike_protocols
from pix2street.reporting.scores import formatted, shortfall, title_of_score
from pix2street.reporting.templates import fill

SHARED = ("shared", "intervals")
"""Parts of the protocol that every score depends on."""


@dataclass(frozen=True)
class Result:
    """The evaluation and the report of a run.

    Args:
        name: the user's name of the run.
        metrics: the content of `metrics.json`.
        images: a row for each pair.
        class_pixels: a row for each judge, pair and class; empty for a set without classes.
        samples: pictures, PNG by caption, of each pair on the report's page.
    """

    name: str
    metrics: dict[str, Any]
    images: pd.DataFrame
    class_pixels: pd.DataFrame
    samples: dict[str, dict[str, bytes]]

    @classmethod
    def read(cls, name: str, evaluated: Path, samples: Path) -> Self:
        """Return the result in these copies of `reports/evaluate` and `reports/report/samples`.

        Raises:
            UserError: the metrics are missing or name no protocol, or a file is damaged.
        """
        path = evaluated / "metrics.json"
        if not path.is_file():
            raise UserError(f"{name}: the run must be evaluated, its {path.name} is missing; run `dvc repro` there")
        way_out = f"evaluate the run {name} again with this version"
        metrics = read_json(path, with_keys("generated"), way_out)
        if "protocol" not in metrics:
            raise UserError(f"{name}: its metrics name no protocol; evaluate it again with this version")
        pictures = {
            pair_id_of(folder.name): {png.stem: png.read_bytes() for png in sorted(folder.glob("*.png"))}
            for folder in sorted(samples.glob("*/"))
        }
        images, pixels = (
            read_table(evaluated / f"{table}.csv", way_out=way_out) for table in ("images", "class_pixels")
        )
        # A run of a former version has one judge and no column for it.
        pixels = pixels if "judge" in pixels else pixels.assign(judge=1)
        return cls(name, metrics, images, pixels, pictures)


@dataclass(frozen=True)
class Row:
    """One score of both runs; a value that is not known is None.

    Args:
        difference: B - A.
        paired: the 95 % interval of the difference over pairs, and over judges if there are several.
        by_judge: B - A under each judge, if there are several.
    """

    score: str
    a: float | None
    b: float | None
    a_interval: dict[str, float] | None
    b_interval: dict[str, float] | None
    difference: float | None
    paired: dict[str, float] | None
    unlike: bool
    by_judge: tuple[float, ...] = ()

    @property
    def told_apart(self) -> bool:
        """Whether the interval of the difference is on one side of zero."""
        return self.paired is not None and (self.paired["low"] > 0 or self.paired["high"] < 0)

    @property
    def disputed(self) -> bool:
        """Whether one judge sees more in B and another sees more in A, for a score without an interval."""
        return self.paired is None and min(self.by_judge, default=0) < 0 < max(self.by_judge, default=0)

    @property
    def worse(self) -> bool:
        """Whether B is behind A by more than chance; without an interval, whether it is behind and no judge differs."""
        if self.difference is None or self.disputed:
            return False
        behind = shortfall(self.score, self.b) > shortfall(self.score, self.a)
        return behind and (self.paired is None or self.told_apart)

    @property
    def verdict(self) -> str:
        """What the last column says."""
        if self.unlike:
            return "unlike protocols"
        return "told apart" if self.told_apart else "judges disagree" if self.disputed else ""


@dataclass(frozen=True)
class Comparison:
    """Two results; `unlike` lists every difference of their protocols in words."""

    a: Result
    b: Result
    rows: list[Row]
    unlike: list[str]

    @property
    def jury(self) -> str:
        """What the intervals say of the judges' own chance, in words; empty where no judge looked at both runs."""
        count = _judges_of(self.a)
        if not count or count != _judges_of(self.b):
            return ""
        if count == 1:
            return (
                "One judge saw the photos. Its own chance is not in the intervals: another judge, trained in the same "
                "way, may order two runs in another way. segment.judges: 3 shows how far judges differ."
            )
        return (
            f"{count} judges saw the photos. The intervals of pixel accuracy and mean IoU draw judges as well as "
            "photos, the same ones for both runs. Other scores of the judges have no interval; the last column says "
            "where the judges do not agree on the order."
        )


def compare(a: Result, b: Result, force: bool = False) -> Comparison:
    """Compare the generated photos' scores.

    Raises:
        UserError: the protocols differ and `force` is not given.
    """
    differing = unlike_protocols(a.metrics["protocol"], b.metrics["protocol"])
    unlike = [line for lines in differing.values() for line in lines]
    if unlike and not force:
        raise UserError(
            f"{a.name} and {b.name} were not measured alike, their numbers cannot be compared:\n"
            + "\n".join(f"  {line}" for line in unlike)
            + f"\nmeasure both in one way{_under_one_jury(differing)}, or compare them nevertheless with --force"
        )
    paired = _paired(a, b, "segmentation" not in differing) if not differing.keys() & {*SHARED} else {}
    rows = []
    for protocol, keys in _scores_of(a, b).items():
        for key in keys:
            left, right = (_number(result.metrics["generated"].get(key)) for result in (a, b))
            if left is None and right is None:
                continue
            intervals = [result.metrics["generated"].get(f"{key}_interval") for result in (a, b)]
            difference = None if None in (left, right) else right - left
            alike = differing.keys().isdisjoint({protocol, *SHARED})
            interval = paired.get(key) if alike else None
            by_judge = _by_judge(a, b, key) if alike else ()
            rows.append(Row(key, left, right, *intervals, difference, interval, not alike, by_judge))
    return Comparison(a, b, rows, unlike)


def as_text(comparison: Comparison) -> str:
    """Return the scores as a table for the terminal."""
    columns = ["score", "A", "B", "B - A", "95 % of B - A", ""]
    rows = [
        [
            title_of_score(row.score),
            *_cells(row),
            row.verdict,
        ]
        for row in comparison.rows
    ]
    table = pd.DataFrame(rows, columns=columns)
    lines = [f"A: {comparison.a.name}", f"B: {comparison.b.name}", "", table.to_string(index=False)]
    lines += ["", comparison.jury] if comparison.jury else []
    if comparison.unlike:
        lines += ["", "not measured alike:", *(f"  {line}" for line in comparison.unlike)]
    return "\n".join(lines)


def as_page(comparison: Comparison) -> str:
    """Return one self-contained HTML page: the scores, and the same samples of both runs side by side."""
    a, b = comparison.a, comparison.b
    samples = [
        (pair_id, {
            caption: data_uri(png, "png")
            for caption, png in {
                "input": a.samples[pair_id].get("input"), "target": a.samples[pair_id].get("target"),
                "A": a.samples[pair_id].get("generated"), "B": b.samples[pair_id].get("generated"),
            }.items() if png
        })
        for pair_id in a.samples if pair_id in b.samples
    ]  # fmt: skip
    rows = [
        {
            "name": title_of_score(row.score),
            "cells": _cells(row),
            "verdict": row.verdict,
            "good": row.told_apart,
        }
        for row in comparison.rows
    ]
    return fill(
        "comparison.html.jinja",
        a=a.name,
        b=b.name,
        rows=rows,
        unlike=comparison.unlike,
        jury=comparison.jury,
        samples=samples,
        shared=a.metrics["protocol"]["shared"],
    )


def _under_one_jury(differing: Mapping[str, list[str]]) -> str:
    of_judges = any(line.startswith(f"{part}.judges: ") for part, lines in differing.items() for line in lines)
    return ", under one jury (the same models/segmenter)" if of_judges else ""


def _scores_of(a: Result, b: Result) -> dict[str, list[str]]:
    """Return the scores that each part of the protocols is about."""
    parts = {**a.metrics["protocol"], **b.metrics["protocol"]}
    return {name: part["scores"] for name, part in parts.items() if isinstance(part, dict) and "scores" in part}


def _judges_of(result: Result) -> int:
    """Return the number of judges that saw the photos; 0 for a set without classes."""
    part = result.metrics["protocol"].get("segmentation", {})
    return len(part.get("judges") or ([part["judge"]] if "judge" in part else []))


def _by_judge(a: Result, b: Result, score: str) -> tuple[float, ...]:
    """Return B - A under each judge that has the score in both runs; empty unless there are several judges."""
    values = (result.metrics["generated"].get(f"{score}_judges", []) for result in (a, b))
    return tuple(right - left for left, right in zip(*values, strict=True) if None not in (left, right))


def _paired(a: Result, b: Result, judged: bool) -> dict[str, dict[str, float] | None]:
    """Return intervals of B - A by score, where both are resampled alike, pair by pair and judge by judge.

    Args:
        judged: whether the same judges saw the photos of both.
    """
    weights = resamples(len(a.images))
    scores = {
        key: interval_of(weights @ (b.images[key] - a.images[key]).to_numpy() / len(a.images))
        for key in ("l1", "psnr", "ssim")
        if key in a.images and key in b.images
        if np.isfinite(a.images[key]).all() and np.isfinite(b.images[key]).all()
    }
    if judged and len(a.class_pixels) and len(b.class_pixels):
        judges = resamples(a.class_pixels["judge"].nunique(), SEED_OF_JUDGES)
        left, right = (resampled(_counts(result), weights, judges, _in_mean(result)) for result in (a, b))
        for key, before, after in zip(("pixel_accuracy", "mean_iou"), left, right, strict=True):
            scores[key] = interval_of(after - before)
    return scores


def _counts(result: Result) -> np.ndarray:
    """Return `class_pixels` as `[3, judges, pairs, classes]`; its rows are sorted by judge, pair and class."""
    columns = result.class_pixels[["right", "true", "judged"]].to_numpy()
    shape = result.class_pixels["judge"].nunique(), len(result.images), -1, 3
    return np.moveaxis(columns.reshape(shape), -1, 0)


def _in_mean(result: Result) -> np.ndarray:
    names = result.class_pixels["class"].unique()
    return counted(names, result.metrics["protocol"]["segmentation"].get("not_judged", ()))


def _number(value: Any) -> float | None:
    return value if isinstance(value, int | float) else None


def _cells(row: Row) -> list[str]:
    return [_with(row.a, row.a_interval), _with(row.b, row.b_interval), _signed(row.difference), _range(row.paired)]


def _with(value: float | None, interval: dict[str, float] | None) -> str:
    return formatted(value) + (f" ({_range(interval)})" if interval else "")


def _signed(value: float | None) -> str:
    return "–" if value is None else f"{value:+.3f}"


def _range(interval: dict[str, float] | None) -> str:
    return "–" if interval is None else f"{interval['low']:.3f} to {interval['high']:.3f}"
