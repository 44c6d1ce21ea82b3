"""Translations to every domain, and inputs forth and back, for people."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from pix2street.core.domains import pairs_to_translate
from pix2street.core.pairs import Dataset
from pix2street.reporting.examples import Example
from pix2street.reporting.scores import formatted, title_of, title_of_score

DETAILS = {
    "domain_accuracy": ("domain_accuracy_of_ceiling", "of ceiling"),
    "mean_iou": ("mean_iou_of_ceiling", "of ceiling"),
    "l1": ("l1_of_unchanged", "of unchanged"),
}
"""The share that stands below a score of a target domain, and what it is a share of."""


def read_domains(split: Path, folder: Path, held_out: str, count: int) -> list[Example]:
    """Return `count` images of the first domain, spread evenly, each with its translation to every other domain.

    The list is empty for a generator that is told no domain.

    Args:
        folder: the translations, an output of `generate`.
    """
    domains = [
        (number, name)
        for number, name in enumerate(Dataset.read(split).domains)
        if number and (folder / name / "generated" / held_out).is_dir()
    ]
    if not domains:
        return []
    pairs = pairs_to_translate(split, held_out, False, domains[0][0])
    examples = []
    for index in np.unique(np.linspace(0, len(pairs) - 1, count, dtype=int)):
        pair = pairs[index]
        photos = {
            f"to {name}": (folder / name / "generated" / held_out / f"{pair.pair_id}.png").read_bytes()
            for _, name in domains
        }
        examples.append(Example(pair.pair_id, {"input": pair.input_path.read_bytes(), **photos}))
    return examples


def domain_columns(metrics: Mapping[str, Any]) -> list[str]:
    """Return the scores of target domains in the order of columns; empty where they were not measured."""
    rows = [row for sets in metrics.get("domains", {}).get("targets", {}).values() for row in sets.values()]
    details = {key for key, _ in DETAILS.values()}
    return [key for key in dict.fromkeys(key for row in rows for key in row) if key not in details]


def domain_rows(metrics: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return a row for each target domain and set of photos, and for the means: `to`, `photos`, and cells.

    A cell is a value, and a share in words, see `DETAILS`. The name of the domain is empty but in its first row.
    """
    if "domains" not in metrics:
        return []
    columns, groups = domain_columns(metrics), {**metrics["domains"]["targets"], "": metrics["domains"]["mean"]}
    return [
        {
            "to": "" if index else domain or "mean of all",
            "photos": title_of(name),
            "cells": [(formatted(row.get(key)), _detail(row, key)) for key in columns],
        }
        for domain, sets in groups.items()
        for index, (name, row) in enumerate(sets.items())
    ]


def _detail(row: Mapping[str, float], key: str) -> str:
    share, of = DETAILS.get(key, ("", ""))
    return f"{row[share]:.0%} {of}" if share in row else ""


def domains_in_words(metrics: Mapping[str, Any]) -> str:
    """Return the means over all target domains in a sentence; empty where they were not measured."""
    if "domains" not in metrics:
        return ""
    mean = metrics["domains"]["mean"]
    parts = []
    for key in domain_columns(metrics):
        values = {name: mean.get(name, {}).get(key) for name in ("generated", "unchanged", "color_transfer")}
        if values["generated"] is not None:
            others = [f"{title_of(name)}: {formatted(values[name])}" for name in values if values[name] is not None][1:]
            parts.append(f"{title_of_score(key)} {formatted(values['generated'])} ({'; '.join(others)})")
    return f"Means over {len(metrics['domains']['targets'])} target domains: {', '.join(parts)}."


def classifier_in_words(metrics: Mapping[str, Any]) -> str:
    """Return how well the classifier of domains knows real photos; empty without one."""
    if "domain_classifier" not in metrics:
        return ""
    score = metrics["domain_classifier"]
    return (
        f"The classifier of domains was trained on real photos alone, and names the domain of {score['accuracy']:.1%} "
        f"of the {score['images']} real photos of {metrics['split']} right: what it reaches in the target domain is "
        "the ceiling of the share that it names as that domain."
    )


def cycle_note(metrics: Mapping[str, Any]) -> str:
    """Return what the L1 of inputs forth and back cannot say; empty where it was not measured."""
    if "cycle_l1" not in metrics["generated"]:
        return ""
    return (
        "A low L1 of inputs that went forth and back alone proves nothing: a model that hides its input in the photo, "
        "or changes nothing, has one, too."
    )
