"""The two blocks that a U-Net is made of (Isola et al. 2017, appendix 6.1). Pure Keras 3.

Every kernel and every dropout mask has a seed of its own, kept in the network's configuration: a network rebuilt
from its JSON starts again from the very weights it started from.
"""

from collections.abc import Iterator

from keras import KerasTensor, initializers, layers

from pix2street.generators.products import ProductConv2D, ProductConv2DTranspose


def weights(seeds: Iterator[int]) -> initializers.Initializer:
    """N(0, 0.02) (Isola et al. 2017, appendix 6.2; Radford et al. 2016, section 3)."""
    return initializers.RandomNormal(0.0, 0.02, seed=next(seeds))


def encode(
    x: KerasTensor, filters: int, seeds: Iterator[int], name: str, norm: bool = True, product: bool = False
) -> KerasTensor:
    """Conv 4x4 stride 2 -> BatchNorm -> LeakyReLU(0.2): `[N, H, W, C] -> [N, H/2, W/2, filters]`.

    `product` computes the same convolution as a matrix product: faster on a CPU where images are small.

    The convolution has a bias only where no norm follows, which would cancel it. (The tutorial has none anywhere.)
    The norm's epsilon 1e-5 and its averages' momentum 0.9 are the PyTorch reference's; the tutorial keeps Keras' 1e-3
    and 0.99, and the paper names neither.
    """
    x = (ProductConv2D if product else layers.Conv2D)(
        filters, 4, 2, padding="same", use_bias=not norm, kernel_initializer=weights(seeds), name=f"{name}_conv"
    )(x)
    if norm:
        x = layers.BatchNormalization(epsilon=1e-5, momentum=0.9, name=f"{name}_norm")(x)
    return layers.LeakyReLU(0.2, name=name)(x)


def decode(
    x: KerasTensor, filters: int, seeds: Iterator[int], name: str, dropout_share: float = 0.0, product: bool = False
) -> KerasTensor:
    """Transposed Conv 4x4 stride 2 -> BatchNorm -> Dropout -> ReLU: `[N, H, W, C] -> [N, 2H, 2W, filters]`.

    `product` as in `encode`.
    """
    x = (ProductConv2DTranspose if product else layers.Conv2DTranspose)(
        filters, 4, 2, padding="same", use_bias=False, kernel_initializer=weights(seeds), name=f"{name}_conv"
    )(x)
    x = layers.BatchNormalization(epsilon=1e-5, momentum=0.9, name=f"{name}_norm")(x)
    if dropout_share:
        x = layers.Dropout(dropout_share, seed=next(seeds), name=f"{name}_dropout")(x)
    return layers.ReLU(name=name)(x)
