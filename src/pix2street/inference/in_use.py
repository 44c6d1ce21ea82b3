"""A trained generator made ready for use: its layers behave the same in every call, and its weights never change."""

import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence

import keras
import numpy as np

from pix2street.core.images import to_pixels
from pix2street.core.seeds import derive_seed
from pix2street.layers.in_use import Mode, in_use, weights_in_use


def as_inference(generator: keras.Model, norm: str, noise: bool, any_size: bool = False) -> keras.Model:
    """Return a copy of `generator` that behaves the same in every call.

    Calls in training mode would suffice for "batch", but they change the stored averages, make an image depend on the
    others in its batch, and cannot be exported.

    Args:
        generator: a trained network; the copy has its present weights, see also `copy_weights`.
        norm, noise, any_size: as in `Mode`; with `any_size` the copy takes `[N, H, W, C]` of every suitable size.
    """
    mode = Mode(norm, noise, any_size)
    inputs = keras.Input((None, None, generator.input_shape[-1]), name="input") if any_size else None
    inference = keras.models.clone_model(
        generator, input_tensors=inputs, clone_function=lambda layer: in_use(layer, mode)
    )
    copy_weights(generator, inference)
    return inference


def copy_weights(generator: keras.Model, inference: keras.Model) -> None:
    """Give a copy made by `as_inference` the present weights of its generator, by their names."""
    for layer in inference.layers:
        trained = weights_in_use(generator.get_layer(layer.name))
        for weight in layer.weights:
            weight.assign(trained[weight.path.removeprefix(f"{layer.path}/")])


def reseed(inference: keras.Model, *key: int) -> None:
    """Seed the noise of the next call by `key`."""
    for index, layer in enumerate(inference.layers):
        if generator := getattr(layer, "seed_generator", None):
            generator.state.assign([derive_seed(*key, index), 0])


def translate_unrounded(
    inference: keras.Model, batches: Iterable[Mapping], pair_ids: Sequence[str], seed: int
) -> Iterator[np.ndarray]:
    """Yield the generated photo of each pair, `[H, W, 1 or 3]` float32 in [-1, 1].

    It is a function of the pair's input, its pair_id and `seed`.

    Args:
        batches: batches of one pair each, in the order of `pair_ids`; only their `input` `[1, H, W, C]` is used.
    """
    for batch, pair_id in zip(batches, pair_ids, strict=True):
        reseed(inference, seed, zlib.crc32(pair_id.encode()))
        yield inference.predict_on_batch(batch["input"])[0]


def translate(
    inference: keras.Model, batches: Iterable[Mapping], pair_ids: Sequence[str], seed: int
) -> Iterator[np.ndarray]:
    """Return the photos of `translate_unrounded` in 8 bits, `[H, W, 1 or 3]` uint8."""
    return map(to_pixels, translate_unrounded(inference, batches, pair_ids, seed))
