"""Batches of a data set with domains: each image to translate is beside an image of another domain.

Order, targets, crops and mirroring depend only on (seed, epoch, position), as in `batches`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from pix2street.core.domains import DomainImage
from pix2street.core.errors import UserError
from pix2street.core.images import to_unit
from pix2street.core.seeds import derive_seed
from pix2street.training.augmentation import Augmentation
from pix2street.training.batches import Reader, kept, prepared


def open_images(paths: Sequence[Path], cache_mib: int = 0) -> Reader:
    """Return a function for tf.data that maps an index in `paths` to a tuple of one image, `[H, W, 3]` uint8."""
    names = tf.constant([str(path) for path in paths])

    def read(index):
        return (tf.io.decode_png(tf.io.read_file(tf.gather(names, index)), channels=3),)

    return kept(read, len(paths), cache_mib)


class Drawn(NamedTuple):
    """An epoch: at each position the index of an input, that of a target, and the target's domain, `[N]` each."""

    inputs: np.ndarray
    targets: np.ndarray
    target_domains: np.ndarray


@dataclass(frozen=True)
class DomainFeed:
    """The augmented images to train on, in an order that depends only on (seed, epoch).

    Args:
        read: reads an image by its index, see `open_images`.
        images: the images, in the order of `read`.
        domains: the names of the domains in their order.
        one_way: whether inputs are of the first domain and targets of the second. Then an epoch has as many positions
            as the larger of them has images, and goes through the smaller one again in another order. Otherwise an
            epoch has every image as an input once, and the domain of its target is drawn among the others.
        batch: the number of images of a step, none of which shows a scene both as input and as target.

    Raises:
        UserError: a domain has no image, or too few scenes for `batch`.
    """

    read: Reader
    images: Sequence[DomainImage]
    domains: Sequence[str]
    one_way: bool
    seed: int
    jitter: bool
    mirror: bool
    batch: int

    def __post_init__(self):
        for domain, members in zip(self.domains, self._members, strict=True):
            if not len(members):
                raise UserError(f"the domain {domain} has no image to train on; add images, or keep fewer apart")
        self._draw(0)

    def __len__(self) -> int:
        return max(map(len, self._members[:2])) if self.one_way else len(self.images)

    def pair_ids(self, epoch: int) -> list[str]:
        """Return the pair_ids of the inputs in an epoch's order; epochs count from 0."""
        return [self.images[index].pair_id for index in self._draw(epoch).inputs]

    def batches(self, epoch: int, positions: np.ndarray, size: int) -> tf.data.Dataset:
        """Return the images at these positions of an epoch's order, in batches of exactly `size`.

        A batch is `{"input": [B, H, W, 3], "target": [B, H, W, 3]}` float32 in [-1, 1]. Unless the feed goes one way,
        it also has `domain` and `target_domain`, `[B]` int32, the numbers of their domains. Images that do not fill a
        batch are left out.
        """
        drawn = self._draw(epoch)
        columns = positions, drawn.inputs, drawn.targets, self._domain_of[drawn.inputs], drawn.target_domains
        columns = (columns[0], *(column[positions] for column in columns[1:]))
        rows = tf.data.Dataset.from_tensor_slices(tuple(column.astype(np.int32) for column in columns))
        seeds = derive_seed(self.seed, epoch), derive_seed(self.seed, epoch, 2)
        of_input, of_target = (Augmentation(seed, self.jitter, self.mirror) for seed in seeds)

        def prepare(position, index, other, domain, target_domain):
            (image,), (target,) = (
                augment(position, (tf.cast(pixels, tf.float32),), (False,))
                for augment, (pixels,) in ((of_input, self.read(index)), (of_target, self.read(other)))
            )
            batch = {"input": to_unit(image), "target": to_unit(target)}
            return batch if self.one_way else {**batch, "domain": domain, "target_domain": target_domain}

        return prepared(rows, prepare, size, whole=True)

    @cached_property
    def _domain_of(self) -> np.ndarray:
        return np.array([self.domains.index(image.domain) for image in self.images])

    @cached_property
    def _members(self) -> list[np.ndarray]:
        return [np.flatnonzero(self._domain_of == number) for number in range(len(self.domains))]

    def _draw(self, epoch: int) -> Drawn:
        rng = np.random.default_rng([self.seed, epoch, 3])
        if self.one_way:
            inputs = _in_turn(self._members[0], len(self), rng)
            target_domains = np.ones(len(self), int)
        else:
            inputs = rng.permutation(len(self.images))
            target_domains = rng.integers(len(self.domains) - 1, size=len(self))
            target_domains += target_domains >= self._domain_of[inputs]
        targets = np.empty(len(self), int)
        for number, members in enumerate(self._members):
            where = target_domains == number
            targets[where] = _in_turn(members, where.sum(), rng)
        self._exchange_own_scenes(inputs, targets, target_domains)
        return Drawn(inputs, targets, target_domains)

    def _exchange_own_scenes(self, inputs: np.ndarray, targets: np.ndarray, target_domains: np.ndarray) -> None:
        """Exchange each target whose scene is among the inputs of its step with one of the same domain elsewhere."""
        scenes = [image.scene for image in self.images]
        steps = np.arange(len(inputs)) // self.batch
        shown: list[set[str | None]] = [set() for _ in range(steps[-1] + 1)]
        for step, index in zip(steps, inputs, strict=True):
            shown[step].add(scenes[index])

        def fits(position: int, target: int) -> bool:
            return scenes[target] is None or scenes[target] not in shown[steps[position]]

        for position, target in enumerate(targets):
            if fits(position, target):
                continue
            others = np.roll(np.flatnonzero(target_domains == target_domains[position]), -position)
            found = (other for other in others if fits(other, target) and fits(position, targets[other]))
            other = next(found, None)
            if other is None:
                raise UserError(
                    f"the domain {self.images[target].domain} has too few scenes for steps of {self.batch} images, in "
                    "which no scene is both input and target; choose a smaller train.run.batch, or add scenes"
                )
            targets[[position, other]] = targets[[other, position]]


def _in_turn(members: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Return `count` members: all of them in a random order, then again in another one."""
    rounds = [rng.permutation(members) for _ in range(-(-count // len(members)))]
    return np.concatenate([members[:0], *rounds])[:count]
