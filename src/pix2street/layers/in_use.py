"""Layers in use: the layers that replace those of a trained network when it makes photos.

A layer that behaves the same in training and in use needs no replacement. Other layers register it beside their class:

    @in_use.register
    def _(layer: MyNoise, mode: Mode) -> layers.Layer: ...

The replacement has the same name, and its weights are the trained ones of the same names, or what a layer registers
with `weights_in_use`. A layer that draws noise keeps its state in the attribute `seed_generator`, as Keras' layers do,
so that its seed can be set.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import singledispatch
from typing import Any

import keras
from keras import layers


@dataclass(frozen=True)
class Mode:
    """The way a trained network is used.

    Args:
        norm: "batch" normalises each image with its own statistics, as batch norm does in training at batch 1 (it then
            equals instance norm, Ulyanov et al. 2016); "moving" normalises with the averages of training.
        noise: whether the noise stays on.
        any_size: whether the network takes images of every size whose sides are multiples of the card's `multiple_px`.
    """

    norm: str
    noise: bool
    any_size: bool = False


@singledispatch
def in_use(layer: layers.Layer, mode: Mode) -> layers.Layer:
    """Return the layer that replaces `layer` in use: by default a layer of the same kind."""
    return layer.__class__.from_config(layer.get_config())


@singledispatch
def weights_in_use(layer: layers.Layer) -> Mapping[str, Any]:
    """Return the values of the replacement's weights, by their paths within it: by default the layer's own weights."""
    return {weight.path.removeprefix(f"{layer.path}/"): weight for weight in layer.weights}


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
