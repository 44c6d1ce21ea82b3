"""Download: get a data set as side-by-side images, with what it says of itself."""

from pathlib import Path
from typing import Any

from pix2street.datasets import DATASETS


def download(dataset: str, settings: dict[str, Any], folder: Path) -> None:
    """Fill the empty `folder` with `{train,val,test}/<pair_id>.<ext>` and `dataset.json`."""
    DATASETS[dataset](folder, **settings).write(folder)
