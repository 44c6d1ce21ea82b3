"""The epochs of pix2pix: a loop of our own under any `tf.distribute` strategy."""

from collections.abc import Callable, Iterator, Sequence

import keras
import numpy as np
import tensorflow as tf
from tqdm import tqdm

from pix2street.core.errors import UserError
from pix2street.core.seeds import derive_seed
from pix2street.layers.losses import LOSS_NAMES
from pix2street.training.adam import averages_of, build_adam, learning_rate_share
from pix2street.training.checkpoint import Checkpoints, State
from pix2street.training.step import STEP_NAMES, build_step

PAIRS_NAMED = 8
LOST_WORKER = (
    tf.errors.UnavailableError,
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
    tf.errors.InternalError,
)
"""How TensorFlow's collectives end when a process they need is gone."""


def train_epochs(
    strategy: tf.distribute.Strategy,
    generator: keras.Model,
    discriminator: keras.Model,
    snapshot: keras.Model,
    batches_of: Callable[[int, np.ndarray, int], tf.data.Dataset],
    pair_ids_of: Callable[[int], Sequence[str]],
    inspect: Callable[[], dict[str, float]],
    *,
    epochs: int,
    batch: int,
    seed: int,
    learning_rate: float,
    schedule: str,
    beta_1: float,
    ema_decay: float,
    l1_weight: float,
    disc_loss_weight: float,
    best_of: str | None = None,
    scale_losses: bool = False,
    jit_compile: bool = False,
    steps_per_call: int = 1,
    checkpoints: Checkpoints | None = None,
    checkpoint_every_steps: int = 0,
) -> Iterator[dict[str, float]]:
    """Train both networks in place; after each epoch yield its row of the history.

    A row holds the epoch's learning rate, the means of what `build_step` returns, and what `inspect` found. With
    checkpoints the training goes on from the newest: the epochs before it are yielded as they were, without being
    trained again, and everything after it comes out bit for bit as without the interruption.

    With several devices a batch is shared out equally; the pairs at an epoch's end that cannot be, fewer than there are
    devices and others in every epoch, are left out of it.

    Args:
        strategy: under whose scope both networks were built.
        snapshot: a generator of the same form in float32. It holds what one would use: the generator's weights, or
            their running average, as they were after the epoch that is being inspected or yielded; at the end, those to
            keep.
        batches_of: of an epoch, numbered from 0, the pairs at these places of its order, in batches of this size.
        pair_ids_of: the pair_ids of an epoch in its order.
        inspect: called after each epoch with `snapshot` up to date.
        batch: images in a batch, on all devices together.
        seed: with the epoch's number it decides every dropout mask.
        learning_rate, schedule, beta_1, ema_decay: see `adam.py`.
        best_of: the column of which the least value decides the weights to keep; None keeps the last.
        scale_losses: see `build_adam`; a step whose gradients alone are not finite does not stop the run then.
        jit_compile: compile the step with XLA.
        steps_per_call: steps between two looks at the losses from Python.
        checkpoint_every_steps: batches between two checkpoints within an epoch, 0 for none; each epoch ends with one.

    Raises:
        UserError: a loss or a gradient is no longer finite, the batch cannot be shared out, or another worker is gone.
    """
    replicas = strategy.num_replicas_in_sync
    if batch % replicas:
        raise UserError(f"train.batch: {batch} cannot be shared out equally to {replicas} devices; choose a multiple")
    with strategy.scope():
        gen_optimizer = build_adam(generator, learning_rate, beta_1, ema_decay=ema_decay, scale_losses=scale_losses)
        disc_optimizer = build_adam(discriminator, learning_rate, beta_1, scale_losses=scale_losses)
    step = build_step(generator, discriminator, gen_optimizer, disc_optimizer, l1_weight, disc_loss_weight, replicas)
    if jit_compile:
        step = tf.function(step, jit_compile=True)
    numbers = tf.function(strategy.run)(lambda: tf.distribute.get_replica_context().replica_id_in_sync_group)
    devices = [int(number) for number in strategy.experimental_local_results(numbers)]
    run_steps = build_run(strategy, step, steps_per_call, len(LOSS_NAMES) if scale_losses else len(STEP_NAMES))
    variables = [v for part in (generator, discriminator, gen_optimizer, disc_optimizer) for v in part.variables]

    state = checkpoints and _agreed_state(strategy, checkpoints)
    if state:
        for variable, value in zip(variables, state.variables, strict=True):
            variable.assign(value)
        print(f"training goes on after epoch {state.epoch}, step {state.step}")
    else:
        state = State(0, 0, np.zeros(len(STEP_NAMES) - 1), [], [], [])
    yield from list(state.history)

    def save() -> None:
        if checkpoints:
            state.variables = [np.asarray(variable) for variable in variables]
            checkpoints.save(state)

    pairs = len(pair_ids_of(0))
    full, rest = divmod(pairs, batch)
    rest -= rest % replicas
    steps = full + (rest > 0)
    images = full * batch + rest
    if images == 0:
        raise UserError(f"{pairs} pairs to train on cannot be shared out to {replicas} devices; add pairs")
    with tqdm(
        total=epochs * images, initial=state.epoch * images + state.step * batch, unit=" images", desc="train"
    ) as progress:
        for epoch in range(state.epoch, epochs):
            rate = learning_rate * learning_rate_share(schedule, epoch, epochs)
            for optimizer in (gen_optimizer, disc_optimizer):
                optimizer.learning_rate = rate
            _seed_dropout(strategy, devices, generator, seed, epoch, begin=state.step == 0)
            if state.step == 0:
                state.sums[:] = 0
            while state.step < steps:
                # A size of batch has a graph of its own: one that is relaxed on meeting a second size makes the bits of
                # an epoch depend on where the process began.
                size, end = (batch, full) if state.step < full else (rest, steps)
                places = np.arange(state.step * batch, state.step * batch + (end - state.step) * size)
                batches = _shared_out(strategy, lambda *which, epoch=epoch: batches_of(epoch, *which), places, size)
                while state.step < end:
                    count = min(steps_per_call, end - state.step)
                    if checkpoint_every_steps:
                        count = min(count, checkpoint_every_steps - state.step % checkpoint_every_steps)
                    try:
                        rows = run_steps(batches, count).numpy()
                    except LOST_WORKER as error:
                        raise _lost_worker(strategy, error) from error
                    for row in rows:
                        if not np.isfinite(row[: len(LOSS_NAMES)] if scale_losses else row).all():
                            first = state.step * batch
                            _stop(epoch, state.step, row, pair_ids_of(epoch)[first : first + size])
                        state.sums += row[:-1] * size
                        state.step += 1
                    progress.update(len(rows) * size)
                    if checkpoint_every_steps and state.step % checkpoint_every_steps == 0:
                        save()
            _take_snapshot(generator, averages_of(gen_optimizer), snapshot)
            means = dict(zip(STEP_NAMES, (state.sums / images).tolist(), strict=False))
            row = {"learning_rate": rate, **means, **inspect()}
            if best_of and row[best_of] < min((seen[best_of] for seen in state.history), default=np.inf):
                state.best = snapshot.get_weights()
            progress.set_postfix(epoch=f"{epoch + 1}/{epochs}", l1=f"{row['gen_l1']:.3f}")
            yield row
            state.epoch, state.step = epoch + 1, 0
            state.history.append(row)
            save()
    _take_snapshot(generator, averages_of(gen_optimizer), snapshot)
    if best_of:
        snapshot.set_weights(state.best)


