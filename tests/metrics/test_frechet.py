import numpy as np
import pytest
from scipy.linalg import sqrtm

from pix2street.metrics import METRICS, Features, Samples
from pix2street.metrics.frechet import blocks_of, distance_of, frechet_distance, statistics_of

RNG = np.random.default_rng(0)


def test_identical_sets_are_at_zero():
    features = RNG.normal(size=(50, 8))
    assert distance_of(features, features) == pytest.approx(0, abs=1e-9)


def test_identical_sets_of_few_photos_and_many_features_are_at_zero():
    # Like Inception's: not negative, half-normal, of rank 99 in 2,048 dimensions.
    features = np.abs(RNG.normal(0, 0.4, (100, 2048))).astype(np.float32)
    assert distance_of(features, features) <= 1e-3


def test_a_shift_costs_its_square():
    features = RNG.normal(size=(50, 8))
    assert distance_of(features, features + 2.0) == pytest.approx(8 * 2.0**2)


def test_closed_form_of_scaled_features():
    # For C_b = s^2 C_a: tr(C_a + C_b - 2 (C_a C_b)^(1/2)) = (1 - s)^2 tr(C_a).
    features = RNG.normal(size=(200, 6))
    features -= features.mean(axis=0)
    assert distance_of(features, 3 * features) == pytest.approx(4 * np.trace(np.cov(features, rowvar=False)))


def test_closed_form_of_commuting_covariances():
    basis = RNG.normal(size=(400, 3))
    basis, _ = np.linalg.qr(basis - basis.mean(axis=0))
    a, b = basis * [1, 2, 3], basis * [4, 1, 2]
    assert distance_of(a, b) == pytest.approx(((np.array([1, 2, 3]) - [4, 1, 2]) ** 2).sum() / 399)


def test_agrees_with_the_root_of_a_matrix():
    # The textbook way, a general matrix root of C_a C_b, which the published implementations take.
    a, b = RNG.normal(size=(300, 40)) @ RNG.normal(size=(40, 40)), RNG.normal(0.3, 2, (250, 40))
    cov_a, cov_b = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    root = sqrtm(cov_a @ cov_b).real
    expected = ((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(cov_a + cov_b - 2 * root)
    assert distance_of(a, b) == pytest.approx(expected, rel=1e-9)


def test_order_of_arguments_and_of_images_does_not_matter():
    a, b = RNG.normal(size=(40, 5)), RNG.normal(1, 2, size=(30, 5))
    assert distance_of(a, b) == pytest.approx(distance_of(b, a))
    assert distance_of(a[::-1], b) == pytest.approx(distance_of(a, b))


def test_fewer_images_than_features_is_real_and_finite():
    few, others = RNG.normal(size=(4, 32)).astype(np.float32), RNG.normal(size=(5, 32))
    means = few.mean(axis=0) - others.mean(axis=0)
    covariances = [np.cov(features, rowvar=False) for features in (few, others)]
    root = sqrtm(covariances[0] @ covariances[1]).real
    expected = means @ means + np.trace(covariances[0] + covariances[1] - 2 * root)
    assert distance_of(few, others) == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("size", [1, 3, 7, 50])
def test_statistics_do_not_depend_on_the_blocks(size):
    features = RNG.normal(1000, 1, size=(50, 6))  # far from zero: a sum of squares would lose digits
    statistics = statistics_of(features[start : start + size] for start in range(0, 50, size))
    assert statistics.count == 50
    np.testing.assert_allclose(statistics.mean, features.mean(axis=0), rtol=1e-13)
    np.testing.assert_allclose(statistics.covariance, np.cov(features, rowvar=False), rtol=1e-9, atol=1e-12)


def test_features_on_disk_are_read_in_blocks(tmp_path):
    features = RNG.normal(size=(600, 4)).astype(np.float32)
    np.save(tmp_path / "features.npy", features)
    stored = np.load(tmp_path / "features.npy", mmap_mode="r")
    assert max(len(block) for block in blocks_of(stored)) < 600
    assert distance_of(stored, features[:300]) == distance_of(features, features[:300])


def test_one_photo_has_no_distance():
    one = np.ones((1, 3))
    samples = Samples(features=[Features({"frechet": "frechet_segmenter"}, one, one)])
    assert METRICS["frechet"].score(samples) == {"frechet_segmenter": None}
    with pytest.raises(ValueError, match="at least two rows, it has 1"):
        statistics_of([one])


def test_a_distance_is_the_distance_of_statistics():
    a, b = RNG.normal(size=(2, 20, 3))
    assert frechet_distance(statistics_of([a]), statistics_of([b])) == distance_of(a, b)
