"""Nearest neighbour x2 and a convolution 3x3 "same" in one operation. Pure Keras 3.

Each output pixel lies over one input pixel and sees it through several taps of the kernel at once. Both operations are
therefore a transposed convolution 4x4 with stride 2, whose kernel is the sum of the four shifts of the 3x3 kernel,
turned round. It has four products where the 3x3 convolution of the large image has nine.
"""

import keras
from keras import layers, ops

from pix2street.layers.derived import DerivedConv2D
from pix2street.layers.in_use import Mode, in_use


@keras.saving.register_keras_serializable("pix2street")
class ResizeConv2D(DerivedConv2D):
    """Nearest neighbour x2 and convolution: `[N, H, W, C] -> [N, 2H, 2W, F]`.

    Its weights are those of the convolution: `kernel` `[3, 3, C, F]` and `bias`. It is meant to be used with a kernel
    of 3, stride 1 and "same".
    """

    def derived_kernel(self):
        """Return the transposed kernel `[4, 4, F, C]`, float32."""
        return ops.transpose(doubled(doubled(super().derived_kernel(), axis=0), axis=1), (0, 1, 3, 2))

    def convolution_op(self, inputs, kernel):
        kernel = ops.cast(self.derived_kernel(), self.compute_dtype)
        return ops.conv_transpose(inputs, kernel, strides=2, padding="same")

    def compute_output_shape(self, input_shape):
        size = (side and 2 * side for side in input_shape[1:3])
        return (input_shape[0], *size, self.filters)


def doubled(kernel, axis: int):
    """Return the taps of a kernel turned round along `axis`, each added to its neighbour: 3 -> 4."""
    turned = ops.flip(kernel, axis)
    first, last = ([(0, 0)] * len(kernel.shape) for _ in range(2))
    first[axis], last[axis] = (0, 1), (1, 0)
    return ops.pad(turned, first) + ops.pad(turned, last)


def as_transposed(layer: ResizeConv2D, kind: type[layers.Conv2DTranspose]) -> layers.Conv2DTranspose:
    """Return the layer of this kind whose weights are the derived kernel and the bias."""
    how = {"activation": layer.activation, "use_bias": layer.use_bias, "dtype": layer.dtype_policy, "name": layer.name}
    return kind(layer.filters, 4, 2, "same", **how)


@in_use.register
def _(layer: ResizeConv2D, mode: Mode) -> layers.Layer:
    return as_transposed(layer, layers.Conv2DTranspose)
