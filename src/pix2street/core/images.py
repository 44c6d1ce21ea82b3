"""Read, write and resize images; pixels <-> [-1, 1]. The one place that knows how.

Pixels are uint8 in [0, 255], RGB `[H, W, 3]` or class ids `[H, W]`; networks see float32 in [-1, 1].
"""

import base64
import io
import struct
import warnings
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, NamedTuple, Self

import numpy as np
from PIL import ExifTags, Image, ImageCms, ImageOps
from PIL.TiffImagePlugin import (
    EXTRASAMPLES,
    PHOTOMETRIC_INTERPRETATION,
    PREFIXES,
    SAMPLESPERPIXEL,
    ImageFileDirectory_v2,
)

from pix2street.core.errors import UserError
from pix2street.core.formats import HEAD_BYTES, PILLOW_FORMATS, why_no_image

MAX_PX = 200_000_000
"""The most pixels that an image may have where nobody says otherwise; as RGB they take 600 MB."""

UPRIGHT = "turned upright"
OPAQUE = "opaque alpha dropped"
ON_WHITE = "laid on white"
FIRST = "first of several frames"
SRGB = "converted to sRGB"
NOTES = (UPRIGHT, OPAQUE, ON_WHITE, FIRST, SRGB)
"""What reading may do beyond decoding; `Stored.notes` holds these words."""

BROKEN = (OSError, SyntaxError, ValueError, TypeError, KeyError, IndexError, OverflowError, MemoryError, struct.error)
"""What Pillow reports a broken file with, depending on its format and on where it breaks."""

LOSSY_FORMATS = ("JPEG", "MPO")
LOSSY_TIFF = ("jpeg", "tiff_jpeg", "webp", "tiff_jp2")


@dataclass(frozen=True)
class Stored:
    """An image as its file means it: upright, in sRGB, its first frame, and on white where it is transparent.

    Args:
        pixels: class ids `[H, W]` or RGB `[H, W, 3]`, uint8.
        mode: Pillow's name for how the pixels are stored, less the alpha channel: `RGB`, `L`, `P`, `1`, `CMYK`, `I;16`,
            ...; `RGB;16` and `L;16` for 16 bits a channel that were read as 8.
        lossy: whether the file's compression changes values.
        transparent: `[H, W]` bool, True where a pixel is not opaque; None where all are.
        notes: what was done beyond decoding, of `NOTES`.
    """

    pixels: np.ndarray
    mode: str = "RGB"
    lossy: bool = False
    transparent: np.ndarray | None = None
    notes: tuple[str, ...] = ()

    def columns(self, part: slice) -> Self:
        """Return some columns of the image, such as one half of a pair."""
        transparent = None if self.transparent is None else self.transparent[:, part]
        return replace(self, pixels=self.pixels[:, part], transparent=transparent)

    def label_fault(self) -> str | None:
        """Return why the pixels cannot be classes, ids or colours, with the way out; None where they can."""
        if self.transparent is not None and self.transparent.any():
            share = max(float(self.transparent.mean()), 0.0001)
            return (
                f"is a drawing of classes of which {share:.2%} is transparent, and a transparent pixel has no class; "
                "fill it with the colour or id of a class and save it without transparency"
            )
        if self.pixels.ndim == 2 and self.lossy:
            return (
                "holds class ids in a lossy format, which moves them to the numbers of other classes; export them "
                "again as PNG"
            )
        return None


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


def read_stored(path: Path, ids: bool, max_px: int = MAX_PX) -> Stored:
    """Return the image at `path`, fully decoded, with how it is stored.

    Args:
        ids: read `1` (as 0 and 255), `L` and `P` as class ids; all else, and all images otherwise, as RGB.
        max_px: known before anything is decoded.

    Raises:
        UserError: the file is missing, truncated, no image, or larger than `max_px`.
    """
    return _as_stored(_load(path, str(path), max_px=max_px), ids)


