"""Batches from PNGs on disk: decode, jitter, mirror, encode, normalise (tf.data).

Order, crops and mirroring depend only on (seed, epoch, index in the manifest); neither the number of threads nor an
interruption changes them.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Self

import numpy as np
import tensorflow as tf

from pix2street.core.classes import ClassTable
from pix2street.core.errors import UserError
from pix2street.core.images import read_ids, read_photo, read_rgb, to_unit
from pix2street.core.latents import draw_latents
from pix2street.core.pairs import Pair
from pix2street.core.seeds import derive_seed
from pix2street.core.styles import CHANNELS, PairStyles, StyleBank, packed, seed_of
from pix2street.layers.conditions import with_planes
from pix2street.training.augmentation import Augmentation


@dataclass(frozen=True)
class InputEncoding:
    """The form in which the generator gets an input on disk.

    Args:
        kind: "color" is RGB in [-1, 1], for class ids their colours; "onehot" is a channel for each class, 0 or 1.
        classes: the table of the ids on disk; None for RGB inputs.
        style: "palette" and "code" are further channels in [-1, 1], see `core/palettes.py` and `core/codes.py`; "none"
            is nothing.
        domains: the names of the domains between which the generator translates; empty for one that does not.
        domain: the number of the domain that the results shall have, told by a further channel for each domain; None
            in training, where every image has its own.
        latent: the shape of the latents that a generator without inputs gets, see `core/latents.py`; None for images.
    """

    kind: str
    classes: ClassTable | None
    style: str = "none"
    domains: tuple[str, ...] = ()
    domain: int | None = None
    latent: tuple[int, int] | None = None

    def __post_init__(self):
        if self.kind == "onehot" and self.classes is None:
            raise UserError("train.data.encoding: onehot needs a data set with classes, but this has none; use color")
        if self.style == "palette" and self.classes is None:
            raise UserError("train.data.style: palette needs a data set with classes, but this has none; use none")

    @property
    def labels(self) -> int:
        """The number of classes that have a channel of their own; 0 for colours."""
        return len(self.classes.entries) if self.classes and self.kind == "onehot" else 0

    @property
    def void(self) -> tuple[int, ...]:
        """The channels of those classes that are void."""
        return tuple(i for i, entry in enumerate(self.classes.entries) if entry.is_void) if self.labels else ()

    @property
    def channels(self) -> int:
        """The number of the generator's input channels."""
        planes = 0 if self.domain is None else len(self.domains)
        return (self.labels or 3) + CHANNELS[self.style] + planes

    @property
    def constant(self) -> int:
        """The number of the last of them that have one value all over an image."""
        return CHANNELS["code"] if self.style == "code" else 0

    @property
    def drawing_channels(self) -> int:
        """The number of channels of a drawing on disk: 1 of class ids, 3 of RGB."""
        return 3 if self.classes is None else 1

    @property
    def stored_channels(self) -> int:
        """The number of channels of a drawing with its style behind it."""
        return self.drawing_channels + CHANNELS[self.style]

    def towards(self, domain: str) -> Self:
        """Return the encoding for results of the domain of this name.

        Raises:
            UserError: there is no such domain.
        """
        if domain not in self.domains:
            known = f"has the domains {', '.join(self.domains)}" if self.domains else "has no domains"
            raise UserError(
                f"--domain: {domain}, but the generator {known}; "
                + ("name one of these" if self.domains else "leave the option out")
            )
        return replace(self, domain=self.domains.index(domain))

    def to_json(self) -> dict[str, Any]:
        fields = {"encoding": self.kind, "classes": self.classes and self.classes.to_json()}
        # A card without a style or domains is as it was before there were any.
        fields |= {} if self.style == "none" else {"style": self.style}
        fields |= {"latent": list(self.latent)} if self.latent else {}
        return fields | ({"domains": list(self.domains), "domain": self.domain} if self.domains else {})

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> Self:
        classes = fields["classes"] and ClassTable.from_json(fields["classes"])
        domains = tuple(fields.get("domains", ()))
        latent = tuple(fields["latent"]) if fields.get("latent") else None
        return cls(fields["encoding"], classes, fields.get("style", "none"), domains, fields.get("domain"), latent)

    def read(self, path: Path) -> np.ndarray:
        """Return the drawing stored at `path`: class ids `[H, W]` or RGB `[H, W, 3]`, uint8."""
        return read_rgb(path) if self.classes is None else read_ids(path)

    def encode(self, pixels: tf.Tensor, domains: tf.Tensor | None = None) -> tf.Tensor:
        """Encode stored pixels: `[..., H, W, S]` uint8 -> `[..., H, W, channels]` float32.

        S is `stored_channels`.

        Args:
            domains: the number of the domain of each result, `[...]`; None for `domain`.
        """
        image = self._encode_image(pixels)
        if self.domain is None:
            return image
        domains = tf.fill(tf.shape(image)[:-3], self.domain) if domains is None else domains
        return with_planes(image, domains, len(self.domains))

    def _encode_image(self, pixels: tf.Tensor) -> tf.Tensor:
        if self.classes is None:
            return to_unit(tf.cast(pixels, tf.float32))
        drawing = self._encode_ids(tf.cast(pixels[..., 0], tf.int32))
        if self.style == "none":
            return drawing
        return tf.concat([drawing, to_unit(tf.cast(pixels[..., 1:], tf.float32))], axis=-1)

    def _encode_ids(self, ids: tf.Tensor) -> tf.Tensor:
        if self.kind == "onehot":
            return tf.one_hot(tf.gather(self.classes.channels.astype(np.int32), ids), self.labels)
        return tf.gather(to_unit(self.classes.colors.astype(np.float32)), ids)


