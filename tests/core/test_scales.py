from fractions import Fraction

import numpy as np
import pytest

from pix2street.core.scales import Scale

FOUR = Scale.of((32, 24), (128, 96))
FEWER_FRAMES = Scale.of((3 * 32, 64), (2 * 32, 64))


def test_a_photo_has_the_size_of_the_target_at_which_it_was_measured():
    assert FOUR.applied(32, 24) == (128, 96)
    assert FEWER_FRAMES.applied(3 * 50, 70) == (100, 70)
    assert [int(side) for side in FEWER_FRAMES.applied(np.array(96), np.array(64))] == [64, 64]


def test_the_usual_ratio_changes_nothing():
    assert Scale().applied(33, 20) == (33, 20)
    assert (Scale().named(), Scale().to_json(), Scale().area) == (("H", "W"), 1, 1)


def test_sides_have_names():
    assert FOUR.named() == ("4H", "4W")
    assert FEWER_FRAMES.named() == ("2H/3", "W")


def test_forms_stay_only_where_both_sides_grow_alike():
    assert FOUR.alike
    assert not FEWER_FRAMES.alike


@pytest.mark.parametrize(("scale", "fields"), [(FOUR, 4), (FEWER_FRAMES, ["2/3", "1"]), (Scale(), 1)])
def test_json_gives_the_same_ratio_again(scale, fields):
    assert scale.to_json() == fields
    assert Scale.from_json(fields) == scale


def test_the_area_counts_the_pixels_of_a_photo():
    assert FOUR.area == 16
    assert Scale(Fraction(2, 3)).area == 1
