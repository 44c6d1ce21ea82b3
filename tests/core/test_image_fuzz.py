"""Every image gives its pixels or a refusal, however damaged it is; the seed of a case repeats it."""

import io
import os
import struct

import numpy as np
import pytest
from PIL import Image, ImageCms

from pix2street.core.decoding import Stored, decode_stored, decode_upload
from pix2street.core.errors import UserError

MUTATIONS = int(os.environ.get("IMAGE_MUTATIONS", "60"))
"""The number of times that every base is damaged; raise it for a longer search."""

PIXELS = np.random.default_rng(0).integers(0, 256, (12, 16, 3)).astype(np.uint8)


def encoded(kind: str, mode: str, **options) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010E] = "a street"
    buffer = io.BytesIO()
    image = Image.fromarray(PIXELS).convert(mode)
    image.save(buffer, kind, **({"exif": exif} if kind in ("png", "jpeg", "webp", "tiff") else {}), **options)
    return buffer.getvalue()


def frames(kind: str) -> dict:
    return {"save_all": True, "append_images": [Image.fromarray(PIXELS[::-1].copy())]}


PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("XYZ")).tobytes()
BASES = {
    "png": encoded("png", "RGB", icc_profile=PROFILE),
    "png alpha": encoded("png", "RGBA"),
    "png palette": encoded("png", "P", transparency=3),
    "png frames": encoded("png", "RGB", **frames("png")),
    "jpeg": encoded("jpeg", "RGB", icc_profile=PROFILE),
    "jpeg inks": encoded("jpeg", "CMYK"),
    "mpo": encoded("mpo", "RGB", **frames("mpo")),
    "webp": encoded("webp", "RGBA", lossless=True),
    "webp frames": encoded("webp", "RGB", **frames("webp")),
    "tiff": encoded("tiff", "RGB"),
    "tiff lzw": encoded("tiff", "LA", compression="tiff_lzw"),
    "tiff pages": encoded("tiff", "RGB", **frames("tiff")),
    "bmp": encoded("bmp", "RGB"),
    "gif": encoded("gif", "P", transparency=3),
    "ppm": encoded("ppm", "L"),
}


def mutated(whole: bytes, rng: np.random.Generator) -> bytes:
    """Return damaged data: bytes changed, mostly near the beginning, a length made huge, or a part cut or doubled."""
    data = bytearray(whole)
    for _ in range(rng.integers(1, 6)):
        place = int(rng.integers(len(data)) if rng.random() < 0.4 else rng.integers(min(len(data), 80)))
        match rng.integers(5):
            case 0:
                data[place] = rng.integers(256)
            case 1:
                data[place] = rng.choice([0, 1, 127, 128, 255])
            case 2:
                data[place : place + 4] = struct.pack("<I", rng.choice([0, 1, 2**31 - 1, 2**32 - 1, 70000]))
            case 3:
                del data[max(place, 8) :]
            case 4:
                data[place:place] = data[place : place + int(rng.integers(1, 40))]
    return bytes(data)


def holds_pixels(stored: Stored) -> bool:
    shape = stored.pixels.shape
    clear = stored.transparent
    return stored.pixels.dtype == np.uint8 and shape[2:] in ((), (3,)) and (clear is None or clear.shape == shape[:2])


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("base", BASES)
def test_a_damaged_image_is_read_or_refused_by_name(base):
    rng = np.random.default_rng(list(base.encode()))
    read, refusals = 0, []
    for _ in range(MUTATIONS):
        data = mutated(BASES[base], rng)
        for decode in (
            lambda data: decode_stored(data, "x.png", ids=bool(len(data) % 2), max_px=1_000_000),
            lambda data: decode_upload(data, "x.png", ids=True, max_px=1_000_000),
        ):
            try:
                assert holds_pixels(decode(data))
                read += 1
            except UserError as error:
                refusals.append(str(error))
    assert read + len(refusals) == 2 * MUTATIONS
    assert refusals
    assert all(refusal.startswith("x.png: ") for refusal in refusals)


@pytest.mark.parametrize("base", BASES)
def test_the_undamaged_image_is_read(base):
    assert holds_pixels(decode_stored(BASES[base], "x.png", ids=False))
