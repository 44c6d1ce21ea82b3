"""The palettes that the page asks for: drawn by a seed, in a light that it keeps, with the colours that it fixed."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from pix2street.core.errors import UserError
from pix2street.core.palettes import PaletteBank, Regions

MAX_FIXED = 64
"""The number of colours that a page may fix."""

LIGHT = re.compile(r"[0-9a-f]{6}")
FIXED = re.compile(r"([0-9]{1,5}),([0-9]{1,5}),([0-9a-f]{6})")


@dataclass(frozen=True)
class FixedColor:
    """The colour `[3]` uint8 of the region that holds a pixel."""

    row: int
    column: int
    color: np.ndarray

    @classmethod
    def read(cls, text: str, height_px: int, width_px: int) -> Self:
        """Return the colour in a text such as "12,30,c80000": column, row, and the colour's digits as in CSS.

        Raises:
            UserError: the text has another form, or the pixel is outside of the drawing.
        """
        found = FIXED.fullmatch(text)
        if not found:
            raise UserError(
                f"fixed: must be column, row and six lowercase hexadecimal digits, as in 12,30,c80000, is {text[:40]!r}"
            )
        column, row = int(found[1]), int(found[2])
        if column >= width_px or row >= height_px:
            raise UserError(
                f"fixed: the pixel in column {column} and row {row} is outside of the drawing, whose columns are 0 to "
                f"{width_px - 1} and whose rows are 0 to {height_px - 1}"
            )
        return cls(row, column, color_of(found[3]))


@dataclass(frozen=True)
class Wish:
    """A palette that the page asks for.

    Args:
        seed: the seed of `PaletteBank.draw`.
        light: the mean colour `[3]` of the photo whose light is kept; None to draw one.
        fixed: later ones count where a region has several.
    """

    seed: int
    light: np.ndarray | None
    fixed: Sequence[FixedColor]

    def light_for(self, bank: PaletteBank, ids: np.ndarray) -> np.ndarray:
        """Return the light `[3]` uint8 of the palette for class ids `[H, W]`: with it, the palette stays the same."""
        return bank.light(ids, self.seed) if self.light is None else self.light

    def palette_for(self, bank: PaletteBank, ids: np.ndarray) -> np.ndarray:
        """Return the palette `[H, W, 3]` uint8 for class ids `[H, W]`."""
        palette = bank.draw(ids, self.seed, self.light)
        places = Regions.of(ids).places if self.fixed else None
        for fix in self.fixed:
            palette[places == places[fix.row, fix.column]] = fix.color
        return palette


def read_light(text: str) -> np.ndarray | None:
    """Return the colour `[3]` uint8 in digits as in CSS; None for no text.

    Raises:
        UserError: the text has another form.
    """
    if not text:
        return None
    if not LIGHT.fullmatch(text):
        raise UserError(f"light: must be six lowercase hexadecimal digits, as in 8090a0, is {text[:40]!r}")
    return color_of(text)


def color_of(digits: str) -> np.ndarray:
    """Return the colour `[3]` uint8 of six hexadecimal digits."""
    return np.frombuffer(bytes.fromhex(digits), np.uint8)
