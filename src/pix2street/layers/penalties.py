"""Penalties of a discriminator's gradients with respect to images. Pure Keras 3."""

from keras import ops


def one_lipschitz(gradients):
    """Return the mean of (|gradient| - 1)^2 over the images (Gulrajani et al. 2017, equation 3).

    Args:
        gradients: of the discriminator's output for each image by that image, `[N, H, W, C]`.
    """
    squares = ops.sum(ops.square(ops.cast(gradients, "float32")), axis=(1, 2, 3))
    # The root of 0 has no gradient.
    return ops.mean(ops.square(ops.sqrt(squares + 1e-12) - 1))


def squared_norm(gradients):
    """Return half of the mean of |gradient|^2 over the images: R1 (Mescheder et al. 2018, equation 9) without gamma.

    Args:
        gradients: of the discriminator's output for each real image by that image, `[N, H, W, C]`.
    """
    return ops.mean(ops.sum(ops.square(ops.cast(gradients, "float32")), axis=(1, 2, 3))) / 2
