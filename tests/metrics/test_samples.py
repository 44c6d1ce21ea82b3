import numpy as np

from pix2street.metrics import normalised

RNG = np.random.default_rng(0)


def test_real_photos_get_mean_zero_and_deviation_one_and_others_their_units():
    real = RNG.normal([5.0, -3], [0.1, 40], size=(50, 2)).astype(np.float32)
    own = normalised(real, real)
    np.testing.assert_allclose(own.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(own.std(axis=0), 1, rtol=1e-5)
    moved = normalised(real + 2 * real.std(axis=0), real)
    np.testing.assert_allclose(moved - own, 2, rtol=1e-3)


def test_units_of_the_features_do_not_matter():
    real, photos = RNG.normal(size=(50, 4)), RNG.normal(1, 1, size=(20, 4))
    scale, shift = np.array([1, 10, 0.01, 1000]), np.array([0, -3, 5, 70])
    expected = normalised(photos, real)
    np.testing.assert_allclose(normalised(photos * scale + shift, real * scale + shift), expected, rtol=1e-4, atol=1e-5)


def test_a_dimension_without_deviation_is_left_out_for_every_set():
    real = RNG.normal(size=(9, 5)).astype(np.float32)
    real[:, 1:4] = 0, 0.1, 0.7
    real[4, 3] = np.nextafter(np.float32(0.7), np.float32(1))
    assert normalised(real, real).shape == (9, 2)
    draws = normalised(RNG.normal(size=(6, 4, 5)), real)
    assert draws.shape == (6, 4, 2)
    assert np.abs(draws).max() < 100
