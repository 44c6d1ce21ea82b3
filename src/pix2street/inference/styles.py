"""The palettes that drawings get in use: drawn for each, the mean, in the light of a photo, or given."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from pix2street.core.errors import UserError
from pix2street.core.images import read_rgb
from pix2street.core.palettes import PaletteBank
from pix2street.inference.card import GeneratorCard

RANDOM, MEAN = "random", "mean"

FLAT_SHARE = 0.8
"""The share of pixels that equal their right neighbour above which an image is a palette; photos have far fewer."""


@dataclass(frozen=True)
class Style:
    """A source of palettes.

    Args:
        palette: a function from class ids `[H, W]` uint8 and a seed to their palette `[H, W, 3]` uint8.
        drawn: whether palettes depend on the seed.
        bank: the colours of the training photos, from which others may draw.
    """

    palette: Callable[[np.ndarray, int], np.ndarray]
    drawn: bool
    bank: PaletteBank | None = None


def open_style(card: GeneratorCard, folder: Path, choice: str = RANDOM) -> Style | None:
    """Return the palettes of a generator's inputs; None for a generator whose inputs have none.

    Args:
        folder: the generator's folder, which has its bank.
        choice: `random` draws a palette by the seed; `mean` gives every class its mean colour. Everything else is the
            path of an image: a photo, whose light the drawn palettes have, or a palette.

    Raises:
        UserError: `PaletteBank.read` fails, the image cannot be read, or the generator takes no palettes and another
            choice than `random` was made.
    """
    bank = card.read_bank(folder)
    if bank is None:
        if choice != RANDOM:
            raise UserError(
                f"--style: the {card.family} generator in {folder} takes no palettes, because it was trained with "
                "train.data.style: none; leave the option out"
            )
        return None
    if choice == RANDOM:
        return Style(bank.draw, drawn=True, bank=bank)
    if choice == MEAN:
        return Style(lambda ids, _: bank.mean(ids), drawn=False, bank=bank)
    path = Path(choice)
    if not path.exists():
        raise UserError(f"--style: must be {RANDOM}, {MEAN} or an image, and there is no file {path}")
    return _of_image(bank, path)


def _of_image(bank: PaletteBank, path: Path) -> Style:
    image = read_rgb(path)
    if (image[:, 1:] == image[:, :-1]).all(axis=-1).mean() <= FLAT_SHARE:
        light = image.reshape(-1, 3).mean(axis=0)
        return Style(partial(bank.draw, like=light), drawn=True, bank=bank)

    def given(ids: np.ndarray, _: int) -> np.ndarray:
        if image.shape[:2] != ids.shape:
            (height, width), (own_height, own_width) = ids.shape, image.shape[:2]
            raise UserError(
                f"--style: {path} is a palette, which must have the size of the drawing, {width}x{height} px, but has "
                f"{own_width}x{own_height}; resize it by nearest neighbour, or give a photo"
            )
        return image

    return Style(given, drawn=False, bank=bank)
