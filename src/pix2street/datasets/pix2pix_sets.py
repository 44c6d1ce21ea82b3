"""The sets that the authors of pix2pix publish: side-by-side JPEGs in a tar (Isola et al. 2017, section 4)."""

from dataclasses import dataclass
from pathlib import Path

from pix2street.core.archives import open_source
from pix2street.core.errors import UserError
from pix2street.core.fetching import cache_folder, fetch_file, fetched_sha256
from pix2street.core.limits import Limits
from pix2street.core.pairs import Dataset, InputFrom
from pix2street.datasets.arrangement import arrange
from pix2street.datasets.own_images import copy_images, images_of
from pix2street.settings.download import Naming, Pix2pixSets


@dataclass(frozen=True)
class Task:
    """One archive: its size, the names of its two directions, and the half that is the input in direction `forth`."""

    title: str
    size: str
    forth: str
    back: str
    input_from: InputFrom
    licence: str
    home_page: str


TASKS = {
    "facades": Task(
        "CMP facades",
        "29 MB",
        "labels to facade",
        "facade to labels",
        "right",
        "CMP Facade Database, research use (Tylecek and Sara 2013)",
        "https://cmp.felk.cvut.cz/~tylecr1/facade/",
    ),
    "maps": Task(
        "Aerial photos and maps",
        "239 MB",
        "aerial to map",
        "map to aerial",
        "left",
        "Google Maps imagery, research use",
        "https://phillipi.github.io/pix2pix/",
    ),
    "night2day": Task(
        "Day and night",
        "1.9 GB",
        "day to night",
        "night to day",
        "right",
        "Transient Attributes, research use (Laffont et al. 2014)",
        "http://transattr.cs.brown.edu/",
    ),
    "edges2shoes": Task(
        "Edges and shoes",
        "2.0 GB",
        "sketch to photo",
        "photo to sketch",
        "left",
        "UT Zappos50K, non-commercial research (Yu and Grauman 2014)",
        "https://vision.cs.utexas.edu/projects/finegrained/utzap50k/",
    ),
    "edges2handbags": Task(
        "Edges and handbags",
        "8.0 GB",
        "sketch to photo",
        "photo to sketch",
        "left",
        "Amazon product images, research use (Zhu et al. 2016)",
        "https://github.com/junyanz/iGAN",
    ),
}


NAMING = Naming(group_pattern=None, split_shares=None, split_folders={}, id_pattern=None, id_from="name", seed=0)
"""The naming of the authors' archives: usual names of folders, and nothing to divide."""


def fetch(folder: Path, name: str, limits: Limits, settings: Pix2pixSets) -> Dataset:
    """Copy the images of `<base_url>/<name>.tar.gz` into their splits; the archive is kept in the cache.

    The authors number the images of each split from 1, so that each pair_id gets its split in front. They publish no
    checksums: the archive's SHA-256 goes into `dataset.json`, and `dvc.lock` tells when the server has another archive.

    Raises:
        UserError: the archive cannot be fetched, is refused, or holds an image outside of train/, val/ and test/.
    """
    task = TASKS[name]
    archive = cache_folder() / "pix2pix" / f"{name}.tar.gz"
    try:
        fetch_file(f"{settings.base_url.rstrip('/')}/{archive.name}", archive)
    except UserError as error:
        raise UserError(
            f"{error}\n{archive.name} ({task.size}) is not there. Put it into {archive.parent}, or name a mirror in "
            "download.pix2pix_sets.base_url. To try the pipeline without it:\n"
            "  dvc exp run -S download.dataset=synthetic_streets"
        ) from error
    with open_source(archive, limits) as source:
        images, others = images_of(source)
        arrangement = arrange(archive, images, task.input_from, NAMING)
        copy_images(source, folder, arrangement.destinations, others | arrangement.left_out)
    swapped = {"left": "right", "right": "left"}[task.input_from]
    return Dataset(
        name=name,
        title=task.title,
        direction=getattr(task, settings.direction),
        licence=task.licence,
        home_page=task.home_page,
        input_from=task.input_from if settings.direction == "forth" else swapped,
        archives={archive.name: fetched_sha256(archive)},
    )
