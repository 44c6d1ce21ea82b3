"""Sources of images, in pairs or by domains.

To add one, write `datasets/<name>.py` with a function `fetch` that takes a folder and the settings it needs, fills
`folder/{train,val,test}/` as `Dataset` says, and returns the set's description. Then add

- a line to `DATASETS`, which hands each `fetch` its settings,
- the name, and the settings as a section, to `Download` in `settings/download.py` and to `params.yaml`,
- a small edition to `tests/sources.py`, on which the tests in `tests/datasets/test_datasets.py` run unchanged.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from pix2street.core.pairs import Dataset
from pix2street.datasets import (
    cityscapes,
    colorization,
    domain_folders,
    frames,
    paired_folder,
    pix2pix_sets,
    sketches,
    super_resolution,
    synthetic_streets,
    unpaired_folders,
)
from pix2street.settings.download import Download


def _pix2pix_set(name: str, folder: Path, path: Path, download: Download) -> Dataset:
    return pix2pix_sets.fetch(folder, name, download.limits, download.pix2pix_sets)


DATASETS: dict[str, Callable[[Path, Path, Download], Dataset]] = {
    "synthetic_streets": lambda folder, path, download: synthetic_streets.fetch(
        folder, download.synthetic_streets, download.frames
    ),
    "cityscapes": lambda folder, path, download: cityscapes.fetch(folder, path, download.limits, download.cityscapes),
    "facades": partial(_pix2pix_set, "facades"),
    "maps": partial(_pix2pix_set, "maps"),
    "night2day": partial(_pix2pix_set, "night2day"),
    "edges2shoes": partial(_pix2pix_set, "edges2shoes"),
    "edges2handbags": partial(_pix2pix_set, "edges2handbags"),
    "colorization": lambda folder, path, download: colorization.fetch(
        folder, path, download.limits, download.own_images
    ),
    "sketches": lambda folder, path, download: sketches.fetch(
        folder, path, download.limits, download.own_images, download.sketches
    ),
    "super_resolution": lambda folder, path, download: super_resolution.fetch(
        folder, path, download.limits, download.own_images, download.super_resolution, download.synthetic_streets
    ),
    "paired_folder": lambda folder, path, download: paired_folder.fetch(
        folder, path, download.limits, download.own_images, download.paired_folder
    ),
    "unpaired_folders": lambda folder, path, download: unpaired_folders.fetch(
        folder, path, download.limits, download.own_images, download.unpaired_folders
    ),
    "frames": lambda folder, path, download: frames.fetch(
        folder, path, download.limits, download.own_images, download.frames
    ),
    "domain_folders": lambda folder, path, download: domain_folders.fetch(
        folder, path, download.limits, download.own_images, download.domain_folders
    ),
}
"""The data sets by name: `DATASETS[name](folder, path, download)` fills the folder; `path` is the user's source."""
