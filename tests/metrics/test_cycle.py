import numpy as np
import pytest

from pix2street.metrics import cycle


def plain(level: int) -> np.ndarray:
    return np.full((4, 5, 3), level, np.uint8)


def test_the_mean_over_the_inputs_in_closed_form():
    pictures = [(plain(0), plain(255)), (plain(10), plain(10)), (plain(100), plain(49))]
    scores = cycle.score(pictures)
    assert scores["cycle_l1"] == pytest.approx((2 + 0 + 0.4) / 3)
    assert scores["cycle_l1_interval"]["low"] < scores["cycle_l1"] < scores["cycle_l1_interval"]["high"]
    assert cycle.score([(again, before) for before, again in pictures]) == scores


def test_inputs_that_come_back_as_they_were_are_at_zero():
    assert cycle.score([(plain(7), plain(7))])["cycle_l1"] == 0
