"""Layers whose weights begin as standard normal numbers and are scaled in every call. Pure Keras 3.

Adam moves every weight by about the same step, whatever its gradient. With equal initial deviations all weights then
learn at one speed (Karras et al. 2018, "Progressive growing of GANs", section 4.1).
"""

import keras
from keras import initializers, layers, ops


def _normal(seed: int, deviation: float = 1.0) -> initializers.Initializer:
    return initializers.RandomNormal(0.0, deviation, seed=seed)


@keras.saving.register_keras_serializable("pix2street")
class EqualDense(layers.Layer):
    """A dense layer over the last axis: `[..., C] -> [..., units]`.

    Args:
        rate: the factor of the learning rate. Weights are stored as so many times larger, and multiplied by it in use.
        bias: the initial bias.
    """

    def __init__(self, units: int, seed: int, rate: float = 1.0, bias: float = 0.0, **kwargs):
        super().__init__(**kwargs)
        self.units, self.seed, self.rate, self.initial_bias = units, seed, rate, bias

    def build(self, input_shape):
        inputs = input_shape[-1]
        self.factor = self.rate / inputs**0.5
        self.kernel = self.add_weight(
            shape=(inputs, self.units), initializer=_normal(self.seed, 1 / self.rate), name="kernel"
        )
        start = initializers.Constant(self.initial_bias / self.rate)
        self.bias = self.add_weight(shape=(self.units,), initializer=start, name="bias")

    def call(self, inputs):
        return ops.matmul(inputs, self.kernel * self.factor) + self.bias * self.rate

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], self.units)

    def get_config(self):
        own = {"units": self.units, "seed": self.seed, "rate": self.rate, "bias": self.initial_bias}
        return {**super().get_config(), **own}


@keras.saving.register_keras_serializable("pix2street")
class ScaledLeaky(layers.Layer):
    """LeakyReLU(0.2) times the root of 2, which keeps the mean square of a map where the scaled weights keep it."""

    def call(self, inputs):
        return ops.leaky_relu(inputs, 0.2) * 2**0.5

    def compute_output_shape(self, input_shape):
        return input_shape


@keras.saving.register_keras_serializable("pix2street")
class EqualConv2D(layers.Layer):
    """A convolution that keeps the size: `[N, H, W, C] -> [N, H, W, filters]`."""

    def __init__(self, filters: int, kernel_size: int, seed: int, **kwargs):
        super().__init__(**kwargs)
        self.filters, self.kernel_size, self.seed = filters, kernel_size, seed

    def build(self, input_shape):
        side, inputs = self.kernel_size, input_shape[-1]
        self.factor = 1 / (side * side * inputs) ** 0.5
        shape = (side, side, inputs, self.filters)
        self.kernel = self.add_weight(shape=shape, initializer=_normal(self.seed), name="kernel")
        self.bias = self.add_weight(shape=(self.filters,), initializer="zeros", name="bias")

    def call(self, inputs):
        return ops.conv(inputs, self.kernel * self.factor, padding="same") + self.bias

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], self.filters)

    def get_config(self):
        own = {"filters": self.filters, "kernel_size": self.kernel_size, "seed": self.seed}
        return {**super().get_config(), **own}
