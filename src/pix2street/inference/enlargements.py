"""Enlarged photos that no network makes: the baselines that super-resolution must be better than."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from pix2street.core.images import ENLARGING, enlarge_photo, read_rgb
from pix2street.core.pairs import Pair, write_photos


def write_enlargements(subsets: Mapping[str, Sequence[Pair]], factor: int, folder: Path) -> None:
    """Write `<filter>/<subset>/<pair_id>.png` for every input of each subset, `factor` times as large."""
    for name in ENLARGING:
        for subset, pairs in subsets.items():
            photos = (enlarge_photo(read_rgb(pair.input_path), factor, name) for pair in pairs)
            write_photos(folder / name / subset, pairs, photos)
