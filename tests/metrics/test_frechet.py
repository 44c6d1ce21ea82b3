import numpy as np
import pytest

from pix2street.metrics import METRICS, Samples
from pix2street.metrics.frechet import frechet_distance


def test_identical_sets_are_at_zero():
    features = np.random.default_rng(0).normal(size=(50, 8))
    assert frechet_distance(features, features) == pytest.approx(0, abs=1e-9)


def test_a_shift_costs_its_square():
    features = np.random.default_rng(0).normal(size=(50, 8))
    assert frechet_distance(features, features + 2.0) == pytest.approx(8 * 2.0**2)


def test_closed_form_of_scaled_features():
    # For C_b = s^2 C_a: tr(C_a + C_b - 2 (C_a C_b)^(1/2)) = (1 - s)^2 tr(C_a).
    features = np.random.default_rng(0).normal(size=(200, 6))
    features -= features.mean(axis=0)
    assert frechet_distance(features, 3 * features) == pytest.approx(4 * np.trace(np.cov(features, rowvar=False)))


def test_closed_form_of_commuting_covariances():
    rng = np.random.default_rng(0)
    basis, _ = np.linalg.qr(rng.normal(size=(400, 3)) - 0.0)
    basis -= basis.mean(axis=0)
    basis, _ = np.linalg.qr(basis)
    a, b = basis * [1, 2, 3], basis * [4, 1, 2]
    expected = ((np.array([1, 2, 3]) - [4, 1, 2]) ** 2).sum() / 399
    assert frechet_distance(a, b) == pytest.approx(expected)


def test_order_of_arguments_and_of_images_does_not_matter():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(40, 5)), rng.normal(1, 2, size=(30, 5))
    assert frechet_distance(a, b) == pytest.approx(frechet_distance(b, a))
    assert frechet_distance(a[::-1], b) == pytest.approx(frechet_distance(a, b))


def test_fewer_images_than_features_is_real_and_finite():
    rng = np.random.default_rng(0)
    distance = frechet_distance(rng.normal(size=(4, 32)).astype(np.float32), rng.normal(size=(5, 32)))
    assert np.isfinite(distance)
    assert distance > 0


def test_one_photo_has_no_distance():
    assert METRICS["frechet_segmenter"](Samples(["a"], ["b"], features=np.ones((1, 3)))) == {"frechet_segmenter": None}
