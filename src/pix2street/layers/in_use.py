"""Layers in use: each kind of layer says what it becomes when a trained network is put to use.

A layer that behaves the same in training and in use needs none. Another registers its answer beside its class:

    @in_use.register
    def _(layer: MyNoise, mode: Mode) -> layers.Layer: ...

The layer that it returns has the same name and takes those weights of the trained one that it has by the same names. A
layer that draws noise keeps its state in the attribute `seed_generator`, as Keras' own do, so that its seed can be set.
"""

from dataclasses import dataclass
from functools import singledispatch

import keras
from keras import layers


@dataclass(frozen=True)
class Mode:
    """How a trained network is used.

    Args:
        norm: "batch" normalises each image with its own statistics, which is what batch norm does in training at
            batch 1 (there it equals instance norm, Ulyanov et al. 2016); "moving" with the averages of training.
        noise: whether noise stays on or is left out.
        any_size: whether the network takes images of every size whose sides are multiples of the card's `multiple_px`.
    """

    norm: str
    noise: bool
    any_size: bool = False


@singledispatch
def in_use(layer: layers.Layer, mode: Mode) -> layers.Layer:
    """Return the layer that does the work of `layer` in use, here a layer of the same kind."""
    return layer.__class__.from_config(layer.get_config())


@keras.saving.register_keras_serializable("pix2street")
class AlwaysDropout(layers.Dropout):
    """Dropout that stays on outside training: the noise z of pix2pix (Isola et al. 2017, section 3.1)."""

    def call(self, inputs, training=None):
        return super().call(inputs, training=True)


@in_use.register
def _(layer: layers.Dropout, mode: Mode) -> layers.Layer:
    if mode.noise:
        return AlwaysDropout(layer.rate, seed=layer.seed, name=layer.name)
    return layers.Identity(name=layer.name)
