"""Read, write and resize images; pixels <-> [-1, 1]. The one place that knows how.

Pixels are uint8 in [0, 255], RGB `[H, W, 3]` or class ids `[H, W]`; networks see float32 in [-1, 1].
"""

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from pix2street.errors import UserError

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff")


def read_rgb(path: Path) -> np.ndarray:
    """The image at `path`, fully decoded: `[H, W, 3]` uint8.

    Raises:
        UserError: the file is missing, truncated or no image.
    """
    return _read(path, "RGB")


def read_ids(path: Path) -> np.ndarray:
    """The class ids stored in a one-channel PNG: `[H, W]` uint8.

    Raises:
        UserError: the file is missing, truncated, no image, or has more than one channel.
    """
    return _read(path, "L")


def _read(path: Path, mode: str) -> np.ndarray:
    try:
        with Image.open(path) as image:
            if mode == "L" and image.mode != "L":
                raise UserError(
                    f"{path}: class ids are one 8-bit channel, this is mode {image.mode}; run `split` again"
                )
            return np.asarray(image.convert(mode))
    # Pillow reports a broken file with any of these, depending on its format and on where it breaks.
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise UserError(f"{path}: not a readable image ({error}); replace or remove the file") from error


def write_png(path: Path, pixels: np.ndarray) -> None:
    """Write what `png_bytes` gives."""
    path.write_bytes(png_bytes(pixels))


def png_bytes(pixels: np.ndarray) -> bytes:
    """`[H, W, 3]` or `[H, W]` uint8 as a lossless PNG; equal pixels give equal bytes."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "png", compress_level=1)
    return buffer.getvalue()


def resize_photo(pixels: np.ndarray, height_px: int, width_px: int) -> np.ndarray:
    """`[H, W, 3]` uint8 resampled bicubically, antialiased where it shrinks."""
    return _resize(pixels, height_px, width_px, Image.Resampling.BICUBIC)


def resize_labels(ids: np.ndarray, height_px: int, width_px: int) -> np.ndarray:
    """`[H, W]` uint8 resampled by nearest neighbour: no id that was not there before."""
    return _resize(ids, height_px, width_px, Image.Resampling.NEAREST)


def _resize(pixels: np.ndarray, height_px: int, width_px: int, filter: Image.Resampling) -> np.ndarray:
    if pixels.shape[:2] == (height_px, width_px):
        return pixels
    return np.asarray(Image.fromarray(pixels).resize((width_px, height_px), filter))


def to_unit(pixels):
    """Pixels in [0, 255] -> [-1, 1]; a float array or tensor in, the same out."""
    return pixels / 127.5 - 1.0


def to_pixels(unit: np.ndarray) -> np.ndarray:
    """[-1, 1] -> uint8 in [0, 255], rounded to the nearest."""
    return np.clip(np.rint((np.asarray(unit, np.float32) + 1.0) * 127.5), 0, 255).astype(np.uint8)


def contact_sheet(rows: Sequence[Sequence[np.ndarray]], gap_px: int = 4) -> np.ndarray:
    """Rows of equally sized `[H, W, 3]` uint8 images on one white sheet, `gap_px` apart."""
    height, width = rows[0][0].shape[:2]
    down, across = height + gap_px, width + gap_px
    sheet = np.full((len(rows) * down - gap_px, len(rows[0]) * across - gap_px, 3), 255, np.uint8)
    for i, row in enumerate(rows):
        for j, image in enumerate(row):
            sheet[i * down : i * down + height, j * across : j * across + width] = image
    return sheet
