"""The work of a training step, counted. Pure Keras 3."""

import keras
import numpy as np


def gigaflop(network: keras.Model) -> float:
    """Of one forward pass over one image: multiplications and additions of its convolutions."""
    total = 0
    for layer in network.layers:
        if hasattr(layer, "kernel"):
            transposed = isinstance(layer, keras.layers.Conv2DTranspose)
            height, width = (layer.input if transposed else layer.output).shape[1:3]
            total += 2 * height * width * int(np.prod(layer.kernel.shape))
    return total / 1e9


def step_gigaflop(generator: keras.Model, discriminator: keras.Model) -> float:
    """Of one update of both networks, an image of the batch.

    Forward and twice backward of G and of D on real; of D on generated forward, twice backward and once to its input.
    """
    return 3 * gigaflop(generator) + 7 * gigaflop(discriminator)
