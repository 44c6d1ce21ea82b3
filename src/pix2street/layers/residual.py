"""The blocks of a generator that transforms images at a small size (Johnson et al. 2016, appendix). Pure Keras 3.

Each convolution but the last of a generator is followed by an instance norm without weights and therefore has no bias.
"""

import itertools
from collections.abc import Iterator, Sequence

import keras
from keras import KerasTensor, initializers, layers, ops

from pix2street.core.errors import UserError
from pix2street.layers.few import convolution
from pix2street.layers.masks import under_mask
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
        if any(side is None or side <= 2 * self.width + 2 for side in inputs.shape[1:3]):
            beside = (self.width, self.width)
            return ops.pad(inputs, ((0, 0), beside, beside, (0, 0)), mode="reflect")
        return self._mirrored(self._mirrored(inputs, axis=1), axis=2)

    def _mirrored(self, x, axis: int):
        """Return `x` mirrored at both ends of an axis, by parts: their gradient takes less time than that of a pad."""
        end = x.shape[axis] - 1
        first, near, middle, far, last = ops.split(x, [1, 1 + self.width, end - self.width, end], axis)
        return ops.concatenate([ops.flip(near, axis), first, near, middle, far, last, ops.flip(far, axis)], axis)

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
    return convolution(filters, kernel, use_bias=use_bias, kernel_initializer=_weights(seeds), name=name)(x)


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


QUARTERED_PX = 8
"""The number of which both sides of an image must be a multiple that `build_quartering` takes: two pixels, which
mirroring needs, remain after two halvings."""


def build_quartering(
    input_shape: tuple[int, int, int], channels: int, filters: int, blocks: int, upsample: str, seed: int, mask: bool
) -> keras.Model:
    """Return the generator of CycleGAN and CUT, whose residual blocks work at a quarter of the size.

    In the notation of Zhu et al. 2017 (appendix 7.2), with 64 filters and 9 blocks, it is c7s1-64, d128, d256, R256
    nine times, u128, u64, c7s1-3.

    Args:
        upsample: as in `double`.
        mask: whether the photo is the input under what is made, see `under_mask`; then `channels` is C.

    Returns:
        `[N, H, W, C] -> [N, H, W, channels]` float32 in [-1, 1].

    Raises:
        UserError: a side is no multiple of `QUARTERED_PX`.
    """
    height, width = input_shape[:2]
    if height % QUARTERED_PX or width % QUARTERED_PX:
        raise UserError(
            f"split: the generator halves both sides of an image twice, and two pixels must be left, so they must be "
            f"multiples of {QUARTERED_PX} px, but they are {height} and {width}; choose other sides in `split`"
        )
    seeds = itertools.count(seed * 1000)
    inputs = keras.Input(input_shape, name="input")
    x = activate(reflected(inputs, filters, 7, seeds, "start_conv"), "start")
    x = transform(x, [filters, 2 * filters, 4 * filters], blocks, upsample, seeds)
    photo = reflected(x, channels, 7, seeds, "output_conv", use_bias=True)
    # The output is float32 in every precision, because the losses are computed from it.
    outputs = layers.Activation("tanh", dtype="float32", name="output")(photo)
    if mask:
        outputs = under_mask(inputs, outputs, reflected(x, channels, 7, seeds, "mask_conv", use_bias=True))
    return keras.Model(inputs, outputs, name="residual_generator")


def transform(x: KerasTensor, widths: Sequence[int], blocks: int, upsample: str, seeds: Iterator[int]) -> KerasTensor:
    """Halve the size of features, apply residual blocks, and double the size again.

    Args:
        x: features of the full size, `[N, H, W, widths[0]]`.
        widths: the filters at each size, from the full one on.
        upsample: as in `double`.

    Returns:
        Features of the form of `x`.
    """
    for level, width in enumerate(widths[1:], 1):
        x = activate(halve(x, width, seeds, f"down_{level}_conv"), f"down_{level}")
    for number in range(1, blocks + 1):
        x = residual(x, seeds, f"block_{number}")
    for step, width in enumerate(reversed(widths[:-1]), 1):
        x = activate(double(x, width, seeds, f"up_{step}_conv", upsample), f"up_{step}")
    return x


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
