"""Read, write and resize images; pixels <-> [-1, 1]. The one place that knows how.

Pixels are uint8 in [0, 255], RGB `[H, W, 3]` or class ids `[H, W]`; networks see float32 in [-1, 1].
"""

import base64
import io
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
from PIL import Image
from PIL.TiffImagePlugin import (
    EXTRASAMPLES,
    PHOTOMETRIC_INTERPRETATION,
    SAMPLESPERPIXEL,
    ImageFileDirectory_v2,
)
from PIL.TiffImagePlugin import PREFIXES as TIFF_PREFIXES

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


def read_stored(path: Path, ids: bool) -> tuple[np.ndarray, str]:
    """The image at `path`, fully decoded, and the mode it is stored in.

    The mode is Pillow's name: `RGB`, `L`, `P`, `I;16`, ...; and `RGB;16` for 16 bits a channel.

    Args:
        ids: read `L` and `P` as `[H, W]` uint8 class ids; all else, and all images otherwise, as `[H, W, 3]` RGB.

    Raises:
        UserError: the file is missing, truncated or no image.
    """
    with _opened(path) as (image, mode):
        return np.asarray(image if ids and image.mode in ("L", "P") else image.convert("RGB")), mode


UPLOAD_TYPES = {"image/png": "PNG", "image/jpeg": "JPEG", "image/webp": "WEBP", "image/bmp": "BMP"}
"""Media types of what strangers may send, and Pillow's names for them: formats whose decoders are small and fuzzed."""


def decode_upload(data: bytes, name: str, ids: bool, max_px: int) -> np.ndarray:
    """The image that somebody sent, `[H, W]` or `[H, W, 3]` uint8.

    Args:
        name: stands in errors.
        ids: read one 8-bit channel (not a palette's indices) as class ids `[H, W]`; all else is RGB.
        max_px: of the whole image; known before anything is decoded.

    Raises:
        UserError: it is none of `UPLOAD_TYPES`, truncated or too large, or has more than 8 bits a channel.
    """
    with _opened(io.BytesIO(data), name, UPLOAD_TYPES.values(), max_px) as (image, mode):
        if mode in ("I", "F") or "16" in mode:
            raise UserError(f"{name}: must have 8 bits a channel, has more (mode {mode}); save it with 8")
        return np.asarray(image if ids and image.mode == "L" else image.convert("RGB"))


def decode(data: bytes, name: str) -> np.ndarray:
    """The pixels of an encoded image as they are stored, `[H, W]` or `[H, W, C]`; `name` stands in errors."""
    with _opened(io.BytesIO(data), name) as (image, _):
        return np.asarray(image)


def _read(path: Path, mode: str) -> np.ndarray:
    with _opened(path) as (image, _):
        if mode == "L" and image.mode != "L":
            raise UserError(f"{path}: class ids are one 8-bit channel, this is mode {image.mode}; run `split` again")
        return np.asarray(image.convert(mode))


@contextmanager
def _opened(
    file: Path | BinaryIO, name: str = "", formats: Iterable[str] | None = None, max_px: int | None = None
) -> Iterator[tuple[Image.Image, str]]:
    """A fully decoded image and its mode."""
    try:
        with Image.open(file, formats=formats and list(formats)) as image:
            if max_px is not None and image.width * image.height > max_px:
                raise UserError(
                    f"{name or file}: is {image.width}x{image.height} px, at most {max_px:,} pixels may be; reduce it"
                )
            # Pillow reads 16 bits a channel as 8 and says so only before it has read them.
            deep = image.mode == "RGB" and any("16" in str(tile.args) for tile in image.tile)
            image.load()
            yield image, "RGB;16" if deep else image.mode
    # Pillow reports a broken file with any of these, depending on its format and on where it breaks.
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        reason = str(error) if name == "" else str(error).replace(repr(file), "it")
        way_out = f"send a whole {', '.join(formats)}" if formats else "replace or remove the file"
        raise UserError(f"{name or file}: not a readable image ({reason}); {way_out}") from error


def write_png(path: Path, pixels: np.ndarray) -> None:
    """Write what `png_bytes` gives."""
    path.write_bytes(png_bytes(pixels))


def png_bytes(pixels: np.ndarray) -> bytes:
    """`[H, W, 3]`, `[H, W, 1]` or `[H, W]` uint8 as a lossless PNG; equal pixels give equal bytes."""
    buffer = io.BytesIO()
    Image.fromarray(pixels[..., 0] if pixels.shape[2:] == (1,) else pixels).save(buffer, "png", compress_level=1)
    return buffer.getvalue()


