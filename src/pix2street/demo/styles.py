"""The styles that the page asks for: drawn by a seed, in a light that it keeps, with the colours that it fixed."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from pix2street.core.errors import UserError
from pix2street.core.palettes import Regions
from pix2street.core.styles import StyleBank

MAX_FIXED = 64
"""The number of colours that a page may fix."""

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
        return cls(row, column, numbers_of(found[3]))


@dataclass(frozen=True)
class Wish:
    """A style that the page asks for.

    Args:
        seed: the seed of `StyleBank.draw`.
        light: the light `[C]` that is kept; None to draw one.
        fixed: the colours of a palette's regions; later ones count where a region has several.
    """

    seed: int
    light: np.ndarray | None
    fixed: Sequence[FixedColor]

    def light_for(self, bank: StyleBank, drawing: np.ndarray) -> np.ndarray:
        """Return the light `[C]` uint8 of the style for a drawing: with it, the style stays the same."""
        return bank.light(drawing, self.seed) if self.light is None else self.light

    def style_for(self, bank: StyleBank, drawing: np.ndarray) -> np.ndarray:
        """Return the style for a drawing, see `StyleBank`; only a palette may have fixed colours."""
        style = bank.draw(drawing, self.seed, self.light)
        places = Regions.of(drawing).places if self.fixed else None
        for fix in self.fixed:
            style[places == places[fix.row, fix.column]] = fix.color
        return style


def read_light(text: str, numbers: int) -> np.ndarray | None:
    """Return the light `[numbers]` uint8 in two digits each, as CSS has colours; None for no text.

    Raises:
        UserError: the text has another form.
    """
    if not text:
        return None
    if not re.fullmatch(rf"[0-9a-f]{{{2 * numbers}}}", text):
        example = "8090a0b0c0d0e0f0"[: 2 * numbers]
        raise UserError(f"light: must be {2 * numbers} lowercase hexadecimal digits, as in {example}, is {text[:40]!r}")
    return numbers_of(text)


def numbers_of(digits: str) -> np.ndarray:
    """Return the numbers, uint8, of two hexadecimal digits each; six are a colour `[3]`."""
    return np.frombuffer(bytes.fromhex(digits), np.uint8)
