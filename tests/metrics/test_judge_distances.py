"""The distances over the features of judges."""

import numpy as np
import pytest

from pix2street.metrics import METRICS, Samples, normalised
from pix2street.metrics.frechet import distance_of
from pix2street.metrics.judge_distances import DISTANCES, features_of, protocol_of
from pix2street.metrics.mmd import gaussian_mmd

LEVELS = (3, 5, 4)


def features(seed: int, shift: float = 0.0, count: int = 30) -> np.ndarray:
    return np.random.default_rng(seed).normal(shift, 1, (count, sum(LEVELS))).astype(np.float32)


def scores_of(seen, real):
    samples = Samples(features=features_of(seen, real, LEVELS))
    return METRICS["frechet"].score(samples) | METRICS["mmd"].score(samples)


def test_one_judge_has_the_distances_over_its_coarsest_level_and_over_all_of_them():
    photos, real = features(0, 0.5), features(1)
    scores = scores_of([photos], [real])
    assert scores["frechet_segmenter"] == distance_of(photos[:, -4:], real[:, -4:])
    assert scores["mmd_segmenter"] == gaussian_mmd(normalised(photos, real), normalised(real, real))
    assert tuple(scores) == tuple(DISTANCES)


def test_a_jury_has_the_mean_of_its_judges_and_lists_them():
    photos, real = [features(0, 0.5), features(2, 1.0)], [features(1), features(3)]
    single = [scores_of([of_judge], [of_real]) for of_judge, of_real in zip(photos, real, strict=True)]
    scores = scores_of(photos, real)
    for name in DISTANCES:
        assert scores[f"{name}_judges"] == [one[name] for one in single]
        assert scores[name] == pytest.approx((single[0][name] + single[1][name]) / 2)


def test_the_same_photos_have_no_distance_and_shifted_ones_a_larger_one():
    real = features(1)
    same, near, far = (scores_of([photos], [real]) for photos in (real, features(4, 0.2), features(4, 2.0)))
    assert same["frechet_segmenter"] == pytest.approx(0, abs=1e-6)
    for name in DISTANCES:
        assert same[name] < near[name] < far[name]


def test_the_unit_of_a_feature_does_not_count_in_the_kernel_distance():
    photos, real = features(0, 0.5), features(1)
    unit = np.geomspace(0.25, 16, sum(LEVELS)).astype(np.float32)
    scaled = scores_of([photos * unit + 3], [real * unit + 3])
    assert scaled["mmd_segmenter"] == pytest.approx(scores_of([photos], [real])["mmd_segmenter"], rel=1e-3)


def test_too_few_photos_have_no_distance():
    scores = scores_of([features(0, count=1)] * 2, [features(1, count=1)] * 2)
    assert scores["frechet_segmenter"] is None
    assert scores["mmd_segmenter_judges"] == [None, None]


def test_the_protocol_names_every_judge_and_score():
    cards = [{"weights_sha256": "aa"}, {"weights_sha256": "bb"}]
    parts = protocol_of(cards, 30)
    assert [score for part in parts.values() for score in part["scores"]] == [*DISTANCES]
    assert all(part["judges"] == cards and part["photos"] == part["targets"] == 30 for part in parts.values())