Reader = Callable[[tf.Tensor], tuple[tf.Tensor, ...]]

MIB = 1 << 20

MAX_CALLS = 16
"""The most items that are read at a time; each takes the memory of its images."""

AHEAD = 2
"""The batches that are made before they are needed."""


def epoch_order(pairs: int, seed: int, epoch: int) -> np.ndarray:
    """Return the indices of all pairs, `[pairs]`, in a random order that depends only on (seed, epoch)."""
    return np.random.default_rng([seed, epoch]).permutation(pairs)


def open_pairs(
    pairs: Sequence[Pair],
    class_ids: bool,
    cache_mib: int = 0,
    target_channels: int = 0,
    palettes: Sequence[bytes] | None = None,
) -> Reader:
    """Return a function for tf.data that maps an index in `pairs` to input and target, `[H, W, C]` uint8.

    If all decoded pairs fit into `cache_mib`, they are read once and kept in memory.

    Args:
        target_channels: 3 repeats the one channel of grey targets; 0 keeps targets as they are stored.
        palettes: a PNG for each pair, whose three channels follow the input's own.
    """
    paths = tf.constant([(str(pair.input_path), str(pair.target_path)) for pair in pairs])
    pngs = None if palettes is None else tf.constant(palettes)

    def read(index):
        files = tf.gather(paths, index)
        inputs = tf.io.decode_png(tf.io.read_file(files[0]), channels=1 if class_ids else 3)
        if pngs is not None:
            inputs = tf.concat([inputs, tf.io.decode_png(tf.gather(pngs, index), channels=3)], axis=-1)
        return inputs, tf.io.decode_png(tf.io.read_file(files[1]), channels=target_channels)

    return kept(read, len(pairs), cache_mib)


def kept(read: Reader, count: int, cache_mib: int) -> Reader:
    """Return a reader of the same `count` items, which keeps all of them in memory if they fit into `cache_mib`.

    Args:
        read: returns the images of an item by its index.
    """
    first = read(0)
    if sum(tf.size(image).numpy() for image in first) * count > cache_mib * MIB:
        # A graph needs the images' shape, which the decoder does not know.
        return lambda index: tuple(
            tf.ensure_shape(image, like.shape) for image, like in zip(read(index), first, strict=True)
        )
    everything = prepared(tf.data.Dataset.range(count), read, count).get_single_element()
    return lambda index: tuple(tf.gather(images, index) for images in everything)


