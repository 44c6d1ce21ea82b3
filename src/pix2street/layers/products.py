"""Convolutions as matrix products, with the same results and weights as those they replace. Pure Keras 3.

If an image is only a few pixels wide, a CPU spends more time on preparing a convolution than on computing it. Those of
Keras are 4x4, stride 2, "same". The layers rearrange the image, which is small, and use the kernel as it is stored,
because the largest holds 8 million numbers.
"""

import keras
from keras import layers, ops

from pix2street.layers.in_use import Mode, in_use
from pix2street.layers.resize import ResizeConv2D, as_transposed, doubled


@keras.saving.register_keras_serializable("pix2street")
class ProductConv2D(layers.Conv2D):
    """Convolution `[N, H, W, C] -> [N, H/2, W/2, F]`: the 4x4 patch around each output pixel times the kernel."""

    def convolution_op(self, inputs, kernel):
        _, height, width, channels = inputs.shape
        rows, columns = height // 2, width // 2
        padded = ops.pad(inputs, ((0, 0), (1, 1), (1, 1), (0, 0)))
        # Two neighbours, each two pixels high, make the four rows of a patch; the columns are made likewise.
        pixels = ops.reshape(padded, (-1, rows + 1, 2, 2 * columns + 2, channels))
        pixels = ops.concatenate(_all_but_one(pixels, axis=1), axis=2)
        pixels = ops.reshape(pixels, (-1, rows, 4, columns + 1, 2 * channels))
        pixels = ops.concatenate(_all_but_one(pixels, axis=3), axis=4)
        patches = ops.reshape(ops.transpose(pixels, (0, 1, 3, 2, 4)), (-1, 16 * channels))
        outputs = ops.matmul(patches, ops.reshape(kernel, (16 * channels, self.filters)))
        return ops.reshape(outputs, (-1, rows, columns, self.filters))


@keras.saving.register_keras_serializable("pix2street")
class ProductConv2DTranspose(layers.Conv2DTranspose):
    """Transposed convolution `[N, H, W, C] -> [N, 2H, 2W, F]`.

    Every input pixel is multiplied by the kernel; the 4x4 results are added up where they overlap.
    """

    def call(self, inputs):
        _, height, width, channels = inputs.shape
        matrix = ops.reshape(self.kernel, (16 * self.filters, channels))
        # The kernel is the left factor; as the right one, it and its gradient would have to be transposed.
        patches = ops.matmul(matrix, ops.transpose(ops.reshape(inputs, (-1, channels))))
        patches = ops.reshape(ops.transpose(patches), (-1, height, width, 4, 4 * self.filters))
        outputs = _add_up(ops.transpose(patches, (0, 1, 3, 2, 4)))
        if self.use_bias:
            outputs = outputs + self.bias
        return self.activation(outputs)


@keras.saving.register_keras_serializable("pix2street")
class ProductResizeConv2D(ResizeConv2D):
    """Nearest neighbour x2 and convolution: `[N, H, W, C] -> [N, 2H, 2W, F]`.

    Every input pixel is multiplied by the 3x3 kernel. Their results, which are few, are summed into 4x4 ones instead of
    the kernel, and added up where they overlap.
    """

    def convolution_op(self, inputs, kernel):
        _, height, width, channels = inputs.shape
        taps = ops.reshape(ops.cast(kernel, self.compute_dtype), (9, channels, self.filters))
        patches = ops.matmul(ops.reshape(inputs, (1, -1, channels)), taps)
        patches = ops.reshape(patches, (3, 3, -1, height, width, self.filters))
        patches = ops.transpose(doubled(doubled(patches, axis=0), axis=1), (2, 3, 0, 4, 1, 5))
        return _add_up(ops.reshape(patches, (-1, height, 4, width, 4 * self.filters)))


@in_use.register
def _(layer: ProductConv2D, mode: Mode) -> layers.Layer:
    # A product works for one image size only.
    return (layers.Conv2D if mode.any_size else ProductConv2D).from_config(layer.get_config())


@in_use.register
def _(layer: ProductConv2DTranspose, mode: Mode) -> layers.Layer:
    return (layers.Conv2DTranspose if mode.any_size else ProductConv2DTranspose).from_config(layer.get_config())


@in_use.register
def _(layer: ProductResizeConv2D, mode: Mode) -> layers.Layer:
    return as_transposed(layer, layers.Conv2DTranspose if mode.any_size else ProductConv2DTranspose)


# These functions split because the gradient of a split is a concatenation; that of a slice takes several times as long.


def _all_but_one(x, axis: int) -> list:
    """Return `x` without its last index along `axis`, and `x` without its first."""
    return [ops.split(x, [x.shape[axis] - 1], axis)[0], ops.split(x, [1], axis)[1]]


def _add_up(patches):
    """Add 4x4 patches up, two pixels apart: `[N, H, 4, W, 4 * F] -> [N, 2H, 2W, F]`, without the outermost pixels."""
    _, height, _, width, depth = patches.shape
    pixels = ops.reshape(patches, (-1, height, 2, 2, width, depth))
    pixels = _overlap(pixels, axis=1, parts=2)
    pixels = ops.reshape(pixels, (-1, 2 * height + 2, width, 2, depth // 2))
    pixels = _overlap(pixels, axis=2, parts=3)
    outputs = ops.reshape(pixels, (-1, 2 * height + 2, 2 * width + 2, depth // 4))
    for axis, side in ((1, 2 * height), (2, 2 * width)):
        outputs = ops.split(outputs, [1, side + 1], axis)[1]
    return outputs


def _overlap(x, axis: int, parts: int):
    """Add the two halves along axis `parts`, the second shifted by one along `axis`, which grows by one."""
    halves = ops.split(x, 2, parts)
    moved = []
    for half, room in zip(halves, ((0, 1), (1, 0)), strict=True):
        margins = [(0, 0)] * len(x.shape)
        margins[axis] = room
        moved.append(ops.squeeze(ops.pad(half, margins), parts))
    return moved[0] + moved[1]
