import numpy as np
import pytest

from pix2street.metrics import METRICS, Features, Samples
from pix2street.metrics.kid import kernel_distance, polynomial_mmd

RNG = np.random.default_rng(0)


def test_worked_by_hand():
    # One dimension, two samples each: k(x, y) = (xy + 1)^3.
    a, b = np.array([[0.0], [1.0]]), np.array([[2.0], [3.0]])
    within_a, within_b, across = 1, 343, (1 + 1 + 27 + 64) / 4
    assert polynomial_mmd(a, b) == pytest.approx(within_a + within_b - 2 * across)


def test_order_of_arguments_does_not_matter():
    a, b = RNG.normal(size=(20, 5)), RNG.normal(1, 1, size=(20, 5))
    assert polynomial_mmd(a, b) == pytest.approx(polynomial_mmd(b, a))


def test_two_sets_of_one_distribution_are_at_zero_within_the_deviation():
    a, b = RNG.normal(size=(2, 400, 16))
    mean, deviation = kernel_distance(a, b)
    assert abs(mean) < 2 * deviation
    assert deviation > 0


def test_unlike_sets_are_told_apart():
    a, b = RNG.normal(size=(200, 16)), RNG.normal(0.5, 1, size=(300, 16))
    mean, deviation = kernel_distance(a, b)
    assert mean > 3 * deviation


def test_it_is_unbiased_where_the_frechet_distance_is_not():
    draws = [kernel_distance(*RNG.normal(size=(2, 10, 32)))[0] for _ in range(200)]
    assert abs(np.mean(draws)) < 3 * np.std(draws) / np.sqrt(200)


def test_equal_features_give_equal_numbers():
    a, b = RNG.normal(size=(2, 30, 4))
    assert kernel_distance(a, b) == kernel_distance(a, b)


def test_a_score_is_named_by_its_network_and_has_its_deviation():
    a, b = RNG.normal(size=(2, 30, 4))
    both, one = {"frechet": "fid_tf_val30", "kid": "kid_tf_val30"}, {"frechet": "other"}
    features = [Features(both, a, b), Features(one, a, b)]
    scores = METRICS["kid"].score(Samples(features=features))
    assert list(scores) == ["kid_tf_val30", "kid_tf_val30_std"]
    assert tuple(scores.values()) == kernel_distance(a, b)


def test_fewer_than_four_photos_have_none():
    assert kernel_distance(np.ones((3, 2)), np.ones((9, 2))) == (None, None)
