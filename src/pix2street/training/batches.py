"""From PNGs on disk to batches: decode, jitter, mirror, encode, normalise (tf.data).

Order, crop and mirroring are a function of (seed, epoch, index in the manifest) alone: neither the number of
threads nor an interruption changes them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import tensorflow as tf

from pix2street.core.classes import ClassTable
from pix2street.core.errors import UserError
from pix2street.core.images import to_unit
from pix2street.core.pairs import Pair
from pix2street.core.seeds import derive_seed

JITTER_RATIO = 286 / 256
"""How much larger a pair is made before it is cropped back (Isola et al. 2017, appendix 6.2)."""


@dataclass(frozen=True)
class InputEncoding:
    """How an input on disk is shown to the generator.

    Args:
        kind: "color": RGB in [-1, 1], class ids in their classes' colours; "onehot": a channel a class, 0 or 1.
        classes: the table of the ids on disk; None where inputs are RGB.
    """

    kind: str
    classes: ClassTable | None

    def __post_init__(self):
        if self.kind == "onehot" and self.classes is None:
            raise UserError("train.input_encoding: onehot needs a data set with classes, this one has none; use color")

    @property
    def channels(self) -> int:
        """The generator's input channels."""
        return len(self.classes.entries) if self.classes and self.kind == "onehot" else 3

    def to_json(self) -> dict[str, Any]:
        return {"encoding": self.kind, "classes": self.classes and self.classes.to_json()}

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> Self:
        return cls(fields["encoding"], fields["classes"] and ClassTable.from_json(fields["classes"]))

    def encode(self, pixels: tf.Tensor) -> tf.Tensor:
        """Stored pixels `[..., H, W, 1 or 3]` uint8 -> `[..., H, W, channels]` float32."""
        if self.classes is None:
            return to_unit(tf.cast(pixels, tf.float32))
        ids = tf.cast(pixels[..., 0], tf.int32)
        if self.kind == "onehot":
            return tf.one_hot(tf.gather(self.classes.channels.astype(np.int32), ids), self.channels)
        return tf.gather(to_unit(self.classes.colors.astype(np.float32)), ids)


Reader = Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]

MIB = 1 << 20


def epoch_order(pairs: int, seed: int, epoch: int) -> np.ndarray:
    """The order in which an epoch sees so many pairs."""
    return np.random.default_rng([seed, epoch]).permutation(pairs)


def open_pairs(pairs: Sequence[Pair], class_ids: bool, cache_mib: int = 0, target_channels: int = 0) -> Reader:
    """A function for tf.data: place in `pairs` -> input `[H, W, 1 or 3]`, target `[H, W, 1 or 3]`, both uint8.

    Where all pairs, decoded, take at most `cache_mib`, they are read once and kept in memory.

    Args:
        target_channels: 3 repeats the one channel of grey targets; 0 leaves targets as they are stored.
    """
    paths = tf.constant([(str(pair.input_path), str(pair.target_path)) for pair in pairs])

    def read(place):
        files = tf.gather(paths, place)
        inputs = tf.io.decode_png(tf.io.read_file(files[0]), channels=1 if class_ids else 3)
        return inputs, tf.io.decode_png(tf.io.read_file(files[1]), channels=target_channels)

    first = read(0)
    if sum(tf.size(image).numpy() for image in first) * len(pairs) > cache_mib * MIB:
        # A graph must know how large its images are; the decoder cannot.
        return lambda place: tuple(
            tf.ensure_shape(image, like.shape) for image, like in zip(read(place), first, strict=True)
        )
    everything = tf.data.Dataset.range(len(pairs)).map(read, num_parallel_calls=tf.data.AUTOTUNE).batch(len(pairs))
    inputs, targets = everything.get_single_element()
    return lambda place: (tf.gather(inputs, place), tf.gather(targets, place))


def training_batches(
    read: Reader,
    encoding: InputEncoding,
    order: np.ndarray,
    seed: int,
    epoch: int,
    batch: int,
    jitter: bool,
    mirror: bool,
) -> tf.data.Dataset:
    """The pairs at the places in `order` as pix2pix sees them in an epoch, in batches of exactly `batch`.

    `([B, H, W, C], [B, H, W, 1 or 3])` float32, inputs encoded, targets in [-1, 1]. Pairs that fill no batch are left
    out.
    """
    augmented = _augmented(read, order, encoding.classes is not None, seed, epoch, jitter, mirror)
    return _batched(augmented, lambda pixels, target: (encoding.encode(pixels), to_unit(target)), batch, True)


