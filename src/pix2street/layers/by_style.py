"""Layers that a style steers: a vector says how strong each channel is (Karras et al. 2019 and 2020). Pure Keras 3."""

import keras
from keras import initializers, layers, ops

from pix2street.layers.resize import doubled

EPSILON = 1e-8


@keras.saving.register_keras_serializable("pix2street")
class Truncate(layers.Layer):
    """Styles moved towards the mean style (Karras et al. 2019, section B): `mean + share * (style - mean)`.

    The inputs are `[styles, shares]`, `[N, L, C]` and `[N, L, 1]`. The weight `mean` follows the mean of the styles in
    training, and no gradient reaches it.

    Args:
        momentum: how much of the mean one step of training keeps.
    """

    def __init__(self, momentum: float = 0.995, **kwargs):
        super().__init__(**kwargs)
        self.momentum = momentum

    def build(self, input_shape):
        how = {"dtype": "float32", "autocast": False, "trainable": False, "aggregation": "mean"}
        self.mean = self.add_weight(name="mean", shape=(input_shape[0][-1],), initializer="zeros", **how)

    def call(self, inputs, training=None):
        styles, shares = inputs
        if training:
            now = ops.mean(ops.stop_gradient(ops.cast(styles, "float32")), axis=(0, 1))
            self.mean.assign(self.momentum * self.mean + (1 - self.momentum) * now)
        mean = ops.cast(ops.stop_gradient(ops.convert_to_tensor(self.mean)), styles.dtype)
        return mean + shares * (styles - mean)

    def compute_output_shape(self, input_shape):
        return input_shape[0]

    def get_config(self):
        return {**super().get_config(), "momentum": self.momentum}


@keras.saving.register_keras_serializable("pix2street")
class LearnedStart(layers.Layer):
    """The learned map from which every photo begins: `[N, C] -> [N, height, width, filters]`, the same for all N."""

    def __init__(self, height: int, width: int, filters: int, seed: int, **kwargs):
        super().__init__(**kwargs)
        self.height, self.width, self.filters, self.seed = height, width, filters, seed

    def build(self, input_shape):
        start = initializers.RandomNormal(0.0, 1.0, seed=self.seed)
        self.map = self.add_weight(shape=(self.height, self.width, self.filters), initializer=start, name="map")

    def call(self, inputs):
        first = ops.convert_to_tensor(self.map)[None]
        return ops.broadcast_to(first, (ops.shape(inputs)[0], self.height, self.width, self.filters))

    def compute_output_shape(self, input_shape):
        return (input_shape[0], self.height, self.width, self.filters)

    def get_config(self):
        own = {"height": self.height, "width": self.width, "filters": self.filters, "seed": self.seed}
        return {**super().get_config(), **own}


@keras.saving.register_keras_serializable("pix2street")
class StyledConv2D(layers.Layer):
    """A convolution whose kernel is modulated by a style for each image (Karras et al. 2020, equations 1 to 3).

    The inputs are `[map, style]`, `[N, H, W, C]` and `[N, C]`; the result is `[N, H, W, filters]`. A kernel of its own
    for each image needs grouped convolutions. The same follows from one kernel where the map's channels are multiplied
    by the style before it, and the result's by the factor of demodulation after it.

    Args:
        demodulate: whether each output channel is divided by the deviation that its modulated kernel gives.
        up: whether the map is first enlarged by nearest neighbour to twice its size, see `resize.py`; needs a kernel
            of 3.
    """

    def __init__(self, filters: int, kernel_size: int, seed: int, demodulate: bool = True, up: bool = False, **kwargs):
        super().__init__(**kwargs)
        self.filters, self.kernel_size, self.seed, self.demodulate, self.up = filters, kernel_size, seed, demodulate, up

    def build(self, input_shape):
        side, inputs = self.kernel_size, input_shape[0][-1]
        self.factor = 1 / (side * side * inputs) ** 0.5
        start = initializers.RandomNormal(0.0, 1.0, seed=self.seed)
        self.kernel = self.add_weight(shape=(side, side, inputs, self.filters), initializer=start, name="kernel")

    def call(self, inputs):
        x, style = inputs
        kernel = ops.convert_to_tensor(self.kernel) * self.factor
        x = x * style[:, None, None]
        if self.up:
            kernel_of_both = ops.transpose(doubled(doubled(kernel, axis=0), axis=1), (0, 1, 3, 2))
            x = ops.conv_transpose(x, kernel_of_both, strides=2, padding="same")
        else:
            x = ops.conv(x, kernel, padding="same")
        if not self.demodulate:
            return x
        squares = ops.sum(ops.square(ops.cast(kernel, "float32")), axis=(0, 1))
        variances = ops.matmul(ops.square(ops.cast(style, "float32")), squares)
        return x * ops.cast(ops.rsqrt(variances + EPSILON), x.dtype)[:, None, None]

    def compute_output_shape(self, input_shape):
        height, width = (side * (2 if self.up else 1) for side in input_shape[0][1:3])
        return (input_shape[0][0], height, width, self.filters)

    def get_config(self):
        own = {"filters": self.filters, "kernel_size": self.kernel_size, "seed": self.seed}
        return {**super().get_config(), **own, "demodulate": self.demodulate, "up": self.up}


@keras.saving.register_keras_serializable("pix2street")
class Shift(layers.Layer):
    """A bias for each channel, behind a noise."""

    def build(self, input_shape):
        self.bias = self.add_weight(shape=(input_shape[-1],), initializer="zeros", name="bias")

    def call(self, inputs):
        return inputs + self.bias

    def compute_output_shape(self, input_shape):
        return input_shape
