"""What every data set must do, whatever its source; a new one needs no more than its settings here."""

import numpy as np
import pytest

from pix2street.classes import cityscapes_classes
from pix2street.datasets import DATASETS
from pix2street.images import read_rgb, write_png
from pix2street.pairs import SPLITS, Dataset, split_side_by_side


def settings_of(name: str, folder) -> dict:
    """Settings for a handful of pairs in train and val."""
    if name == "synthetic_streets":
        return {"seed": 0, "height_px": 64, "width_px": 96, "train_pairs": 3, "val_pairs": 2, "test_pairs": 1}
    labels = cityscapes_classes().to_colors(np.full((8, 8), 7, np.uint8))
    for index in range(4):
        photo = np.full((8, 8, 3), index, np.uint8)
        write_png(folder / f"pair_{index}.png", np.concatenate([photo, labels], axis=1))
    return {
        "path": folder, "title": "T", "licence": "L", "home_page": "", "input_half": "right", "classes": "cityscapes",
        "group_pattern": None, "split_shares": {"train": 0.5, "val": 0.5, "test": 0.0}, "seed": 0,
    }  # fmt: skip


@pytest.fixture(params=DATASETS)
def fetched(request, tmp_path):
    """What a data set says of itself, and the two folders of two calls."""
    (tmp_path / "source").mkdir()
    settings = settings_of(request.param, tmp_path / "source")
    folders = [tmp_path / "first", tmp_path / "second"]
    for folder in folders:
        folder.mkdir()
        dataset = DATASETS[request.param](folder, **settings)
    return request.param, dataset, *folders


def test_it_names_itself_and_survives_its_file(fetched, tmp_path):
    name, dataset, *_ = fetched
    assert dataset.name == name
    assert dataset.title
    dataset.write(tmp_path)
    assert Dataset.read(tmp_path) == dataset


def test_pairs_stand_in_splits_and_each_pair_id_once(fetched):
    _, _, folder, _ = fetched
    images = [path for path in folder.rglob("*") if path.is_file()]
    assert {path.parent.parent for path in images} == {folder}
    assert {"train", "val"} <= {path.parent.name for path in images} <= set(SPLITS)
    assert len({path.stem for path in images}) == len(images)


def test_inputs_are_drawn_in_the_tables_colours(fetched):
    _, dataset, folder, _ = fetched
    for path in folder.rglob("*.png"):
        drawing, target = split_side_by_side(read_rgb(path), dataset.input_half)
        assert drawing.shape == target.shape
        assert dataset.classes.snap(drawing)[1].max() == 0


def test_fetching_twice_gives_equal_bytes(fetched):
    _, _, first, second = fetched
    files = [path.relative_to(first) for path in first.rglob("*") if path.is_file()]
    assert files
    assert all((first / file).read_bytes() == (second / file).read_bytes() for file in files)
    assert len(files) == sum(path.is_file() for path in second.rglob("*"))
