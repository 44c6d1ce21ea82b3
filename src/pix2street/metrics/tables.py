"""The tables beside `metrics.json`."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from pix2street.metrics import segmentation
from pix2street.metrics.samples import Samples


def tables_of(
    scores: Mapping[str, Mapping[str, Any]], samples: Mapping[str, Samples], pair_ids: Sequence[str]
) -> dict[str, pd.DataFrame]:
    """Return the tables of a set of generated photos and its baselines, by name.

    `images` has a row for each generated photo. The other tables are empty for a set without classes: `class_iou`,
    `class_pixels` with the right, true and judged pixels of each class in each generated photo for each judge, who
    count from 1, and `confusion`, the sum over the judges.
    """
    generated, classes = samples["generated"], samples["generated"].classes
    images = pd.DataFrame({"pair_id": pair_ids, **generated.pixels, **(generated.enlarged or {})})
    names = classes.evaluated_names if classes else []
    order = [name for name in ("generated", "ceiling", "mean_color", "untrained") if "iou" in scores.get(name, {})]
    class_iou = pd.DataFrame({"class": names, **{name: list(scores[name]["iou"].values()) for name in order}})
    if not classes:
        columns = {
            "class_pixels": ["judge", "pair_id", "class", "right", "true", "judged"],
            "confusion": ["truth", "judged"],
        }
        empty = {name: pd.DataFrame(columns=header) for name, header in columns.items()}
        return {"images": images, "class_iou": class_iou, **empty}
    counts = segmentation.counts_of(generated.confusions)
    judges, photos = counts.shape[1:3]
    in_mean = segmentation.counted(names, generated.not_judged)
    # Each row of the identity matrix selects one photo.
    each = segmentation.resampled(counts, np.eye(photos), np.ones((photos, judges)), in_mean)
    images["pixel_accuracy"], images["mean_iou"] = each
    index = [range(1, judges + 1), pair_ids, names]
    index = pd.MultiIndex.from_product(index, names=["judge", "pair_id", "class"])
    columns = dict(zip(("right", "true", "judged"), counts.reshape(3, -1), strict=True))
    class_pixels = pd.DataFrame(columns, index=index).reset_index()
    cells = pd.MultiIndex.from_product([[*names, "void"], [*names, "void"]], names=["truth", "judged"])
    sums = {name: samples[name].confusions.sum(axis=(0, 1)).ravel() for name in ("generated", "ceiling")}
    confusion = pd.DataFrame(sums, index=cells).reset_index()
    return {"images": images, "class_iou": class_iou, "class_pixels": class_pixels, "confusion": confusion}
