"""Losses and accuracies of generative adversarial networks, as means over all values. Pure Keras 3."""

from keras import ops


def cross_entropy_real(logits):
    """Return -log sigmoid(logits): low where the discriminator says "real"."""
    return ops.mean(ops.softplus(-logits))


def cross_entropy_generated(logits):
    """Return -log(1 - sigmoid(logits)): low where the discriminator says "generated"."""
    return ops.mean(ops.softplus(logits))


def l1(generated, target):
    """Return the mean absolute difference of images in [-1, 1], which is in [0, 2] (Isola et al. 2017, equation 3)."""
    return ops.mean(ops.abs(target - generated))


def accuracy_real(logits):
    """Return the share of real patches that the discriminator takes for real; a guess gives 0.5."""
    return ops.mean(ops.cast(logits > 0, "float32"))


def accuracy_generated(logits):
    """Return the share of generated patches that the discriminator takes for generated; a guess gives 0.5."""
    return ops.mean(ops.cast(logits < 0, "float32"))
