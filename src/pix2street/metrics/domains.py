"""The scores of translations by target domain, and their means."""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

SCORES = re.compile(
    "domain_accuracy|l1|mean_iou|frechet_segmenter|mmd_segmenter|frechet_light|swd|"
    r"(fid|kid|frechet_\w{8}|mmd_\w{8})_(tf|clean)_[a-z]+\d+"
)
"""The scores that are kept of each target domain."""
PROTOCOL = {
    "version": 1,
    "l1_of_unchanged": "L1 divided by that of the inputs unchanged",
    "mean": "over the target domains, of scores that each of them has",
}

ByTarget = Mapping[str, Mapping[str, Mapping[str, float]]]


def by_target(of_domains: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, dict[str, float]]]:
    """Return the scores of every set of photos, by target domain and set of photos.

    `l1_of_unchanged` is L1 as a share of that of the inputs unchanged, and `<score>_of_ceiling` is a share of the
    ceiling. A score without a value is left out.

    Args:
        of_domains: the content of `metrics.json` of the translations to each domain.
    """
    return {domain: _sets_of(metrics) for domain, metrics in of_domains.items()}


def _sets_of(metrics: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    main = {name: metrics[name] for name in ("generated", "ceiling") if name in metrics}
    sets = {**main, **metrics["baselines"]}
    l1 = metrics["baselines"].get("unchanged", {}).get("l1")
    return {name: _row_of(score, None if name == "ceiling" else l1) for name, score in sets.items()}


def _row_of(score: Mapping[str, Any], l1_unchanged: float | None) -> dict[str, float]:
    # What a translation is for comes first.
    keys = sorted(filter(SCORES.fullmatch, score), key=lambda key: key != "domain_accuracy")
    row = {key: score[key] for key in keys if score[key] is not None}
    if "l1" in row and l1_unchanged:
        row["l1_of_unchanged"] = row["l1"] / l1_unchanged
    shares = score.get("of_ceiling", {})
    return row | {f"{key}_of_ceiling": shares[key] for key in ("domain_accuracy", "mean_iou") if key in shares}


def means_of(targets: ByTarget) -> dict[str, dict[str, float]]:
    """Return the mean of every score over the target domains, by set of photos, if each domain has the score."""
    first, *others = targets.values()
    means = {}
    for photos, scores in first.items():
        rows = [scores, *(other.get(photos, {}) for other in others)]
        common = [key for key in scores if all(key in row for row in rows)]
        means[photos] = {key: float(np.mean([row[key] for row in rows])) for key in common}
    return means


def table_of(targets: ByTarget) -> pd.DataFrame:
    """Return a row for each target domain and set of photos, with their names in `to` and `photos`; it may be empty."""
    rows = [{"to": domain, "photos": name, **row} for domain, sets in targets.items() for name, row in sets.items()]
    return pd.DataFrame(rows, columns=None if rows else ["to", "photos"])
