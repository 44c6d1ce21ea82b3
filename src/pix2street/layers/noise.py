"""Layers that draw: noise in a generator's maps, and the mask of LabelMix. Pure Keras 3."""

import keras
from keras import layers, ops

from pix2street.layers.in_use import Mode, in_use


@keras.saving.register_keras_serializable("pix2street")
class PixelNoise(layers.Layer):
    """One normal number a pixel, times a learned weight for each channel (Karras et al. 2019, section 2).

    The weights begin at 0, so that an untrained layer changes nothing.
    """

    def __init__(self, seed: int, **kwargs):
        super().__init__(**kwargs)
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def build(self, input_shape):
        self.scale = self.add_weight(shape=(input_shape[-1],), initializer="zeros", name="scale")

    def call(self, inputs):
        shape = ops.shape(inputs)
        noise = keras.random.normal((*shape[:3], 1), dtype="float32", seed=self.seed_generator)
        return inputs + ops.cast(noise, inputs.dtype) * self.scale

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "seed": self.seed}


@in_use.register
def _(layer: PixelNoise, mode: Mode) -> layers.Layer:
    return PixelNoise.from_config(layer.get_config()) if mode.noise else layers.Identity(name=layer.name)


@keras.saving.register_keras_serializable("pix2street")
class ClassMask(layers.Layer):
    """The mask of LabelMix (Schönfeld et al. 2021, section 3.2): a coin for each class of each image.

    `[N, H, W, L]` labels, 0 or 1, give `[N, H, W, 1]`: all pixels of a class are 0 or all are 1.
    """

    def __init__(self, seed: int, **kwargs):
        super().__init__(**kwargs)
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def call(self, inputs):
        shape = ops.shape(inputs)
        draws = keras.random.uniform((shape[0], 1, 1, shape[3]), dtype="float32", seed=self.seed_generator)
        return ops.sum(inputs * ops.cast(draws < 0.5, inputs.dtype), axis=-1, keepdims=True)

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], 1)

    def get_config(self):
        return {**super().get_config(), "seed": self.seed}
