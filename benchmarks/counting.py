"""The number of operations in a training step, and the memory that it takes. This module needs nothing but Keras 3."""

from collections.abc import Sequence

import keras
import numpy as np

from pix2street.layers.products import ProductResizeConv2D
from pix2street.layers.resize import ResizeConv2D

FLOAT_BYTES = 4


def gigaflop(network: keras.Model) -> float:
    """Return the multiplications and additions of all convolutions in one forward pass over one image."""
    total = 0
    for layer in network.layers:
        if hasattr(layer, "kernel"):
            products = int(np.prod(layer.kernel.shape))
            smaller = isinstance(layer, keras.layers.Conv2DTranspose | ResizeConv2D)
            height, width = (layer.input if smaller else layer.output).shape[1:3]
            if isinstance(layer, ResizeConv2D) and not isinstance(layer, ProductResizeConv2D):
                products = products * 16 // 9  # the kernel of 3x3 is summed to one of 4x4
            total += 2 * height * width * products
    return total / 1e9


def step_gigaflop(generator: keras.Model, *discriminators: keras.Model, mixed: bool = False) -> float:
    """Return the work of one update of all networks for one image of the batch.

    G and D on the target cost one forward and two backward passes each. D on the generated photo costs a forward pass,
    two backward passes, and one more to its input. D on a mixed photo (`mixed`) costs what it costs on the target.
    """
    return 3 * gigaflop(generator) + (10 if mixed else 7) * sum(map(gigaflop, discriminators))


def maps_gib(generator: keras.Model, discriminators: Sequence[keras.Model], mixed: bool = False) -> float:
    """Return the memory of all maps of one image in float32, which a step keeps until its gradients are computed.

    These are the maps of G, and of D on the target, on the generated photo, and on a mixed one (`mixed`).
    """
    return _numbers(generator, *[*discriminators] * (3 if mixed else 2)) * FLOAT_BYTES / 2**30


def weights_gib(networks: Sequence[keras.Model], ema: bool = False) -> float:
    """Return the memory of all weights in float32, each with its gradient, Adam's two averages, and perhaps its own."""
    return sum(network.count_params() for network in networks) * (5 if ema else 4) * FLOAT_BYTES / 2**30


def _numbers(*networks: keras.Model) -> int:
    """Return how many numbers the outputs of all layers hold for one image."""
    outputs = [layer.output for network in networks for layer in network.layers]
    return sum(int(np.prod(output.shape[1:])) for output in outputs if isinstance(output, keras.KerasTensor))
