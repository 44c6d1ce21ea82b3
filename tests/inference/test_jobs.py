import os
from pathlib import Path

import pytest

from pix2street.core.errors import UserError
from pix2street.inference.jobs import find_inputs, plan


@pytest.fixture(autouse=True)
def shots(tmp_path, monkeypatch):
    """Return a working folder with images, other files, and hidden files."""
    monkeypatch.chdir(tmp_path)
    names = [
        "a.png",
        "b.v2.JPG",
        "one/a.png",
        "two/deep/c.webp",
        "notes.txt",
        ".hidden/d.png",
        "one/._a.png",
        "[1].png",
    ]
    for name in (*names, "[1].png"):
        path = Path("shots", name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def found(*arguments, out="out"):
    return {str(image.path): str(image.name) for image in find_inputs(arguments, Path(out))}


def photos(*arguments, out="out", seeds=(None,), existing="refuse"):
    return [str(job.photo) for job in plan(find_inputs(arguments, Path(out)), Path(out), seeds, existing)]


def test_a_folder_is_searched_and_its_sub_folders_are_kept():
    assert found("shots") == {
        "shots/[1].png": "[1]",
        "shots/a.png": "a",
        "shots/b.v2.JPG": "b.v2",
        "shots/one/a.png": "one/a",
        "shots/two/deep/c.webp": "two/deep/c",
    }
    assert photos("shots/b.v2.JPG") == ["out/b.v2.png"]


def test_a_glob_keeps_what_its_wildcards_stand_for():
    assert found("shots/*/a.png") == {"shots/one/a.png": "one/a"}
    assert found("shots/**/*.webp") == {"shots/two/deep/c.webp": "two/deep/c"}
    assert found("*/a.*") == {"shots/a.png": "shots/a"}
    assert found("shots/[1].png") == {"shots/[1].png": "[1]"}


def test_a_file_is_taken_whatever_its_name_and_once():
    assert found("shots/notes.txt") == {"shots/notes.txt": "notes"}
    assert len(find_inputs(["shots", "shots/a.png", "shots/*.png"], Path("out"))) == 5


@pytest.mark.parametrize("argument", ["shots/x.png", "shots/*.tif", "shots/.hidden/x", "shots/*.txt"])
def test_what_means_nothing_is_refused(argument):
    with pytest.raises(
        UserError, match=r"no such file or folder|holds no image, but (nothing|1 x no image \(.txt\)); name PNG"
    ):
        find_inputs(["shots", argument], Path("out"))


def test_content_decides_and_what_is_left_out_is_said(capsys):
    Path("shots/frame.0001").write_bytes(b"\x89PNG\r\n\x1a\n")
    Path("shots/b.heic").write_bytes(b"\xff\xd8\xff")
    Path("shots/c.heic").write_bytes(b"\0\0\0\x18ftypheic")
    for name in ("Thumbs.db", "two/@eaDir.png", "a.png~"):
        Path("shots", name).touch()
    Path("shots/@eaDir").mkdir()
    Path("shots/@eaDir/a.png").touch()
    Path("shots/gone.png").symlink_to("nowhere")
    taken = found("shots")
    assert taken["shots/frame.0001"] == "frame.0001"
    assert taken["shots/b.heic"] == "b"
    assert len(taken) == 8
    assert capsys.readouterr().out == (
        "left out: 3 x system file, 1 x HEIC image: convert it to PNG or JPEG (heif-convert), 1 x dangling link, "
        "1 x hidden, 1 x no image (.txt), 1 x unfinished file or backup (~)\n"
    )
    assert set(found("shots/**/*.png")) == {name for name in taken if name.endswith(".png")}
    assert capsys.readouterr().out == "left out: 1 x dangling link, 1 x system file\n"


def test_links_are_followed_and_never_in_a_circle():
    Path("store").mkdir()
    Path("store/s.png").touch()
    Path("shots/link").symlink_to(Path("store").resolve())
    for name in ("up", "two/up", "two/deep/up"):
        Path("shots", name).symlink_to(Path("shots").resolve())
    assert found("shots")["shots/link/s.png"] == "link/s"
    assert len(found("shots")) == 6
    assert found("shots/**/s.png") == {"shots/link/s.png": "link/s"}
    assert found("**/s.png").keys() == {"shots/link/s.png", "store/s.png"}
    assert len(found("shots/**")) == 6
    assert found("shots/.hid*/**/d.png") == {"shots/.hidden/d.png": ".hidden/d"}


def test_photos_of_before_are_no_inputs():
    Path("shots/out").mkdir()
    Path("shots/out/a.png").touch()
    assert "shots/out/a.png" not in found("shots", out="shots/out")
    assert "shots/out/a.png" not in found("shots/*/a.png", out="shots/out")
    assert "shots/a.png" in found("shots", out=".")


def test_two_photos_of_one_name_are_refused():
    Path("shots/a.jpg").touch()
    with pytest.raises(UserError, match=r"shots/a.jpg and shots/a.png: both their photos would be out/a.png"):
        photos("shots")
    with pytest.raises(UserError, match=r"shots/a.png and shots/one/a.png: .* quoted glob"):
        photos("shots/a.png", "shots/one/a.png")


@pytest.mark.parametrize("existing", ["refuse", "replace", "keep"])
def test_an_input_is_never_replaced(existing):
    with pytest.raises(UserError, match=r"--out: shots is a folder of inputs"):
        photos("shots", out="shots", existing=existing)
    with pytest.raises(UserError, match=r"shots/a.png: is an input"):
        photos("shots/a.png", out="shots", existing=existing)
    Path("link").symlink_to("shots")
    with pytest.raises(UserError, match=r"is an input|is a folder of inputs"):
        photos("shots/one/a.png", "shots/a.png", out="link/one", existing=existing)


def test_photos_that_exist_are_refused_replaced_or_kept():
    Path("out").mkdir()
    Path("out/a.png").touch()
    with pytest.raises(UserError, match=r"^out/a.png exists; add --replace"):
        photos("shots")
    assert "out/a.png" in photos("shots", existing="replace")
    assert photos("shots/*.*", existing="keep") == ["out/[1].png", "out/b.v2.png"]
    Path("out/b.v2.png").touch()
    with pytest.raises(UserError, match=r"^out/a.png and 1 more of the photos exist; add --replace"):
        photos("shots")
    with pytest.raises(UserError, match=r"--out: shots/a.png is a file"):
        photos("shots", out="shots/a.png")


def test_variants_carry_their_seed():
    assert photos("shots/one", seeds=(4, 5)) == ["out/a_seed4.png", "out/a_seed5.png"]


@pytest.mark.parametrize("name", [b"stra\xdfe.png", b"a\nb.png", b"one/a\rb.png"])
def test_a_name_that_no_message_can_show_is_refused(name):
    Path("shots", os.fsdecode(name)).touch()
    with pytest.raises(UserError, match=r"shots.*: the name '.*; rename the file"):
        photos("shots")


def test_a_name_may_be_too_long_only_with_its_seed():
    Path("shots", "x" * 251 + ".png").touch()
    assert f"out/{'x' * 251}.png" in photos("shots")
    with pytest.raises(UserError, match=r"must have at most 255 bytes with .png behind it, it has 261"):
        photos("shots", seeds=(0, 1))
