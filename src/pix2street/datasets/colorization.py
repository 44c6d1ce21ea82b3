"""Black-and-white to colour: any photos of a user; the input of each photo is its grey version."""

from pathlib import Path

from pix2street.core.limits import Limits
from pix2street.core.pairs import Dataset
from pix2street.datasets.own_images import fetch_photos
from pix2street.settings.download import OwnImages


def fetch(folder: Path, path: Path, limits: Limits, own: OwnImages) -> Dataset:
    """Copy the photos into their splits; see `own_images.fetch_photos`."""
    fetch_photos(folder, path, limits, own)
    return Dataset(
        name="colorization",
        title=own.title,
        direction="black-and-white to colour",
        licence=own.licence,
        home_page=own.home_page,
        input_from="grey",
        group_pattern=own.group_pattern,
    )
