"""Download: get a data set as pairs of images, with its description."""

from pathlib import Path

from pix2street.datasets import DATASETS
from pix2street.settings.download import Download


def download(settings: Download, root: Path, folder: Path) -> None:
    """Fill the empty `folder` with `{train,val,test}/<pair_id>.<ext>` and `dataset.json`.

    Args:
        settings: the data set, its settings, and the path of its source below `root`.
    """
    DATASETS[settings.dataset](folder, root / settings.path, settings).write(folder)