def jpeg_bytes(pixels: np.ndarray) -> bytes:
    """`[H, W, 3]` uint8 as a JPEG to look at, never to compute with."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "jpeg", quality=85)
    return buffer.getvalue()


def data_uri(data: bytes, kind: str) -> str:
    """An encoded image (`png`, `jpeg`) as the value of an `img` element's `src`."""
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


def thumbnail(pixels: np.ndarray, side_px: int) -> np.ndarray:
    """`[H, W, 3]` uint8 reduced, in its own shape, to at most `side_px` high and wide."""
    scale = min(1.0, side_px / max(pixels.shape[:2]))
    return resize_photo(pixels, *(max(1, round(scale * side)) for side in pixels.shape[:2]))


def resize_photo(pixels: np.ndarray, height_px: int, width_px: int) -> np.ndarray:
    """`[H, W, 3]` uint8 resampled bicubically, antialiased where it shrinks.

    What shrinks more than fourfold is first averaged to twice its new size: a third of the time, and on street scenes a
    mean difference of 0.4 of 255 levels.
    """
    return _resize(pixels, height_px, width_px, Image.Resampling.BICUBIC)


def resize_labels(ids: np.ndarray, height_px: int, width_px: int) -> np.ndarray:
    """`[H, W]` uint8 resampled by nearest neighbour: no id that was not there before."""
    return _resize(ids, height_px, width_px, Image.Resampling.NEAREST)


def resize_box(pixels: np.ndarray, height_px: int, width_px: int) -> np.ndarray:
    """`[H, W, 3]` uint8, each pixel the mean of those it stands for."""
    return _resize(pixels, height_px, width_px, Image.Resampling.BOX)


def resize_clean(pixels: np.ndarray, side_px: int) -> np.ndarray:
    """`[H, W, 3]` uint8 -> `[side_px, side_px, 3]` float32 in [0, 255]: bicubic, antialiased, not rounded.

    The resize of clean-fid (Parmar et al., "On aliased resizing and surprising subtleties in GAN evaluation", 2022).
    """
    channels = [Image.fromarray(pixels[..., channel].astype(np.float32)) for channel in range(3)]
    resized = [channel.resize((side_px, side_px), Image.Resampling.BICUBIC) for channel in channels]
    return np.stack(resized, axis=-1).clip(0, 255)


def _resize(pixels: np.ndarray, height_px: int, width_px: int, filter: Image.Resampling) -> np.ndarray:
    if pixels.shape[:2] == (height_px, width_px):
        return pixels
    return np.asarray(Image.fromarray(pixels).resize((width_px, height_px), filter, reducing_gap=2.0))


def luma(photo: np.ndarray) -> np.ndarray:
    """`[H, W, 3]` uint8 -> its luma (ITU-R BT.601), `[H, W]` uint8."""
    return np.asarray(Image.fromarray(photo).convert("L"))


def perceptual_hash(photo: np.ndarray, side: int) -> str:
    """`[H, W, 3]` uint8 -> whether each of the lowest `side` x `side` DCT coefficients is above their median, as hex.

    Of two photos that look alike few bits differ (Zauner, "Implementation and benchmarking of perceptual image hash
    functions", 2010, section 3.2.1).
    """
    from imagehash import phash

    return str(phash(Image.fromarray(photo), hash_size=side))


def grey(photo: np.ndarray) -> np.ndarray:
    """`[H, W, 3]` uint8 -> its luma in all three channels, `[H, W, 3]` uint8."""
    return np.repeat(luma(photo)[..., None], 3, axis=2)


@dataclass(frozen=True)
class EdgeSettings:
    """Canny's edge detector ("A computational approach to edge detection", 1986).

    Args:
        sigma: of the Gaussian that smooths first, in pixels of the working size.
        low_share, high_share: quantiles of the gradient's magnitude; an edge begins above the higher one and goes on
            above the lower one.
    """

    sigma: float
    low_share: float
    high_share: float


def edges(photo: np.ndarray, settings: EdgeSettings) -> np.ndarray:
    """`[H, W, 3]` uint8 -> its edges, black on white in all three channels, `[H, W, 3]` uint8."""
    from skimage.feature import canny

    found = canny(
        luma(photo) / np.float32(255), settings.sigma, settings.low_share, settings.high_share, use_quantiles=True
    )
    return np.repeat(np.where(found, 0, 255).astype(np.uint8)[..., None], 3, axis=2)


