"""The loss of a judge's training against values worked out on paper."""

import numpy as np
import pytest

from pix2street.core.classes import VOID
from pix2street.judges.losses import MOST, WeightedCrossEntropyAndDice, class_weights


def loss_of(weights, truth, logits):
    return float(WeightedCrossEntropyAndDice(np.array(weights))(np.array(truth), np.array(logits, np.float32)))


def one_photo(*pixels):
    """Return the pixels as a batch of one photo of one row."""
    return [[list(pixels)]]


def test_a_weight_is_the_inverse_root_of_the_share_and_the_mean_over_pixels_is_one():
    pixels = np.array([64, 16, 16, 4])
    weights = class_weights(pixels)
    assert weights / weights[0] == pytest.approx([1, 2, 2, 4])
    assert (weights * pixels).sum() / pixels.sum() == pytest.approx(1)
    assert weights.dtype == np.float32


def test_no_weight_is_above_the_most_and_a_class_of_stray_pixels_has_none():
    weights = class_weights(np.array([10**6, 300, 100, 0]))
    assert weights.tolist() == [pytest.approx(1, abs=0.02), MOST, 0, 0]
    assert class_weights(np.zeros(2, int)).tolist() == [0, 0]


def test_without_a_clue_each_class_of_two_has_the_logarithm_of_two_and_half_its_dice():
    # Four pixels, two of each class, all at one half: 2 * 1 + 1 over 2 + 2 + 1.
    value = loss_of([1, 1], one_photo(0, 0, 1, 1), np.zeros((1, 1, 4, 2)))
    assert value == pytest.approx(np.log(2) + 1 - 3 / 5, rel=1e-5)


def test_a_sure_and_right_judge_has_no_loss_and_a_wrong_one_much():
    right = np.where(np.eye(2)[[0, 1, 1, 0]], 50.0, -50.0)[None, None]
    assert loss_of([1, 1], one_photo(0, 1, 1, 0), right) == pytest.approx(0, abs=1e-5)
    assert loss_of([1, 1], one_photo(1, 0, 0, 1), right) > 50


def test_void_pixels_count_in_neither_part():
    logits = np.random.default_rng(0).normal(size=(1, 1, 3, 2))
    with_void = loss_of([1, 2], one_photo(0, 1, VOID), logits)
    assert with_void == pytest.approx(loss_of([1, 2], one_photo(0, 1), logits[:, :, :2]), rel=1e-6)
    assert loss_of([1, 2], one_photo(VOID, VOID, VOID), logits) == 0


def test_a_class_without_weight_counts_in_neither_part():
    logits = np.random.default_rng(0).normal(size=(1, 1, 3, 3))
    everything = loss_of([1, 1, 0], one_photo(0, 1, 2), logits)
    wrong = logits.copy()
    wrong[..., 2, :] = [0.0, 0.0, 9.0]
    right = loss_of([1, 1, 0], one_photo(0, 1, 2), wrong)
    # The pixel of class 2 changes only how much of the other classes is judged there.
    assert right < everything


def test_the_order_of_the_classes_changes_nothing():
    logits = np.random.default_rng(0).normal(size=(1, 1, 4, 3))
    first = loss_of([1, 2, 3], one_photo(0, 1, 2, 2), logits)
    assert loss_of([3, 1, 2], one_photo(1, 2, 0, 0), logits[..., [2, 0, 1]]) == pytest.approx(first, rel=1e-6)


def test_the_weights_decide_whose_mistakes_count():
    logits = np.array(one_photo([0, 0], [3, -3]), np.float32)
    truth = one_photo(0, 1)
    assert loss_of([1, 9], truth, logits) > loss_of([9, 1], truth, logits)
