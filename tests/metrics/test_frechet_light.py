import numpy as np
import pytest

from pix2street.metrics import METRICS, Looks, Samples

RNG = np.random.default_rng(0)
LIGHT = RNG.normal(size=(9, 4))


def score(photos: np.ndarray, targets: np.ndarray) -> float | None:
    return METRICS["frechet_light"].score(Samples(looks=(Looks(photos, {}), Looks(targets, {}))))["frechet_light"]


def test_identical_sets_are_at_zero_in_any_order():
    assert score(LIGHT, LIGHT) == score(LIGHT[::-1], LIGHT) == 0


def test_a_brightness_that_all_photos_share_costs_its_square():
    assert score(LIGHT + np.array([0.3, 0.3, 0.3, 0]), LIGHT) == pytest.approx(3 * 0.3**2)


def test_closed_form_of_a_set_that_varies_half_as_much():
    flat = LIGHT.mean(axis=0) + (LIGHT - LIGHT.mean(axis=0)) / 2
    assert score(flat, LIGHT) == pytest.approx(np.trace(np.cov(LIGHT, rowvar=False)) / 4)


def test_the_order_of_arguments_and_the_numbers_of_photos_may_differ():
    others = RNG.normal(1, 2, size=(6, 4))
    assert score(LIGHT, others) == pytest.approx(score(others, LIGHT))


def test_one_photo_has_no_distance_and_unknown_looks_have_no_score():
    assert score(LIGHT[:1], LIGHT) is None
    assert METRICS["frechet_light"].score(Samples()) == {}
