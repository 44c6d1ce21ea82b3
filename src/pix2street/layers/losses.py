"""Losses and accuracies of generative adversarial networks, as means over all values. Pure Keras 3."""

from collections.abc import Callable, Sequence
from typing import Any

from keras import ops

Views = Sequence[Sequence[Any]]
"""What the discriminators of several scales give: for each, its hidden maps and, last, its logits."""


def over_scales(loss: Callable, views: Views) -> Any:
    """Return the mean over all scales of a loss of the logits."""
    values = [loss(logits) for *_, logits in views]
    return sum(values) / len(values)


def features_over_scales(generated: Views, real: Views) -> Any:
    """Return the mean over all scales of `feature_distance`."""
    pairs = zip(generated, real, strict=True)
    values = [feature_distance(maps, of_target) for (*maps, _), (*of_target, _) in pairs]
    return sum(values) / len(values)


def cross_entropy_real(logits):
    """Return -log sigmoid(logits): low where the discriminator says "real"."""
    return ops.mean(ops.softplus(-logits))


def cross_entropy_generated(logits):
    """Return -log(1 - sigmoid(logits)): low where the discriminator says "generated"."""
    return ops.mean(ops.softplus(logits))


def squares_real(logits):
    """Return (logits - 1)^2, low where the discriminator says 1 for "real" (Mao et al. 2017, equation 9, doubled)."""
    return ops.mean(ops.square(logits - 1))


def squares_generated(logits):
    """Return logits^2, low where the discriminator says 0 for "generated" (Mao et al. 2017, equation 9, doubled)."""
    return ops.mean(ops.square(logits))


def hinge_real(logits):
    """Return max(0, 1 - logits): low where the discriminator says "real" (Miyato et al. 2018, equation 16)."""
    return ops.mean(ops.relu(1 - logits))


def hinge_generated(logits):
    """Return max(0, 1 + logits): low where the discriminator says "generated" (Miyato et al. 2018, equation 16)."""
    return ops.mean(ops.relu(1 + logits))


def hinge_generator(logits):
    """Return -logits: low where the discriminator takes generated for real (Miyato et al. 2018, equation 17)."""
    return -ops.mean(logits)


def l1(generated, target):
    """Return the mean absolute difference of images in [-1, 1], which is in [0, 2] (Isola et al. 2017, equation 3)."""
    return ops.mean(ops.abs(target - generated))


def feature_distance(generated: Sequence, real: Sequence):
    """Return the mean over all maps of their mean absolute difference (Wang et al. 2018, equation 4); no gradient
    reaches the real maps.

    Their reference adds the four maps of a discriminator instead; its weight of 10 is one of 40 here.

    Args:
        generated, real: a discriminator's hidden maps of the generated and of the real photo, in the same order.
    """
    distances = [
        l1(ops.cast(one, "float32"), ops.stop_gradient(ops.cast(other, "float32")))
        for one, other in zip(generated, real, strict=True)
    ]
    return sum(distances) / len(distances)


def accuracy_real(logits):
    """Return the share of real patches that the discriminator takes for real; a guess gives 0.5."""
    return ops.mean(ops.cast(logits > 0, "float32"))


def accuracy_generated(logits):
    """Return the share of generated patches that the discriminator takes for generated; a guess gives 0.5."""
    return ops.mean(ops.cast(logits < 0, "float32"))
