"""Images of the project: their files are read and written, their pixels resized and converted.

Pixels are uint8 in [0, 255], RGB `[H, W, 3]` or class ids `[H, W]`; networks see float32 in [-1, 1].
"""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from pix2street.core.decoding import load, read_stored
from pix2street.core.errors import UserError

ENLARGING = {
    "nearest": Image.Resampling.NEAREST,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}
"""The filters that enlarge a photo, by name."""


def read_rgb(path: Path) -> np.ndarray:
    """Return the image at `path`, fully decoded and upright: `[H, W, 3]` uint8.

    Raises:
        UserError: the file is missing, truncated or no image.
    """
    return read_stored(path, ids=False).pixels


def read_ids(path: Path) -> np.ndarray:
    """Return the class ids stored in a one-channel PNG: `[H, W]` uint8.

    Raises:
        UserError: the file is missing, truncated, no image, or has more than one channel.
    """
    stored = read_stored(path, ids=True)
    if stored.mode != "L":
        raise UserError(f"{path}: class ids are one 8-bit channel, this is mode {stored.mode}; run `split` again")
    return stored.pixels


def read_photo(path: Path, channels: int | None = None) -> np.ndarray:
    """Return the pixels of a target or of a generated photo, `[H, W, 3]` RGB or `[H, W, 1]` grey, uint8.

    Args:
        channels: 3 or 1, independent of how many the file has; None for 1 where the file has one 8-bit channel, else 3.

    Raises:
        UserError: the file is missing, truncated or no image.
    """
    image = load(path, str(path)).image
    if channels is None:
        channels = 1 if image.mode == "L" else 3
    return np.atleast_3d(np.asarray(image.convert("L" if channels == 1 else "RGB")))


def write_png(path: Path, pixels: np.ndarray) -> None:
    """Write what `png_bytes` returns."""
    path.write_bytes(png_bytes(pixels))


def png_bytes(pixels: np.ndarray) -> bytes:
    """Return `[H, W, 3]`, `[H, W, 1]` or `[H, W]` uint8 as a lossless PNG; equal pixels give equal bytes."""
    buffer = io.BytesIO()
    Image.fromarray(pixels[..., 0] if pixels.shape[2:] == (1,) else pixels).save(buffer, "png", compress_level=1)
    return buffer.getvalue()


def webp_bytes(frames: Sequence[np.ndarray], frame_ms: int) -> bytes:
    """Return frames, `[H, W, 3]` uint8 of one size, as a lossless WebP that plays them again and again."""
    first, *others = map(Image.fromarray, frames)
    buffer, how = io.BytesIO(), {"save_all": True, "duration": frame_ms, "loop": 0, "lossless": True, "method": 0}
    first.save(buffer, "webp", append_images=others, **how)
    return buffer.getvalue()


def jpeg_bytes(pixels: np.ndarray) -> bytes:
    """Return `[H, W, 3]` uint8 as a JPEG to look at, never to compute with."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "jpeg", quality=85)
    return buffer.getvalue()


def data_uri(data: bytes, kind: str) -> str:
    """Return an encoded image (`png`, `jpeg`) as the value of an `img` element's `src`."""
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


def thumbnail(pixels: np.ndarray, side_px: int) -> np.ndarray:
    """Reduce `[H, W, 3]` uint8, in its own shape, to at most `side_px` high and wide."""
    scale = min(1.0, side_px / max(pixels.shape[:2]))
    return resize_photo(pixels, *(max(1, round(scale * side)) for side in pixels.shape[:2]))


def resize_photo(pixels: np.ndarray, height_px: int, width_px: int) -> np.ndarray:
    """Resample `[H, W, 3]` uint8 bicubically, antialiased where it shrinks.

    A photo that shrinks more than fourfold is first averaged to twice its new size. This takes a third of the time and
    changes street scenes by 0.4 of 255 levels on average.
    """
    return _resize(pixels, height_px, width_px, Image.Resampling.BICUBIC)


def reduce_photo(pixels: np.ndarray, factor: int) -> np.ndarray:
    """Return `[H, W, 3]` or `[H, W]` uint8 at a `factor`th of its sides, which must be multiples of it.

    It is bicubic and antialiased, without the averaging by which `resize_photo` saves time.
    """
    height, width = pixels.shape[:2]
    if height % factor or width % factor:
        raise ValueError(f"{width}x{height} px must be multiples of {factor}")
    size = width // factor, height // factor
    return np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC))


def enlarge_photo(pixels: np.ndarray, factor: int, filter: str) -> np.ndarray:
    """Return a photo `[H, W, 3]` uint8 at `factor` times its sides, by a filter in `ENLARGING`."""
    height, width = pixels.shape[:2]
    return np.asarray(Image.fromarray(pixels).resize((factor * width, factor * height), ENLARGING[filter]))


def resize_labels(ids: np.ndarray, height_px: int, width_px: int) -> np.ndarray:
    """Resample `[H, W]` uint8 by nearest neighbour: the result holds no new id."""
    return _resize(ids, height_px, width_px, Image.Resampling.NEAREST)


