"""Convolutions whose initial weights keep the variance of a map, and a residual block of them. Pure Keras 3.

Each kernel has its own seed in the network's configuration, as in `blocks.py`.
"""

from collections.abc import Callable, Iterator

from keras import KerasTensor, initializers, layers

from pix2street.layers.resize import ResizeConv2D
from pix2street.layers.spectral import SpectralConv2D


def conv(
    filters: int,
    seeds: Iterator[int],
    name: str,
    kernel: int = 3,
    scale: float = 1.0,
    use_bias: bool = True,
    spectral: bool = False,
) -> layers.Layer:
    """Return a convolution that keeps the size: `[N, H, W, C] -> [N, H, W, filters]`.

    Args:
        scale: the variance of the initial result to that of the map.
        spectral: whether the kernel has spectral norm, see `spectral.py`.
    """
    how = {"padding": "same", "kernel_initializer": fan_in(seeds, scale), "use_bias": use_bias, "name": name}
    if spectral:
        return SpectralConv2D(filters, kernel, seed=next(seeds), **how)
    return layers.Conv2D(filters, kernel, **how)


def enlarge(x: KerasTensor, filters: int, seeds: Iterator[int], name: str) -> KerasTensor:
    """Apply nearest neighbour x2 and Conv 3x3 in one operation: `[N, H, W, C] -> [N, 2H, 2W, filters]`."""
    how = {"padding": "same", "use_bias": False, "kernel_initializer": fan_in(seeds), "name": name}
    return ResizeConv2D(filters, 3, **how)(x)


def preactivated_block(x: KerasTensor, filters: int, conv: Callable, activate: Callable, name: str) -> KerasTensor:
    """Add two convolutions 3x3, each behind an activation, to the map: `[N, H, W, C] -> [N, H, W, filters]`.

    Args:
        conv: `conv(filters, name=..., ...)` returns a layer.
        activate: `activate(x, name)` returns a map.
    """
    y = conv(filters, name=f"{name}_first")(activate(x, f"{name}_in"))
    y = conv(filters, name=f"{name}_second", scale=0.1)(activate(y, f"{name}_mid"))
    if x.shape[-1] != filters:
        x = conv(filters, name=f"{name}_shortcut", kernel=1, scale=0.5, use_bias=False)(x)
    return layers.Add(name=name)([x, y])


def fan_in(seeds: Iterator[int], scale: float = 1.0) -> initializers.Initializer:
    """Return a normal distribution with the variance `scale / inputs of an output`."""
    return initializers.VarianceScaling(scale, "fan_in", "truncated_normal", seed=next(seeds))
