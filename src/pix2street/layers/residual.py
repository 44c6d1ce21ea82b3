"""The blocks of a generator that transforms images at a small size (Johnson et al. 2016, appendix). Pure Keras 3.

Each convolution but the last of a generator is followed by an instance norm without weights and therefore has no bias.
"""

from collections.abc import Iterator

import keras
from keras import KerasTensor, initializers, layers, ops

from pix2street.layers.norms import ImageNorm
from pix2street.layers.resize import ResizeConv2D


@keras.saving.register_keras_serializable("pix2street")
class ReflectionPad(layers.Layer):
    """Mirror an image at its borders: `[N, H, W, C] -> [N, H + 2 * width, W + 2 * width, C]`.

    Args:
        width: pixels added at every border; both sides of the image must have more.
    """

    def __init__(self, width: int, **kwargs):
        super().__init__(**kwargs)
        self.width = width

    def call(self, inputs):
        beside = (self.width, self.width)
        return ops.pad(inputs, ((0, 0), beside, beside, (0, 0)), mode="reflect")

    def compute_output_shape(self, input_shape):
        height, width = (side and side + 2 * self.width for side in input_shape[1:3])
        return (input_shape[0], height, width, input_shape[3])

    def get_config(self):
        return {**super().get_config(), "width": self.width}


def reflected(
    x: KerasTensor, filters: int, kernel: int, seeds: Iterator[int], name: str, use_bias: bool = False
) -> KerasTensor:
    """Apply reflection padding -> Conv, which keeps the size: `[N, H, W, C] -> [N, H, W, filters]`."""
    x = ReflectionPad(kernel // 2, name=f"{name}_pad")(x)
    return layers.Conv2D(filters, kernel, use_bias=use_bias, kernel_initializer=_weights(seeds), name=name)(x)


def halve(x: KerasTensor, filters: int, seeds: Iterator[int], name: str) -> KerasTensor:
    """Apply Conv 3x3 stride 2: `[N, H, W, C] -> [N, H/2, W/2, filters]`."""
    how = {"padding": "same", "use_bias": False, "kernel_initializer": _weights(seeds), "name": name}
    return layers.Conv2D(filters, 3, 2, **how)(x)


def double(x: KerasTensor, filters: int, seeds: Iterator[int], name: str, upsample: str) -> KerasTensor:
    """Double the height and width: `[N, H, W, C] -> [N, 2H, 2W, filters]`.

    Args:
        upsample: "transpose" is a transposed convolution 3x3 stride 2; "resize" is nearest neighbour and a convolution
            3x3 in one operation, see `resize.py`.
    """
    how = {"padding": "same", "use_bias": False, "kernel_initializer": _weights(seeds), "name": name}
    if upsample == "resize":
        return ResizeConv2D(filters, 3, **how)(x)
    return layers.Conv2DTranspose(filters, 3, 2, **how)(x)


def activate(x: KerasTensor, name: str, past: KerasTensor | None = None) -> KerasTensor:
    """Apply norm -> ReLU.

    Args:
        past: added before the ReLU, so that it passes the norm; None for nothing.
    """
    x = _norm(x, f"{name}_norm")
    return layers.ReLU(name=name)(x if past is None else layers.Add(name=f"{name}_sum")([x, past]))


def pixelwise(x: KerasTensor, filters: int, seeds: Iterator[int], name: str) -> KerasTensor:
    """Apply one linear map to every pixel: `[N, H, W, C] -> [N, H, W, filters]`."""
    return layers.Dense(filters, use_bias=False, kernel_initializer=_weights(seeds), name=name)(x)


def residual(x: KerasTensor, seeds: Iterator[int], name: str) -> KerasTensor:
    """Add two convolutions 3x3, each with a norm, to the image; the size and the filters stay."""
    filters = x.shape[-1]
    y = activate(reflected(x, filters, 3, seeds, f"{name}_first_conv"), f"{name}_first")
    y = _norm(reflected(y, filters, 3, seeds, f"{name}_second_conv"), f"{name}_second_norm")
    return layers.Add(name=name)([x, y])


def _norm(x: KerasTensor, name: str) -> KerasTensor:
    return ImageNorm(center=False, scale=False, name=name)(x)


def _weights(seeds: Iterator[int]) -> initializers.Initializer:
    return initializers.RandomNormal(0.0, 0.02, seed=next(seeds))
