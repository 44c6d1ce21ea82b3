import numpy as np
import pytest

from pix2street.metrics import METRICS, Looks, Samples
from pix2street.metrics.spread import relative_spread

RNG = np.random.default_rng(0)


def scores(photos: np.ndarray, targets: np.ndarray) -> dict:
    return METRICS["spread"].score(Samples(looks=(Looks(photos, {}), Looks(targets, {}))))


def test_equal_sets_have_a_spread_of_one_and_their_order_does_not_matter():
    light = RNG.normal(size=(9, 4))
    assert scores(light, light) == {"color_spread": 1.0, "contrast_spread": 1.0}
    assert scores(light[::-1], light) == pytest.approx({"color_spread": 1.0, "contrast_spread": 1.0})


def test_worked_by_hand():
    # Sums of variances: 2 + 8 + 0 = 10 and 2 + 0.5 + 0 = 2.5; contrasts differ by 0.1 and by 0.4.
    photos = np.array([[0.0, 0, 1, 0.2], [2, 4, 1, 0.3]])
    targets = np.array([[0.0, 0, 1, 0.5], [2, 1, 1, 0.1]])
    assert scores(photos, targets) == pytest.approx({"color_spread": 2.0, "contrast_spread": 0.25})
    assert scores(targets, photos) == pytest.approx({"color_spread": 0.5, "contrast_spread": 4.0})


def test_a_colour_that_all_photos_share_changes_nothing_and_half_the_spread_is_half():
    light = RNG.normal(size=(9, 4))
    assert scores(light + 0.3, light) == pytest.approx({"color_spread": 1.0, "contrast_spread": 1.0})
    assert scores(light / 2, light) == pytest.approx({"color_spread": 0.5, "contrast_spread": 0.5})


def test_the_number_of_photos_does_not_matter_on_average():
    spreads = [relative_spread(RNG.normal(size=(4, 3)), RNG.normal(size=(400, 3))) ** 2 for _ in range(400)]
    assert np.mean(spreads) == pytest.approx(1, abs=0.1)


def test_grey_photos_have_both():
    light = RNG.normal(size=(5, 2))
    assert scores(3 * light, light) == pytest.approx({"color_spread": 3.0, "contrast_spread": 3.0})


def test_photos_of_one_light_have_none_of_it_and_nothing_is_relative_to_none():
    light, same = RNG.normal(size=(5, 4)), np.ones((5, 4))
    assert scores(same, light) == {"color_spread": 0.0, "contrast_spread": 0.0}
    assert scores(light, same) == {"color_spread": None, "contrast_spread": None}
    assert scores(light[:1], light) == scores(light, light[:1]) == {"color_spread": None, "contrast_spread": None}
    assert METRICS["spread"].score(Samples()) == {}