def resize_box(pixels: np.ndarray, height_px: int, width_px: int) -> np.ndarray:
    """Resample `[H, W, 3]` uint8: each new pixel is the mean of the pixels that it covers."""
    return _resize(pixels, height_px, width_px, Image.Resampling.BOX)


def resize_clean(pixels: np.ndarray, side_px: int) -> np.ndarray:
    """Resample `[H, W, 3]` uint8 -> `[side_px, side_px, 3]` float32 in [0, 255]: bicubic, antialiased, not rounded.

    This is the resize of clean-fid (Parmar et al., "On aliased resizing and surprising subtleties in GAN evaluation",
    2022).
    """
    channels = [Image.fromarray(pixels[..., channel].astype(np.float32)) for channel in range(3)]
    resized = [channel.resize((side_px, side_px), Image.Resampling.BICUBIC) for channel in channels]
    return np.stack(resized, axis=-1).clip(0, 255)


def _resize(pixels: np.ndarray, height_px: int, width_px: int, filter: Image.Resampling) -> np.ndarray:
    if pixels.shape[:2] == (height_px, width_px):
        return pixels
    return np.asarray(Image.fromarray(pixels).resize((width_px, height_px), filter, reducing_gap=2.0))


def luma(photo: np.ndarray) -> np.ndarray:
    """Return the luma (ITU-R BT.601) of `[H, W, 3]` uint8 as `[H, W]` uint8."""
    return np.asarray(Image.fromarray(photo).convert("L"))


def grey(photo: np.ndarray) -> np.ndarray:
    """Return the luma of `[H, W, 3]` uint8 in all three channels, `[H, W, 3]` uint8."""
    return np.repeat(luma(photo)[..., None], 3, axis=2)


def one_channel(pixels: np.ndarray, name: str) -> np.ndarray:
    """Return the channel `[H, W]` of a grey image `[H, W, 3]` uint8, whose three channels are equal.

    Raises:
        UserError: the image, called `name`, has colour.
    """
    differences = np.ptp(pixels, axis=2)
    if differences.any():
        raise UserError(
            f"{name}: has colour: the channels of {(differences > 0).mean():.1%} of its pixels differ, by up to "
            f"{differences.max()} of 255; save it as grey, or set split.target_mode: rgb"
        )
    return np.ascontiguousarray(pixels[..., 0])


def perceptual_hash(photo: np.ndarray, side: int) -> str:
    """Return whether each of the lowest `side` x `side` DCT coefficients is above their median, as hex.

    Two photos that look alike differ in few bits (Zauner, "Implementation and benchmarking of perceptual image hash
    functions", 2010, section 3.2.1).

    Args:
        photo: `[H, W, 3]` uint8.
    """
    from imagehash import phash

    return str(phash(Image.fromarray(photo), hash_size=side))


@dataclass(frozen=True)
class EdgeSettings:
    """The settings of Canny's edge detector ("A computational approach to edge detection", 1986).

    Args:
        sigma: the standard deviation of the Gaussian that smooths first, in pixels of the working size.
        low_share, high_share: quantiles of the gradient's magnitude; an edge begins above the higher one and goes on
            above the lower one.
    """

    sigma: float
    low_share: float
    high_share: float


def edges(photo: np.ndarray, settings: EdgeSettings) -> np.ndarray:
    """Return the edges of `[H, W, 3]` uint8, black on white in all three channels, `[H, W, 3]` uint8."""
    from skimage.feature import canny

    found = canny(
        luma(photo) / np.float32(255), settings.sigma, settings.low_share, settings.high_share, use_quantiles=True
    )
    return np.repeat(np.where(found, 0, 255).astype(np.uint8)[..., None], 3, axis=2)


def to_unit(pixels):
    """Map pixels in [0, 255] to [-1, 1]; a float array or tensor gives one of its kind."""
    return pixels / 127.5 - 1.0


def to_pixels(unit: np.ndarray) -> np.ndarray:
    """Map [-1, 1] to uint8 in [0, 255], rounded to the nearest."""
    return np.clip(np.rint((np.asarray(unit, np.float32) + 1.0) * 127.5), 0, 255).astype(np.uint8)


def contact_sheet(rows: Sequence[Sequence[np.ndarray]], gap_px: int = 4) -> np.ndarray:
    """Lay rows of `[H, W, 3]` or `[H, W, 1]` uint8 images on one white sheet, `gap_px` apart.

    Each has a place of the size of the largest; smaller ones are enlarged by the whole number by which they still fit.
    """
    height, width = (max(image.shape[axis] for row in rows for image in row) for axis in (0, 1))
    down, across = height + gap_px, width + gap_px
    sheet = np.full((len(rows) * down - gap_px, len(rows[0]) * across - gap_px, 3), 255, np.uint8)
    for i, row in enumerate(rows):
        for j, image in enumerate(row):
            times = min(height // image.shape[0], width // image.shape[1])
            shown = image.repeat(times, 0).repeat(times, 1)
            sheet[i * down : i * down + shown.shape[0], j * across : j * across + shown.shape[1]] = shown
    return sheet
