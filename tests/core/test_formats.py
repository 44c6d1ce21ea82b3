import io

import numpy as np
import pytest
from PIL import Image

from pix2street.core.errors import UserError
from pix2street.core.formats import HEAD_BYTES, READ_HERE, ending_for, format_of, stem_of, why_no_image, why_unwanted
from pix2street.core.images import read_rgb

PIXELS = np.random.default_rng(0).integers(0, 256, (6, 9, 3)).astype(np.uint8)


def encoded(pillow: str, **settings) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(PIXELS).save(buffer, pillow, **settings)
    return buffer.getvalue()


@pytest.mark.parametrize("image", READ_HERE, ids=lambda image: image.pillow)
def test_an_image_is_known_by_its_content_and_read_under_any_name(tmp_path, image):
    content = encoded(image.pillow)
    for name in ("a", "a.heic", "a.png", "a.txt", "a.0001", "a" + image.endings[0].upper()):
        assert format_of(name, content[:HEAD_BYTES]) is image
        assert why_no_image(name, content[:HEAD_BYTES]) == ""
        (tmp_path / name).write_bytes(content)
        assert read_rgb(tmp_path / name).shape == (6, 9, 3)
    assert ending_for("a.heic", content) == image.endings[0]
    assert ending_for("a.JPG", content) == ".jpg"


def test_a_large_tiff_is_known():
    assert format_of("a", encoded("TIFF", big_tiff=True)).pillow == "TIFF"


OTHERS = {
    "HEIC image: convert": b"\0\0\0\x18ftypheic\0\0\0\0mif1heic",
    "HEIC image": b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic",
    "AVIF image": b"\0\0\0\x1cftypmif1\0\0\0\0mif1avifmiaf",
    "video: train on it with download.dataset: frames": b"\0\0\0\x18ftypisom\0\0\0\0isomavc1",
    "video": b"RIFF\0\0\0\0AVI LIST",
    "JPEG XL image": b"\xff\x0a\0",
    "PDF document: export its pages as PNG": b"%PDF-1.7\n",
    "SVG drawing: export it as PNG": b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg">',
    "Photoshop image": b"8BPS\0\1",
    "NumPy array": b"\x93NUMPY\1\0",
    "MATLAB file": b"MATLAB 5.0 MAT-file, Platform: GLNXA64",
    "camera's raw image": b"II*\0\x10\0\0\0CR\2\0",
    "7z archive: unpack it first": b"7z\xbc\xaf\x27\x1c\0\4",
    "zip: unpack it first": b"PK\3\4\x14\0",
    "Git LFS pointer instead of its file: run `git lfs pull`": b"version https://git-lfs.github.com/spec/v1\n",
    "web page instead of its file": b"\n<!DOCTYPE html><html>",
    "empty file": b"",
}


@pytest.mark.parametrize(("said", "content"), OTHERS.items())
def test_what_is_no_image_is_named_with_the_way_out_whatever_its_ending(tmp_path, said, content):
    assert why_no_image("a.png", content).startswith(said)
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(UserError) as refused:
        read_rgb(tmp_path / "a.png")
    assert said in str(refused.value)


def test_an_ending_decides_only_where_the_content_does_not():
    tiff = encoded("TIFF")
    assert why_no_image("a.tif", tiff) == ""
    assert why_no_image("a.NEF", tiff).startswith("camera's raw image: develop it")
    assert why_no_image("a.npz", b"PK\3\4").startswith("NumPy array")
    assert why_no_image("a.tga", bytes(18)).startswith("TGA image")
    assert why_no_image("notes.txt", b"BM is what we call it") == "no image (.txt)"
    assert why_no_image("index.html", b"<html>") == "no image (.html)"
    assert why_no_image("empty.txt", b"") == "no image (.txt)"
    assert why_no_image("README", b"P1 is the first of six") == "no image (no ending)"


def test_only_the_ending_of_a_format_is_cut_off():
    names = {"a.b.JPG": "a.b", "frame.0001": "frame.0001", "a.jfif": "a", "a.heic": "a", "a": "a", "v1.2": "v1.2"}
    assert {name: stem_of(name) for name in names} == names


@pytest.mark.parametrize(
    "name",
    ["a/.DS_Store", "__MACOSX/a.png", "x/._a.png", "Thumbs.db", "x/THUMBS.DB", "desktop.ini", "@eaDir/a.png/S.png",
     ".ipynb_checkpoints/a.png", "$RECYCLE.BIN/a.png", "lost+found/a.png", "#recycle/a.png", "Icon\r", ".git/a.png",
     "a.png~", "a.png.part", "a.PNG.BAK", "a.jpg.crdownload"],
)  # fmt: skip
def test_what_nobody_put_there_on_purpose_is_known(name):
    assert why_unwanted(name)


@pytest.mark.parametrize(
    "name", ["a.png", "./a.png", "thumbs/a.png", "a.b/c.png", "recycle/a", "a~b.png", "my.tmp.png"]
)
def test_what_somebody_put_there_is_wanted(name):
    assert why_unwanted(name) == ""
