"""The styles that drawings get in use: drawn for each, the mean, in the light of a photo, or given."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from pix2street.core.errors import UserError
from pix2street.core.images import read_rgb
from pix2street.core.styles import StyleBank
from pix2street.inference.card import GeneratorCard

RANDOM, MEAN = "random", "mean"

FLAT_SHARE = 0.8
"""The share of pixels that equal their right neighbour above which an image is a palette; photos have far fewer."""


@dataclass(frozen=True)
class Style:
    """A source of styles.

    Args:
        draw: a function from a drawing, `[H, W]` or `[H, W, 3]` uint8, and a seed to its style, see `StyleBank`.
        drawn: whether styles depend on the seed.
        bank: what the training photos lend, from which others may draw.
    """

    draw: Callable[[np.ndarray, int], np.ndarray]
    drawn: bool
    bank: StyleBank | None = None


def open_style(card: GeneratorCard, folder: Path, choice: str = RANDOM) -> Style | None:
    """Return the styles of a generator's inputs; None for a generator whose inputs have none.

    Args:
        folder: the generator's folder, which has its bank.
        choice: `random` draws a style by the seed; `mean` is the mean of all. Everything else is the path of an image:
            a photo, whose light the styles have, or a palette for a generator with palettes.

    Raises:
        UserError: the bank or the image cannot be read, the image is a palette where codes are needed, or the generator
            takes no styles and another choice than `random` was made.
    """
    bank = card.read_bank(folder)
    if bank is None:
        if choice != RANDOM:
            raise UserError(
                f"--style: the {card.family} generator in {folder} takes no styles, because it was trained with "
                "train.data.style: none; leave the option out"
            )
        return None
    if choice == RANDOM:
        return Style(bank.draw, drawn=True, bank=bank)
    if choice == MEAN:
        return Style(lambda drawing, _: bank.mean(drawing), drawn=False, bank=bank)
    path = Path(choice)
    if not path.exists():
        raise UserError(f"--style: must be {RANDOM}, {MEAN} or an image, and there is no file {path}")
    return _of_image(bank, path, takes_palettes=card.encoding.style == "palette")


def is_flat(image: np.ndarray) -> bool:
    """Return whether RGB pixels `[H, W, 3]` are areas of one colour each, as those of a palette and of no photo."""
    return bool((image[:, 1:] == image[:, :-1]).all(axis=-1).mean() > FLAT_SHARE)


def _of_image(bank: StyleBank, path: Path, takes_palettes: bool) -> Style:
    image = read_rgb(path)
    if not is_flat(image):
        # One light leaves a palette many colours, and it is all of a code.
        return Style(partial(bank.draw, like=bank.light_of(image)), drawn=takes_palettes, bank=bank)
    if not takes_palettes:
        raise UserError(
            f"--style: {path} is a palette, but the generator takes codes, because it was trained with "
            f"train.data.style: code; give a photo, {RANDOM} or {MEAN}"
        )

    def given(ids: np.ndarray, _: int) -> np.ndarray:
        if image.shape[:2] != ids.shape:
            (height, width), (own_height, own_width) = ids.shape, image.shape[:2]
            raise UserError(
                f"--style: {path} is a palette, which must have the size of the drawing, {width}x{height} px, but has "
                f"{own_width}x{own_height}; resize it by nearest neighbour, or give a photo"
            )
        return image

    return Style(given, drawn=False, bank=bank)