def to_unit(pixels):
    """Pixels in [0, 255] -> [-1, 1]; a float array or tensor in, the same out."""
    return pixels / 127.5 - 1.0


def to_pixels(unit: np.ndarray) -> np.ndarray:
    """[-1, 1] -> uint8 in [0, 255], rounded to the nearest."""
    return np.clip(np.rint((np.asarray(unit, np.float32) + 1.0) * 127.5), 0, 255).astype(np.uint8)


def contact_sheet(rows: Sequence[Sequence[np.ndarray]], gap_px: int = 4) -> np.ndarray:
    """Rows of equally sized `[H, W, 3]` or `[H, W, 1]` uint8 images on one white sheet, `gap_px` apart."""
    height, width = rows[0][0].shape[:2]
    down, across = height + gap_px, width + gap_px
    sheet = np.full((len(rows) * down - gap_px, len(rows[0]) * across - gap_px, 3), 255, np.uint8)
    for i, row in enumerate(rows):
        for j, image in enumerate(row):
            sheet[i * down : i * down + height, j * across : j * across + width] = image
    return sheet


def read_photo(path: Path, channels: int | None = None) -> np.ndarray:
    """Return the pixels of a target or of a generated photo, `[H, W, 3]` RGB or `[H, W, 1]` grey, uint8.

    Args:
        channels: 3 or 1, whatever the file has; None for 1 where the file has one 8-bit channel, else 3.

    Raises:
        UserError: the file is missing, truncated or no image.
    """
    with _opened(path) as (image, _):
        if channels is None:
            channels = 1 if image.mode == "L" else 3
        return np.atleast_3d(np.asarray(image.convert("L" if channels == 1 else "RGB")))


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


NEW_SUBFILE_TYPE = 254
"""A TIFF's tag whose lowest bit marks a smaller copy of another page."""

SHOWN_CHANNELS = {0: 1, 1: 1, 3: 1, 5: 4}
"""Channels of a picture by a TIFF's photometric interpretation: grey, a palette and inks; 3 for all others."""

MAX_PAGES_COUNTED = 1000


class TiffPage(NamedTuple):
    """The channels of a page of a TIFF, how many of them make a picture, and whether it is a smaller copy."""

    channels: int
    shown: int
    reduced: bool


def refuse_more_channels(path: Path) -> None:
    """Raise UserError where a TIFF has more channels than a picture: Pillow leaves them out in silence."""
    for page in _tiff_pages(path)[:1]:
        if page.channels > page.shown:
            raise UserError(
                f"{path}: has {page.channels} channels, of which {page.shown} would be shown; save three of them as "
                "8-bit RGB, or one as 8-bit grey"
            )


def refuse_stack(path: Path) -> None:
    """Raise UserError where a TIFF holds several pages of full size; a preview beside its image is none."""
    pages = [page for page in _tiff_pages(path) if not page.reduced]
    if len(pages) > 1:
        more = " or more" if len(pages) == MAX_PAGES_COUNTED else ""
        raise UserError(
            f"{path}: is a stack of {len(pages)}{more} pages, a target is one image; save the page that is meant as a "
            "file of its own"
        )


def _tiff_pages(path: Path) -> list[TiffPage]:
    """Return the pages of a TIFF, of a broken one those that can be read; none of any other file."""
    pages, offsets = [], set()
    with path.open("rb") as file, warnings.catch_warnings(action="ignore"):
        head = file.read(8)
        if not head.startswith(tuple(TIFF_PREFIXES)):
            return []
        # A BigTIFF has a longer header.
        head += file.read(8) if head[2] == 43 else b""
        try:
            tags = ImageFileDirectory_v2(head)
            while tags.next and tags.next not in offsets and len(pages) < MAX_PAGES_COUNTED:
                offsets.add(tags.next)
                file.seek(tags.next)
                tags = ImageFileDirectory_v2(head)
                tags.load(file)
                pages.append(_tiff_page(tags))
        # Whatever is wrong with a file is said by what decodes it.
        except Exception:  # noqa: BLE001
            pass
    return pages


def _tiff_page(tags: ImageFileDirectory_v2) -> TiffPage:
    # Of the extra channels, 1 and 2 mark an alpha.
    alpha = not {1, 2}.isdisjoint(tags.get(EXTRASAMPLES, ()))
    shown = SHOWN_CHANNELS.get(tags.get(PHOTOMETRIC_INTERPRETATION), 3) + alpha
    return TiffPage(int(tags.get(SAMPLESPERPIXEL, 1)), shown, bool(tags.get(NEW_SUBFILE_TYPE, 0) & 1))
