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
from pix2street.metrics.bootstrap import interval_of, resamples
from pix2street.metrics.segmentation import resampled
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
        class_pixels: a row for each pair and class; empty for a set without classes.
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
        tables = (read_table(evaluated / f"{table}.csv", way_out=way_out) for table in ("images", "class_pixels"))
        return cls(name, metrics, *tables, pictures)


@dataclass(frozen=True)
class Row:
    """One score of both runs; `difference` is B - A and `paired` its 95 % interval over pairs; None where unknown."""

    score: str
    a: float | None
    b: float | None
    a_interval: dict[str, float] | None
    b_interval: dict[str, float] | None
    difference: float | None
    paired: dict[str, float] | None
    unlike: bool

    @property
    def told_apart(self) -> bool:
        """Whether the interval of the difference is on one side of zero."""
        return self.paired is not None and (self.paired["low"] > 0 or self.paired["high"] < 0)

    @property
    def worse(self) -> bool:
        """Whether B is behind A by more than the chance of the photos; without an interval, whether it is behind."""
        if self.difference is None:
            return False
        behind = shortfall(self.score, self.b) > shortfall(self.score, self.a)
        return behind and (self.paired is None or self.told_apart)


@dataclass(frozen=True)
class Comparison:
    """Two results; `unlike` lists every difference of their protocols in words."""

    a: Result
    b: Result
    rows: list[Row]
    unlike: list[str]


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
            + "\nmeasure both in one way, or compare them nevertheless with --force"
        )
    paired = _paired(a, b) if not differing.keys() & {*SHARED} else {}
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
            rows.append(Row(key, left, right, *intervals, difference, interval, not alike))
    return Comparison(a, b, rows, unlike)


def unlike_protocols(a: Mapping[str, Any], b: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return the differences in words by part of the protocol; a part that only one run has is not compared."""
    differing: dict[str, list[str]] = {}
    for part in [part for part in a if part in b]:
        left, right = (pd.json_normalize({part: protocol[part]}).to_dict("records")[0] for protocol in (a, b))
        for key in dict.fromkeys([*left, *right]):
            if left.get(key) != right.get(key):
                differing.setdefault(part, []).append(f"{key}: {left.get(key)} and {right.get(key)}")
    return differing


def as_text(comparison: Comparison) -> str:
    """Return the scores as a table for the terminal."""
    columns = ["score", "A", "B", "B - A", "95 % of B - A", ""]
    rows = [
        [
            title_of_score(row.score),
            *_cells(row),
            "unlike protocols" if row.unlike else "told apart" if row.told_apart else "",
        ]
        for row in comparison.rows
    ]
    table = pd.DataFrame(rows, columns=columns)
    lines = [f"A: {comparison.a.name}", f"B: {comparison.b.name}", "", table.to_string(index=False)]
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
            "unlike": row.unlike,
            "cells": _cells(row),
            "told_apart": row.told_apart,
        }
        for row in comparison.rows
    ]
    return fill(
        "comparison.html.jinja",
        a=a.name,
        b=b.name,
        rows=rows,
        unlike=comparison.unlike,
        samples=samples,
        shared=a.metrics["protocol"]["shared"],
    )


def _scores_of(a: Result, b: Result) -> dict[str, list[str]]:
    """Return the scores that each part of the protocols is about."""
    parts = {**a.metrics["protocol"], **b.metrics["protocol"]}
    return {name: part["scores"] for name, part in parts.items() if isinstance(part, dict) and "scores" in part}


def _paired(a: Result, b: Result) -> dict[str, dict[str, float] | None]:
    """Return intervals of B - A by score, where both are resampled alike, pair by pair."""
    weights = resamples(len(a.images))
    scores = {
        key: interval_of(weights @ (b.images[key] - a.images[key]).to_numpy() / len(a.images))
        for key in ("l1", "psnr", "ssim")
        if np.isfinite(a.images[key]).all() and np.isfinite(b.images[key]).all()
    }
    if len(a.class_pixels) and len(b.class_pixels):
        left, right = (resampled(_counts(result), weights) for result in (a, b))
        for key, before, after in zip(("pixel_accuracy", "mean_iou"), left, right, strict=True):
            scores[key] = interval_of(after - before)
    return scores


def _counts(result: Result) -> np.ndarray:
    """Return `class_pixels` as `[3, pairs, classes]`; its rows are sorted by pair and class."""
    columns = result.class_pixels[["right", "true", "judged"]].to_numpy()
    return np.moveaxis(columns.reshape(len(result.images), -1, 3), -1, 0)


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