def plain_batches(pairs: Sequence[Pair], encoding: InputEncoding, batch: int) -> tf.data.Dataset:
    """All pairs in their order, as on disk; shapes and ranges as in `training_batches`, the last may be smaller."""
    stored = _mapped(tf.data.Dataset.range(len(pairs)), open_pairs(pairs, encoding.classes is not None))
    return _batched(
        stored, lambda pixels, target: (encoding.encode(pixels), to_unit(tf.cast(target, "float32"))), batch
    )


def segmentation_batches(
    pairs: Sequence[Pair], classes: ClassTable, seed: int, epoch: int, batch: int
) -> tf.data.Dataset:
    """One epoch for the judge, jittered and mirrored.

    Targets `[B, H, W, 3]` float32 in [-1, 1], the channel of grey ones repeated, and evaluated classes `[B, H, W]`
    int32, `VOID` elsewhere.
    """
    places = classes.evaluated.astype(np.int32)
    order = epoch_order(len(pairs), seed, epoch)
    return _batched(
        _augmented(
            open_pairs(pairs, class_ids=True, target_channels=3), order, True, seed, epoch, jitter=True, mirror=True
        ),
        lambda ids, target: (to_unit(target), tf.gather(places, tf.cast(ids[..., 0], tf.int32))),
        batch,
    )


def _mapped(dataset: tf.data.Dataset, function: Callable) -> tf.data.Dataset:
    return dataset.map(function, num_parallel_calls=tf.data.AUTOTUNE)


def _batched(dataset: tf.data.Dataset, convert: Callable, batch: int, whole: bool = False) -> tf.data.Dataset:
    return _mapped(dataset, convert).batch(batch, drop_remainder=whole).prefetch(tf.data.AUTOTUNE)


def _augmented(
    read: Reader, order: np.ndarray, class_ids: bool, seed: int, epoch: int, jitter: bool, mirror: bool
) -> tf.data.Dataset:
    """(input uint8, target float32 in [0, 255]) of an epoch in its order."""
    epoch_seed = derive_seed(seed, epoch)

    def augment(place):
        pixels, target = read(place)
        target = tf.cast(target, tf.float32)
        crop_seed, mirror_seed = tf.stack([epoch_seed, 2 * place]), tf.stack([epoch_seed, 2 * place + 1])
        if jitter:
            pixels, target = _jitter(pixels, target, crop_seed, class_ids)
        if mirror:
            flip = tf.random.stateless_uniform([], mirror_seed) < 0.5
            pixels, target = (tf.where(flip, tf.reverse(image, [1]), image) for image in (pixels, target))
        return pixels, target

    return _mapped(tf.data.Dataset.from_tensor_slices(order.astype(np.int32)), augment)


def _jitter(pixels: tf.Tensor, target: tf.Tensor, seed: tf.Tensor, class_ids: bool) -> tuple[tf.Tensor, tf.Tensor]:
    """Enlarge both by 286/256 and crop both at one place back to their size.

    Class ids are enlarged by nearest neighbour, photos bicubically. (The tutorial enlarges both by nearest neighbour,
    the PyTorch reference both bicubically, the classes' colours too.)
    """
    size = tf.shape(target)[:2]
    larger = tf.cast(tf.round(tf.cast(size, tf.float32) * JITTER_RATIO), tf.int32)
    free = tf.cast(larger - size + 1, tf.float32)
    top_left = tf.cast(tf.random.stateless_uniform([2], seed) * free, tf.int32)

    def crop(image, method):
        image = tf.image.resize(image, larger, method)
        return tf.slice(image, tf.concat([top_left, [0]], 0), tf.concat([size, [-1]], 0))

    method = tf.image.ResizeMethod
    pixels = crop(pixels, method.NEAREST_NEIGHBOR if class_ids else method.BICUBIC)
    target = crop(target, method.BICUBIC)
    return tf.cast(tf.clip_by_value(pixels, 0, 255), tf.uint8), tf.clip_by_value(target, 0.0, 255.0)
