"""Spectral normalisation (Miyato et al. 2018, "Spectral normalization for generative adversarial networks").

A convolution with the kernel W / sigma(W), where W is seen as the matrix `[height * width * C, F]` and sigma is its
largest singular value. W itself is the trained weight and is never overwritten. Pure Keras 3.

sigma is v^T W u with the singular vectors u and v, which are float32 variables and constants to the gradient; W is not,
so that the gradient is that of the paper's section 2.3. They follow W by one step of the power iteration for each step
of the training: a family calls `advance_power_iterations` once, before its networks. All calls of a network within a
step therefore use the same kernel.
"""

import keras
from keras import layers, ops

from pix2street.layers.derived import DerivedConv2D
from pix2street.layers.in_use import Mode, in_use
from pix2street.layers.resize import ResizeConv2D

FIRST_ITERATIONS = 15
"""Steps of the power iteration when a layer is built, after which sigma is a few per cent too small at most."""


@keras.saving.register_keras_serializable("pix2street")
class SpectralConv2D(DerivedConv2D):
    """A convolution with the kernel divided by its largest singular value.

    Args:
        seed: the seed of the vector from which the power iteration starts.
        others: as in Keras' Conv2D.
    """

    def __init__(self, filters, kernel_size, *args, seed=0, **kwargs):
        super().__init__(filters, kernel_size, *args, **kwargs)
        self.seed = seed

    def build(self, input_shape):
        super().build(input_shape)
        rows = ops.size(self.kernel) // self.filters
        how = {"dtype": "float32", "trainable": False, "aggregation": "only_first_replica"}
        start = keras.initializers.RandomNormal(seed=self.seed)
        self.u = self.add_weight(name="u", shape=(self.filters,), initializer=start, **how)
        self.v = self.add_weight(name="v", shape=(rows,), initializer="zeros", **how)
        for _ in range(FIRST_ITERATIONS):
            self.advance()

    def advance(self) -> None:
        """Take one step of the power iteration: v = W u / |W u|, u = W^T v / |W^T v| (algorithm 1)."""
        matrix = self._matrix()
        v = ops.normalize(ops.matmul(matrix, self.u))
        self.u.assign(ops.normalize(ops.matmul(v, matrix)))
        self.v.assign(v)

    def sigma(self):
        """Return v^T W u, the estimate of the largest singular value, a float32 scalar."""
        return ops.matmul(self.v, ops.matmul(self._matrix(), self.u))

    def _matrix(self):
        return ops.reshape(super().derived_kernel(), (-1, self.filters))

    def derived_kernel(self):
        """Return W / sigma, float32."""
        return super().derived_kernel() / self.sigma()

    # Keras' convolutions write and read nothing but their kernel and bias.

    def save_own_variables(self, store):
        layers.Layer.save_own_variables(self, store)

    def load_own_variables(self, store):
        layers.Layer.load_own_variables(self, store)

    def get_config(self):
        return {**super().get_config(), "seed": self.seed}


@keras.saving.register_keras_serializable("pix2street")
class SpectralResizeConv2D(ResizeConv2D, SpectralConv2D):
    """Nearest neighbour x2 and a convolution 3x3 whose kernel is divided by its largest singular value."""


def advance_power_iterations(network: keras.Model) -> None:
    """Let the singular vectors of every spectral layer follow its kernel by one step.

    A step of the training calls it once for each network, before the network's first call.
    """
    for layer in network.layers:
        if isinstance(layer, SpectralConv2D):
            layer.advance()
        elif isinstance(layer, keras.Model):
            advance_power_iterations(layer)


# `SpectralResizeConv2D` is replaced as `ResizeConv2D`, its first class.
@in_use.register
def _(layer: SpectralConv2D, mode: Mode) -> layers.Layer:
    config = layer.get_config()
    del config["seed"]
    return layers.Conv2D.from_config(config)
