"""The part of the protocol that the scores of a set of photos share."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pix2street.core.domains import Photographed
from pix2street.core.images import read_rgb
from pix2street.core.pairs import Dataset, read_manifest
from pix2street.core.tables import as_csv
from pix2street.metrics import bootstrap, detail, enlargement, pixels

GREY = "grey, one channel; networks that look at them (judges, Inception) are shown it in all three of theirs"
"""A line that only the protocol of a set with grey targets has."""


def shared_protocol(
    split_folder: Path, dataset: Dataset, subset: str, made: Photographed, generator: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the protocol of the scores against targets, if there are any, and the part that all scores share.

    That part names the pairs, their size, and the settings that made the photos.
    """
    height, width = read_rgb(made.real[0]).shape[:2]
    rows = read_manifest(split_folder)
    rows = rows[(rows["split"] == subset) & rows["fault"].isna()]
    if made.domains:
        rows = rows[rows["domain"].isin(made.domains)]
    columns = rows[["pair_id", "input_sha256", "target_sha256"]]
    shared = {
        "dataset": dataset.name,
        "split": subset,
        "pairs": len(made.pairs),
        "pairs_sha256": hashlib.sha256(as_csv(columns).encode()).hexdigest(),
        "height_px": height,
        "width_px": width,
        "photos_resized": "bicubic, antialiased",
        "classes_resized": "nearest",
        "generator": dict(generator),
        **({"photos": GREY} if dataset.target_channels == 1 else {}),
        **made.protocol(),
    }
    protocol = {"shared": shared, "intervals": bootstrap.PROTOCOL}
    if dataset.factor > 1:
        protocol |= {"enlargement": enlargement.protocol_of(dataset.factor), "detail": detail.PROTOCOL}
    return {**protocol, "pixels": pixels.PROTOCOL} if made.exact else protocol
