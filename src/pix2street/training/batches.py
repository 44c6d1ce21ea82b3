"""From PNGs on disk to batches: decode, jitter, mirror, encode, normalise (tf.data).

Order, crop and mirroring are a function of (seed, epoch, index in the manifest) alone: neither the number of
threads nor an interruption changes them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Self

import numpy as np
import tensorflow as tf

from pix2street.core.classes import ClassTable
from pix2street.core.errors import UserError
from pix2street.core.images import to_unit
from pix2street.core.pairs import Pair
from pix2street.core.seeds import derive_seed
from pix2street.training.augmentation import Augmentation


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
            raise UserError("train.data.encoding: onehot needs a data set with classes, this one has none; use color")

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


@dataclass(frozen=True)
class TrainingFeed:
    """The pairs to train on, augmented, in an order that is a function of (seed, epoch).

    Args:
        read: see `open_pairs`.
        pairs: their pair_ids, in the order of `read`.
        apart: show each input beside the target of another pair, jittered and mirrored by itself: no step sees a pair.
    """

    read: Reader
    pairs: Sequence[str]
    encoding: InputEncoding
    seed: int
    jitter: bool
    mirror: bool
    apart: bool = False

    def __len__(self) -> int:
        return len(self.pairs)

    def pair_ids(self, epoch: int) -> list[str]:
        """Return the pair_ids in an epoch's order; epochs count from 0. Where pairs are drawn apart, the inputs'."""
        return [self.pairs[index] for index in self._order(epoch)]

    def batches(self, epoch: int, positions: np.ndarray, size: int) -> tf.data.Dataset:
        """Return the pairs at these positions of an epoch's order, in batches of exactly `size`.

        `{"input": [B, H, W, C], "target": [B, H, W, 1 or 3]}` float32, inputs encoded, targets in [-1, 1]. Pairs that
        fill no batch are left out.
        """
        order = self._order(epoch)
        inputs = order[positions]
        targets = np.roll(order, self._shift(epoch))[positions] if self.apart else inputs
        indices = tf.data.Dataset.from_tensor_slices((inputs.astype(np.int32), targets.astype(np.int32)))
        prepare = self._prepare_apart if self.apart else self._prepare_together
        return _batched(_mapped(indices, partial(prepare, epoch)), self.encoding, size, whole=True)

    def _prepare_together(self, epoch: int, index: tf.Tensor, _: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        pixels, target = self.read(index)
        augment = Augmentation(derive_seed(self.seed, epoch), self.jitter, self.mirror)
        return augment(index, (pixels, tf.cast(target, tf.float32)), (self._class_ids, False))

    def _prepare_apart(self, epoch: int, index: tf.Tensor, other: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        (pixels, _), (_, target) = self.read(index), self.read(other)
        of_input = Augmentation(derive_seed(self.seed, epoch), self.jitter, self.mirror)
        of_target = replace(of_input, seed=derive_seed(self.seed, epoch, 2))
        (pixels,) = of_input(index, (pixels,), (self._class_ids,))
        (target,) = of_target(other, (tf.cast(target, tf.float32),), (False,))
        return pixels, target

    @property
    def _class_ids(self) -> bool:
        return self.encoding.classes is not None

    def _order(self, epoch: int) -> np.ndarray:
        return epoch_order(len(self.pairs), self.seed, epoch)

    def _shift(self, epoch: int) -> int:
        """Return how far the targets are moved on in the epoch's order: never by 0, which would be the pairs."""
        return 1 + derive_seed(self.seed, epoch, 1) % (len(self.pairs) - 1)


def plain_batches(pairs: Sequence[Pair], encoding: InputEncoding, batch: int) -> tf.data.Dataset:
    """Return all pairs in their order, as on disk; as `TrainingFeed.batches`, but the last batch may be smaller."""
    stored = _mapped(tf.data.Dataset.range(len(pairs)), open_pairs(pairs, encoding.classes is not None))
    return _batched(stored, encoding, batch)


def segmentation_batches(
    pairs: Sequence[Pair], classes: ClassTable, seed: int, epoch: int, batch: int
) -> tf.data.Dataset:
    """Return one epoch for the judge, jittered and mirrored, as Keras' `fit` takes it.

    Targets `[B, H, W, 3]` float32 in [-1, 1], the channel of grey ones repeated, and evaluated classes `[B, H, W]`
    int32, `VOID` elsewhere.
    """
    positions = classes.evaluated.astype(np.int32)
    read = open_pairs(pairs, class_ids=True, target_channels=3)
    augment = Augmentation(derive_seed(seed, epoch), jitter=True, mirror=True)

    def prepare(index):
        ids, target = read(index)
        target, ids = augment(index, (tf.cast(target, tf.float32), ids), class_ids=(False, True))
        return to_unit(target), tf.gather(positions, tf.cast(ids[..., 0], tf.int32))

    order = tf.data.Dataset.from_tensor_slices(epoch_order(len(pairs), seed, epoch).astype(np.int32))
    return _mapped(order, prepare).batch(batch).prefetch(tf.data.AUTOTUNE)


def _mapped(dataset: tf.data.Dataset, function: Callable) -> tf.data.Dataset:
    return dataset.map(function, num_parallel_calls=tf.data.AUTOTUNE)


def _batched(dataset: tf.data.Dataset, encoding: InputEncoding, batch: int, whole: bool = False) -> tf.data.Dataset:
    def convert(pixels, target):
        return {"input": encoding.encode(pixels), "target": to_unit(tf.cast(target, tf.float32))}

    return _mapped(dataset, convert).batch(batch, drop_remainder=whole).prefetch(tf.data.AUTOTUNE)
