"""Sketch to photo: any photos of a user; the input of each photo is the edges in it."""

from pathlib import Path

from pix2street.core.images import EdgeSettings
from pix2street.core.limits import Limits
from pix2street.core.pairs import Dataset
from pix2street.datasets.own_images import fetch_photos
from pix2street.settings.download import OwnImages, Sketches


def fetch(folder: Path, path: Path, limits: Limits, own: OwnImages, settings: Sketches) -> Dataset:
    """Copy the photos into their splits; see `own_images.fetch_photos`. The edges are drawn later."""
    fetch_photos(folder, path, limits, own)
    return Dataset(
        name="sketches",
        title=own.title,
        direction="sketch to photo",
        licence=own.licence,
        home_page=own.home_page,
        input_from="edges",
        group_pattern=own.group_pattern,
        edges=EdgeSettings(settings.sigma, settings.low_share, settings.high_share),
    )
