import struct
import zlib

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageCms

from pix2street.core.decoding import FIRST, ON_WHITE, OPAQUE, UPRIGHT, decode, decode_upload, read_stored
from pix2street.core.errors import UserError
from pix2street.core.images import read_ids, read_rgb, write_png

NOISE = np.random.default_rng(0).integers(0, 256, (40, 60, 3)).astype(np.uint8)


def test_the_mode_of_a_file_is_told_even_where_pillow_hides_it(tmp_path):
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 2, 1, 16, 2, 0, 0, 0)
    deep = (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(13))) + chunk(b"IEND", b"")
    )
    (tmp_path / "deep.png").write_bytes(deep)
    stored = read_stored(tmp_path / "deep.png", ids=False)
    assert (stored.pixels.shape, stored.mode) == ((1, 2, 3), "RGB;16")
    for mode in ("RGB", "L", "P", "RGBA", "CMYK", "I;16"):
        path = tmp_path / f"image.{'tif' if mode == 'CMYK' else 'png'}"
        Image.new(mode, (2, 1)).save(path)
        assert read_stored(path, ids=False).mode == mode.removesuffix("A")
        assert read_stored(path, ids=False).pixels.shape == (1, 2, 3)
        assert read_stored(path, ids=True).pixels.ndim == (2 if mode in ("L", "P") else 3)


STORED_AS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
"""The way in which a camera stores an upright photo under each EXIF orientation."""


@pytest.mark.parametrize("suffix", ["png", "webp", "tif", "jpg"])
@pytest.mark.parametrize("orientation", [0, 1, *STORED_AS, 9])
def test_an_image_is_turned_as_its_orientation_says_before_its_size_counts(tmp_path, suffix, orientation):
    upright = np.kron(NOISE[:10, :15], np.ones((8, 8, 1), np.uint8))
    image = Image.fromarray(upright)
    if orientation in STORED_AS:
        image = image.transpose(STORED_AS[orientation])
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    image.save(tmp_path / f"a.{suffix}", exif=exif, **({"lossless": True} if suffix == "webp" else {"quality": 100}))
    stored = read_stored(tmp_path / f"a.{suffix}", ids=False)
    assert stored.pixels.shape == upright.shape
    assert np.abs(stored.pixels.astype(int) - upright).mean() < (8 if suffix == "jpg" else 1e-9)
    assert stored.notes == ((UPRIGHT,) if orientation in STORED_AS else ())


def test_ids_and_uploads_are_turned_upright_as_well(tmp_path):
    ids = NOISE[..., 0]
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    turned = Image.fromarray(ids).transpose(Image.Transpose.ROTATE_90)
    turned.save(tmp_path / "ids.png", exif=exif)
    assert (read_ids(tmp_path / "ids.png") == ids).all()
    data = (tmp_path / "ids.png").read_bytes()
    assert (decode_upload(data, "x", ids=True, max_px=10_000).pixels == ids).all()
    assert (decode(data, "x") == ids).all()


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
def test_broken_tags_do_not_spoil_an_image(tmp_path):
    Image.fromarray(NOISE).save(tmp_path / "a.png", exif=b"Exif\0\0II*\0\xff\xff\xff\xff")
    assert (read_rgb(tmp_path / "a.png") == NOISE).all()


def drawn(mode: str) -> Image.Image:
    """Return a black square in the middle of transparent pixels."""
    alpha = np.zeros((20, 30), np.uint8)
    alpha[5:15, 8:22] = 255
    black = Image.new("L", (30, 20))
    match mode:
        case "P":
            image = Image.fromarray(alpha // 255, "P")
            image.putpalette([0, 0, 0, 0, 0, 0])
            image.info["transparency"] = 0
            return image
        case "L" | "RGB":
            image = Image.fromarray(np.where(alpha == 255, 0, 9).astype(np.uint8)).convert(mode)
            image.info["transparency"] = 9 if mode == "L" else (9, 9, 9)
            return image
        case "LA":
            return Image.merge("LA", (black, Image.fromarray(alpha)))
    return Image.merge("RGBA", (black, black, black, Image.fromarray(alpha)))


@pytest.mark.parametrize("suffix", ["png", "webp", "tif", "gif"])
@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "L", "RGB"])
def test_what_is_transparent_is_white_and_cannot_be_a_class(tmp_path, mode, suffix):
    if (suffix in ("webp", "tif") and mode != "RGBA") or (suffix == "gif" and mode != "P"):
        pytest.skip("the format keeps no transparency of this mode")
    path = tmp_path / f"a.{suffix}"
    drawn(mode).save(path, **({"lossless": True} if suffix == "webp" else {}))
    expected = np.full((20, 30, 3), 255, np.uint8)
    expected[5:15, 8:22] = 0
    stored = read_stored(path, ids=False)
    assert (stored.pixels == expected).all()
    assert (stored.transparent == (expected[..., 0] == 255)).all()
    assert stored.notes == (ON_WHITE,)
    assert "76.67% is transparent" in stored.label_fault()
    assert "76.67% is transparent" in read_stored(path, ids=True).label_fault()


