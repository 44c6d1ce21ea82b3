"""Next frames for people: beside the true ones and the baselines, as pictures and as a film."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from pix2street.core.frames import unstacked
from pix2street.core.images import contact_sheet, png_bytes, read_rgb, webp_bytes
from pix2street.core.pairs import Dataset, read_pairs
from pix2street.reporting.examples import Example
from pix2street.reporting.scores import formatted, title_of, title_of_score

FRAME_MS = 300
"""How long a film shows a frame."""

SHOWN = ("last_frame", "optical_flow")
"""The baselines beside which next frames are shown."""

WHITE = 255
FILM_MIN_PX = 192
"""The least height of a frame in a film."""


def read_videos(split: Path, generated: Path, baselines: Path, held_out: str, count: int) -> list[Example]:
    """Return `count` pairs of frames spread evenly over a held-out split; the list is empty without videos.

    An example has `frames`, a PNG whose first row is the past and the true future and whose further rows are the
    generated future and those of baselines, and `film`, a WebP in which these futures go on side by side.
    """
    frames = Dataset.read(split).frames
    if not frames:
        return []
    pairs = read_pairs(split, held_out)
    folders = {"generated": generated, **{name: baselines / name for name in SHOWN if (baselines / name).is_dir()}}
    examples = []
    for index in np.unique(np.linspace(0, len(pairs) - 1, count, dtype=int)):
        pair = pairs[index]
        past = unstacked(read_rgb(pair.input_path), frames.frames_in)
        paths = {"true": pair.target_path}
        paths |= {name: folder / held_out / f"{pair.pair_id}.png" for name, folder in folders.items()}
        futures = {name: unstacked(read_rgb(path), frames.frames_out) for name, path in paths.items()}
        note = "from left to right in the film: " + ", ".join(title_of(name) for name in futures)
        images = {"frames": png_bytes(_sheet(past, futures)), "film": _film(past, futures)}
        examples.append(Example(pair.pair_id, images, note))
    return examples


def _sheet(past: np.ndarray, futures: Mapping[str, np.ndarray]) -> np.ndarray:
    blank = np.full_like(past, WHITE)
    return contact_sheet(
        [[*(past if name == "true" else blank), *future] for name, future in futures.items()], gap_px=2
    )


def _film(past: np.ndarray, futures: Mapping[str, np.ndarray]) -> bytes:
    """Return a film in which the past is shown once for each future, and then all futures."""
    moments = [[frame] * len(futures) for frame in past] + [[*moment] for moment in zip(*futures.values(), strict=True)]
    factor = -(-FILM_MIN_PX // past.shape[1])
    shown = [contact_sheet([moment], gap_px=2).repeat(factor, 0).repeat(factor, 1) for moment in moments]
    return webp_bytes(shown, FRAME_MS)


def horizon_columns(metrics: Mapping[str, Any]) -> list[str]:
    """Return the scores of horizons in the order of columns; empty where they were not measured."""
    return [*metrics["horizons"]["generated"]["mean"]] if "horizons" in metrics else []


def horizon_rows(metrics: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return a row for each horizon and set of photos, the means last: `horizon`, `photos`, and cells.

    The horizon is named in the first of its rows only.
    """
    if "horizons" not in metrics:
        return []
    sets = metrics["horizons"]
    numbers = [key for key in sets["generated"] if key != "mean"]
    return [
        {
            "horizon": "" if index else "mean of all" if number == "mean" else number,
            "photos": title_of(name),
            "cells": [formatted(scores[number][key]) for key in horizon_columns(metrics)],
        }
        for number in [*numbers, "mean"]
        for index, (name, scores) in enumerate(sets.items())
    ]


def horizons_in_words(metrics: Mapping[str, Any]) -> str:
    """Return how the first and the last frame compare with the baselines; empty where this was not measured."""
    if "horizons" not in metrics:
        return ""
    sets, key = metrics["horizons"], "moving_l1"
    last = max((number for number in sets["generated"] if number != "mean"), key=int)
    sentences = []
    for number in dict.fromkeys(("1", last)):
        value = sets["generated"][number][key]
        others = {title_of(name): sets[name][number][key] for name in SHOWN if name in sets}
        listed = "; ".join(f"{name}: {formatted(other)}" for name, other in others.items())
        sentences.append(f"{formatted(value)} at horizon {number} ({listed})")
    behind = [
        f"{title_of(name)} at horizon {number}"
        for name in SHOWN
        if name in sets
        for number in sets[name]
        if number != "mean" and _is_less(sets[name][number][key], sets["generated"][number][key])
    ]
    verdict = f"It is behind {', '.join(behind)}." if behind else "No baseline shown is ahead at any horizon."
    return f"{title_of_score(key).capitalize()}: {' and '.join(sentences)}. {verdict}"


def _is_less(value: float | None, other: float | None) -> bool:
    return value is not None and other is not None and value < other
