"""Evaluate, for sets of videos: scores of next frames by horizon."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from pix2street.core.domains import PhotoFolders
from pix2street.core.pairs import Dataset, photos_of, read_pairs
from pix2street.metrics import horizons

IN_SETS = ("moving_l1", "sharpness")
"""Means over the horizons that are also among the scores of each set of photos, beside those over all pixels."""


def with_horizons(
    metrics: Mapping[str, Any], split_folder: Path, folders: PhotoFolders
) -> tuple[dict[str, Any], pd.DataFrame]:
    """Return the content of `metrics.json` with the scores of next frames, and these as a table.

    `horizons` has them by set of photos and horizon. A set without videos has none, and its metrics stay as they are.

    Raises:
        UserError: photos are missing or too many.
    """
    dataset = Dataset.read(split_folder)
    if not dataset.frames:
        return dict(metrics), horizons.table_of({})
    subset = metrics["split"]
    pairs = read_pairs(split_folder, subset)
    sets = {"generated": folders.generated, **{name: folders.baselines / name for name in metrics["baselines"]}}
    inputs, targets = [pair.input_path for pair in pairs], [pair.target_path for pair in pairs]
    scores = {
        name: horizons.scores_of(horizons.measure(inputs, photos_of(folder / subset, pairs), targets, dataset.frames))
        for name, folder in sets.items()
    }
    means = {name: {key: found["mean"][key] for key in IN_SETS} for name, found in scores.items()}
    return {
        **metrics,
        "generated": {**metrics["generated"], **means["generated"]},
        "baselines": {name: {**score, **means[name]} for name, score in metrics["baselines"].items()},
        "horizons": scores,
        "protocol": {**metrics["protocol"], "horizons": horizons.PROTOCOL},
    }, horizons.table_of(scores)
