"""Batches of photos beside latents, for families without inputs.

Order, latents and mirroring depend only on (seed, epoch, position), as in `batches`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from pix2street.core.images import read_photo, to_unit
from pix2street.core.latents import WHOLE
from pix2street.core.pairs import Pair
from pix2street.core.seeds import derive_seed
from pix2street.training.augmentation import Augmentation
from pix2street.training.batches import epoch_order, prepared

LATENTS = 4
"""The key of an epoch's latents."""


@dataclass(frozen=True)
class LatentFeed:
    """The augmented photos to train on, each beside a latent, in an order that depends only on (seed, epoch).

    Args:
        photos: all photos, `[P, H, W, C]` uint8.
        names: their pair_ids.
        shape: the shape of a latent, see `core/latents.py`.
    """

    photos: np.ndarray
    names: Sequence[str]
    shape: tuple[int, int]
    seed: int
    jitter: bool
    mirror: bool

    @classmethod
    def of(cls, pairs: Sequence[Pair], *settings) -> "LatentFeed":
        """Return the feed of these photos, which are read into memory."""
        photos = np.stack([read_photo(pair.target_path) for pair in pairs])
        return cls(photos, [pair.pair_id for pair in pairs], *settings)

    def __len__(self) -> int:
        return len(self.photos)

    def pair_ids(self, epoch: int) -> list[str]:
        """Return the pair_ids of the photos in an epoch's order; epochs count from 0."""
        return [self.names[index] for index in self._order(epoch)]

    def batches(self, epoch: int, positions: np.ndarray, size: int) -> tf.data.Dataset:
        """Return the photos at these positions of an epoch's order, in batches of exactly `size`.

        A batch is `{"input": [B, L, Z + 1], "target": [B, H, W, 1 or 3]}` float32, the targets in [-1, 1]. Photos that
        do not fill a batch are left out.
        """
        levels, numbers = self.shape
        indices = self._order(epoch)[positions].astype(np.int32)
        rows = tf.data.Dataset.from_tensor_slices((positions.astype(np.int32), indices))
        augment = Augmentation(derive_seed(self.seed, epoch), self.jitter, self.mirror)
        seed = derive_seed(self.seed, epoch, LATENTS)
        photos = tf.constant(self.photos)

        def prepare(position, index):
            (photo,) = augment(index, (tf.cast(tf.gather(photos, index), tf.float32),), (False,))
            one = tf.random.stateless_normal([1, numbers], tf.stack([seed, position]))
            latent = tf.concat([one, [[WHOLE]]], axis=1)
            return {"input": tf.tile(latent, [levels, 1]), "target": to_unit(photo)}

        return prepared(rows, prepare, size, whole=True)

    def _order(self, epoch: int) -> np.ndarray:
        return epoch_order(len(self), self.seed, epoch)
