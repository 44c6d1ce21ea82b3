"""The duties of every data set; a new one needs a small edition in `tests/sources.py`, no more."""

import typing
from pathlib import Path

import pytest
from shipped import PARAMS, changed
from sources import small_download

from pix2street.core.domains import read_images
from pix2street.core.pairs import SUBSETS, Dataset, read_manifest, read_pairs
from pix2street.datasets import DATASETS
from pix2street.settings.download import Download
from pix2street.steps.download import download
from pix2street.steps.split import split_pairs


@pytest.fixture(scope="module", params=DATASETS)
def fetched(request, tmp_path_factory):
    """Return a data set's name and the two folders that two calls have filled."""
    root = tmp_path_factory.mktemp(request.param)
    folders = [root / "first", root / "second"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PIX2STREET_CACHE", str(root / "cache"))
        (root / "source").mkdir()
        with small_download(request.param, root / "source") as settings:
            for folder in folders:
                folder.mkdir()
                download(settings, root, folder)
    return request.param, *folders


def test_every_data_set_can_be_chosen():
    assert set(DATASETS) == set(typing.get_args(Download.model_fields["dataset"].annotation))


def test_it_names_itself_and_says_what_it_is(fetched):
    name, folder, _ = fetched
    dataset = Dataset.read(folder)
    assert dataset.name == name
    assert dataset.title
    assert dataset.direction
    assert dataset.licence
    assert bool(dataset.archives) == (folder.parent / "cache").exists()


def test_pairs_are_in_splits_and_each_pair_id_is_unique(fetched):
    _, folder, _ = fetched
    dataset = Dataset.read(folder)
    apart = dataset.input_from == "file"
    images = [path for path in folder.rglob("*") if path.is_file() and path.suffix not in (".json", ".csv")]
    parts = [path.relative_to(folder).parts for path in images]
    assert {len(names) for names in parts} == {3 if apart or dataset.domains or dataset.frames else 2}
    assert {names[1] for names in parts if dataset.domains} == set(dataset.domains)
    assert {"train", "val"} <= {names[0] for names in parts} <= set(SUBSETS)
    # A video is a folder of eight frames here.
    names = {path.parent if dataset.frames else path.stem for path in images}
    assert len(names) == len(images) / (8 if dataset.frames else 2 if apart else 1) == 16


def test_every_pair_can_be_split(fetched, tmp_path):
    _, folder, _ = fetched
    assert split_pairs(folder, tmp_path, changed(PARAMS.split, height_px=64, width_px=64)) == (16, 0)
    manifest = read_manifest(tmp_path)
    assert (manifest["split"] == "train").sum() == 12
    if Dataset.read(folder).input_from == "none":
        assert len(read_images(tmp_path, "train")) == 12
        assert manifest["input_path"].isna().all()
        return
    assert len(read_pairs(tmp_path, "train")) == 12
    if Dataset.read(folder).classes:
        assert manifest["unknown_share"].max() == 0
        assert manifest["class_count"].min() > 4
    else:
        assert manifest["class_ids"].isna().all()
        assert manifest["input_std"].min() > 5


def test_fetching_twice_gives_equal_bytes(fetched):
    _, first, second = fetched
    files = [path.relative_to(first) for path in first.rglob("*") if path.is_file()]
    assert Path("dataset.json") in files
    assert all((first / file).read_bytes() == (second / file).read_bytes() for file in files)
    assert len(files) == sum(path.is_file() for path in second.rglob("*"))