def decode_stored(data: bytes, name: str, ids: bool, max_px: int = MAX_PX) -> Stored:
    """Return an encoded image as `read_stored` returns one at a path; `name` stands in errors."""
    return _as_stored(_load(io.BytesIO(data), name, max_px=max_px), ids)


UPLOAD_TYPES = {"image/png": "PNG", "image/jpeg": "JPEG", "image/webp": "WEBP", "image/bmp": "BMP"}
"""Media types of what strangers may send, and Pillow's names for them: formats whose decoders are small and fuzzed."""


def decode_upload(data: bytes, name: str, ids: bool, max_px: int) -> Stored:
    """Return the image that somebody sent.

    Args:
        name: stands in errors.
        ids: read one 8-bit channel (not a palette's indices) as class ids `[H, W]`; all else is RGB.
        max_px: of the whole image; known before anything is decoded.

    Raises:
        UserError: it is none of `UPLOAD_TYPES`, truncated or too large, or has more than 8 bits a channel.
    """
    loaded = _load(io.BytesIO(data), name, UPLOAD_TYPES.values(), max_px)
    refuse_deep(loaded.mode, name)
    return _as_stored(loaded, ids and loaded.mode == "L")


def refuse_deep(mode: str, name: str) -> None:
    """Raise UserError where an image has more than 8 bits a channel.

    Args:
        mode: see `Stored`.
        name: stands in the error.
    """
    if mode.startswith(("I", "F")) or "16" in mode:
        raise UserError(f"{name}: must have 8 bits a channel, has more (mode {mode}); save it with 8")


def decode(data: bytes, name: str) -> np.ndarray:
    """Return an encoded image's upright pixels in its own mode, `[H, W]` or `[H, W, C]`; `name` stands in errors."""
    return np.asarray(_load(io.BytesIO(data), name).image)


class _Loaded(NamedTuple):
    """A decoded image, upright; the rest is as in `Stored`."""

    image: Image.Image
    mode: str
    lossy: bool
    notes: tuple[str, ...]


def _load(file: Path | BinaryIO, name: str, formats: Collection[str] | None = None, max_px: int = MAX_PX) -> _Loaded:
    """Decode all of an image's first frame and turn it upright."""
    # The limit here is `max_px`, of which the error speaks; Pillow's own prints a warning and cannot be passed.
    Image.MAX_IMAGE_PIXELS = None
    _refuse_more_channels(file, name)
    try:
        with Image.open(file, formats=list(formats or PILLOW_FORMATS)) as image:
            if image.width * image.height > max_px:
                raise UserError(
                    f"{name}: is {image.width}x{image.height} px, at most {max_px:,} pixels may be; reduce it"
                )
            # Pillow reads 16 bits a channel as 8 and says so only before it has read them.
            deep = image.mode in ("RGB", "RGBA", "LA") and any("16" in str(tile.args) for tile in image.tile)
            lossy, several = _is_lossy(image), getattr(image, "n_frames", 1) > 1
            # Pillow turns a TIFF while it loads it, and removes the tag.
            turned = _orientation(image) != 1
            image.load()
            mode = image.mode.removesuffix("A").removesuffix("a") + (";16" if deep else "")
            notes = ((UPRIGHT,) if turned else ()) + ((FIRST,) if several else ())
            return _Loaded(ImageOps.exif_transpose(image) if turned else image, mode, lossy, notes)
    except BROKEN as error:
        reason = _other_format(file, name) or str(error).replace(repr(file), "it")
        way_out = f"send a whole {', '.join(formats)}" if formats else "replace or remove the file"
        raise UserError(f"{name}: not a readable image ({reason}); {way_out}") from error


def _is_lossy(image: Image.Image) -> bool:
    match image.format:
        case "WEBP":
            image.fp.seek(0)
            # The name of its lossy chunks; those of the lossless kind are VP8L.
            return b"VP8 " in image.fp.read()
        case "TIFF":
            return image.info.get("compression") in LOSSY_TIFF
        case kind:
            return kind in LOSSY_FORMATS


