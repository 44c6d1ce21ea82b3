"""Films become folders of frames, upright and within limits; what cannot be decoded is named."""

import zipfile

import numpy as np
import pytest
from shipped import PARAMS, changed
from sources import LIMITS, film

from pix2street.core.archives import open_source
from pix2street.core.errors import UserError
from pix2street.core.images import read_rgb, write_png
from pix2street.core.limits import Limits
from pix2street.datasets import colorization, frames
from pix2street.datasets.films import unpack_films

OWN = PARAMS.download.own_images
COUNTS = changed(PARAMS.download.frames, frames_in=2, frames_out=1, step=1, every=3)


def turned(content: bytes) -> bytes:
    """Return an MP4 film whose header says that it is to be turned by a quarter, as that of a phone held upright."""
    one = 1 << 16
    straight, quarter = (one, 0, 0, 0, one), (0, one, 0, -one & 0xFFFFFFFF, 0)
    plain, other = (b"".join(part.to_bytes(4, "big") for part in matrix) for matrix in (straight, quarter))
    start = content.index(plain, content.index(b"tkhd"))
    return content[:start] + other + content[start + len(other) :]


def fetch(tmp_path, **films):
    source, folder = tmp_path / "source", tmp_path / "images"
    folder.mkdir()
    for name, content in films.items():
        path = source / name.replace("__", "/").replace("_mp4", ".mp4").replace("_avi", ".avi")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    frames.fetch(folder, source, LIMITS, OWN, COUNTS).write(folder)
    return folder


def test_a_film_is_a_video(tmp_path, capsys):
    folder = fetch(tmp_path, train__a_mp4=film(7), val__b_avi=film(4, kind="avi"))
    assert sorted(path.name for path in folder.iterdir()) == ["dataset.json", "train", "val"]
    assert [path.name for path in sorted((folder / "train/a").iterdir())] == [f"{n:06d}.png" for n in range(1, 8)]
    assert len([*(folder / "val/b").iterdir()]) == 4
    third = read_rgb(folder / "train/a/000003.png")
    assert third.shape == (48, 64, 3)
    np.testing.assert_allclose([third[:16].mean(), third[32:].mean()], [255, 40], atol=6)
    said = capsys.readouterr().out
    assert "source: 2 films unpacked into frames" in said
    assert "11 files found: 11 images, none left out" in said


def test_films_and_folders_of_frames_go_together_in_an_archive(tmp_path):
    folder, archive = tmp_path / "images", tmp_path / "videos.zip"
    folder.mkdir()
    for number in range(3):
        write_png(tmp_path / f"{number}.png", np.full((48, 64, 3), number, np.uint8))
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("train/a.mp4", film(3))
        for number in range(3):
            file.write(tmp_path / f"{number}.png", f"val/b/{number}.png")
    frames.fetch(folder, archive, LIMITS, OWN, COUNTS)
    assert {path.name: len([*path.iterdir()]) for path in folder.glob("*/*")} == {"a": 3, "b": 3}


def test_a_film_of_a_phone_held_upright_is_turned(tmp_path):
    folder = fetch(tmp_path, train__a_mp4=turned(film(3)), val__b_mp4=film(3))
    pixels = read_rgb(folder / "train/a/000001.png")
    assert pixels.shape == (64, 48, 3)
    # A quarter turn clockwise brings the white upper half to the right.
    np.testing.assert_allclose([pixels[:, 32:].mean(), pixels[:, :16].mean()], [255, 0], atol=6)


@pytest.mark.parametrize(
    ("films", "fault"),
    [
        ({"a_mp4": film(4)[:700]}, "cannot be decoded after frame"),
        ({"a_mp4": b"\0\0\0\x18ftypmp42" + bytes(300)}, "cannot be decoded after frame 0"),
        ({"a_mp4": film(3), "a_avi": film(3, kind="avi")}, "would be in one folder with 'a.avi'; rename the film"),
        ({"a_mp4": film(3), "a__notes.txt": b"rain"}, "would be in one folder with 'a/notes.txt'"),
    ],
)
def test_a_film_that_is_no_video_is_named(tmp_path, films, fault):
    with pytest.raises(UserError, match=r"a\.mp4") as error:
        fetch(tmp_path, **films)
    assert fault in str(error.value)
    assert not [*(tmp_path / "images").iterdir()]


@pytest.mark.parametrize(
    ("limits", "fault"),
    [(Limits(5, 1.0, 100.0), "at most 5 frames"), (Limits(500, 1e-6, 100.0), "b.mp4: frame 2 passes a limit")],
)
def test_frames_are_limited(tmp_path, limits, fault):
    (tmp_path / "source").mkdir()
    for name in "ab":
        (tmp_path / f"source/{name}.mp4").write_bytes(film(4))
    with open_source(tmp_path / "source", limits) as source, pytest.raises(UserError, match=r"max_files|max_gib") as e:
        unpack_films(source, tmp_path / "unpacked", limits)
    assert fault in str(e.value)


def test_other_sets_name_the_one_that_reads_films(tmp_path):
    (tmp_path / "source").mkdir()
    (tmp_path / "source/a.mp4").write_bytes(film(3))
    with pytest.raises(UserError, match=r"video: train on it with download\.dataset: frames"):
        colorization.fetch(tmp_path, tmp_path / "source", LIMITS, OWN)
