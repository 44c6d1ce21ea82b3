"""A trained generator made ready for use: what its norms and dropout do is fixed, its weights are never touched."""

import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence

import keras
import numpy as np
from keras import layers

from pix2street.core.images import to_pixels
from pix2street.core.seeds import derive_seed
from pix2street.layers.norms import ImageNorm
from pix2street.layers.products import ProductConv2D, ProductConv2DTranspose


@keras.saving.register_keras_serializable("pix2street")
class AlwaysDropout(layers.Dropout):
    """Dropout that stays on outside training: the noise z of pix2pix (Isola et al. 2017, section 3.1)."""

    def call(self, inputs, training=None):
        return super().call(inputs, training=True)


def as_inference(generator: keras.Model, norm: str, dropout: bool, any_size: bool = False) -> keras.Model:
    """A copy of `generator` that behaves the same in every call.

    Training-mode calls would do for "batch", but they move the stored averages of the network they use, make an
    image depend on its companions in the batch, and are lost on export.

    Args:
        generator: as trained; its weights are copied, see also `copy_weights`.
        norm: "batch" normalises each image with its own statistics, which is what batch norm does in training at
            batch 1 (there it equals instance norm, Ulyanov et al. 2016); "moving" with the averages of training.
        dropout: whether dropout stays on, as in the paper, or is left out.
        any_size: take images of every size whose sides halve as often as those of training, `[N, H, W, C]`.
    """

    def convert(layer: layers.Layer) -> layers.Layer:
        if isinstance(layer, layers.BatchNormalization) and norm == "batch":
            return ImageNorm(layer.epsilon, name=layer.name)
        if isinstance(layer, layers.Dropout):
            kept = AlwaysDropout(layer.rate, seed=layer.seed, name=layer.name)
            return kept if dropout else layers.Identity(name=layer.name)
        if any_size and isinstance(layer, ProductConv2D | ProductConv2DTranspose):
            # A product is laid out for one size.
            plain = layers.Conv2D if isinstance(layer, ProductConv2D) else layers.Conv2DTranspose
            return plain.from_config(layer.get_config())
        return layer.__class__.from_config(layer.get_config())

    inputs = keras.Input((None, None, generator.input_shape[-1]), name="input") if any_size else None
    inference = keras.models.clone_model(generator, input_tensors=inputs, clone_function=convert)
    copy_weights(generator, inference)
    return inference


def copy_weights(generator: keras.Model, inference: keras.Model) -> None:
    """Give a copy made by `as_inference` the present weights of its generator."""
    for layer in inference.layers:
        # ImageNorm has the first two of BatchNormalization's four weights: scale and offset.
        layer.set_weights(generator.get_layer(layer.name).get_weights()[: len(layer.weights)])


def reseed(inference: keras.Model, *key: int) -> None:
    """Make the next call's dropout masks a function of `key`."""
    for place, layer in enumerate(inference.layers):
        if isinstance(layer, AlwaysDropout):
            layer.seed_generator.state.assign([derive_seed(*key, place), 0])


def predict(
    inference: keras.Model, batches: Iterable[Mapping], pair_ids: Sequence[str], seed: int
) -> Iterator[np.ndarray]:
    """The generated photo of each pair, `[H, W, 1 or 3]` float32 in [-1, 1]: a function of its input, its pair_id and
    `seed`.

    Args:
        batches: of one pair each, in the order of `pair_ids`; their `input` `[1, H, W, C]` is all that is looked at.
    """
    for batch, pair_id in zip(batches, pair_ids, strict=True):
        reseed(inference, seed, zlib.crc32(pair_id.encode()))
        yield inference.predict_on_batch(batch["input"])[0]


def translate(
    inference: keras.Model, batches: Iterable[Mapping], pair_ids: Sequence[str], seed: int
) -> Iterator[np.ndarray]:
    """As `predict`, in 8 bits: `[H, W, 1 or 3]` uint8."""
    return map(to_pixels, predict(inference, batches, pair_ids, seed))
