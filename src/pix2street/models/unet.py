"""The U-Net of pix2pix (Isola et al. 2017, appendix 6.1.1). Pure Keras 3."""

import itertools

import keras
from keras import layers

from pix2street.layers.blocks import decode, encode, enlarge

WIDEST = 8
"""A level has at most this many times the filters of the first."""


def count_levels(height_px: int, width_px: int) -> int:
    """How often both sides can be halved: 256x256 -> 8, 128x256 -> 7, 96x128 -> 5."""
    return min((side & -side).bit_length() - 1 for side in (height_px, width_px))


def build_unet(
    input_shape: tuple[int, int, int],
    output_channels: int,
    filters: int,
    seed: int,
    dropout_share: float = 0.5,
    activation: str | None = "tanh",
    *,
    norm: str = "batch",
    upsample: str = "transpose",
    product_side_px: int = 0,
) -> keras.Model:
    """An encoder down to the smallest size, a decoder back up, and a skip between equal sizes.

    At 256x256 with 64 filters: C64-C128-C256-C512-C512-C512-C512-C512 down to 1x1, then
    CD512-CD512-CD512-C512-C256-C128-C64 and a last transposed convolution.

    The paper, its PyTorch reference and the TensorFlow tutorial differ; this network is
    - the reference's in the innermost block: no norm there. Over 1x1 values at batch 1 it returns its own bias and
      cuts the bottleneck off, as the tutorial's and the paper's first networks do (the paper's errata say so);
    - the paper's and the tutorial's in the first block, which has no norm;
    - the tutorial's in the skips, taken after LeakyReLU; the reference's go on through a ReLU of their own;
    - the tutorial's and the paper's text in dropout: the decoder's first three blocks, at every size.

    Args:
        input_shape: (H, W, C) of the input; a side that can be halved more often than the other stops with it.
        output_channels: 3 for a photo, 1 for a grey one; the number of classes for a segmentation head.
        filters: of the first level; each level doubles them, up to eight times.
        seed: of the initial weights and dropout masks.
        dropout_share: of the decoder's first three blocks; 0 for none.
        activation: of the output: "tanh" for [-1, 1], None for logits.
        norm: "batch" or "instance", see `layers/norms.py`.
        upsample: "transpose" or "resize", see `blocks.enlarge`.
        product_side_px: levels whose smaller image has at most this side are computed as matrix products, see
            `layers/products.py`; 0 for none. The function and the weights stay the same.

    Returns:
        `[N, H, W, C] -> [N, H, W, output_channels]` float32.
    """
    levels = count_levels(*input_shape[:2])
    widths = [filters * min(2**level, WIDEST) for level in range(levels)]
    seeds = itertools.count(seed * 1000)

    # Encoder
    inputs = x = keras.Input(input_shape, name="input")
    skips = []
    for level, width in enumerate(widths):
        product = max(x.shape[1:3]) <= 2 * product_side_px
        x = encode(x, width, seeds, f"encode_{level + 1}", norm if 0 < level < levels - 1 else None, product)
        skips.append(x)

    # Decoder
    skips.pop()
    for step, width in enumerate(reversed(widths[:-1])):
        product = max(x.shape[1:3]) <= product_side_px
        dropout = dropout_share if step < 3 else 0.0
        x = decode(x, width, seeds, f"decode_{step + 1}", norm, upsample, dropout, product)
        x = layers.Concatenate(name=f"skip_{step + 1}")([x, skips.pop()])
    x = enlarge(x, output_channels, seeds, "output_conv", upsample, use_bias=True)
    # Float32 whatever the precision of the rest: losses are taken from it.
    outputs = layers.Activation(activation or "linear", dtype="float32", name="output")(x)
    return keras.Model(inputs, outputs, name="unet")
