"""Class-adaptive modulation: the labels say how strong each channel is at every pixel, and what is added. Pure Keras 3.

The map is normalised first, each channel of each image by its own mean and variance. Labels come in after the norm, so
that it cannot wash them away even where one class fills the image (Park et al. 2019, section 3).
"""

from collections.abc import Iterator

import keras
from keras import KerasTensor, initializers, layers, ops

from pix2street.layers.convolutions import conv, enlarge
from pix2street.layers.noise import PixelNoise
from pix2street.layers.norms import ImageNorm


@keras.saving.register_keras_serializable("pix2street")
class Modulate(layers.Layer):
    """Return `x * (1 + gamma) + beta` of `[x, gamma_and_beta]`; the second has twice the channels of the first."""

    def call(self, inputs):
        x, gamma_and_beta = inputs
        gamma, beta = ops.split(gamma_and_beta, 2, axis=-1)
        return x * (1 + gamma) + beta

    def compute_output_shape(self, input_shape):
        return input_shape[0]


def modulate(x: KerasTensor, labels: KerasTensor, seeds: Iterator[int], name: str, hidden: int = 0) -> KerasTensor:
    """Apply norm -> `* (1 + gamma) + beta` -> LeakyReLU(0.2), where gamma and beta follow from the labels.

    Args:
        labels: `[N, H, W, L]` of the size of `x`; a mean over pixels of several classes is allowed.
        hidden: 0 takes gamma and beta from each pixel's own labels, as a table by class (CLADE, Tan et al. 2021,
            equation 5); above 0 from its neighbourhood by two convolutions 3x3 with so many filters between them
            (SPADE, Park et al. 2019, equation 1 and figure 3).
    """
    channels = x.shape[-1]
    if hidden:
        labels = _conv(hidden, seeds, f"{name}_hidden", activation="relu")(labels)
        by_labels = _conv(2 * channels, seeds, f"{name}_by_labels")(labels)
    else:
        # A dense layer is a convolution 1x1 whose gradient is a matrix product, which is faster on a CPU.
        by_labels = layers.Dense(2 * channels, kernel_initializer=_small(seeds), name=f"{name}_by_labels")(labels)
    x = ImageNorm(center=False, scale=False, name=f"{name}_norm")(x)
    x = Modulate(name=name)([x, by_labels])
    return layers.LeakyReLU(0.2, name=f"{name}_out")(x)


def modulated_block(
    x: KerasTensor,
    before: KerasTensor,
    after: KerasTensor,
    filters: int,
    seeds: Iterator[int],
    name: str,
    hidden: int = 0,
) -> KerasTensor:
    """Add two modulated convolutions 3x3, with noise between them, to the map, which gets the size of `after`.

    Args:
        before: the labels in the size of `x`.
        after: the same tensor, or the labels in twice this size.
        hidden: as in `modulate`.
    """
    larger = after is not before
    shortcut = x
    x = modulate(x, before, seeds, f"{name}_first", hidden)
    if larger:
        x = enlarge(x, filters, seeds, f"{name}_first_conv")
    else:
        x = conv(filters, seeds, f"{name}_first_conv", use_bias=False)(x)
    x = PixelNoise(next(seeds), name=f"{name}_noise")(x)
    x = modulate(x, after, seeds, f"{name}_second", hidden)
    x = conv(filters, seeds, f"{name}_second_conv", scale=0.5, use_bias=False)(x)
    if shortcut.shape[-1] != filters:
        shortcut = conv(filters, seeds, f"{name}_shortcut", kernel=1, use_bias=False)(shortcut)
    if larger:
        shortcut = layers.UpSampling2D(2, name=f"{name}_shortcut_resize")(shortcut)
    return layers.Add(name=name)([x, shortcut])


def _conv(filters: int, seeds: Iterator[int], name: str, activation: str | None = None) -> layers.Layer:
    return layers.Conv2D(filters, 3, padding="same", activation=activation, kernel_initializer=_small(seeds), name=name)


def _small(seeds: Iterator[int]) -> initializers.Initializer:
    return initializers.RandomNormal(0.0, 0.02, seed=next(seeds))
