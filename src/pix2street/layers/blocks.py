"""The blocks of a U-Net (Isola et al. 2017, appendix 6.1). Pure Keras 3.

Each kernel and each dropout mask has its own seed in the network's configuration, so a network that is rebuilt from its
JSON has the same initial weights again.

`product=True` computes the same convolution as a matrix product, which is faster on a CPU for small images; see
`products.py`.
"""

from collections.abc import Iterator

from keras import KerasTensor, initializers, layers

from pix2street.layers.norms import NORMS
from pix2street.layers.products import ProductConv2D, ProductConv2DTranspose, ProductResizeConv2D
from pix2street.layers.resize import ResizeConv2D


def encode(
    x: KerasTensor, filters: int, seeds: Iterator[int], name: str, norm: str | None, product: bool = False
) -> KerasTensor:
    """Apply Conv 4x4 stride 2 -> norm -> LeakyReLU(0.2): `[N, H, W, C] -> [N, H/2, W/2, filters]`.

    The convolution has a bias only without a norm, because a norm would cancel the bias. (The tutorial has no biases.)
    """
    conv = ProductConv2D if product else layers.Conv2D
    x = conv(
        filters, 4, 2, padding="same", use_bias=norm is None, kernel_initializer=_weights(seeds), name=f"{name}_conv"
    )(x)
    if norm:
        x = NORMS[norm](name=f"{name}_norm")(x)
    return layers.LeakyReLU(0.2, name=name)(x)


def decode(
    x: KerasTensor,
    filters: int,
    seeds: Iterator[int],
    name: str,
    norm: str,
    upsample: str,
    dropout_share: float = 0.0,
    product: bool = False,
) -> KerasTensor:
    """Apply `enlarge` -> norm -> Dropout -> ReLU: `[N, H, W, C] -> [N, 2H, 2W, filters]`."""
    x = enlarge(x, filters, seeds, f"{name}_conv", upsample, product=product)
    x = NORMS[norm](name=f"{name}_norm")(x)
    if dropout_share:
        x = layers.Dropout(dropout_share, seed=next(seeds), name=f"{name}_dropout")(x)
    return layers.ReLU(name=name)(x)


def enlarge(
    x: KerasTensor,
    filters: int,
    seeds: Iterator[int],
    name: str,
    upsample: str,
    use_bias: bool = False,
    product: bool = False,
) -> KerasTensor:
    """Double the height and width: `[N, H, W, C] -> [N, 2H, 2W, filters]`.

    Args:
        upsample: "transpose" is a transposed convolution 4x4 stride 2, as in the paper; "resize" is nearest neighbour
            and a convolution 3x3, which makes no checkerboard (Odena et al. 2016), in one operation; see `resize.py`.
    """
    how = {"padding": "same", "use_bias": use_bias, "kernel_initializer": _weights(seeds), "name": name}
    if upsample == "resize":
        return (ProductResizeConv2D if product else ResizeConv2D)(filters, 3, **how)(x)
    return (ProductConv2DTranspose if product else layers.Conv2DTranspose)(filters, 4, 2, **how)(x)


def _weights(seeds: Iterator[int]) -> initializers.Initializer:
    """Return N(0, 0.02) (Isola et al. 2017, appendix 6.2; Radford et al. 2016, section 3)."""
    return initializers.RandomNormal(0.0, 0.02, seed=next(seeds))
