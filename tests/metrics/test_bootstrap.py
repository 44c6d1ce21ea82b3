import numpy as np
import pytest

from pix2street.metrics.bootstrap import RESAMPLES, SEED_OF_JUDGES, interval_of, resamples


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


def test_judges_are_drawn_apart_from_images():
    judges = resamples(7, SEED_OF_JUDGES)
    assert (judges.sum(axis=1) == 7).all()
    assert (judges != resamples(7)).any()


@pytest.mark.parametrize(("judges", "spans_all"), [(2, True), (3, True), (5, False)])
def test_the_interval_of_few_judges_reaches_the_most_and_the_least_severe_of_them(judges, spans_all):
    values = np.arange(judges, dtype=float)
    interval = interval_of(resamples(judges, SEED_OF_JUDGES) @ values / judges)
    # The chance of a draw of one judge alone, J ** -J, is above 2.5 % up to three judges.
    assert (interval == {"low": 0.0, "high": judges - 1.0}) is spans_all


def test_nothing_has_no_interval():
    assert interval_of(np.full(5, np.nan)) is None
