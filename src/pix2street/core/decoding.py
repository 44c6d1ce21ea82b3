"""Decode image files as people have them: any orientation, mode, transparency, colour profile and number of frames.

Every file becomes a `Stored`: upright, in sRGB, its first frame, on white where it is transparent. `images` reads and
writes the project's own files and computes with their pixels.
"""

import io
import struct
import warnings
from collections.abc import Collection
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
"""The default limit on the pixels of an image; as RGB they take 600 MB."""

UPRIGHT = "turned upright"
OPAQUE = "opaque alpha dropped"
ON_WHITE = "laid on white"
FIRST = "first of several frames"
SRGB = "converted to sRGB"
NOTES = (UPRIGHT, OPAQUE, ON_WHITE, FIRST, SRGB)
"""The words for what reading may do beyond decoding; `Stored.notes` holds some of them."""

UPLOAD_TYPES = {"image/png": "PNG", "image/jpeg": "JPEG", "image/webp": "WEBP", "image/bmp": "BMP"}
"""Media types that strangers may send, and Pillow's names for them: formats whose decoders are small and fuzzed."""

BROKEN = (OSError, SyntaxError, ValueError, TypeError, KeyError, IndexError, OverflowError, MemoryError, struct.error)
"""The exceptions by which Pillow reports a broken file, depending on its format and on where it breaks."""

LOSSY_FORMATS = ("JPEG", "MPO")
LOSSY_TIFF = ("jpeg", "tiff_jpeg", "webp", "tiff_jp2")

SHOWN_CHANNELS = {0: 1, 1: 1, 3: 1, 5: 4}
"""Channels of a picture by a TIFF's photometric interpretation: grey, a palette and inks; 3 for all others."""


