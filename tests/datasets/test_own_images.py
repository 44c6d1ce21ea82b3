"""Files that people have beside and instead of images: they are listed, refused, or read by their content."""

import csv
import io
import os
import random
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from shipped import PARAMS, changed
from sources import LIMITS, own_and_paired

from pix2street.core.accounting import settle
from pix2street.core.errors import UserError
from pix2street.core.pairs import read_left_out, read_manifest, read_pairs
from pix2street.datasets.colorization import fetch
from pix2street.steps.split import split_pairs

OWN, _ = own_and_paired(title="Mine", split_shares={"train": 0.75, "val": 0.25, "test": 0.0})
HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"


def photo(index: int, pillow: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    pixels = np.random.default_rng(index).integers(0, 256, (8, 8, 3)).astype(np.uint8)
    Image.fromarray(pixels).save(buffer, pillow)
    return buffer.getvalue()


def put(folder: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def fetched(source: Path, folder: Path) -> list[dict]:
    """Fetch the photos of `source` into `folder`, and return the rows of what is left out."""
    folder.mkdir()
    fetch(folder, source, LIMITS, OWN).write(folder)
    if not (folder / "left_out.csv").exists():
        return []
    with (folder / "left_out.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def photos_in(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.glob("*/*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


@pytest.mark.parametrize(
    ("pillow", "ending", "written"),
    [("JPEG", ".jfif", ".jfif"), ("JPEG", ".JPE", ".jpe"), ("PNG", "", ".png"), ("JPEG", ".heic", ".jpg"),
     ("GIF", ".gif", ".gif"), ("GIF", ".png", ".png"), ("PPM", ".ppm", ".ppm"), ("WEBP", ".image", ".webp")],
)  # fmt: skip
def test_content_decides_what_an_image_is(tmp_path, pillow, ending, written):
    put(tmp_path / "source", {f"train/a{i}{ending}": photo(i, pillow) for i in range(4)})
    put(tmp_path / "source", {"val/b.png": photo(9)})
    assert fetched(tmp_path / "source", tmp_path / "out") == []
    photos = photos_in(tmp_path / "out")
    assert photos.pop("val/b.png") == photo(9)
    assert photos == {f"train/a{i}{written}": photo(i, pillow) for i in range(4)}
    (tmp_path / "split").mkdir()
    assert split_pairs(tmp_path / "out", tmp_path / "split", changed(PARAMS.split, height_px=32, width_px=32)) == (5, 0)


def test_what_is_left_out_is_listed_with_its_reason_and_counted(tmp_path, capsys):
    photos = {f"{split}/{i}.png": photo(i) for i, split in enumerate(["train", "train", "val"])}
    others = {
        "notes.txt": b"n",
        "train/1.heic": HEIC,
        "@eaDir/a/b.jpg": b"x",
        "@eaDir/c.jpg": b"y",
        "two\nlines\r": b"",
    }
    source = put(tmp_path / "source", {**photos, **others})
    (source / "val/gone.png").symlink_to("nowhere")
    (source / "val" / os.fsdecode(b".stra\xdfe")).touch()
    assert fetched(source, tmp_path / "out") == [
        {"source": "@eaDir/", "reason": "system file", "files": "2"},
        {"source": "notes.txt", "reason": "no image (.txt)", "files": "1"},
        {"source": "train/1.heic", "reason": "HEIC image: convert it to PNG or JPEG (heif-convert)", "files": "1"},
        {"source": "two\\nlines\\r", "reason": "no image (no ending)", "files": "1"},
        {"source": "val/.stra\\udcdfe", "reason": "hidden", "files": "1"},
        {"source": "val/gone.png", "reason": "dangling link", "files": "1"},
    ]
    assert capsys.readouterr().out == (
        f"{source}: 10 files found: 3 in 3 pairs, 7 left out (2 x system file, 1 x HEIC image: convert it to PNG or "
        "JPEG (heif-convert), 1 x dangling link, 1 x hidden, 1 x no image (.txt), 1 x no image (no ending))\n"
    )


def test_an_image_whose_name_is_no_utf8_is_refused_by_name(tmp_path):
    source = put(tmp_path / "source", {"a.png": photo(0), os.fsdecode(b"notes \xdf.txt"): b"n"})
    put(source, {"b.png": photo(1)})
    assert [row["source"] for row in fetched(source, tmp_path / "out")] == ["notes \\udcdf.txt"]
    put(source, {os.fsdecode(b"stra\xdfe.png"): photo(2)})
    with tarfile.open(tmp_path / "source.tar", "w") as archive:
        archive.add(source, ".")
    for path in (source, tmp_path / "source.tar"):
        with pytest.raises(UserError, match=r"the name '.*stra\\udcdf.*' must be UTF-8, but is not; rename the file"):
            fetched(path, tmp_path / f"refused_{path.name}")


def test_links_to_folders_are_followed_and_said(tmp_path, capsys):
    put(tmp_path / "store", {"a.png": photo(0), "b.png": photo(1)})
    put(tmp_path / "source", {"val/c.png": photo(2)})
    (tmp_path / "source/train").symlink_to(tmp_path / "store")
    assert fetched(tmp_path / "source", tmp_path / "out") == []
    assert set(photos_in(tmp_path / "out")) == {"train/a.png", "train/b.png", "val/c.png"}
    assert "links to folders are followed ('train'); DVC does not see a change behind them" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({}, "no images found, it is empty; put PNG, JPEG"),
        ({"data/inner.zip": b"PK\3\4"}, "no images found, but 1 x zip: unpack it first ('data/inner.zip'); put"),
        (
            {"a.heic": HEIC, "b.heic": HEIC},
            "but 2 x HEIC image: convert it to PNG or JPEG (heif-convert) ('a.heic', ...)",
        ),
        ({".hidden.png": b""}, "no images found, but 1 x hidden"),
    ],
)
def test_a_source_without_images_says_what_is_there(tmp_path, files, said):
    (tmp_path / "source").mkdir()
    with pytest.raises(UserError) as refused:
        fetched(put(tmp_path / "source", files), tmp_path / "out")
    assert said in str(refused.value)
    assert list((tmp_path / "out").iterdir()) == []


def test_a_file_in_neither_or_both_would_be_found(tmp_path):
    for destinations, left_out in (({"a": "train/a"}, {}), ({"a": "train/a", "b": "train/b"}, {"b": "hidden"})):
        with pytest.raises(RuntimeError, match=r"not accounted for: \['b'\]"):
            settle(tmp_path, tmp_path, ["a", "b"], destinations, left_out)


WORDS = [
    "a",
    "Ab",
    "ü",
    "na",
    "NA",
    "null",
    "007",
    "1e5",
    "a b",
    " x ",
    "-",
    "=1",
    "%41",
    "a,b",
    '"',
    "é",
    "x" * 99,
]
LITTER = [".DS_Store", "Thumbs.db", "._a.png", ".hidden", "desktop.ini", "a.png~"]


def generated(rng: random.Random) -> tuple[dict[str, bytes], dict[str, str]]:
    """Return random files and links of all kinds, by name."""
    files, links = {}, {}
    for index in range(rng.randrange(3, 25)):
        names = rng.choices(["x", "ü", "@eaDir", ".git", "__MACOSX", "a.png"], k=rng.randrange(3))
        folder = "".join(f"{rng.choice(['train', 'val'])}/{name}/" for name in names[:1]) or "train/"
        word = rng.choice(WORDS)
        match rng.randrange(7):
            case 0:
                files[folder + rng.choice(LITTER)] = b"l"
                files[f"{folder}two\nlines{index}.txt"] = b"t"
            case 1:
                files[f"{folder}{word}{index}{rng.choice(['.txt', '.heic', '', '.zip', '.JSON'])}"] = rng.choice(
                    [b"", b"t", HEIC]
                )
            case 2:
                links[f"{folder}{word}{index}.png"] = "nowhere"
            case 3:
                links[f"{folder}link{index}"] = rng.choice([".", "..", f"link{index}"])
            case _:
                files[f"{folder}{word}{index}{rng.choice(['.png', '.PNG', '.jfif', ''])}"] = photo(index)
    return files, links


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("form", ["folder", "zip", "tar"])
def test_every_file_of_any_tree_is_in_a_pair_or_left_out(tmp_path, form, seed):
    files, links = generated(random.Random(seed))
    # Sound photos for both splits, so that there is something to read.
    files |= {f"{split}/sound_{split}_{i}.png": photo(100 + i) for i, split in enumerate(["train", "val"])}
    source = tmp_path / "source"
    if form == "folder":
        put(source, files)
        for name, target in links.items():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).symlink_to(target)
    elif form == "zip":
        with zipfile.ZipFile(source, "w") as archive:
            for name, content in files.items():
                archive.writestr(name, content)
    else:
        with tarfile.open(source, "w") as archive:
            for name, content in files.items():
                info = tarfile.TarInfo(name)
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
    found = len(files) + (len(links) if form == "folder" else 0)
    try:
        listed = fetched(source, tmp_path / "out")
    except UserError as refused:
        assert "pair_id" in str(refused) or "only by case" in str(refused)  # noqa: PT017
        return
    photos = photos_in(tmp_path / "out")
    assert len(photos) + sum(int(row["files"]) for row in listed) == found
    assert set(photos.values()) <= {content for content in files.values() if len(content) > 40}
    (tmp_path / "split").mkdir()
    split_pairs(tmp_path / "out", tmp_path / "split", changed(PARAMS.split, height_px=32, width_px=32))
    left_out = read_left_out(tmp_path / "split")
    assert left_out["files"].sum() == found - len(photos)
    assert len(read_manifest(tmp_path / "split")) == len(photos)
    assert sum(len(read_pairs(tmp_path / "split", name)) for name in ("train", "val")) == len(photos)
