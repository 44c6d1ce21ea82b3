import os
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from sources import LIMITS, own_and_paired

from pix2street.core.errors import UserError
from pix2street.core.images import png_bytes
from pix2street.datasets.paired_folder import fetch as fetch_pairs
from pix2street.datasets.splits import divide_groups

SHARES = {"train": 0.75, "val": 0.25, "test": 0.0}
APART = {"form": "folders", "input_folder": "labels", "target_folder": "photos", "label_pixels": "ids"}
CLASSES = "id,name,red,green,blue,evaluated\n0,void,0,0,0,0\n7,road,128,64,128,1\n"


def fetch(out: Path, path: Path, **changes):
    return fetch_pairs(out, path, LIMITS, *own_and_paired(**{"title": "Mine", "split_shares": SHARES, **changes}))


def image(index: int) -> bytes:
    return png_bytes(np.full((4, 8, 3), index, np.uint8))


def files_in(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def source(tmp_path):
    folder = tmp_path / "source"
    for split, indices in {"train": (0, 1, 2), "val": (3,)}.items():
        (folder / split).mkdir(parents=True)
        for index in indices:
            (folder / split / f"town_{index}.PNG").write_bytes(image(index))
    (folder / "README.txt").write_text("notes")
    (folder / ".hidden.png").write_bytes(b"")
    return folder


@pytest.fixture
def flat(tmp_path):
    folder = tmp_path / "flat"
    folder.mkdir()
    for index in range(20):
        (folder / f"town{index // 4}_{index}.png").write_bytes(image(index))
    return folder


def images_in(folder: Path) -> dict[str, bytes]:
    return {name: content for name, content in files_in(folder).items() if not name.endswith(".csv")}


def run(path, tmp_path, **changes):
    out = tmp_path / "out"
    out.mkdir()
    return fetch(out, path, **changes), images_in(out)


def test_a_folder_keeps_its_splits_and_bytes(source, tmp_path, capsys):
    dataset, files = run(source, tmp_path)
    assert files == {f"{s}/town_{i}.png": image(i) for s, i in [("train", 0), ("train", 1), ("train", 2), ("val", 3)]}
    assert dataset.title == "Mine"
    assert len(dataset.classes.entries) == 34
    said = "6 files found: 4 in 4 pairs, 2 left out (1 x hidden, 1 x no image (.txt))"
    assert capsys.readouterr().out == f"{source}: {said}\n"
    listed = "source,reason,files\n.hidden.png,hidden,1\nREADME.txt,no image (.txt),1\n"
    assert (tmp_path / "out/left_out.csv").read_text() == listed


def test_zip_and_tar_give_what_the_folder_gives(source, tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for name, content in files_in(source).items():
            archive.writestr(f"set/{name}", content)
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as archive:
        archive.add(source, "set")
    expected = run(source, tmp_path)[1]
    for name in ("a.zip", "a.tar.gz"):
        out = tmp_path / f"out_{name}"
        out.mkdir()
        fetch(out, tmp_path / name)
        assert images_in(out) == expected


def test_a_flat_folder_is_divided_by_share_and_seed_with_groups_whole(flat, tmp_path):
    _, files = run(flat, tmp_path, group_pattern="^([^_]+)_", split_shares={"train": 0.6, "val": 0.2, "test": 0.2})
    groups = {split: {name.split("/")[1].split("_")[0] for name in files if name.startswith(split)}
              for split in ("train", "val", "test")}  # fmt: skip
    assert [len(groups[split]) for split in ("train", "val", "test")] == [3, 1, 1]
    assert len(set().union(*groups.values())) == 5
    assert len(files) == 20


def test_division_follows_the_seed_and_fills_every_split():
    sizes = {f"g{i}": 1 + i % 3 for i in range(30)}
    shares = {"train": 0.8, "val": 0.2, "test": 0.0}
    first = divide_groups(sizes, shares, 0)
    assert first == divide_groups(sizes, shares, 0) != divide_groups(sizes, shares, 1)
    val_share = sum(sizes[group] for group, split in first.items() if split == "val") / sum(sizes.values())
    assert abs(val_share - 0.2) < 0.05
    assert set(divide_groups({"big": 100, "small": 1}, shares, 0).values()) == {"train", "val"}


def test_other_names_of_splits_and_names_around_the_pair_id_are_read_and_said(tmp_path, capsys):
    for split, indices in (("Training", range(3)), ("valid", range(3, 5))):
        for side, name in (("labels", "{}_gtFine_labelIds.png"), ("photos", "{}_leftImg8bit.PNG")):
            (tmp_path / "source" / split / side).mkdir(parents=True)
            for index in indices:
                (tmp_path / "source" / split / side / name.format(index)).write_bytes(image(index))
    (tmp_path / "source/preview.png").write_bytes(image(9))
    out = tmp_path / "refused"
    out.mkdir()
    with pytest.raises(UserError, match=r"id_pattern: '\^\(\.\+\?\)\(\?:_gtFine_labelIds\|_leftImg8bit\)\$'"):
        fetch(out, tmp_path / "source", **APART)
    assert list(out.iterdir()) == []
    _, files = run(tmp_path / "source", tmp_path, **APART, id_pattern="^(.+?)(?:_gtFine_labelIds|_leftImg8bit)$")
    assert files == {
        f"{'train' if i < 3 else 'val'}/{side}/{i}.png": image(i) for i in range(5) for side in ("inputs", "targets")
    }
    assert "'Training' was read as train, 'valid' was read as val." in (said := capsys.readouterr().out)
    assert "1 image is left out, since it is in neither labels/ nor photos/: the root (1)." in said


def test_own_class_table(source, tmp_path):
    (source / "classes.csv").write_text(CLASSES)
    dataset, files = run(source, tmp_path, classes="classes.csv")
    assert [entry.name for entry in dataset.classes.entries] == ["void", "road"]
    assert [entry.category for entry in dataset.classes.entries] == ["", ""]
    assert len(files) == 4


def test_own_class_table_may_name_categories(source, tmp_path):
    header, *rows = CLASSES.splitlines()
    (source / "classes.csv").write_text("\n".join([f"{header},category", f"{rows[0]},", f"{rows[1]},flat"]))
    dataset, _ = run(source, tmp_path, classes="classes.csv")
    assert [entry.category for entry in dataset.classes.entries] == ["", "flat"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id,name\n1,a\n", "classes.csv, line 1: a class table has the columns"),
        (CLASSES + "7,car,0,0,142,1\n", "no two classes may share an id"),
        (CLASSES + "300,car,0,0,142,1\n", "classes.csv, line 4: id is 0 to 255, not 300"),
        (CLASSES + "8,car,128,64,128,1\n", "line 4: the colour 128, 64, 128 is in line 3 already"),
        (CLASSES + "26,car,0,0,142,maybe\n", "evaluated is 0 or 1"),
    ],
)
def test_a_bad_class_table_is_refused(source, tmp_path, text, message):
    (source / "classes.csv").write_text(text)
    with pytest.raises(UserError, match=message):
        run(source, tmp_path, classes="classes.csv")
    assert files_in(tmp_path / "out") == {}


def test_classes_of_one_colour_are_said(source, tmp_path, capsys):
    (source / "classes.csv").write_text(CLASSES + "8,street,128,64,128,1\n9,edge,0,0,0,0\n")
    (tmp_path / "out").mkdir()
    fetch(tmp_path / "out", source, classes="classes.csv", label_pixels="ids")
    said = [line for line in capsys.readouterr().out.splitlines() if "one colour" in line]
    assert len(said) == 1
    assert said[0].startswith(
        "classes.csv: road and street have one colour: a generator can tell them apart only with train"
    )
    (tmp_path / "again").mkdir()
    run(source, tmp_path / "again", classes="ade20k")
    assert "ade20k: road and skyscraper have one colour: all pixels of it are read as road" in capsys.readouterr().out


def test_a_named_table_and_a_void_id(source, tmp_path):
    dataset, _ = run(source, tmp_path, classes="cityscapes", void_id=255)
    assert [(entry.id, entry.is_void) for entry in dataset.classes.entries[-2:]] == [(33, False), (255, True)]
    again = tmp_path / "again"
    again.mkdir()
    voc = fetch(again, source, classes="pascal_voc")
    assert [entry.id for entry in voc.classes.entries] == [*range(21), 255]


def test_what_cannot_be_used_is_refused_with_names(source, flat, tmp_path):
    def message(path, **changes) -> str:
        out = tmp_path / "refused"
        out.mkdir(exist_ok=True)
        with pytest.raises(UserError) as error:
            fetch(out, path, **changes)
        assert list(out.iterdir()) == []
        return str(error.value)

    assert "no such folder or archive" in message(tmp_path / "nowhere")
    assert "neither a folder nor a zip nor a tar" in message(source / "README.txt")
    (tmp_path / "empty").mkdir()
    assert message(tmp_path / "empty").startswith(f"{tmp_path / 'empty'}: no images found")
    assert "no class table classes.csv in it" in message(source, classes="classes.csv")
    assert message(flat, group_pattern="(city)").startswith(
        "town0_0: group_pattern '(city)' must match every pair_id and hold one (group); "
    )
    assert (
        "1 group cannot fill train and val: download.own_images.group_pattern '^(t)' finds no more in 20 pair_ids"
        in message(flat, group_pattern="^(t)")
    )
    (source / "train/deep").mkdir()
    (source / "train/deep/town_0.png").write_bytes(image(9))
    assert "'train/deep/town_0.png'\n  'train/town_0.PNG'" in message(source)
    (source / "train/deep/town_0.png").unlink()
    assert "no image in a folder named 'inputs' or 'targets' (download.paired_folder.input_folder and" in message(
        source, form="folders"
    )
    (source / "stray.png").write_bytes(image(9))
    assert "1 image is in no train/, val/ or test/:\n  'stray.png'" in message(source)


def test_a_name_in_two_splits_begins_with_its_split(source, tmp_path):
    (source / "val/town_0.png").write_bytes(image(9))
    _, files = run(source, tmp_path)
    assert sorted(files) == [
        "train/train_town_0.png", "train/train_town_1.png", "train/train_town_2.png", "val/val_town_0.png",
        "val/val_town_3.png",
    ]  # fmt: skip


@pytest.mark.parametrize("layout", ["{side}/{split}/{name}", "{split}/{side}/{name}", "{side}/{name}"])
def test_inputs_and_targets_in_parallel_folders(tmp_path, layout):
    for side, ending in (("labels", "png"), ("photos", "JPG")):
        for index in range(10):
            split = "train" if index < 7 else "val"
            path = tmp_path / "source" / layout.format(side=side, split=split, name=f"p{index}.{ending}")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(image(index))
    dataset, files = run(tmp_path / "source", tmp_path, **APART)
    assert (dataset.input_from, dataset.label_pixels) == ("file", "ids")
    assert len(files) == 20
    for name, content in files.items():
        split, side, stem = name.split("/")
        index = int(stem[1])
        assert content == image(index)
        other = f"{split}/{'targets' if side == 'inputs' else 'inputs'}/p{index}.{'jpg' if side == 'inputs' else 'png'}"
        assert other in files
    if "{split}" in layout:
        assert {name for name in files if name.startswith("val/inputs")} == {f"val/inputs/p{i}.png" for i in (7, 8, 9)}


def test_halves_keep_one_pair_id_where_one_of_them_is_missing(tmp_path):
    for name in ("train/labels/1", "val/labels/1", "train/photos/1", "val/labels/2", "val/photos/2"):
        (tmp_path / "source" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "source" / f"{name}.png").write_bytes(image(1))
    _, files = run(tmp_path / "source", tmp_path, **APART)
    assert sorted(files) == [
        "train/inputs/train_1.png", "train/targets/train_1.png", "val/inputs/val_1.png", "val/inputs/val_2.png",
        "val/targets/val_2.png",
    ]  # fmt: skip


def test_names_are_kept_or_refused_before_anything_is_copied(source, tmp_path):
    for index, name in enumerate(("null", "NA", " x ", "007", "x" * 251)):
        (source / "train" / f"{name}.png").write_bytes(image(index))
    fetch(tmp_path / "out", source)
    assert {"null.png", "NA.png", " x .png", "007.png", "x" * 251 + ".png"} < {*os.listdir(tmp_path / "out/train")}
    (source / "train" / os.fsdecode(b"stra\xdfe.png")).write_bytes(image(9))
    with pytest.raises(UserError, match=r"source: the name 'train/stra\\udcdfe' must be UTF-8, but is not; rename"):
        fetch(tmp_path / "again", source)
    assert not (tmp_path / "again").exists()


def test_a_name_that_is_too_long_behind_its_split_is_refused(source, tmp_path):
    for split in ("train", "val"):
        (source / split / f"{'x' * 250}.png").write_bytes(image(9))
    with pytest.raises(UserError, match=r"must have at most 255 bytes with .png behind it, it has 260"):
        fetch(tmp_path / "out", source)
