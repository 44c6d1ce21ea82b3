import math

import numpy as np
import pytest

from pix2street.layers.losses import LOSS_NAMES, cross_entropy_generated, cross_entropy_real, l1, pix2pix_losses

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


def test_totals_are_made_of_their_terms():
    rng = np.random.default_rng(0)
    real, generated_logits = rng.normal(size=(2, 1, 3, 3, 1)).astype("float32")
    photo, target = rng.uniform(-1, 1, (2, 1, 4, 4, 3)).astype("float32")
    losses = {k: float(v) for k, v in pix2pix_losses(real, generated_logits, photo, target, 100.0, 0.5).items()}
    assert tuple(losses) == LOSS_NAMES
    assert losses["gen_total"] == pytest.approx(losses["gen_gan"] + 100 * losses["gen_l1"], rel=1e-6)
    assert losses["disc_total"] == pytest.approx((losses["disc_real"] + losses["disc_generated"]) / 2, rel=1e-6)