@dataclass(frozen=True)
class TrainingFeed:
    """The augmented pairs to train on, in an order that depends only on (seed, epoch).

    Args:
        read: reads a pair by its index, see `open_pairs`.
        pairs: the pair_ids, in the order of `read`.
        apart: the number of pairs of a step if each input is combined with the target of another pair, which the step
            does not show, and the two are augmented independently; 0 for pairs together.
        codes: the code of each pair, which follows its drawing in every pixel, see `PairStyles`; None for none.

    Raises:
        UserError: there are fewer than twice `apart` pairs, so that a step would see a pair.
    """

    read: Reader
    pairs: Sequence[str]
    encoding: InputEncoding
    seed: int
    jitter: bool
    mirror: bool
    apart: int = 0
    codes: np.ndarray | None = None

    def __post_init__(self):
        if len(self.pairs) < 2 * self.apart:
            raise UserError(
                f"{len(self.pairs)} pairs to train on are too few to keep inputs and targets apart in steps of "
                f"{self.apart} pairs: at least {2 * self.apart} are needed; choose a smaller train.run.batch, or add "
                "pairs"
            )

    def __len__(self) -> int:
        return len(self.pairs)

    def pair_ids(self, epoch: int) -> list[str]:
        """Return the pair_ids of the inputs in an epoch's order; epochs count from 0."""
        return [self.pairs[index] for index in self._order(epoch)]

    def batches(self, epoch: int, positions: np.ndarray, size: int) -> tf.data.Dataset:
        """Return the pairs at these positions of an epoch's order, in batches of exactly `size`.

        A batch is `{"input": [B, H, W, C], "target": [B, H, W, 1 or 3]}` float32, with encoded inputs and targets in
        [-1, 1]. Pairs that do not fill a batch are left out.
        """
        order = self._order(epoch)
        inputs = order[positions]
        targets = np.roll(order, self._shift(epoch))[positions] if self.apart else inputs
        indices = tf.data.Dataset.from_tensor_slices((inputs.astype(np.int32), targets.astype(np.int32)))
        prepare = self._prepare_apart if self.apart else self._prepare_together
        return _batched(mapped(indices, partial(prepare, epoch)), self.encoding, size, whole=True)

    def _prepare_together(self, epoch: int, index: tf.Tensor, _: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        pixels, target = self.read(index)
        augment = Augmentation(derive_seed(self.seed, epoch), self.jitter, self.mirror)
        pixels, target = augment(index, (pixels, tf.cast(target, tf.float32)), (self._class_ids, False))
        return _with_code(pixels, self.codes, index), target

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
        """Return by how many positions the targets are shifted in the epoch's order.

        A step takes `apart` neighbours in this order, so a shift by at least as many, in either direction of the
        circle, leaves none of its inputs with a target that the step shows.
        """
        return self.apart + derive_seed(self.seed, epoch, 1) % (len(self.pairs) - 2 * self.apart + 1)


def plain_batches(
    pairs: Sequence[Pair], encoding: InputEncoding, batch: int, styles: PairStyles | None = None
) -> tf.data.Dataset:
    """Return all pairs in order without augmentation, as `TrainingFeed.batches` does; the last batch may be smaller.

    Args:
        styles: an encoding with a style needs them.
    """
    styles = styles or PairStyles()
    read = open_pairs(pairs, encoding.classes is not None, palettes=styles.palettes)

    def prepare(index):
        pixels, target = read(index)
        return _with_code(pixels, styles.codes, index), target

    return _batched(mapped(tf.data.Dataset.range(len(pairs)), prepare), encoding, batch)


def batches_in_use(
    pairs: Sequence[Pair],
    encoding: InputEncoding,
    bank: StyleBank | None,
    seed: int,
    names: Sequence[str] | None = None,
) -> tf.data.Dataset:
    """Return all pairs as `plain_batches` does, one in each batch, with the inputs that a generator has in use.

    Args:
        bank: the source of styles, which follow from each drawing, its name and `seed`; None for an encoding without.
        names: the names of the drawings; None for their pair_ids.
    """
    if encoding.latent:
        return _latent_batches(pairs, encoding.latent, seed)
    names = [pair.pair_id for pair in pairs] if names is None else names
    if bank is None:
        return plain_batches(pairs, encoding, 1)
    drawn = (
        bank.draw(encoding.read(pair.input_path), seed_of(name, seed)) for pair, name in zip(pairs, names, strict=True)
    )
    return plain_batches(pairs, encoding, 1, packed(drawn))


def _latent_batches(pairs: Sequence[Pair], shape: tuple[int, int], seed: int) -> tf.data.Dataset:
    """Return the latent of every pair, which follows from its pair_id and `seed`, beside its target, one in a batch."""
    latents = draw_latents(shape, [pair.pair_id for pair in pairs], seed)
    targets = np.stack([to_unit(read_photo(pair.target_path).astype(np.float32)) for pair in pairs])
    return untuned(tf.data.Dataset.from_tensor_slices({"input": latents, "target": targets}).batch(1))


def segmentation_batches(
    pairs: Sequence[Pair], classes: ClassTable, seed: int, epoch: int, batch: int
) -> tf.data.Dataset:
    """Return the augmented batches of one epoch for the judge, as Keras' `fit` takes them.

    A batch holds the targets, `[B, H, W, 3]` float32 in [-1, 1] (the channel of grey ones is repeated), and the
    evaluated class of each pixel, `[B, H, W]` int32, or `VOID`.
    """
    positions = classes.evaluated.astype(np.int32)
    read = open_pairs(pairs, class_ids=True, target_channels=3)
    augment = Augmentation(derive_seed(seed, epoch), jitter=True, mirror=True)

    def prepare(index):
        ids, target = read(index)
        target, ids = augment(index, (tf.cast(target, tf.float32), ids), class_ids=(False, True))
        return to_unit(target), tf.gather(positions, tf.cast(ids[..., 0], tf.int32))

    order = tf.data.Dataset.from_tensor_slices(epoch_order(len(pairs), seed, epoch).astype(np.int32))
    return prepared(order, prepare, batch)


def mapped(rows: tf.data.Dataset, function: Callable) -> tf.data.Dataset:
    """Return the results of a function in the order of the rows; each core computes one at a time."""
    return rows.map(function, num_parallel_calls=min(os.cpu_count() or 1, MAX_CALLS))


def prepared(rows: tf.data.Dataset, function: Callable, batch: int, whole: bool = False) -> tf.data.Dataset:
    """Return batches of the results of a function in the order of the rows, some of them made before they are needed.

    Args:
        whole: leave out rows that do not fill a batch.
    """
    return untuned(mapped(rows, function).batch(batch, drop_remainder=whole).prefetch(AHEAD))


def untuned(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """Return the dataset with the numbers of calls and of batches that it names, which TensorFlow does not tune.

    Its tuner sleeps for ten milliseconds at first and each time for twice as long, up to a minute. Whoever closes an
    iterator waits until it wakes, since it looks too early whether it is cancelled and goes back to sleep: an epoch of
    11 s ended 10 s late as often as not.
    """
    options = tf.data.Options()
    options.autotune.enabled = False
    return dataset.with_options(options)


def _with_code(pixels: tf.Tensor, codes: np.ndarray | None, index: tf.Tensor) -> tf.Tensor:
    """Return stored pixels `[H, W, S]` with the pair's code behind them in every pixel; as they are without codes."""
    if codes is None:
        return pixels
    code = tf.broadcast_to(tf.gather(codes, index), (*pixels.shape[:2], codes.shape[1]))
    return tf.concat([pixels, code], axis=-1)


def _batched(dataset: tf.data.Dataset, encoding: InputEncoding, batch: int, whole: bool = False) -> tf.data.Dataset:
    def convert(pixels, target):
        return {"input": encoding.encode(pixels), "target": to_unit(tf.cast(target, tf.float32))}

    return prepared(dataset, convert, batch, whole)
