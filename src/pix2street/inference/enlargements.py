"""Enlarged photos that no network makes: the baselines that super-resolution must be better than."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from pix2street.core.images import FILTERS, enlarge_photo, read_rgb
from pix2street.core.pairs import Pair, write_photos


def write_enlargements(subsets: Mapping[str, Sequence[Pair]], factor: int, folder: Path) -> None:
    """Write `<baseline>/<subset>/<pair_id>.png` for every input of each subset, `factor` times as large.

    The baselines are the filters that `enlarge_photo` knows.
    """
    for baseline in FILTERS:
        for subset, pairs in subsets.items():
            photos = (enlarge_photo(read_rgb(pair.input_path), factor, baseline) for pair in pairs)
            write_photos(folder / baseline / subset, pairs, photos)
