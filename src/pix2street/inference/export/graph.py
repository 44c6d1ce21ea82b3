"""The generator as one TensorFlow graph from stored pixels to photos, and this graph as a SavedModel."""

from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from pix2street.core.styles import CHANNELS
from pix2street.inference.card import GeneratorCard
from pix2street.inference.export.formats import feeds_of
from pix2street.inference.in_use import as_inference
from pix2street.layers.norms import ImageNorm

DEFAULT, WITH_DOMAIN = "serving_default", "with_domain"
"""The names of a SavedModel's signatures: the usual one, and that of several domains, which are told."""


def in_float32(generator: keras.Model) -> keras.Model:
    """Return the same network with the same weights computing in float32; the network itself if it already does."""
    if all(layer.compute_dtype == "float32" for layer in generator.layers):
        return generator

    def convert(layer: keras.layers.Layer) -> keras.layers.Layer:
        return layer.__class__.from_config({**layer.get_config(), "dtype": "float32"})

    return _converted(generator, convert)


class _CentredNorm(ImageNorm):
    """`ImageNorm` that computes the variance after it has subtracted the mean.

    Keras computes E[x^2] - E[x]^2, which loses digits in float32, more or fewer by the order in which a runtime adds.
    In ONNX Runtime this norm is nearer to `predict` and faster.
    """

    def call(self, inputs, mask=None):
        centred = inputs - ops.mean(inputs, (1, 2), keepdims=True)
        variance = ops.mean(ops.square(centred), (1, 2), keepdims=True)
        factor = ops.rsqrt(variance + self.epsilon)
        outputs = centred * (self.gamma * factor if self.scale else factor)
        return outputs + self.beta if self.center else outputs


def for_any_size(generator: keras.Model, card: GeneratorCard) -> keras.Model:
    """Return the network of the files: without noise, for every size of inputs, with centred norms."""

    def convert(layer: keras.layers.Layer) -> keras.layers.Layer:
        if isinstance(layer, ImageNorm):
            return _CentredNorm.from_config(layer.get_config())
        return layer.__class__.from_config(layer.get_config())

    any_size = card.encoding.latent is None
    return _converted(as_inference(generator, card.norm, noise=False, any_size=any_size), convert)


def _converted(network: keras.Model, convert: Callable[[keras.layers.Layer], keras.layers.Layer]) -> keras.Model:
    converted = keras.models.clone_model(network, clone_function=convert)
    converted.set_weights(network.get_weights())
    return converted


