"""Small photos to large ones: photos of a user, or drawn streets; the input of each photo is the photo reduced."""

from pathlib import Path

from pix2street.core.limits import Limits
from pix2street.core.pairs import Dataset
from pix2street.datasets import synthetic_streets
from pix2street.datasets.own_images import fetch_photos
from pix2street.settings.download import OwnImages, SuperResolution, SyntheticStreets


def fetch(
    folder: Path,
    path: Path,
    limits: Limits,
    own: OwnImages,
    settings: SuperResolution,
    streets: SyntheticStreets,
) -> Dataset:
    """Copy the photos into their splits, or draw the photos of streets; `split` reduces them."""
    if settings.photos == "synthetic_streets":
        synthetic_streets.draw_photos(folder, streets)
        facts = {"title": "Synthetic streets", "licence": "Apache-2.0", "home_page": "", "group_pattern": None}
    else:
        fetch_photos(folder, path, limits, own)
        facts = {name: getattr(own, name) for name in ("title", "licence", "home_page", "group_pattern")}
    return Dataset(
        name="super_resolution",
        direction=f"small photos to photos {settings.factor} times as large",
        input_from="reduced",
        factor=settings.factor,
        **facts,
    )
