"""Sketch to photo: any photos of a user's own; each one's edges are its input."""

from pathlib import Path

from pix2street.core.images import EdgeSettings
from pix2street.core.pairs import Dataset
from pix2street.datasets.own_images import fetch_photos


def fetch(
    folder: Path,
    *,
    title: str,
    licence: str,
    home_page: str,
    group_pattern: str | None,
    sigma: float,
    low_share: float,
    high_share: float,
    **source,
) -> Dataset:
    """Copy the photos into their splits; edges as in `EdgeSettings`, `source` as in `own_images.fetch_photos`."""
    fetch_photos(folder, group_pattern=group_pattern, **source)
    return Dataset(
        name="sketches",
        title=title,
        direction="sketch to photo",
        licence=licence,
        home_page=home_page,
        input_from="edges",
        group_pattern=group_pattern,
        edges=EdgeSettings(sigma, low_share, high_share),
    )
