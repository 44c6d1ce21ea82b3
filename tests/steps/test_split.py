import os
import re

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from shipped import PARAMS, changed

from pix2street.core.classes import ClassEntry, ClassTable, cityscapes_classes
from pix2street.core.errors import UserError
from pix2street.core.images import EdgeSettings, read_ids, read_rgb, reduce_photo, write_png
from pix2street.core.pairs import Dataset, read_left_out, read_manifest, read_pairs
from pix2street.steps.split import split_pairs

SETTINGS = changed(PARAMS.split, height_px=32, width_px=48)


def dataset(**changes) -> Dataset:
    fields = {
        "name": "test", "title": "Test", "direction": "labels to photo", "licence": "none", "home_page": "",
        "input_from": "right",
        "group_pattern": r"^(\w+)_", "classes": cityscapes_classes(),
    }  # fmt: skip
    return Dataset(**{**fields, **changes})


def draw(index: int, height: int = 64, width: int = 96) -> np.ndarray:
    """Return a photo on the left and labels on the right: road below, sky above, a car that moves with `index`."""
    rng = np.random.default_rng(index)
    ids = np.full((height, width), 23, np.uint8)
    ids[height // 2 :] = 7
    ids[height // 2 : height // 2 + 12, 5 * index : 5 * index + 20] = 26
    return np.concatenate(
        [rng.integers(0, 256, (height, width, 3)).astype(np.uint8), cityscapes_classes().to_colors(ids)], 1
    )


@pytest.fixture
def downloaded(tmp_path):
    folder = tmp_path / "downloaded"
    for split, indices in {"train": (0, 1, 2), "val": (3,)}.items():
        (folder / split).mkdir(parents=True)
        for index in indices:
            write_png(folder / split / f"town_{index}.png", draw(index))
    dataset().write(folder)
    return folder


@pytest.fixture
def out(tmp_path):
    (tmp_path / "split").mkdir()
    return tmp_path / "split"


def test_every_pair_occurs_once_in_its_subset_and_size(downloaded, out):
    split_pairs(downloaded, out, SETTINGS)
    manifest = read_manifest(out)
    assert list(zip(manifest["split"], manifest["pair_id"], strict=True)) == [
        ("train", "town_0"), ("train", "town_1"), ("train", "town_2"), ("val", "town_3"),
    ]  # fmt: skip
    assert set(manifest["group"]) == {"town"}
    for pair in read_pairs(out, "train"):
        ids, target = read_ids(pair.input_path), read_rgb(pair.target_path)
        assert ids.shape == target.shape[:2] == (32, 48)
        assert set(np.unique(ids)) == {7, 23, 26}
    row = manifest.iloc[0]
    assert (row["input_source_height_px"], row["target_source_width_px"], row["class_ids"]) == (64, 96, "7 23 26")
    assert row["changed_share"] == row["unknown_share"] == 0


def test_labels_are_nearest_and_photos_antialiased(downloaded, out):
    split_pairs(downloaded, out, SETTINGS)
    source = read_rgb(downloaded / "train/town_0.png")
    pair = read_pairs(out, "train")[0]
    ids = cityscapes_classes().snap(source[:, 96:])[0]
    assert (read_ids(pair.input_path) == ids[1::2, 1::2]).all()
    # Noise averaged over 2x2 pixels keeps its mean and loses most of its variance.
    target = read_rgb(pair.target_path)
    assert abs(float(target.mean()) - source[:, :96].mean()) < 2
    assert target.std() < 0.75 * source[:, :96].std()


def test_running_twice_gives_equal_bytes(downloaded, out, tmp_path):
    (tmp_path / "again").mkdir()
    split_pairs(downloaded, out, SETTINGS)
    split_pairs(downloaded, tmp_path / "again", SETTINGS)
    files = sorted(path.relative_to(out) for path in out.rglob("*") if path.is_file())
    assert len(files) == 2 * 4 + 3
    assert all((out / file).read_bytes() == (tmp_path / "again" / file).read_bytes() for file in files)


def test_left_half_as_input_and_no_classes(downloaded, out):
    dataset(input_from="left", classes=None, group_pattern=None).write(downloaded)
    split_pairs(downloaded, out, SETTINGS)
    manifest = pd.read_csv(out / "manifest.csv")
    assert set(manifest["input_channels"]) == {3}
    assert manifest["class_ids"].isna().all()
    assert list(manifest["group"]) == list(manifest["pair_id"])
    pair = read_pairs(out, "val")[0]
    assert read_rgb(pair.input_path).std() > read_rgb(pair.target_path).std() * 0.5
    assert len(np.unique(read_rgb(pair.target_path).reshape(-1, 3), axis=0)) < 60


def test_slightly_wrong_colours_are_snapped_and_recorded(downloaded, out):
    path = downloaded / "train/town_0.png"
    image = read_rgb(path).astype(int)
    image[:, 96:] += np.random.default_rng(0).integers(-9, 10, image[:, 96:].shape)
    write_png(path, image.clip(0, 255).astype(np.uint8))
    split_pairs(downloaded, out, SETTINGS)
    row = read_manifest(out).set_index("pair_id").loc["town_0"]
    assert row["changed_share"] > 0.9
    assert row["unknown_share"] == 0
    assert row["class_ids"] == "7 23 26"


def test_every_file_is_in_one_row_and_what_is_no_pair_says_why(downloaded, out):
    write_png(downloaded / "train/town_5.png", draw(5)[:, :191])
    (downloaded / "train/town_6.png").write_bytes((downloaded / "train/town_0.png").read_bytes()[:900])
    (downloaded / "val/town_0.jpg").write_bytes(b"")
    (downloaded / "extra.png").write_bytes(b"")
    write_png(downloaded / "val/village.png", draw(1))
    assert split_pairs(downloaded, out, SETTINGS) == (9, 6)
    manifest = read_manifest(out)
    assert manifest["files"].sum() == 9
    faults = manifest.dropna(subset="fault").set_index("source")["fault"]
    for source, fault in {
        "extra.png": "no image where a pair belongs",
        "train/town_0.png": "the pair_id occurs more than once",
        "val/town_0.jpg": "the pair_id occurs more than once",
        "train/town_5.png": "train/town_5.png is 191 px wide, two equal halves need an even width; crop or replace it",
        "train/town_6.png": "train/town_6.png: not a readable image",
        "val/village.png": "village: group_pattern",
    }.items():
        assert faults[source].startswith(fault)
    assert [pair.pair_id for name in ("train", "val") for pair in read_pairs(out, name)] == [
        "town_1",
        "town_2",
        "town_3",
    ]


def test_files_left_out_are_listed_behind_the_pairs_and_change_nothing_else(downloaded, out, tmp_path):
    split_pairs(downloaded, out, SETTINGS)
    plain = (out / "manifest.csv").read_text()
    assert "left_out" not in plain
    assert len(read_left_out(out)) == 0
    rows = 'NA,hidden,1\n"a, b.txt",no image (.txt),1\n@eaDir/,system file,7\n'
    (downloaded / "left_out.csv").write_text(f"source,reason,files\n{rows}")
    (tmp_path / "more").mkdir()
    assert split_pairs(downloaded, tmp_path / "more", SETTINGS) == (4, 0)
    header, *lines = (tmp_path / "more/manifest.csv").read_text().splitlines()
    assert [header.removesuffix(",left_out"), *(line.removesuffix(",") for line in lines[:4])] == plain.splitlines()
    pd.testing.assert_frame_equal(read_manifest(tmp_path / "more"), read_manifest(out))
    assert len(read_pairs(tmp_path / "more", "train")) == 3
    assert read_left_out(tmp_path / "more").to_dict("records") == [
        {"source": "NA", "files": 1, "left_out": "hidden"},
        {"source": "a, b.txt", "files": 1, "left_out": "no image (.txt)"},
        {"source": "@eaDir/", "files": 7, "left_out": "system file"},
    ]


def test_drawings_without_the_tables_colours_are_recorded(downloaded, out):
    write_png(downloaded / "train/town_0.png", np.concatenate([draw(4)[:, 96:], draw(4)[:, :96]], 1))
    split_pairs(downloaded, out, SETTINGS)
    assert read_manifest(out).set_index("pair_id").loc["town_0", "unknown_share"] > 0.3


@pytest.fixture
def apart(tmp_path):
    """Return a folder with a pair as two files, ids and photo."""
    folder = tmp_path / "apart"
    for side in ("inputs", "targets"):
        (folder / "train" / side).mkdir(parents=True)
    ids = cityscapes_classes().snap(draw(1)[:, 96:])[0]
    Image.fromarray(ids).save(folder / "train/inputs/town_1.png")
    Image.fromarray(draw(1)[:, :96]).save(folder / "train/targets/town_1.png")
    dataset(input_from="file", label_pixels="ids").write(folder)
    return folder


@pytest.mark.parametrize("side", ["inputs", "targets"])
def test_a_side_that_is_stored_turned_fits_the_other_again(apart, tmp_path, side):
    split_pairs(apart, tmp_path, SETTINGS)
    upright = {name: (tmp_path / f"train/{name}/town_1.png").read_bytes() for name in ("inputs", "targets")}
    path, exif = apart / f"train/{side}/town_1.png", Image.Exif()
    exif[0x0112] = 6
    Image.open(path).transpose(Image.Transpose.ROTATE_90).save(path, exif=exif)
    (tmp_path / "turned").mkdir()
    split_pairs(apart, tmp_path / "turned", SETTINGS)
    assert {name: (tmp_path / f"turned/train/{name}/town_1.png").read_bytes() for name in upright} == upright
    row = read_manifest(tmp_path / "turned").iloc[0]
    assert row[f"{side[:-1]}_notes"] == "turned upright"
    assert (row["input_source_height_px"], row["target_source_width_px"]) == (64, 96)


@pytest.mark.parametrize(
    ("store", "fault"),
    [
        (lambda ids, path: Image.fromarray(ids).save(path, "jpeg"), "in a lossy format.*export them again as PNG"),
        (lambda ids, path: Image.fromarray(ids).convert("RGB").save(path), "has mode RGB.*label_pixels: colors"),
        (
            lambda ids, path: Image.fromarray(ids.astype(np.uint16)).save(path),
            "has mode I;16, class ids need one 8-bit",
        ),
        (lambda ids, path: Image.fromarray(ids).save(path, transparency=23), r"50.00% is transparent.*has no class"),
    ],
)
def test_files_that_cannot_hold_ids_make_no_pair(apart, tmp_path, store, fault):
    path = apart / "train/inputs/town_1.png"
    store(read_ids(path), path)
    assert split_pairs(apart, tmp_path, SETTINGS) == (1, 1)
    assert re.search(f"train/inputs/town_1.png.*{fault}", read_manifest(tmp_path).iloc[0]["fault"])


def test_an_opaque_alpha_channel_of_ids_is_dropped(apart, tmp_path):
    path = apart / "train/inputs/town_1.png"
    ids = read_ids(path)
    Image.fromarray(ids).convert("LA").save(path)
    assert split_pairs(apart, tmp_path, SETTINGS) == (1, 0)
    assert read_manifest(tmp_path).iloc[0]["input_notes"] == "opaque alpha dropped"
    assert set(np.unique(read_ids(tmp_path / "train/inputs/town_1.png"))) == {7, 23, 26}


def test_a_larger_image_than_the_limit_makes_no_pair(downloaded, out):
    assert split_pairs(downloaded, out, changed(PARAMS.split, height_px=32, width_px=48, max_megapixels=0.01)) == (4, 4)
    assert "town_0.png: is 192x64 px, at most 10,000 pixels may be" in read_manifest(out).iloc[0]["fault"]


def test_masks_and_void_keep_their_ids(tmp_path, out):
    rows = [(0, "background", True), (255, "object", True)]
    masks = ClassTable(tuple(ClassEntry(i, name, (i, i, i), evaluated) for i, name, evaluated in rows))
    for index, mode in enumerate(("1", "L", "P")):
        for side in ("inputs", "targets"):
            (tmp_path / "downloaded/train" / side).mkdir(parents=True, exist_ok=True)
        pixels = np.zeros((32, 48), np.uint8)
        pixels[:8] = 255
        image = Image.fromarray(pixels)
        if mode == "P":
            image.putpalette([255, 0, 0] * 256)
        image = image.convert("1") if mode == "1" else image
        image.save(tmp_path / f"downloaded/train/inputs/p{index}.png")
        write_png(tmp_path / f"downloaded/train/targets/p{index}.png", draw(index)[:32, :48])
    own = dataset(input_from="file", label_pixels="ids", group_pattern=None, classes=masks)
    own.write(tmp_path / "downloaded")
    split_pairs(tmp_path / "downloaded", out, SETTINGS)
    manifest = read_manifest(out)
    assert list(manifest["input_mode"]) == ["1", "L", "P"]
    assert set(manifest["class_ids"]) == {"0 255"}
    assert set(manifest["class_count"]) == {2}
    assert manifest["unknown_ids"].isna().all()
    assert (read_ids(read_pairs(out, "train")[0].input_path)[:8] == 255).all()


def test_void_is_no_class_of_a_drawing(downloaded, out):
    image = draw(4)
    image[:10, 96:] = 0
    write_png(downloaded / "train/town_0.png", image)
    split_pairs(downloaded, out, SETTINGS)
    row = read_manifest(out).set_index("pair_id").loc["town_0"]
    assert (row["class_ids"], row["class_count"]) == ("0 7 23 26", 3)


def test_grey_and_edge_inputs_are_drawn_at_the_working_size(downloaded, out, tmp_path):
    dataset(input_from="grey", classes=None, group_pattern=None).write(downloaded)
    split_pairs(downloaded, out, SETTINGS)
    pair = read_pairs(out, "val")[0]
    drawn, target = read_rgb(pair.input_path), read_rgb(pair.target_path)
    assert np.abs(drawn[..., 0] - target @ [0.299, 0.587, 0.114]).max() <= 1
    (tmp_path / "edges").mkdir()
    edges = EdgeSettings(1.0, 0.8, 0.9)
    dataset(input_from="edges", classes=None, group_pattern=None, edges=edges).write(downloaded)
    split_pairs(downloaded, tmp_path / "edges", SETTINGS)
    drawn = read_rgb(read_pairs(tmp_path / "edges", "val")[0].input_path)
    assert set(np.unique(drawn)) == {0, 255}
    assert 0.01 < (drawn == 0).mean() < 0.3


def test_reduced_inputs_are_targets_made_smaller(downloaded, out):
    photos = dataset(input_from="reduced", classes=None, group_pattern=None, factor=4)
    photos.write(downloaded)
    split_pairs(downloaded, out, SETTINGS)
    pair = read_pairs(out, "val")[0]
    drawn, target = read_rgb(pair.input_path), read_rgb(pair.target_path)
    assert target.shape[:2] == (SETTINGS.height_px, SETTINGS.width_px)
    assert (drawn == reduce_photo(target, 4)).all()
    assert Dataset.read(out) == photos


def test_nothing_downloaded_is_an_error(downloaded, out):
    for path in downloaded.glob("*/*.png"):
        path.unlink()
    with pytest.raises(UserError, match="no images; run the download stage again"):
        split_pairs(downloaded, out, SETTINGS)


@pytest.mark.parametrize("name", [b"town_stra\xdfe.png", b"town_a\nb.png"])
def test_a_name_that_no_table_can_hold_is_refused(downloaded, out, name):
    (downloaded / "train" / os.fsdecode(name)).write_bytes((downloaded / "train/town_0.png").read_bytes())
    with pytest.raises(UserError, match=r"the name 'train/town_.*; rename the file"):
        split_pairs(downloaded, out, SETTINGS)
