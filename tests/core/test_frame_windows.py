"""Pairs of frames: which frames of a video they take, and frames one under the other."""

import numpy as np
import pytest

from pix2street.core.frames import FrameCounts, beside, find_windows, in_order, stacked, unstacked


def video(folder, length, name="a", subset="train"):
    path = folder / subset / name
    path.mkdir(parents=True)
    for number in range(length):
        (path / f"f{number + 1}.png").touch()
    return path


def taken(window):
    return [int(path.stem[1:]) for path in window.files]


def test_pairs_follow_each_other_and_the_rest_is_named(tmp_path):
    windows, rest = find_windows([video(tmp_path, 12)], FrameCounts(3, 2, 1, 5))
    assert [taken(window) for window in windows] == [[1, 2, 3, 4, 5], [6, 7, 8, 9, 10]]
    assert [window.pair_id for window in windows] == ["a_00001", "a_00006"]
    assert [window.fresh for window in windows] == [5, 5]
    assert [path.name for path in rest] == ["f11.png", "f12.png"]


def test_every_second_frame_and_pairs_that_overlap(tmp_path):
    windows, rest = find_windows([video(tmp_path, 8)], FrameCounts(2, 1, 2, 1))
    assert [taken(window) for window in windows] == [[1, 3, 5], [2, 4, 6], [3, 5, 7], [4, 6, 8]]
    # Each frame counts once, so that the account of all files is right.
    assert sum(window.fresh for window in windows) + len(rest) == 8
    assert not rest


@pytest.mark.parametrize(("length", "pairs"), [(4, 0), (5, 1), (9, 1), (10, 2)])
def test_a_pair_needs_all_its_frames(tmp_path, length, pairs):
    windows, rest = find_windows([video(tmp_path, length)], FrameCounts(3, 2, 1, 5))
    assert (len(windows), len(rest)) == (pairs, length - 5 * pairs)


def test_the_last_frames_are_an_input_of_what_is_to_come():
    assert [*FrameCounts(3, 2, 2, 5).last_inputs(10)] == [5, 7, 9]
    assert FrameCounts(3, 2, 2, 5).last_inputs(4).start < 0


def test_numbers_in_names_count_as_numbers():
    assert sorted(["f10.png", "f9.png", "F1.png", "f2.png"], key=in_order) == ["F1.png", "f2.png", "f9.png", "f10.png"]


def test_frames_lie_one_under_the_other_and_in_a_row():
    frames = np.arange(2 * 2 * 3 * 3, dtype=np.uint8).reshape(2, 2, 3, 3)
    image = stacked(frames)
    assert image.shape == (4, 3, 3)
    np.testing.assert_array_equal(unstacked(image, 2), frames)
    row = beside(image, 2, gap_px=1)
    assert row.shape == (2, 7, 3)
    np.testing.assert_array_equal(row[:, 4:], frames[1])
    assert (row[:, 3] == 255).all()
