"""The epochs of pix2pix: a loop of our own under `strategy.run`."""

from collections.abc import Callable, Iterator, Sequence

import keras
import numpy as np
import tensorflow as tf
from tqdm import tqdm

from pix2street.errors import UserError
from pix2street.gan.adam import OnePassAdam
from pix2street.gan.checkpoint import Checkpoints, State
from pix2street.gan.losses import LOSS_NAMES
from pix2street.gan.step import build_step
from pix2street.seeds import derive_seed

PAIRS_NAMED = 8


def train_epochs(
    generator: keras.Model,
    discriminator: keras.Model,
    batches_of: Callable[[int, int], tf.data.Dataset],
    pair_ids_of: Callable[[int], Sequence[str]],
    *,
    epochs: int,
    batch: int,
    seed: int,
    learning_rate: float,
    beta_1: float,
    l1_weight: float,
    disc_loss_weight: float,
    scale_losses: bool = False,
    checkpoints: Checkpoints | None = None,
    checkpoint_every_steps: int = 0,
) -> Iterator[dict[str, float]]:
    """Train both networks in place; after each epoch yield its mean losses by their names in `LOSS_NAMES`.

    Runs under the `tf.distribute` strategy whose scope it is called in. With checkpoints it goes on from the newest:
    the epochs before it are yielded as they were, without being trained again, and everything after it comes out bit
    for bit as without the interruption.

    Args:
        batches_of: the batches of an epoch, numbered from 0, without so many of its first ones.
        pair_ids_of: the pair_ids of an epoch in its order.
        batch: images in a batch.
        seed: with the epoch's number it decides every dropout mask.
        learning_rate, beta_1: of both Adams (Kingma & Ba 2015).
        scale_losses: multiply both losses while gradients are taken, as float16 needs (Micikevicius et al. 2018,
            section 3.2); a step whose scaled gradients are not finite is left out then and the factor halved.
        checkpoint_every_steps: batches between two checkpoints within an epoch, 0 for none; each epoch ends with one.

    Raises:
        UserError: a loss or a gradient is no longer finite.
    """
    strategy = tf.distribute.get_strategy()
    gen_optimizer = _adam(generator, learning_rate, beta_1, scale_losses)
    disc_optimizer = _adam(discriminator, learning_rate, beta_1, scale_losses)
    replicas = strategy.num_replicas_in_sync
    step = build_step(generator, discriminator, gen_optimizer, disc_optimizer, l1_weight, disc_loss_weight, replicas)
    variables = [v for part in (generator, discriminator, gen_optimizer, disc_optimizer) for v in part.variables]

    # A graph for each size of batch: one that is relaxed on meeting a second size makes the bits of an epoch depend
    # on where the process began.
    @tf.function
    def distributed_step(inputs, targets):
        losses = strategy.run(step, args=(inputs, targets))
        return strategy.reduce(tf.distribute.ReduceOp.MEAN, losses, axis=None)

    state = checkpoints and checkpoints.newest()
    if state:
        for variable, value in zip(variables, state.variables, strict=True):
            variable.assign(value)
        print(f"training goes on after epoch {state.epoch}, step {state.step}")
    else:
        state = State(0, 0, np.zeros(len(LOSS_NAMES)), [], [])
    yield from list(state.history)

    def save() -> None:
        if checkpoints:
            state.variables = [np.asarray(variable) for variable in variables]
            checkpoints.save(state)

    pairs = len(pair_ids_of(0))
    done = state.epoch * pairs + state.step * batch
    with tqdm(total=epochs * pairs, initial=done, unit=" images", desc="train") as progress:
        for epoch in range(state.epoch, epochs):
            if state.step == 0:
                _seed_dropout(generator, seed, epoch)
                state.sums[:] = 0
            for inputs, targets in strategy.experimental_distribute_dataset(batches_of(epoch, state.step)):
                losses = distributed_step(inputs, targets).numpy()
                if not np.isfinite(losses[: len(LOSS_NAMES)] if scale_losses else losses).all():
                    first = state.step * batch
                    _stop(epoch, state.step, losses, pair_ids_of(epoch)[first : first + batch])
                images = targets.shape[0]
                state.sums += losses[: len(LOSS_NAMES)] * images
                state.step += 1
                progress.update(images)
                if checkpoint_every_steps and state.step % checkpoint_every_steps == 0:
                    save()
            losses = dict(zip(LOSS_NAMES, (state.sums / pairs).tolist(), strict=True))
            progress.set_postfix(epoch=f"{epoch + 1}/{epochs}", l1=f"{losses['gen_l1']:.3f}")
            yield losses
            state.epoch, state.step = epoch + 1, 0
            state.history.append(losses)
            save()


def _stop(epoch: int, step: int, losses: np.ndarray, pair_ids: Sequence[str]) -> None:
    named = ", ".join(pair_ids[:PAIRS_NAMED]) + (", ..." if len(pair_ids) > PAIRS_NAMED else "")
    values = ", ".join(f"{name} {value:.4g}" for name, value in zip(LOSS_NAMES, losses, strict=False))
    gradients = "" if np.isfinite(losses[len(LOSS_NAMES)]) else "a gradient is not finite; "
    raise UserError(
        f"epoch {epoch + 1}, step {step + 1}: {gradients}losses: {values}; pairs: {named}. The last good checkpoint "
        "is kept; look at these pairs, lower train.learning_rate"
    )


def _adam(network: keras.Model, learning_rate: float, beta_1: float, scale_losses: bool) -> keras.optimizers.Optimizer:
    optimizer = OnePassAdam(learning_rate, beta_1=beta_1)
    if scale_losses:
        # Keras begins at 2^15, where lambda = 100 overflows and the first steps are lost.
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer, initial_scale=2.0**10)
    optimizer.build(network.trainable_variables)
    return optimizer


def _seed_dropout(network: keras.Model, seed: int, epoch: int) -> None:
    """Make the epoch's dropout masks a function of (seed, epoch)."""
    for place, layer in enumerate(network.layers):
        if isinstance(layer, keras.layers.Dropout):
            layer.seed_generator.state.assign([derive_seed(seed, epoch, place), 0])
