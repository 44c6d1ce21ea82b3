"""Translations of photos to a domain that no network makes: the baselines that a model must be better than."""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from skimage.color import lab2rgb, rgb2lab

from pix2street.core.domains import read_images
from pix2street.core.images import read_rgb
from pix2street.core.pairs import Pair, write_photos

AXES = (0, 1)
ROUNDING = 1e-6
"""The deviation up to which a channel counts as uniform."""


@dataclass(frozen=True)
class Colors:
    """The mean and the standard deviation of each channel of CIELAB, `[3]` float64."""

    mean: np.ndarray
    deviation: np.ndarray

    @classmethod
    def of(cls, paths: Sequence[Path]) -> Self:
        """Return the means, over at least one photo, of the photos' own statistics."""

        def measure(path: Path) -> tuple[np.ndarray, np.ndarray]:
            lab = rgb2lab(read_rgb(path))
            return lab.mean(AXES), lab.std(AXES)

        with ThreadPoolExecutor() as pool:
            means, deviations = zip(*pool.map(measure, paths), strict=True)
        return cls(np.mean(means, axis=0), np.mean(deviations, axis=0))

    def lent_to(self, photo: np.ndarray) -> np.ndarray:
        """Return a photo `[H, W, 3]` uint8 with these statistics in place of its own.

        They are exact but for colours that a screen cannot show, which are clipped. It is Reinhard et al. 2001, "Color
        transfer between images", equations 10 and 11, in CIELAB in place of their l-alpha-beta. A uniform
        channel stays so.
        """
        lab = rgb2lab(photo)
        own = lab.std(AXES)
        scale = np.divide(self.deviation, own, out=np.ones(3), where=own > ROUNDING)
        with warnings.catch_warnings():
            # The library warns of colours that it clips.
            warnings.simplefilter("ignore", UserWarning)
            rgb = lab2rgb((lab - lab.mean(AXES)) * scale + self.mean)
        return np.rint(rgb * 255).astype(np.uint8)


def write_free_translations(split: Path, domain: str, subsets: Mapping[str, Sequence[Pair]], folder: Path) -> None:
    """Write `<baseline>/<subset>/<pair_id>.png` for every input of each subset.

    `unchanged` is each input as it is. `color_transfer` is each input with the mean colour statistics of the target
    domain's images of train, see `Colors`; a domain without images of train has none.
    """
    train = [image.path for image in read_images(split, "train") if image.domain == domain]
    colors = Colors.of(train) if train else None
    for subset, pairs in subsets.items():
        write_photos(folder / "unchanged" / subset, pairs, _photos(pairs))
        if colors:
            write_photos(folder / "color_transfer" / subset, pairs, map(colors.lent_to, _photos(pairs)))


def _photos(pairs: Sequence[Pair]) -> Iterator[np.ndarray]:
    return (read_rgb(pair.input_path) for pair in pairs)