def serving_function(network: keras.Model, card: GeneratorCard) -> tf.types.experimental.PolymorphicFunction:
    """Return a function from stored pixels to "photo" and "unit", as `Translator` computes them.

    It takes every number of images and every size. A generator with styles has them as a second argument, "palette"
    `[N, H, W, 3]` or "code" `[N, C]`, uint8. A generator of several domains has their numbers as the last argument,
    "domain" `[N]` int32, or `[1]` for all images. A generator without inputs takes "latent" `[N, L, Z + 1]` float32.
    """
    if card.encoding.latent:
        return _serving_latents(network, card)

    @tf.function(input_signature=_specs_of(card))
    def serve(pixels, *others):
        style = others[0] if card.encoding.style != "none" else None
        height, width = tf.shape(pixels)[1], tf.shape(pixels)[2]
        frames_in, frames_out = card.counts
        within, columns = _mirrored(height // frames_in, card.multiple_px), _mirrored(width, card.multiple_px)
        rows = _rows_of(within, frames_in, height // frames_in)
        shown = tf.gather(tf.gather(pixels, rows, axis=1), columns, axis=2)
        if card.encoding.classes:
            shown = shown[..., None]
        elif card.input_from == "grey":
            shown = _grey(shown)
        if card.encoding.style == "palette":
            shown = tf.concat([shown, tf.gather(tf.gather(style, rows, axis=1), columns, axis=2)], axis=-1)
        if card.encoding.style == "code":
            everywhere = tf.tile(style[:, None, None], [1, tf.size(rows), tf.size(columns), 1])
            shown = tf.concat([shown, everywhere], axis=-1)
        domains = tf.broadcast_to(others[-1], tf.shape(pixels)[:1]) if card.encoding.domains else None
        encoded = card.encoding.encode(shown, domains)
        height, width = card.scale.applied(height, width)
        unit = network(encoded, training=False)[:, :, :width]
        shown_rows = _rows_of(tf.range(height // frames_out), frames_out, tf.shape(unit)[1] // frames_out)
        unit = tf.gather(unit, shown_rows, axis=1) if card.frames else unit[:, :height]
        return _as_photos(unit)

    return serve


def _serving_latents(network: keras.Model, card: GeneratorCard) -> tf.types.experimental.PolymorphicFunction:
    levels, numbers = card.encoding.latent

    @tf.function(input_signature=[tf.TensorSpec([None, levels, numbers + 1], tf.float32, name="latent")])
    def serve(latent):
        return _as_photos(network(latent, training=False))

    return serve


def _as_photos(unit: tf.Tensor) -> dict[str, tf.Tensor]:
    levels = tf.clip_by_value(tf.round((unit + 1.0) * 127.5), 0.0, 255.0)
    return {"photo": tf.cast(levels, tf.uint8, name="photo"), "unit": tf.identity(unit, name="unit")}


def _specs_of(card: GeneratorCard) -> list[tf.TensorSpec]:
    specs = [tf.TensorSpec([None] * 3 if card.encoding.classes else [None, None, None, 3], tf.uint8, name="pixels")]
    if card.encoding.style == "palette":
        specs.append(tf.TensorSpec([None, None, None, 3], tf.uint8, name="palette"))
    if card.encoding.style == "code":
        specs.append(tf.TensorSpec([None, CHANNELS["code"]], tf.uint8, name="code"))
    if card.encoding.domains:
        specs.append(tf.TensorSpec([None], tf.int32, name="domain"))
    return specs


def _mirrored(side_px: tf.Tensor, multiple_px: int) -> tf.Tensor:
    """Return the positions along a side that make it a multiple of `multiple_px`: its own, then back, then forth again.

    `numpy.pad` with "symmetric" gives the same; no operation of ONNX pads so. Every number divided here is positive:
    ONNX rounds quotients towards zero, TensorFlow down.
    """
    padded = (side_px + multiple_px - 1) // multiple_px * multiple_px
    positions = tf.range(padded) % (2 * side_px)
    return tf.minimum(positions, 2 * side_px - 1 - positions)


def _rows_of(within: tf.Tensor, count: int, height: tf.Tensor) -> tf.Tensor:
    """Return the rows of `count` frames of this height, one under the other, of which each has the rows `within`."""
    return within if count == 1 else tf.reshape(tf.range(count)[:, None] * height + within[None], [-1])


def _grey(pixels: tf.Tensor) -> tf.Tensor:
    """Return the luma of RGB uint8 in all three channels, uint8, bit for bit as `images.grey`."""
    weights = tf.constant([19595, 38470, 7471], tf.int32)  # of 65536: ITU-R BT.601 as Pillow has it
    luma = (tf.reduce_sum(tf.cast(pixels, tf.int32) * weights, axis=-1, keepdims=True) + 32768) // 65536
    return tf.cast(tf.repeat(luma, 3, axis=-1), tf.uint8)


def write_savedmodel(network: keras.Model, serve: Callable, card: GeneratorCard, folder: Path) -> Path:
    """Write the graph, and return the folder in it that TensorFlow keeps for files that no graph reads.

    A signature of TensorFlow has no optional input. A generator of several domains has two signatures, of which the
    default one translates to the card's domain.
    """
    signatures = {DEFAULT: serve}
    if card.encoding.domains:

        @tf.function(input_signature=_specs_of(card)[:-1])
        def serve_usual(*inputs):
            return serve(*inputs, tf.constant([card.encoding.domain]))

        signatures = {DEFAULT: serve_usual, WITH_DOMAIN: serve}
    # `keras.export.ExportArchive` would do the same with every weight in the file twice.
    module = tf.Module()
    module.weights = [weight.value for weight in network.weights]
    tf.saved_model.save(module, str(folder), signatures=signatures)
    extra = folder / "assets.extra"
    extra.mkdir()
    return extra


def open_savedmodel(folder: Path, card: GeneratorCard) -> Callable[..., dict[str, np.ndarray]]:
    """Return the function of a SavedModel, loaded as its users load it; see `runners.Runner`."""
    loaded = tf.saved_model.load(str(folder))

    # The signatures die with the last reference to what was loaded.
    def run(stored: np.ndarray, domain: int | None = None, loaded=loaded) -> dict[str, np.ndarray]:
        serve = loaded.signatures[DEFAULT if domain is None else WITH_DOMAIN]
        feeds = {name: tf.constant(array) for name, array in feeds_of(stored, card, domain).items()}
        return {name: value.numpy() for name, value in serve(**feeds).items()}

    return run
