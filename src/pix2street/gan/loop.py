"""The epochs of pix2pix: a loop of our own under `strategy.run`."""

from collections.abc import Callable, Iterator

import keras
import numpy as np
import tensorflow as tf
from tqdm import tqdm

from pix2street.errors import UserError
from pix2street.gan.losses import LOSS_NAMES
from pix2street.gan.step import build_step
from pix2street.seeds import derive_seed


def train_epochs(
    generator: keras.Model,
    discriminator: keras.Model,
    batches_of: Callable[[int], tf.data.Dataset],
    pairs: int,
    *,
    epochs: int,
    seed: int,
    learning_rate: float,
    beta_1: float,
    l1_weight: float,
    disc_loss_weight: float,
) -> Iterator[dict[str, float]]:
    """Train both networks in place; after each epoch yield its mean losses by their names in `LOSS_NAMES`.

    Runs under the `tf.distribute` strategy whose scope it is called in.

    Args:
        batches_of: the batches of an epoch, numbered from 0.
        pairs: how many an epoch has, for the progress bar.
        seed: with the epoch's number it decides every dropout mask.
        learning_rate, beta_1: of both Adams (Kingma & Ba 2015).

    Raises:
        UserError: a loss is no longer finite.
    """
    strategy = tf.distribute.get_strategy()
    gen_optimizer = _adam(generator, learning_rate, beta_1)
    disc_optimizer = _adam(discriminator, learning_rate, beta_1)
    replicas = strategy.num_replicas_in_sync
    step = build_step(generator, discriminator, gen_optimizer, disc_optimizer, l1_weight, disc_loss_weight, replicas)

    @tf.function(reduce_retracing=True)
    def distributed_step(inputs, targets):
        losses = strategy.run(step, args=(inputs, targets))
        return strategy.reduce(tf.distribute.ReduceOp.MEAN, losses, axis=None)

    with tqdm(total=epochs * pairs, unit=" images", desc="train", mininterval=1) as progress:
        for epoch in range(epochs):
            _seed_dropout(generator, seed, epoch)
            sums = np.zeros(len(LOSS_NAMES))
            for inputs, targets in strategy.experimental_distribute_dataset(batches_of(epoch)):
                losses = distributed_step(inputs, targets)
                images = targets.shape[0]
                sums += losses.numpy() * images
                progress.update(images)
            losses = dict(zip(LOSS_NAMES, (sums / pairs).tolist(), strict=True))
            if not np.isfinite(sums).all():
                raise UserError(f"epoch {epoch + 1}: a loss is no longer finite: {losses}; lower train.learning_rate")
            progress.set_postfix(epoch=f"{epoch + 1}/{epochs}", l1=f"{losses['gen_l1']:.3f}")
            yield losses


def _adam(network: keras.Model, learning_rate: float, beta_1: float) -> keras.optimizers.Optimizer:
    optimizer = keras.optimizers.Adam(learning_rate, beta_1=beta_1)
    optimizer.build(network.trainable_variables)
    return optimizer


def _seed_dropout(network: keras.Model, seed: int, epoch: int) -> None:
    """Make the epoch's dropout masks a function of (seed, epoch)."""
    for place, layer in enumerate(network.layers):
        if isinstance(layer, keras.layers.Dropout):
            layer.seed_generator.state.assign([derive_seed(seed, epoch, place), 0])
