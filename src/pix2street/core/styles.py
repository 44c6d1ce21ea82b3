"""Styles: what a drawing does not say about its photo, as further channels behind it; palettes or codes.

In training a style is that of the pair's own photo. In use it is drawn from a bank of what the training photos lend.
"""

import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, Self

import numpy as np

from pix2street.core import codes, palettes
from pix2street.core.classes import ClassTable
from pix2street.core.images import png_bytes
from pix2street.core.pairs import Pair
from pix2street.core.seeds import derive_seed

ONE_STYLE = "one_style"
"""The folder of several drawings in one light, beside those of further draws, which are named by numbers."""

CHANNELS = {"none": 0, "palette": 3, "code": codes.NUMBERS}
"""The number of channels of each `train.data.style`."""

BANK_FILES = {"palette": palettes.FILE, "code": codes.FILE}
"""The file of each style's bank beside the generator."""


class StyleBank(Protocol):
    """What the training photos lend to drawings, class ids `[H, W]` or RGB `[H, W, 3]` uint8.

    A style is an image of the drawing's size, `[H, W, C]` uint8, or the values of all its pixels, `[C]`.
    """

    def draw(self, drawing: np.ndarray, seed: int, like: np.ndarray | None = None) -> np.ndarray:
        """Return a style: a function of the drawing and the seed, in the light `like` if there is one."""

    def light(self, drawing: np.ndarray, seed: int) -> np.ndarray:
        """Return the light `[C]` uint8 of the style that `draw` returns."""

    def lights(self, drawing: np.ndarray, seeds: Sequence[int]) -> np.ndarray:
        """Return `light` for each of the S seeds, `[S, C]` uint8, but none twice where there are enough."""

    def light_of(self, photo: np.ndarray) -> np.ndarray:
        """Return the light `[C]` of a photo `[H, W, 3]` uint8."""

    def mean(self, drawing: np.ndarray) -> np.ndarray:
        """Return the style that is the mean of all."""

    def write(self, folder: Path) -> None:
        """Write the bank into the generator's folder."""

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Return the bank in the generator's folder, or raise UserError."""


BANKS: dict[str, type[StyleBank]] = {"palette": palettes.PaletteBank, "code": codes.CodeBank}
"""The bank of each style."""


@dataclass(frozen=True)
class PairStyles:
    """The styles of some pairs, in the pairs' order.

    Args:
        palettes: a PNG each, which is jittered and mirrored with the drawing; None for another style.
        codes: their values in every pixel, `[P, C]` uint8; None for another style.
    """

    palettes: Sequence[bytes] | None = None
    codes: np.ndarray | None = None


def with_style(pixels: np.ndarray, style: np.ndarray) -> np.ndarray:
    """Return a drawing `[H, W]` or `[H, W, 3]` with its style behind it, as one image `[H, W, S]` uint8."""
    drawing = pixels if pixels.ndim == 3 else pixels[..., None]
    return np.concatenate([drawing, np.broadcast_to(style, (*drawing.shape[:2], style.shape[-1]))], axis=-1)


def seed_of(name: str, seed: int) -> int:
    """Return the seed of the style for the drawing `name`."""
    return derive_seed(seed, zlib.crc32(name.encode()))


def packed(styles: Iterable[np.ndarray]) -> PairStyles:
    """Return styles of one kind for batches."""
    one_by_one = [style if style.ndim == 1 else png_bytes(style) for style in styles]
    if isinstance(one_by_one[0], bytes):
        return PairStyles(palettes=one_by_one)
    return PairStyles(codes=np.stack(one_by_one))


def own_styles(style: str, pairs: Sequence[Pair], classes: ClassTable | None) -> tuple[PairStyles, StyleBank | None]:
    """Return the styles of the pairs' own photos, and the bank of these photos; None for the style "none"."""
    if style == "palette":
        pngs, bank = palettes.read_palettes(pairs)
        return PairStyles(palettes=pngs), bank
    if style == "code":
        bank = codes.read_codes(pairs, classes)
        return PairStyles(codes=bank.codes), bank
    return PairStyles(), None