def _orientation(image: Image.Image) -> int:
    """Return the EXIF orientation, 1 for upright; 1 as well where the image says nothing that can be used."""
    try:
        orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
    except BROKEN:  # tags beside pixels that are sound
        return 1
    return orientation if orientation in range(2, 9) else 1


def _as_stored(loaded: _Loaded, ids: bool) -> Stored:
    image, notes = loaded.image, list(loaded.notes)
    alpha = image.convert("RGBA").getchannel("A") if _may_be_transparent(image) else None
    opaque = alpha is None or alpha.getextrema()[0] == 255
    if alpha is not None and opaque:
        notes.append(OPAQUE)
    if ids and loaded.mode in ("1", "L", "P"):
        pixels = np.asarray(image.convert("L") if loaded.mode == "1" else image.getchannel(0))
    else:
        image, converted = _in_srgb(image)
        notes += ([] if opaque else [ON_WHITE]) + ([SRGB] if converted else [])
        if not opaque:
            image = image.convert("RGBA")
            image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
        pixels = np.asarray(image.convert("RGB"))
    return Stored(pixels, loaded.mode, loaded.lossy, None if opaque else np.asarray(alpha) < 255, tuple(notes))


def _may_be_transparent(image: Image.Image) -> bool:
    return image.has_transparency_data and not image.mode.startswith(("I", "F"))


def _in_srgb(image: Image.Image) -> tuple[Image.Image, bool]:
    """Return `image`, converted where its profile is not that of sRGB, and whether it was."""
    profile = image.info.get("icc_profile")
    if not profile or image.mode not in ("RGB", "RGBA"):
        return image, False
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if "srgb" in ImageCms.getProfileDescription(source).lower():
            return image, False
        return ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB")), True
    # A profile that cannot be read is as good as none.
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return image, False


def _stream(file: Path | BinaryIO) -> BinaryIO:
    return file.open("rb") if isinstance(file, Path) else io.BytesIO(file.getvalue())


def _other_format(file: Path | BinaryIO, name: str) -> str:
    """Return what a file is that is no image, with the way out; empty where it has no name or cannot be read."""
    with suppress(OSError), _stream(file) as stream:
        why = why_no_image(name, stream.read(HEAD_BYTES))
        return "" if why.startswith("no image") else why
    return ""


SHOWN_CHANNELS = {0: 1, 1: 1, 3: 1, 5: 4}
"""Channels of a picture by a TIFF's photometric interpretation: grey, a palette and inks; 3 for all others."""


def _refuse_more_channels(file: Path | BinaryIO, name: str) -> None:
    """Raise UserError where a TIFF has more channels than a picture: Pillow leaves them out in silence."""
    # Whatever else is wrong with a file is said by what decodes it.
    with suppress(*BROKEN), warnings.catch_warnings(action="ignore"), _stream(file) as stream:
        head = stream.read(8)
        if not head.startswith(tuple(PREFIXES)):
            return
        # A BigTIFF has a longer header.
        head += stream.read(8) if head[2] == 43 else b""
        stream.seek(ImageFileDirectory_v2(head).next)
        tags = ImageFileDirectory_v2(head)
        tags.load(stream)
        # Of the extra channels, 1 and 2 mark an alpha.
        alpha = not {1, 2}.isdisjoint(tags.get(EXTRASAMPLES, ()))
        shown = SHOWN_CHANNELS.get(tags.get(PHOTOMETRIC_INTERPRETATION), 3) + alpha
        if (channels := int(tags.get(SAMPLESPERPIXEL, 1))) > shown:
            raise UserError(
                f"{name}: has {channels} channels, of which {shown} would be shown; save three of them as 8-bit RGB, "
                "or one as 8-bit grey"
            )


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
    image = _load(path, str(path)).image
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
