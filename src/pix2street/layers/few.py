"""A convolution with few filters, which computes 2x2 pixels at once. Pure Keras 3.

A CPU computes sixteen filters in one operation. A photo has three, so that a plain convolution throws most of its work
away. With four pixels as twelve filters it does not, although the kernel that covers all four is larger by one.
"""

import keras
from keras import layers, ops

from pix2street.layers.subpixel import FACTOR, as_pixels


@keras.saving.register_keras_serializable("pix2street")
class FewFiltersConv2D(layers.Conv2D):
    """Convolution with stride 1 and an odd kernel: `[N, H, W, C] -> [N, H, W, F]`, less the kernel's margin if "valid".

    Its weights and results are those of the plain convolution, `kernel` `[K, K, C, F]`. Results with an odd side are
    computed as there.
    """

    def convolution_op(self, inputs, kernel):
        margin = kernel.shape[0] - 1 if self.padding == "valid" else 0
        if any(side is None or (side - margin) % FACTOR for side in inputs.shape[1:3]):
            return super().convolution_op(inputs, kernel)
        shifts = [(shift, FACTOR - 1 - shift) for shift in range(FACTOR)]
        shifted = [ops.pad(kernel, (down, right, (0, 0), (0, 0))) for down in shifts for right in shifts]
        return as_pixels(ops.conv(inputs, ops.concatenate(shifted, axis=-1), strides=FACTOR, padding=self.padding))


FEW, LARGE = 4, 5
"""The most filters, and the smallest kernel, with which `FewFiltersConv2D` is the faster one."""


def convolution(filters: int, kernel: int, stride: int = 1, **how) -> layers.Conv2D:
    """Return the layer that computes a convolution fastest, with the same weights and results."""
    few = filters <= FEW and kernel >= LARGE and stride == 1
    return (FewFiltersConv2D if few else layers.Conv2D)(filters, kernel, stride, **how)
