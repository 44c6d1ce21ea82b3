import numpy as np
import pytest

from pix2street.metrics import METRICS, Samples
from pix2street.metrics.diversity import diversity

RNG = np.random.default_rng(0)


def test_worked_by_hand():
    # The draws of the first drawing are 3, 4 and 5 apart, those of the second 0; real photos are 2, 2 and 4 apart.
    draws = np.array([[[0.0, 0], [3, 0], [0, 4]], [[7, 7], [7, 7], [7, 7]]])
    real = np.array([[0.0, 0], [0, 2], [0, 4]])
    assert diversity(draws, real) == pytest.approx(2 / (8 / 3))


def test_one_photo_a_drawing_is_zero_and_draws_like_real_photos_are_one():
    real = RNG.normal(size=(300, 8))
    one = np.repeat(real[:20, None], 4, axis=1)
    assert diversity(one, real) == 0
    assert diversity(real[:240].reshape(60, 4, 8), real) == pytest.approx(1, abs=0.03)


def test_neither_order_nor_place_nor_unit_matters():
    draws, real = RNG.normal(size=(5, 4, 3)), RNG.normal(size=(20, 3))
    expected = pytest.approx(diversity(draws, real))
    assert diversity(draws[::-1, ::-1], real[::-1]) == expected
    assert diversity(draws + RNG.normal(size=(5, 1, 3)), real + 1) == expected
    assert diversity(7 * draws, 7 * real) == expected
    assert diversity(draws / 2, real) == pytest.approx(diversity(draws, real) / 2)


def test_a_generator_without_noise_has_none_by_definition():
    real = RNG.normal(size=(20, 3))
    for draws in (np.zeros((0, 1, 3)), real[:5, None]):
        assert METRICS["diversity"].score(Samples(draws=[(draws, real)])) == {"diversity": 0.0}


def test_photos_without_draws_or_real_photos_that_are_alike_have_no_score():
    draws = RNG.normal(size=(2, 2, 3))
    assert METRICS["diversity"].score(Samples()) == {}
    assert diversity(draws, np.ones((5, 3))) is None
    assert diversity(draws, np.ones((1, 3))) is None
