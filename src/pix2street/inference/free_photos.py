"""Photos without inputs that no network makes: the baselines that a model of latents must be better than."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from pix2street.core.images import read_photo
from pix2street.core.pairs import Pair, write_photos
from pix2street.core.photos import read_photos
from pix2street.core.seeds import derive_seed


def write_free_photos(split: Path, subsets: Mapping[str, Sequence[Pair]], folder: Path, seed: int) -> None:
    """Write `<baseline>/<subset>/<pair_id>.png` for every photo of each subset.

    `resampled` is a photo of train for each, no one twice as long as there are enough: what distances between sets of
    photos are for another sample of the same kind, and nothing new. `mean_photo` is the mean of all photos of train.
    """
    train = [pair.target_path for pair in read_photos(split, "train")]
    mean = np.zeros(read_photo(train[0]).shape)
    for path in train:
        mean += read_photo(path)
    mean = np.rint(mean / len(train)).astype(np.uint8)
    for number, (subset, pairs) in enumerate(subsets.items()):
        drawn = _drawn(len(train), len(pairs), derive_seed(seed, number))
        write_photos(folder / "resampled" / subset, pairs, (read_photo(train[index]) for index in drawn))
        write_photos(folder / "mean_photo" / subset, pairs, (mean for _ in pairs))


def _drawn(of: int, count: int, seed: int) -> np.ndarray:
    """Return `count` indices below `of`: all in a random order, then again in another one."""
    rng = np.random.default_rng(seed)
    return np.concatenate([rng.permutation(of) for _ in range(-(-count // of))])[:count]
