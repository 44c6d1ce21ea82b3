"""The network of a judge that is trained here: a residual U-Net that no model of photos shares. Pure Keras 3."""

import itertools
from collections.abc import Iterator

from keras import Input, KerasTensor, Model, initializers, layers

from pix2street.layers.norms import BatchNorm

LEVELS = ("level_1", "level_2", "level_3", "level_4")
"""The layers, from the finest to the coarsest, whose means over an image are the image's features."""
FACTOR = 2 ** len(LEVELS)
"""The number of pixels that one pixel of the coarsest level covers, along each side."""


def build_segmenter(height_px: int, width_px: int, classes: int, filters: int, seed: int) -> Model:
    """Return an untrained U-Net (Ronneberger et al. 2015) of residual blocks (He et al. 2016).

    The stem halves the image at once, and the head doubles it in one step, so that no convolution works on single
    pixels. The mean over the image is added at the coarsest level, so that each pixel knows the light of the whole
    (Liu et al. 2016, ParseNet). Sizes that `FACTOR` does not divide are padded at the bottom and on the right.

    Args:
        filters: the filters of the first level; the next levels have two, four and four times as many.
        seed: the seed of the weights and of dropout.

    Returns:
        `[N, H, W, 3] -> [N, H, W, classes]`: photos in [-1, 1] give float32 logits.
    """
    seeds = itertools.count(seed)
    padding = [(0, -side % FACTOR) for side in (height_px, width_px)]
    photos = Input((height_px, width_px, 3), name="photos")
    x = layers.ZeroPadding2D(padding, name="padded")(photos)
    x = _convolve(x, filters, seeds, "stem", kernel=6, stride=2)
    x = fine = _residual(x, filters, seeds, LEVELS[0])
    x = _convolve(x, 2 * filters, seeds, "down_2", stride=2)
    x = middle = _residual(x, 2 * filters, seeds, LEVELS[1])
    x = _convolve(x, 4 * filters, seeds, "down_3", stride=2)
    x = _residual(x, 4 * filters, seeds, "residual_3")
    x = coarse = _residual(x, 4 * filters, seeds, LEVELS[2])
    x = _convolve(x, 4 * filters, seeds, "down_4", stride=2)
    x = _residual(x, 4 * filters, seeds, "residual_4")
    mean = layers.GlobalAveragePooling2D(keepdims=True, name="mean")(x)
    mean = layers.Dense(4 * filters, activation="relu", kernel_initializer=_weights(seeds), name="mean_dense")(mean)
    x = layers.Add(name=LEVELS[3])([x, mean])
    x = _enlarge(x, coarse, 3 * filters, seeds, "up_3")
    x = _enlarge(x, middle, 2 * filters, seeds, "up_2")
    x = _enlarge(x, fine, 3 * filters // 2, seeds, "up_1")
    x = layers.Dropout(0.1, seed=next(seeds), name="dropout")(x)
    x = layers.Conv2DTranspose(classes, 2, 2, kernel_initializer=_weights(seeds), name="head")(x)
    x = layers.Cropping2D(padding, name="cropped")(x)
    logits = layers.Activation("linear", dtype="float32", name="logits")(x)
    return Model(photos, logits, name="segmenter")


def _residual(x: KerasTensor, filters: int, seeds: Iterator[int], name: str) -> KerasTensor:
    """Apply two convolutions and add what came in."""
    y = _convolve(x, filters, seeds, f"{name}_first")
    y = _convolve(y, filters, seeds, f"{name}_second", activation=False)
    return layers.ReLU(name=name)(layers.Add(name=f"{name}_sum")([x, y]))


def _enlarge(x: KerasTensor, skip: KerasTensor, filters: int, seeds: Iterator[int], name: str) -> KerasTensor:
    """Double the size of `x`, add the level of that size, and convolve the sum."""
    x = layers.Conv2D(filters, 1, use_bias=False, kernel_initializer=_weights(seeds), name=f"{name}_narrow")(x)
    x = layers.UpSampling2D(2, name=f"{name}_resize")(x)
    skip = layers.Conv2D(filters, 1, use_bias=False, kernel_initializer=_weights(seeds), name=f"{name}_skip")(skip)
    x = BatchNorm(name=f"{name}_sum_norm")(layers.Add(name=f"{name}_sum")([x, skip]))
    return _convolve(layers.ReLU(name=f"{name}_sum_out")(x), filters, seeds, name)


def _convolve(
    x: KerasTensor,
    filters: int,
    seeds: Iterator[int],
    name: str,
    kernel: int = 3,
    stride: int = 1,
    activation: bool = True,
) -> KerasTensor:
    """Apply convolution -> batch norm -> ReLU."""
    how = {"padding": "same", "use_bias": False, "kernel_initializer": _weights(seeds), "name": f"{name}_conv"}
    x = BatchNorm(name=f"{name}_norm")(layers.Conv2D(filters, kernel, stride, **how)(x))
    return layers.ReLU(name=f"{name}_out")(x) if activation else x


def _weights(seeds: Iterator[int]) -> initializers.Initializer:
    """Return He et al. 2015's initial weights, which suit ReLU."""
    return initializers.HeNormal(seed=next(seeds))
