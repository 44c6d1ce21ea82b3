"""Scores held against tolerances, where the bytes that networks make may differ between machines."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from pix2street.layout import Layout
from pix2street.verification.table import DIFFERS, TOLERATED, Row


def tolerate(
    rows: list[Row],
    floating: set[str],
    before: dict[str, Any],
    after: dict[str, Any],
    tolerances: Mapping[str, float],
) -> list[Row]:
    """Return the rows with outputs of other bytes within tolerance where every score is, and a row for each score.

    Args:
        floating: the stages whose bytes may differ.
        before, after: the content of `metrics.json` as recorded and as made again.
        tolerances: how far a score may move up or down, by its name.
    """
    differing = [row for row in rows if row.stage in floating and row.verdict == DIFFERS and not row.note]
    if not differing:
        return rows
    metrics = Layout(Path()).metrics.as_posix()
    stage = next((row.stage for row in rows if row.subject == metrics), differing[-1].stage)
    scores = _score_rows(stage, before, after, tolerances)
    verdict = TOLERATED if scores and all(row.good for row in scores) else DIFFERS
    return [replace(row, verdict=verdict) if row in differing else row for row in rows] + scores


def _score_rows(
    stage: str, before: dict[str, Any], after: dict[str, Any], tolerances: Mapping[str, float]
) -> list[Row]:
    """Return a row for each score that has a tolerance, of generated and real photos and of the baselines."""
    rows = []
    for group in sorted({*_groups(before), *_groups(after)}):
        old, new = (_groups(scores).get(group, {}) for scores in (before, after))
        for score, tolerance in tolerances.items():
            if score not in old and score not in new:
                continue
            a, b = old.get(score), new.get(score)
            near = a == b if a is None or b is None else abs(a - b) <= tolerance
            numbers = ["none" if value is None else f"{value:.6g}" for value in (a, b)]
            rows.append(
                Row(stage, f"{group}.{score}", *numbers, TOLERATED if near else DIFFERS, f"tolerance {tolerance:g}")
            )
    return rows


def _groups(scores: dict[str, Any]) -> dict[str, dict[str, Any]]:
    named = {name: scores[name] for name in ("generated", "ceiling") if name in scores}
    return named | {f"baselines.{name}": values for name, values in scores.get("baselines", {}).items()}
