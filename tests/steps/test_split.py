import numpy as np
import pandas as pd
import pytest

from pix2street.classes import cityscapes_classes
from pix2street.errors import UserError
from pix2street.images import read_ids, read_rgb, write_png
from pix2street.pairs import Dataset, read_manifest, read_pairs
from pix2street.steps.split import split_pairs

SETTINGS = {"height_px": 32, "width_px": 48, "snap_tolerance": 32.0, "max_snapped_share": 0.05}


def dataset(**changes) -> Dataset:
    fields = {
        "name": "test", "title": "Test", "licence": "none", "home_page": "", "input_half": "right",
        "group_pattern": r"^(\w+)_", "classes": cityscapes_classes(),
    }  # fmt: skip
    return Dataset(**{**fields, **changes})


def draw(index: int, height: int = 64, width: int = 96) -> np.ndarray:
    """A photo left, labels right: road below, sky above, a car that moves with `index`."""
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


def test_every_pair_is_there_once_in_its_split_and_size(downloaded, out):
    split_pairs(downloaded, out, **SETTINGS)
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
    assert (row["source_height_px"], row["source_width_px"], row["class_ids"]) == (64, 96, "7 23 26")
    assert row["changed_share"] == row["snapped_share"] == 0


def test_labels_are_nearest_and_photos_antialiased(downloaded, out):
    split_pairs(downloaded, out, **SETTINGS)
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
    split_pairs(downloaded, out, **SETTINGS)
    split_pairs(downloaded, tmp_path / "again", **SETTINGS)
    files = sorted(path.relative_to(out) for path in out.rglob("*") if path.is_file())
    assert len(files) == 2 * 4 + 2
    assert all((out / file).read_bytes() == (tmp_path / "again" / file).read_bytes() for file in files)


def test_left_half_as_input_and_no_classes(downloaded, out):
    dataset(input_half="left", classes=None, group_pattern=None).write(downloaded)
    split_pairs(downloaded, out, **SETTINGS)
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
    split_pairs(downloaded, out, **SETTINGS)
    row = read_manifest(out).set_index("pair_id").loc["town_0"]
    assert row["changed_share"] > 0.9
    assert row["snapped_share"] == 0
    assert row["class_ids"] == "7 23 26"


def test_all_bad_files_are_named_at_once(downloaded, out):
    write_png(downloaded / "train/town_4.png", np.concatenate([draw(4)[:, 96:], draw(4)[:, :96]], 1))
    write_png(downloaded / "train/town_5.png", draw(5)[:, :191])
    (downloaded / "train/town_6.png").write_bytes((downloaded / "train/town_0.png").read_bytes()[:900])
    (downloaded / "val/town_0.jpg").write_bytes(b"")
    (downloaded / "extra.png").write_bytes(b"")
    write_png(downloaded / "val/village.png", draw(1))
    with pytest.raises(UserError) as error:
        split_pairs(downloaded, out, **SETTINGS)
    message = str(error.value)
    for expected in (
        "extra.png: an orphan",
        "train/town_0.png: pair_id stands 2 times",
        "val/town_0.jpg: pair_id stands 2 times",
        "town_4.png: ",
        "of the input's pixels are further than 32 from every class colour, at most 5.0% may be",
        "train/town_5.png: is 191 px wide, two equal halves need an even width",
        "town_6.png: not a readable image",
        "village: group_pattern",
    ):
        assert expected in message
    assert message.startswith("7 of the downloaded files cannot be used")
