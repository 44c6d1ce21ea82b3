"""Enlarged photos that no network makes: the baselines that super-resolution must be better than."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from pix2street.core.images import read_rgb
from pix2street.core.pairs import Pair, write_photos

FILTERS = {
    "nearest": Image.Resampling.NEAREST,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}
"""The resampling filter of each baseline."""


def write_enlargements(subsets: Mapping[str, Sequence[Pair]], factor: int, folder: Path) -> None:
    """Write `<baseline>/<subset>/<pair_id>.png` for every input of each subset, `factor` times as large."""
    for baseline, resampling in FILTERS.items():
        for subset, pairs in subsets.items():
            photos = (enlarged(read_rgb(pair.input_path), factor, resampling) for pair in pairs)
            write_photos(folder / baseline / subset, pairs, photos)


def enlarged(photo: np.ndarray, factor: int, resampling: Image.Resampling) -> np.ndarray:
    """Return `[H, W, 3]` uint8 at `factor` times its sides."""
    height, width = photo.shape[:2]
    return np.asarray(Image.fromarray(photo).resize((factor * width, factor * height), resampling))
