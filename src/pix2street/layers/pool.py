"""A pool of past photos, which the discriminator of CycleGAN sees in place of the newest. Pure Keras 3."""

import keras
from keras import layers, ops

from pix2street.core.errors import UserError


@keras.saving.register_keras_serializable("pix2street")
class ImagePool(layers.Layer):
    """A pool that takes new photos and gives new or past ones (Shrivastava et al. 2017, section 2.3).

    `[B, H, W, C] -> [B, H, W, C]`. Until the pool is full it keeps the photos and gives them back. Then each photo is
    given back itself with probability 1/2; otherwise it takes the place of a past one, which is given instead. The past
    ones of a batch are different ones. No gradient passes.

    Its weights are all that the next call depends on. Several devices must call it with the same photos.

    Args:
        size: the number of photos that are kept; at least a batch.
        seed: the seed of all draws.
    """

    def __init__(self, size: int, seed: int, **kwargs):
        super().__init__(dtype="float32", **kwargs)
        self.size = size
        # The training seeds every attribute `seed_generator` apart on each device; this one must stay the same on all.
        self.draws = keras.random.SeedGenerator(seed)

    def build(self, input_shape):
        how = {"initializer": "zeros", "trainable": False, "aggregation": "only_first_replica"}
        self.images = self.add_weight(name="images", shape=(self.size, *input_shape[1:]), **how)
        self.filled = self.add_weight(name="filled", shape=(), **how)

    def call(self, inputs):
        batch = inputs.shape[0]
        if batch > self.size:
            raise UserError(
                f"the family's setting pool: {self.size} photos are fewer than a batch of {batch}; choose a larger "
                "pool or a smaller train.run.batch"
            )
        full = self.filled >= self.size
        in_turn = (ops.cast(self.filled, "int32") + ops.arange(batch)) % self.size
        drawn = ops.argsort(keras.random.uniform((self.size,), dtype="float32", seed=self.draws))[:batch]
        slots = ops.where(full, ops.cast(drawn, "int32"), in_turn)
        coins = keras.random.uniform((batch, 1, 1, 1), dtype="float32", seed=self.draws) < 0.5
        past = ops.take(self.images, slots, axis=0)
        given = ops.where(ops.logical_and(full, coins), past, inputs)
        kept = ops.where(ops.logical_and(full, ops.logical_not(coins)), past, inputs)
        self.images.assign(ops.scatter_update(self.images, slots[:, None], kept))
        self.filled.assign(ops.minimum(self.filled + batch, self.size))
        return ops.stop_gradient(given)
