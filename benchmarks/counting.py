"""The number of operations in a training step. This module needs nothing but Keras 3."""

import keras
import numpy as np


def gigaflop(network: keras.Model) -> float:
    """Return the multiplications and additions of all convolutions in one forward pass over one image."""
    total = 0
    for layer in network.layers:
        if hasattr(layer, "kernel"):
            transposed = isinstance(layer, keras.layers.Conv2DTranspose)
            height, width = (layer.input if transposed else layer.output).shape[1:3]
            total += 2 * height * width * int(np.prod(layer.kernel.shape))
    return total / 1e9


def step_gigaflop(generator: keras.Model, discriminator: keras.Model) -> float:
    """Return the work of one update of both networks for one image of the batch.

    G and D on the target cost one forward and two backward passes each. D on the generated photo costs a forward pass,
    two backward passes, and one more to its input.
    """
    return 3 * gigaflop(generator) + 7 * gigaflop(discriminator)
