"""Evaluate, for models of more than one translation: scores of every target domain, and of inputs forth and back."""

from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd

from pix2street.core.domains import PhotoFolders, photographed
from pix2street.core.images import read_rgb
from pix2street.core.pairs import Dataset, drawing_of, photos_of
from pix2street.metrics import cycle, domains
from pix2street.settings.evaluate import Evaluate


def evaluate_domains(
    evaluate: Callable[..., tuple[dict[str, Any], Any]], split_folder: Path, folder: Path, settings: Evaluate
) -> dict[str, dict[str, Any]]:
    """Return what `evaluate_photos` returns for the translations to each domain, in the order of the domains.

    No judge is too weak here, since its ceiling differs from domain to domain.

    Args:
        evaluate: `evaluate_photos`, given everything but its folders and settings.
        folder: a folder for each domain with the folders `generated` and `baselines`; missing for a generator that
            is told none.
    """
    weak = settings.model_copy(update={"min_ceiling": 0.0})
    found = {}
    for number, domain in enumerate(Dataset.read(split_folder).domains):
        photos = folder / domain
        if (photos / "generated" / settings.subset).is_dir():
            with TemporaryDirectory() as judged:
                folders = PhotoFolders(photos / "generated", photos / "baselines", domain=number)
                found[domain], _ = evaluate(folders, Path(judged), weak)
    return found


def with_domains(
    metrics: Mapping[str, Any], of_domains: Mapping[str, Mapping[str, Any]]
) -> tuple[dict[str, Any], pd.DataFrame]:
    """Return the content of `metrics.json` with the scores of every target domain, and these as a table.

    `domains.targets` has them by domain and set of photos, and `domains.mean` their means over the domains, see
    `metrics/domains.py`.

    Args:
        of_domains: what `evaluate_photos` returns for the translations to each domain; empty for a generator that is
            told none, whose metrics stay as they are.
    """
    targets = domains.by_target(of_domains)
    if not targets:
        return dict(metrics), domains.table_of(targets)
    ends = {domain: scores["protocol"]["shared"] for domain, scores in of_domains.items()}
    protocol = {
        **domains.PROTOCOL,
        "targets": {
            domain: {**shared["translation"], "pairs_sha256": shared["pairs_sha256"]} for domain, shared in ends.items()
        },
    }
    return {
        **metrics,
        "domains": {"targets": targets, "mean": domains.means_of(targets)},
        "protocol": {**metrics["protocol"], "domains": protocol},
    }, domains.table_of(targets)


def with_cycles(metrics: Mapping[str, Any], split_folder: Path, generated: Path, cycled: Path) -> dict[str, Any]:
    """Return the content of `metrics.json` with `cycle_l1` of the generated photos.

    Args:
        generated: a folder as in `PhotoFolders`.
        cycled: the inputs forth and back, arranged in the same way; missing for a generator without a way back, whose
            metrics stay as they are.

    Raises:
        UserError: pictures are missing or too many.
    """
    subset = metrics["split"]
    if not (cycled / subset).is_dir():
        return dict(metrics)
    made = photographed(split_folder, subset, generated / subset)
    classes = None if made.domains else Dataset.read(split_folder).classes
    again = photos_of(cycled / subset, made.pairs)
    pictures = (
        (drawing_of(pair.input_path, classes), read_rgb(path)) for pair, path in zip(made.pairs, again, strict=True)
    )
    return {
        **metrics,
        "generated": {**metrics["generated"], **cycle.score(pictures)},
        "protocol": {**metrics["protocol"], "cycle": cycle.PROTOCOL},
    }
