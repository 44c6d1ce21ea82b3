import numpy as np
import pytest

from pix2street.metrics.bootstrap import RESAMPLES, interval_of, resamples


def test_every_resample_has_as_many_images():
    weights = resamples(7)
    assert weights.shape == (RESAMPLES, 7)
    assert (weights.sum(axis=1) == 7).all()
    assert (resamples(7) == weights).all()


def test_the_interval_of_a_mean_is_near_the_normal_one():
    values = np.random.default_rng(0).normal(10, 2, 500)
    interval = interval_of(resamples(500) @ values / 500)
    error = values.std() / np.sqrt(500)
    assert interval["low"] == pytest.approx(values.mean() - 1.96 * error, abs=0.02)
    assert interval["high"] == pytest.approx(values.mean() + 1.96 * error, abs=0.02)


def test_it_covers_what_it_promises():
    rng = np.random.default_rng(1)
    covered = 0
    for _ in range(200):
        interval = interval_of(resamples(60) @ rng.exponential(1, 60) / 60)
        covered += interval["low"] <= 1 <= interval["high"]
    assert 0.88 < covered / 200 < 0.99


def test_nothing_has_no_interval():
    assert interval_of(np.full(5, np.nan)) is None
