"""Black-and-white to colour: any photos of a user's own; each one's grey version is its input."""

from pathlib import Path

from pix2street.core.pairs import Dataset
from pix2street.datasets.own_images import fetch_photos


def fetch(folder: Path, *, title: str, licence: str, home_page: str, group_pattern: str | None, **source) -> Dataset:
    """Copy the photos into their splits; `source` as in `own_images.fetch_photos`."""
    fetch_photos(folder, group_pattern=group_pattern, **source)
    return Dataset(
        name="colorization",
        title=title,
        direction="black-and-white to colour",
        licence=licence,
        home_page=home_page,
        input_from="grey",
        group_pattern=group_pattern,
    )
