"""The discrepancy with a Gaussian kernel against values worked out by hand, and what it does not depend on."""

import numpy as np
import pytest

from pix2street.metrics import METRICS, Features, Samples
from pix2street.metrics.mmd import gaussian_mmd

RNG = np.random.default_rng(0)


def test_worked_by_hand():
    # The targets are 2 apart, so s = 2 and k(d) = exp(-d^2 / 8).
    photos, targets = np.array([[0.0], [1.0]]), np.array([[2.0], [4.0]])
    across = np.exp(-np.array([4, 16, 1, 9]) / 8).mean()
    assert gaussian_mmd(photos, targets) == pytest.approx(np.exp(-1 / 8) + np.exp(-4 / 8) - 2 * across)


def test_two_sets_of_one_distribution_are_at_zero_on_average():
    draws = [gaussian_mmd(*RNG.normal(size=(2, 20, 8))) for _ in range(300)]
    assert abs(np.mean(draws)) < 3 * np.std(draws) / np.sqrt(300)
    assert min(draws) < 0 < max(draws)


def test_it_grows_with_a_shift_and_ends_at_the_bound_of_its_kernel():
    targets = RNG.normal(size=(50, 8))
    shifts = [gaussian_mmd(RNG.normal(size=(50, 8)) + shift, targets) for shift in (0, 0.5, 1, 2, 100)]
    assert shifts == sorted(shifts)
    assert shifts[-1] < 2


def test_one_photo_far_away_does_not_decide_it():
    photos, targets = RNG.normal(size=(2, 50, 8))
    with_one_far = photos.copy()
    with_one_far[0] = 1e6
    assert gaussian_mmd(with_one_far, targets) - gaussian_mmd(photos, targets) < 0.05


def test_the_order_of_photos_and_a_common_unit_change_nothing():
    photos, targets = RNG.normal(0.3, 1, (30, 5)), RNG.normal(size=(40, 5))
    value = gaussian_mmd(photos, targets)
    assert gaussian_mmd(photos[::-1], targets[RNG.permutation(40)]) == pytest.approx(value)
    assert gaussian_mmd(photos * 7 + 1, targets * 7 + 1) == pytest.approx(value)


def test_too_few_photos_and_equal_targets_have_none():
    assert gaussian_mmd(np.ones((1, 2)), RNG.normal(size=(5, 2))) is None
    assert gaussian_mmd(RNG.normal(size=(5, 2)), np.ones((5, 2))) is None


def test_only_features_with_its_key_have_a_score():
    a, b = RNG.normal(size=(2, 30, 4))
    features = [Features({"mmd": "mmd_segmenter"}, a, b), Features({"frechet": "other"}, a, b)]
    assert METRICS["mmd"].score(Samples(features=features)) == {"mmd_segmenter": gaussian_mmd(a, b)}
