"""The losses of pix2pix (Isola et al. 2017), as means over everything they are given. Pure Keras 3.

Single GAN terms are binary cross-entropies from logits, so ln 2 = 0.693 is a discriminator that cannot tell.
"""

from keras import ops

LOSS_NAMES = ("gen_total", "gen_gan", "gen_l1", "disc_real", "disc_generated", "disc_total")


def cross_entropy_real(logits):
    """-log sigmoid(logits): low where the discriminator says "real"."""
    return ops.mean(ops.softplus(-logits))


def cross_entropy_generated(logits):
    """-log(1 - sigmoid(logits)): low where the discriminator says "generated"."""
    return ops.mean(ops.softplus(logits))


def l1(generated, target):
    """Mean absolute difference of images in [-1, 1], so in [0, 2] (equation 3)."""
    return ops.mean(ops.abs(target - generated))


def pix2pix_losses(real_logits, generated_logits, generated, target, l1_weight: float, disc_loss_weight: float) -> dict:
    """Every term by its name in `LOSS_NAMES`; the two totals are what the networks are updated with.

    The generator maximises log D(x, G(x)) instead of minimising log(1 - D(x, G(x))) (section 3.3), plus
    l1_weight times L1 (equation 4). The discriminator's total is the sum of its terms, as in the tutorial, times
    `disc_loss_weight`: the paper and its reference halve it.
    """
    gen_gan = cross_entropy_real(generated_logits)
    gen_l1 = l1(generated, target)
    disc_real = cross_entropy_real(real_logits)
    disc_generated = cross_entropy_generated(generated_logits)
    return {
        "gen_total": gen_gan + l1_weight * gen_l1,
        "gen_gan": gen_gan,
        "gen_l1": gen_l1,
        "disc_real": disc_real,
        "disc_generated": disc_generated,
        "disc_total": disc_loss_weight * (disc_real + disc_generated),
    }