def deep_png(alpha: int) -> bytes:
    """Return a PNG of one pixel of 16 bits a channel, with alpha."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 1, 1, 16, 6, 0, 0, 0)
    pixel = zlib.compress(b"\0" + struct.pack(">HHHH", 1000, 2000, 3000, alpha))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixel) + chunk(b"IEND", b"")


def test_alpha_of_16_bits_is_alpha_too(tmp_path):
    (tmp_path / "clear.png").write_bytes(deep_png(0))
    (tmp_path / "opaque.png").write_bytes(deep_png(65535))
    assert read_stored(tmp_path / "clear.png", ids=False).pixels.tolist() == [[[255, 255, 255]]]
    opaque = read_stored(tmp_path / "opaque.png", ids=False)
    assert (opaque.mode, opaque.transparent, opaque.notes) == ("RGB;16", None, (OPAQUE,))


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_an_alpha_channel_that_is_opaque_is_dropped_and_said(tmp_path, mode):
    image = Image.fromarray(NOISE).convert(mode.removesuffix("A"))
    image.convert(mode).save(tmp_path / "a.png")
    image.save(tmp_path / "b.png")
    with_alpha, without = (read_stored(tmp_path / name, ids=True) for name in ("a.png", "b.png"))
    assert (with_alpha.pixels == without.pixels).all()
    assert with_alpha.mode == without.mode
    assert (with_alpha.notes, without.notes) == ((OPAQUE,), ())
    assert with_alpha.label_fault() is None


@pytest.mark.parametrize(
    ("suffix", "options", "lossy"),
    [
        ("png", {}, False), ("gif", {}, False), ("bmp", {}, False), ("tif", {}, False),
        ("tif", {"compression": "tiff_lzw"}, False), ("webp", {"lossless": True}, False), ("jpg", {}, True),
        ("tif", {"compression": "jpeg"}, True), ("webp", {"quality": 100}, True),
    ],
)  # fmt: skip
def test_ids_need_a_format_that_keeps_numbers(tmp_path, suffix, options, lossy):
    Image.fromarray(NOISE[..., 0]).save(tmp_path / f"a.{suffix}", **options)
    stored = read_stored(tmp_path / f"a.{suffix}", ids=True)
    assert stored.lossy == lossy
    if stored.pixels.ndim == 2:  # WebP has no grey
        assert (stored.label_fault() is not None) == lossy
    if lossy and stored.pixels.ndim == 2:
        assert "export them again as PNG" in stored.label_fault()


def test_a_mask_of_one_bit_holds_the_ids_0_and_255(tmp_path):
    Image.fromarray(NOISE[..., 0] > 99).save(tmp_path / "a.png")
    stored = read_stored(tmp_path / "a.png", ids=True)
    assert (stored.pixels == np.where(NOISE[..., 0] > 99, 255, 0)).all()
    assert (read_rgb(tmp_path / "a.png")[..., 1] == stored.pixels).all()


@pytest.mark.parametrize("suffix", ["png", "tif", "gif", "webp", "mpo"])
def test_the_first_of_several_frames_is_taken_and_said(tmp_path, suffix):
    frames = [Image.fromarray(np.full((8, 8, 3), level, np.uint8)) for level in (40, 200)]
    frames[0].save(tmp_path / f"a.{suffix}", save_all=True, append_images=frames[1:])
    stored = read_stored(tmp_path / f"a.{suffix}", ids=False)
    assert np.abs(stored.pixels.astype(int) - 40).max() <= 3
    assert stored.notes == (FIRST,)


def test_a_large_image_is_a_matter_of_our_own_limit(tmp_path, recwarn):
    write_png(tmp_path / "a.png", NOISE)
    with pytest.raises(UserError, match=r"a.png: is 60x40 px, at most 2,399 pixels may be; reduce it"):
        read_stored(tmp_path / "a.png", ids=False, max_px=2399)
    # Pillow warns from 89 million pixels on.
    Image.new("1", (9500, 9500)).save(tmp_path / "large.png")
    assert read_stored(tmp_path / "large.png", ids=True).pixels.shape == (9500, 9500)
    assert not recwarn.list


def test_colours_of_another_profile_become_those_of_srgb(tmp_path):
    wide = ImageCms.ImageCmsProfile(ImageCms.createProfile("XYZ"))
    Image.fromarray(NOISE).save(tmp_path / "xyz.png", icc_profile=wide.tobytes())
    same = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
    Image.fromarray(NOISE).save(tmp_path / "srgb.png", icc_profile=same.tobytes())
    assert (read_rgb(tmp_path / "srgb.png") == NOISE).all()
    Image.fromarray(NOISE).save(tmp_path / "broken.png", icc_profile=b"no profile")
    assert (read_rgb(tmp_path / "broken.png") == NOISE).all()
    assert read_stored(tmp_path / "broken.png", ids=False).notes == ()
