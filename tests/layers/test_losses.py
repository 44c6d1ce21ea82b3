import math

import numpy as np
import pytest

from pix2street.layers.losses import accuracy_generated, accuracy_real, cross_entropy_generated, cross_entropy_real, l1

ZEROS = np.zeros((1, 2, 2, 1), "float32")


def test_a_discriminator_that_cannot_tell_is_at_ln_2():
    assert float(cross_entropy_real(ZEROS)) == pytest.approx(math.log(2))
    assert float(cross_entropy_generated(ZEROS)) == pytest.approx(math.log(2))


def test_cross_entropies_are_those_of_sigmoids_and_stay_finite():
    logits = np.array([-2.0, 0.5, 3.0], "float32")
    probability = 1 / (1 + np.exp(-logits))
    assert float(cross_entropy_real(logits)) == pytest.approx(-np.log(probability).mean(), rel=1e-6)
    assert float(cross_entropy_generated(logits)) == pytest.approx(-np.log(1 - probability).mean(), rel=1e-6)
    assert float(cross_entropy_real(np.float32([-1e4]))) == pytest.approx(1e4)


def test_l1_is_in_zero_to_two():
    assert float(l1(ZEROS - 1, ZEROS + 1)) == 2.0


def test_accuracies_are_shares_of_patches_told_right():
    logits = np.array([[-1.0, 0.5], [2.0, 3.0]], "float32")
    assert float(accuracy_real(logits)) == 0.75
    assert float(accuracy_generated(logits)) == 0.25
