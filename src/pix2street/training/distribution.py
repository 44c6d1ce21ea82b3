"""Steps, batches and checkpoints on several devices and in several processes (`tf.distribute`)."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from pix2street.core.errors import UserError
from pix2street.models.interface import Training
from pix2street.settings.train import Devices
from pix2street.training.checkpoint import Checkpoints, State

LOST_WORKER = (
    tf.errors.UnavailableError,
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
    tf.errors.InternalError,
)
"""The errors of TensorFlow's collectives when another process has ended."""

Steps = Callable[..., tf.Tensor]
"""A function `(batches, count, images=None) -> [at most count, terms + 1]` float32, see `build_steps`."""


def build_steps(training: Training, terms: Sequence[str], device: Devices, strategy: tf.distribute.Strategy) -> Steps:
    """Return a function that takes `count` steps, each on the next batch, and returns a row for every step.

    A row holds the terms in the order of `terms`, and last the sum of all trained weights after the step, which is
    finite only if all weights are. The steps end after a row with a value that is not finite. A third argument is the
    number of images that each device takes in a step.
    """
    trained = _trained_weights(training.networks.values())

    def step(batch: Any, images: int | None = None) -> tf.Tensor:
        # Several workers do not know how large their batches are, and a family may need to.
        if images is not None:
            batch = {name: tf.ensure_shape(value, (images, *value.shape[1:])) for name, value in batch.items()}
        values = training.step(batch)
        total = tf.add_n([tf.reduce_sum(tf.cast(weight, tf.float32)) for weight in trained])
        return tf.stack([*(values[name] for name in terms), total])

    if device.jit_compile:
        step = tf.function(step, jit_compile=True)

    def one_step(batches: Iterator, images: int | None) -> tf.Tensor:
        batch = next(batches)
        rows = strategy.run(step, args=(batch, images))
        return strategy.reduce(tf.distribute.ReduceOp.MEAN, rows, axis=None)

    if device.steps_per_call == 1:
        return tf.function(
            lambda batches, count, images=None: one_step(batches, images)[tf.newaxis], reduce_retracing=False
        )

    @tf.function
    def several_steps(batches: Iterator, count: tf.Tensor, images: int | None = None) -> tf.Tensor:
        rows = tf.TensorArray(tf.float32, 0, dynamic_size=True, element_shape=[len(terms) + 1])
        finite = True
        done = 0
        while finite and done < count:
            row = one_step(batches, images)
            rows = rows.write(done, row)
            done += 1
            finite = tf.reduce_all(tf.math.is_finite(row))
        return rows.stack()

    return lambda batches, count, images=None: several_steps(batches, tf.constant(count), images)


def _trained_weights(networks) -> list[keras.Variable]:
    return [variable for network in networks for variable in network.trainable_variables]


def local_devices(strategy: tf.distribute.Strategy) -> list[int]:
    """Return the numbers of this process' devices among the devices of all processes."""
    numbers = tf.function(strategy.run)(lambda: tf.distribute.get_replica_context().replica_id_in_sync_group)
    return [int(number) for number in strategy.experimental_local_results(numbers)]


def shared_out(
    strategy: tf.distribute.Strategy,
    batches_of: Callable[[np.ndarray, int], tf.data.Dataset],
    positions: np.ndarray,
    size: int,
) -> Iterator:
    """Return batches of `size` for all devices together; each worker reads only its part of them."""

    def of_worker(context: tf.distribute.InputContext) -> tf.data.Dataset:
        shares = positions.reshape(len(positions) // size, context.num_input_pipelines, -1)
        return batches_of(shares[:, context.input_pipeline_id].ravel(), size // context.num_replicas_in_sync)

    return iter(strategy.distribute_datasets_from_function(of_worker))


def agreed_state(strategy: tf.distribute.Strategy, checkpoints: Checkpoints) -> State | None:
    """Return the newest state that every worker has; None if the training begins.

    Raises:
        UserError: the workers have checkpoints, but none in common.
    """
    state = checkpoints.newest()
    if not isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
        return state
    own = (state.epoch, state.step) if state else (0, 0)
    reached = strategy.experimental_distribute_values_from_function(lambda _: tf.constant([own]))
    oldest = min(tuple(one) for one in strategy.gather(reached, axis=0).numpy().tolist())
    if oldest == (0, 0):
        return None
    state = checkpoints.newest(oldest)
    if state is None or (state.epoch, state.step) != oldest:
        raise UserError(
            f"the workers have no checkpoint in common: another is at epoch {oldest[0]}, step {oldest[1]}; remove "
            ".checkpoints on all of them to begin again"
        )
    return state


def explain_lost_worker(strategy: tf.distribute.Strategy, error: tf.errors.OpError) -> Exception:
    """Return the error to raise for one of `LOST_WORKER`: a `UserError` if there are other processes, else `error`."""
    if not isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
        return error
    return UserError(
        f"another worker has ended or cannot be reached ({type(error).__name__}); start all workers again: training "
        "goes on from the last checkpoint"
    )
