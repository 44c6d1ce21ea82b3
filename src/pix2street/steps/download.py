"""Download: get a data set as pairs of images or as images of domains, with its description."""

from pathlib import Path

from pix2street.datasets import DATASETS
from pix2street.settings.download import Download


def download(settings: Download, root: Path, folder: Path) -> None:
    """Fill the empty `folder` with the images of `{train,val,test}/`, as `Dataset` says, and `dataset.json`.

    Args:
        settings: the data set, its settings, and the path of its source below `root`.
    """
    DATASETS[settings.dataset](folder, root / settings.path, settings).write(folder)