def build_run(strategy: tf.distribute.Strategy, step: Callable, steps_per_call: int, watched: int) -> Callable:
    """`(batches, count) -> [count, N]`: rows of `count` steps; none follows a row with a watched value not finite."""

    def one_step(batches):
        rows = strategy.run(step, args=next(batches))
        return strategy.reduce(tf.distribute.ReduceOp.MEAN, rows, axis=None)

    if steps_per_call == 1:
        return tf.function(lambda batches, count: one_step(batches)[tf.newaxis], reduce_retracing=False)

    @tf.function
    def several_steps(batches, count):
        rows = tf.TensorArray(tf.float32, 0, dynamic_size=True, element_shape=[len(STEP_NAMES)])
        finite = True
        done = 0
        while finite and done < count:
            row = one_step(batches)
            rows = rows.write(done, row)
            done += 1
            finite = tf.reduce_all(tf.math.is_finite(row[:watched]))
        return rows.stack()

    return lambda batches, count: several_steps(batches, tf.constant(count))


def _shared_out(strategy: tf.distribute.Strategy, batches_of: Callable, places: np.ndarray, size: int) -> Iterator:
    """Batches of `size` over all devices; every worker reads its own part of each and nothing else."""

    def of_worker(context: tf.distribute.InputContext):
        shares = places.reshape(len(places) // size, context.num_input_pipelines, -1)
        return batches_of(shares[:, context.input_pipeline_id].ravel(), size // context.num_replicas_in_sync)

    return iter(strategy.distribute_datasets_from_function(of_worker))


def _agreed_state(strategy: tf.distribute.Strategy, checkpoints: Checkpoints) -> State | None:
    """The newest state that every worker has."""
    state = checkpoints.newest()
    if not isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
        return state
    own = (state.epoch, state.step) if state else (0, 0)
    places = strategy.experimental_distribute_values_from_function(lambda _: tf.constant([own]))
    oldest = min(tuple(place) for place in strategy.gather(places, axis=0).numpy().tolist())
    if oldest == (0, 0):
        return None
    state = checkpoints.newest(oldest)
    if state is None or (state.epoch, state.step) != oldest:
        raise UserError(
            f"the workers have no checkpoint in common: another is at epoch {oldest[0]}, step {oldest[1]}; remove "
            ".checkpoints on all of them to begin again"
        )
    return state


def _lost_worker(strategy: tf.distribute.Strategy, error: tf.errors.OpError) -> Exception:
    if not isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
        return error
    return UserError(
        f"another worker has ended or cannot be reached ({type(error).__name__}); start all workers again: training "
        "goes on from the last checkpoint"
    )


def _take_snapshot(generator: keras.Model, averages: Sequence[keras.Variable], snapshot: keras.Model) -> None:
    for variable, own in zip(snapshot.weights, generator.weights, strict=True):
        variable.assign(np.asarray(own))
    for variable, average in zip(snapshot.trainable_variables, averages, strict=False):
        variable.assign(np.asarray(average))


def _stop(epoch: int, step: int, row: np.ndarray, pair_ids: Sequence[str]) -> None:
    named = ", ".join(pair_ids[:PAIRS_NAMED]) + (", ..." if len(pair_ids) > PAIRS_NAMED else "")
    values = ", ".join(f"{name} {value:.4g}" for name, value in zip(LOSS_NAMES, row, strict=False))
    gradients = "" if np.isfinite(row[-1]) else "a gradient is not finite; "
    raise UserError(
        f"epoch {epoch + 1}, step {step + 1}: {gradients}losses: {values}; pairs: {named}. The last good checkpoint "
        "is kept; look at these pairs, lower train.learning_rate"
    )


def _seed_dropout(
    strategy: tf.distribute.Strategy, devices: Sequence[int], network: keras.Model, seed: int, epoch: int, begin: bool
) -> None:
    """Make the epoch's dropout masks a function of (seed, epoch, device); go on counting them unless it begins."""
    for place, layer in enumerate(network.layers):
        if isinstance(layer, keras.layers.Dropout):
            state = layer.seed_generator.state
            count = 0 if begin else int(np.asarray(state)[1])
            for device, copy in zip(devices, strategy.experimental_local_results(state.value), strict=True):
                copy.assign([derive_seed(seed, epoch, place, device), count])