@dataclass(frozen=True)
class Stored:
    """An image as its file means it: upright, in sRGB, its first frame, and on white where it is transparent.

    Args:
        pixels: class ids `[H, W]` or RGB `[H, W, 3]`, uint8.
        mode: Pillow's name for how the pixels are stored, less the alpha channel: `RGB`, `L`, `P`, `1`, `CMYK`, `I;16`,
            ...; `RGB;16` and `L;16` for 16 bits a channel that were read as 8.
        lossy: whether the file's compression changes values.
        transparent: `[H, W]` bool, True where a pixel is not opaque; None where all are.
        notes: what was done beyond decoding, in the words of `NOTES`.
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


def read_stored(path: Path, ids: bool, max_px: int = MAX_PX) -> Stored:
    """Return the image at `path`, fully decoded, with how it is stored.

    Args:
        ids: read the modes `1` (as 0 and 255), `L` and `P` as class ids; every other image becomes RGB.
        max_px: the limit on its pixels, checked before anything is decoded.

    Raises:
        UserError: the file is missing, truncated, no image, or larger than `max_px`.
    """
    return _as_stored(load(path, str(path), max_px=max_px), ids)


def decode_stored(data: bytes, name: str, ids: bool, max_px: int = MAX_PX) -> Stored:
    """Return an encoded image as `read_stored` returns a file; errors call it `name`."""
    return _as_stored(load(io.BytesIO(data), name, max_px=max_px), ids)


def decode_upload(data: bytes, name: str, ids: bool, max_px: int) -> Stored:
    """Return the image that somebody sent.

    Args:
        name: what errors call it.
        ids: read one 8-bit channel (not a palette's indices) as class ids `[H, W]`; every other image becomes RGB.
        max_px: the limit on the pixels of the whole image, checked before anything is decoded.

    Raises:
        UserError: it is none of `UPLOAD_TYPES`, truncated or too large, or has more than 8 bits a channel.
    """
    loaded = load(io.BytesIO(data), name, UPLOAD_TYPES.values(), max_px)
    refuse_deep(loaded.mode, name)
    return _as_stored(loaded, ids and loaded.mode == "L")


def refuse_deep(mode: str, name: str) -> None:
    """Raise UserError where an image has more than 8 bits a channel.

    Args:
        mode: see `Stored`.
        name: what the error calls it.
    """
    if mode.startswith(("I", "F")) or "16" in mode:
        raise UserError(f"{name}: must have 8 bits a channel, has more (mode {mode}); save it with 8")


def decode(data: bytes, name: str) -> np.ndarray:
    """Return an encoded image's upright pixels in its own mode, `[H, W]` or `[H, W, C]`; errors call it `name`."""
    return np.asarray(load(io.BytesIO(data), name).image)


class Loaded(NamedTuple):
    """A decoded image, upright; the other fields are those of `Stored`."""

    image: Image.Image
    mode: str
    lossy: bool
    notes: tuple[str, ...]


def load(file: Path | BinaryIO, name: str, formats: Collection[str] | None = None, max_px: int = MAX_PX) -> Loaded:
    """Decode the whole first frame of an image and turn it upright.

    Args:
        name: what errors call it.
        formats: Pillow's names of the formats to read; None for all that the project reads.
        max_px: the limit on its pixels, checked before anything is decoded.

    Raises:
        UserError: the file is missing, truncated, no image of these formats, or larger than `max_px`.
    """
    # The error names our own limit, `max_px`; Pillow's prints a warning and cannot be passed as an argument.
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
            return Loaded(ImageOps.exif_transpose(image) if turned else image, mode, lossy, notes)
    except BROKEN as error:
        reason = _other_format(file, name) or str(error).replace(repr(file), "it")
        way_out = f"send a whole {', '.join(formats)}" if formats else "replace or remove the file"
        raise UserError(f"{name}: not a readable image ({reason}); {way_out}") from error


def _is_lossy(image: Image.Image) -> bool:
    match image.format:
        case "WEBP":
            image.fp.seek(0)
            # `VP8 ` names the lossy chunks; those of the lossless kind are VP8L.
            return b"VP8 " in image.fp.read()
        case "TIFF":
            return image.info.get("compression") in LOSSY_TIFF
        case kind:
            return kind in LOSSY_FORMATS


def _orientation(image: Image.Image) -> int:
    """Return the EXIF orientation, 1 for upright; 1 as well where the image names no valid one."""
    try:
        orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
    except BROKEN:  # Broken tags do not make the pixels wrong.
        return 1
    return orientation if orientation in range(2, 9) else 1


def _as_stored(loaded: Loaded, ids: bool) -> Stored:
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
    # A profile that cannot be read is treated as none.
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return image, False


def _stream(file: Path | BinaryIO) -> BinaryIO:
    return file.open("rb") if isinstance(file, Path) else io.BytesIO(file.getvalue())


def _other_format(file: Path | BinaryIO, name: str) -> str:
    """Return the kind of a file that is not an image, with the way out; empty if it is unknown or cannot be read."""
    with suppress(OSError), _stream(file) as stream:
        why = why_no_image(name, stream.read(HEAD_BYTES))
        return "" if why.startswith("no image") else why
    return ""


def _refuse_more_channels(file: Path | BinaryIO, name: str) -> None:
    """Raise UserError where a TIFF has more channels than a picture: Pillow leaves them out in silence."""
    # The decoder reports every other fault of the file.
    with suppress(*BROKEN), _stream(file) as stream:
        head = stream.read(8)
        if not head.startswith(tuple(PREFIXES)):
            return
        # A BigTIFF has a longer header.
        head += stream.read(8) if head[2] == 43 else b""
        with warnings.catch_warnings(action="ignore"):
            stream.seek(ImageFileDirectory_v2(head).next)
            tags = ImageFileDirectory_v2(head)
            tags.load(stream)
        # The codes 1 and 2 of an extra channel mark an alpha.
        alpha = not {1, 2}.isdisjoint(tags.get(EXTRASAMPLES, ()))
        shown = SHOWN_CHANNELS.get(tags.get(PHOTOMETRIC_INTERPRETATION), 3) + alpha
        if (channels := int(tags.get(SAMPLESPERPIXEL, 1))) > shown:
            raise UserError(
                f"{name}: has {channels} channels, of which {shown} would be shown; save three of them as 8-bit RGB, "
                "or one as 8-bit grey"
            )
