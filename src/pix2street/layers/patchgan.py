"""The PatchGAN discriminator of pix2pix (Isola et al. 2017, section 3.2.2 and appendix 6.1.2). Pure Keras 3."""

import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

import keras
from keras import KerasTensor, initializers, layers

from pix2street.core.errors import UserError
from pix2street.layers.edges import ClassEdges
from pix2street.layers.norms import NORMS

if TYPE_CHECKING:
    from pix2street.layers.losses import Views

LEAST_PX = 24
"""The least side of a pair, as the first convolution sees it, that leaves a logit."""
BLOCKS = ("block_1", "block_2", "block_3", "block_4")
"""The names of the layers that give the hidden maps."""


def build_patchgan(
    input_shape: tuple[int, int, int] | None,
    target_shape: tuple[int, int, int],
    filters: int,
    seed: int,
    norm: str = "batch",
    scale: int = 0,
    labels: int = 0,
) -> keras.Model:
    """Return C64-C128-C256-C512 and one more convolution, which give a logit for every 70x70 patch of [input, target].

    Its convolutions are 4x4 with one pixel of padding; the first three have stride 2, the last two stride 1. A 256x256
    pair gives 30x30 logits. The first block has no norm, as in the paper, its reference and the tutorial. A convolution
    without a norm has a bias, as in the reference (the tutorial's first convolution has none).

    Args:
        input_shape: None for a discriminator that sees a photo alone.
        seed: the seed of the initial weights, which differ from scale to scale.
        scale: how often the pair is halved by average pooling 2x2 before the first convolution (Wang et al. 2018,
            section 3.2; their pooling is 3x3). A patch then covers 70 * 2**scale pixels.
        labels: the number of one-hot channels of the input whose edges are a further channel; 0 for none.

    Returns:
        `{"input": [N, H, W, C], "target": [N, H, W, 1 or 3]} -> [N, h/8 - 2, w/8 - 2, 1]` float32 logits, where
        h and w are H and W divided by 2**scale. Without an input, the network takes the photo itself.

    Raises:
        UserError: so small a pair leaves no logit at this scale.
    """
    height, width = target_shape[:2]
    if min(height, width) < LEAST_PX << scale:
        raise UserError(
            f"the family's setting scales: discriminator {scale + 1} needs sides of at least {LEAST_PX << scale} px, "
            f"and the pairs have {height}x{width}; choose fewer scales or a larger split"
        )
    seeds = itertools.count(seed * 1000 + 500 + 100 * scale)
    if input_shape is None:
        inputs = x = keras.Input(target_shape, name="target")
    else:
        inputs = {"input": keras.Input(input_shape, name="input"), "target": keras.Input(target_shape, name="target")}
        seen = [inputs["input"], inputs["target"]]
        if labels:
            seen.insert(1, ClassEdges(labels, name="edges")(inputs["input"]))
        x = layers.Concatenate(name="pair")(seen)
    for halving in range(scale):
        x = layers.AveragePooling2D(2, name=f"halve_{halving + 1}")(x)
    x = _block(x, filters, 2, seeds, "block_1", None)
    x = _block(x, 2 * filters, 2, seeds, "block_2", norm)
    x = _block(x, 4 * filters, 2, seeds, "block_3", norm)
    x = _block(x, 8 * filters, 1, seeds, "block_4", norm)
    x = _conv(x, 1, 1, seeds, "logits_conv", use_bias=True)
    outputs = layers.Activation("linear", dtype="float32", name="logits")(x)
    return keras.Model(inputs, outputs, name=f"patchgan_{scale + 1}" if scale else "patchgan")


def discriminator_name(scale: int) -> str:
    """Return the name of the discriminator of a scale among the networks of a training."""
    return f"discriminator_{scale + 1}" if scale else "discriminator"


def with_hidden_maps(patchgan: keras.Model) -> keras.Model:
    """Return a network of the same layers that gives the output of every block, and last the logits.

    Returns:
        `{"input": ..., "target": ...} -> [block 1, ..., block 4, logits]`; the maps have the dtype of the computations.
    """
    maps = [patchgan.get_layer(block).output for block in BLOCKS]
    return keras.Model(patchgan.input, [*maps, patchgan.output], name=f"{patchgan.name}_with_hidden_maps")


def viewer_of(patchgans: Iterable[keras.Model]) -> "Callable[[Any, Any], Views]":
    """Return the function that shows an input and a photo, or batches of both, to all discriminators in training."""
    viewers = [with_hidden_maps(patchgan) for patchgan in patchgans]
    return lambda inputs, photo: [viewer({"input": inputs, "target": photo}, training=True) for viewer in viewers]


def _block(x: KerasTensor, filters: int, stride: int, seeds: Iterator[int], name: str, norm: str | None):
    """Apply Conv 4x4 -> norm -> LeakyReLU(0.2)."""
    x = _conv(x, filters, stride, seeds, f"{name}_conv", use_bias=norm is None)
    if norm:
        x = NORMS[norm](name=f"{name}_norm")(x)
    return layers.LeakyReLU(0.2, name=name)(x)


def _conv(x: KerasTensor, filters: int, stride: int, seeds: Iterator[int], name: str, use_bias: bool):
    x = layers.ZeroPadding2D(1, name=f"{name}_pad")(x)
    weights = initializers.RandomNormal(0.0, 0.02, seed=next(seeds))
    return layers.Conv2D(filters, 4, stride, use_bias=use_bias, kernel_initializer=weights, name=name)(x)
