"""Folders of frames become videos, whole ones in each subset; drawn drives are the same in every run."""

from pathlib import Path

import numpy as np
import pytest
from shipped import PARAMS, changed
from sources import LIMITS

from pix2street.core.errors import UserError
from pix2street.core.frames import FrameCounts
from pix2street.core.images import read_rgb, write_png
from pix2street.core.pairs import Dataset, read_manifest
from pix2street.datasets import frames, synthetic_streets
from pix2street.datasets.frames import arrange_videos
from pix2street.datasets.synthetic_streets.scene import draw_drive, draw_scene
from pix2street.steps.split import split_pairs
from pix2street.steps.validate import validate_split

OWN = PARAMS.download.own_images
COUNTS = FrameCounts(2, 1, 1, 3)


def tree(*folders: str, count: int = 4) -> list[str]:
    return [f"{folder}/{number}.png" for folder in folders for number in range(1, count + 1)]


def arranged(images, **changes):
    return arrange_videos(Path("source"), images, changed(OWN, **changes), COUNTS).destinations


def refusal(images, **changes) -> str:
    with pytest.raises(UserError) as error:
        arranged(images, **changes)
    return str(error.value)


def test_a_folder_is_a_video_and_folders_of_splits_are_read():
    found = arranged(tree("train/a", "train/b", "val/c"))
    assert found["train/b/3.png"] == "train/b/3"
    assert found["val/c/1.png"] == "val/c/1"


def test_videos_of_one_name_in_two_splits_are_told_apart():
    found = arranged(tree("train/a", "val/a"))
    assert {path.rpartition("/")[0] for path in found.values()} == {"train/train_a", "val/val_a"}


def test_without_splits_whole_videos_are_divided():
    found = arranged(tree(*(f"city/{name}" for name in "abcde")))
    splits = {}
    for destination in found.values():
        split, video, _ = destination.split("/")
        splits.setdefault(video, set()).add(split)
    assert {len(of_video) for of_video in splits.values()} == {1}
    assert set().union(*splits.values()) == {"train", "val"}


def test_deep_folders_name_a_video_by_their_path():
    assert "train/rain_2/1" in arranged(tree("train/rain/1", "train/rain/2", "val/sun/1")).values()


def test_frames_of_no_video_are_refused():
    assert "folder of no video" in refusal(tree("train", "val"))


def test_videos_that_are_too_short_are_refused():
    text = refusal(tree("train/a", "val/b", count=2))
    assert "a pair takes 3 frames" in text
    assert "has 2" in text


def test_two_files_of_one_frame_are_refused():
    assert "would both be" in refusal([*tree("train/a", "val/b"), "train/a/1.jpg"])


def fetched(tmp_path, **settings):
    source, folder = tmp_path / "source", tmp_path / "images"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for name, count in (("train/a", 7), ("train/b", 6), ("val/c", 6)):
        (source / name).mkdir(parents=True)
        for number in range(count):
            write_png(source / name / f"{number}.png", rng.integers(0, 255, (40, 48, 3)).astype(np.uint8))
    (source / "train/a/notes.txt").write_text("rain")
    counts = {"frames_in": 2, "frames_out": 1, "step": 1, "every": 3, **settings}
    dataset = frames.fetch(folder, source, LIMITS, OWN, changed(PARAMS.download.frames, **counts))
    dataset.write(folder)
    (tmp_path / "split").mkdir()
    split_pairs(folder, tmp_path / "split", changed(PARAMS.split, height_px=32, width_px=32))
    return source, tmp_path / "split"


def test_a_pair_is_two_images_of_frames_one_under_the_other(tmp_path):
    _, split = fetched(tmp_path)
    manifest = read_manifest(split)
    assert list(manifest["pair_id"]) == ["a_00001", "a_00004", "b_00001", "b_00004", "c_00001", "c_00004"]
    assert list(manifest["group"]) == ["a", "a", "b", "b", "c", "c"]
    assert manifest["fault"].isna().all()
    assert read_rgb(split / "train/inputs/a_00001.png").shape == (64, 32, 3)
    assert read_rgb(split / "train/targets/a_00001.png").shape == (32, 32, 3)
    assert set(manifest["input_source_height_px"]) == set(manifest["target_source_height_px"]) == {40}
    assert Dataset.read(split).frames == COUNTS
    # Every file of the source is in a pair or left out: a text, and a frame that is over.
    verdict, _ = validate_split(split, (32, 32), PARAMS.validate_)
    assert (verdict["files"]["in_pairs"], verdict["files"]["left_out"]) == (18, 2)
    failed = {check["key"] for check in verdict["checks"] if not check["success"]}
    assert not failed & {"height", "width", "group", "complete", "readable", "equal_sizes"}, failed


def test_frames_of_several_sizes_make_no_pair(tmp_path):
    source, _ = fetched(tmp_path)
    write_png(source / "train/a/1.png", np.zeros((8, 8, 3), np.uint8))
    folder, split = tmp_path / "again", tmp_path / "again_split"
    folder.mkdir()
    split.mkdir()
    counts = {"frames_in": 2, "frames_out": 1, "step": 1, "every": 3}
    frames.fetch(folder, source, LIMITS, OWN, changed(PARAMS.download.frames, **counts)).write(folder)
    split_pairs(folder, split, changed(PARAMS.split, height_px=32, width_px=32))
    faults = read_manifest(split).set_index("pair_id")["fault"].dropna()
    assert list(faults.index) == ["a_00001"]
    assert "several sizes (8x8, 40x48)" in faults["a_00001"]


def test_a_drive_begins_with_the_street_that_stands_still():
    drive, (photo, labels) = draw_drive(3, 5, 64, 64, 3), draw_scene(3, 5, 64, 64)
    assert len(drive) == 3
    # Only the noise of surfaces and of the sensor differs.
    assert np.abs(drive[0].astype(int) - photo).mean() < 12
    sky = labels == 23
    assert np.abs(drive[0].astype(int) - drive[2])[sky].mean() < np.abs(drive[0].astype(int) - drive[2])[~sky].mean()


def test_drives_depend_on_seed_and_index_alone():
    first, again = draw_drive(0, 1, 64, 64, 3), draw_drive(0, 1, 64, 64, 2)
    np.testing.assert_array_equal(first[:2], again)
    assert (draw_drive(1, 1, 64, 64, 1)[0] != first[0]).any()
    assert (draw_drive(0, 2, 64, 64, 1)[0] != first[0]).any()


def test_drawn_drives_are_videos(tmp_path):
    drawn = changed(PARAMS.download.synthetic_streets, height_px=64, width_px=64, train_pairs=2, val_pairs=1, frames=9)
    dataset = synthetic_streets.fetch(tmp_path, drawn, changed(PARAMS.download.frames, every=8))
    assert dataset.frames == FrameCounts(4, 4, 1, 8)
    assert dataset.input_from == "frames"
    assert len(list((tmp_path / "train/drive_0000001").iterdir())) == 9
    with pytest.raises(UserError, match="7 frames are too few for a pair, which takes 8"):
        synthetic_streets.fetch(tmp_path, changed(drawn, frames=7), PARAMS.download.frames)
