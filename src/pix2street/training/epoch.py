"""One epoch: its steps, its checkpoints, and the error that names the pairs when a value is not finite."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import tensorflow as tf
from tqdm import tqdm

from pix2street.core.errors import UserError
from pix2street.models.interface import Training
from pix2street.settings.train import Devices, Run
from pix2street.training.checkpoint import Checkpoints, State
from pix2street.training.distribution import (
    LOST_WORKER,
    agreed_state,
    build_steps,
    explain_lost_worker,
    local_devices,
    shared_out,
)
from pix2street.training.noise import seed_noise
from pix2street.training.players import learning_rate_share

PAIRS_NAMED = 8


class Feed(Protocol):
    """The pairs to train on, in the order of each epoch; epochs and positions count from 0."""

    def __len__(self) -> int:
        """Return the number of pairs."""

    def batches(self, epoch: int, positions: np.ndarray, size: int) -> tf.data.Dataset:
        """Return the pairs at these positions of an epoch's order, in batches of exactly `size`."""

    def pair_ids(self, epoch: int) -> Sequence[str]:
        """Return the pair_ids in an epoch's order."""


@dataclass(frozen=True)
class Plan:
    """The steps of an epoch: `full` batches of `batch` pairs, then one batch of `rest` pairs unless `rest` is 0.

    Several devices share each batch equally. The last pairs of an epoch that cannot be shared, fewer than the devices,
    are left out; they are different pairs in each epoch.
    """

    batch: int
    full: int
    rest: int

    @classmethod
    def of(cls, pairs: int, batch: int, replicas: int) -> "Plan":
        """Return the plan for these numbers of pairs and devices.

        Raises:
            UserError: the devices cannot share the batch equally, or there are fewer pairs than devices.
        """
        if batch % replicas:
            raise UserError(
                f"train.run.batch: {batch} cannot be shared equally by {replicas} devices; choose a multiple"
            )
        full, rest = divmod(pairs, batch)
        plan = cls(batch, full, rest - rest % replicas)
        if not plan.images:
            raise UserError(f"{pairs} pairs to train on cannot be shared by {replicas} devices; add pairs")
        return plan

    @property
    def steps(self) -> int:
        """The number of steps of an epoch."""
        return self.full + (self.rest > 0)

    @property
    def images(self) -> int:
        """The number of pairs of an epoch."""
        return self.full * self.batch + self.rest

    def stretch(self, step: int) -> tuple[int, int]:
        """Return the batch size of `step`, and the first step after it with another batch size."""
        return (self.batch, self.full) if step < self.full else (self.rest, self.steps)

    def positions(self, step: int, end: int) -> np.ndarray:
        """Return the positions in the epoch's order of the pairs of these steps, which must have one batch size."""
        size, _ = self.stretch(step)
        return np.arange(step * self.batch, step * self.batch + (end - step) * size)


class EpochRunner:
    """A training that advances by an epoch at a time, from its newest checkpoint on.

    Args:
        training: the training, built under the scope of `strategy`.
        terms: the names of the terms that `training.step` returns.
        checkpoints: the training's checkpoints; None to write none.

    Raises:
        UserError: `Plan.of` or `agreed_state` fails.
    """

    def __init__(
        self,
        training: Training,
        terms: Sequence[str],
        feed: Feed,
        *,
        run: Run,
        device: Devices,
        strategy: tf.distribute.Strategy,
        checkpoints: Checkpoints | None,
    ):
        self.plan = Plan.of(len(feed), run.batch, strategy.num_replicas_in_sync)
        self._training = training
        self._terms = terms
        self._feed = feed
        self._run = run
        self._steps_per_call = device.steps_per_call
        self._strategy = strategy
        self._checkpoints = checkpoints
        self._devices = local_devices(strategy)
        self._take_steps = build_steps(training, terms, device, strategy)
        self._variables = [
            *(variable for network in training.networks.values() for variable in network.variables),
            *(variable for player in training.players.values() for variable in player.optimizer.variables),
            *training.state,
        ]
        self.state = self._resume()

    @property
    def images_seen(self) -> int:
        """The number of images seen so far, over all epochs."""
        return self.state.epoch * self.plan.images + self.state.step * self.plan.batch

    def advance(self, epoch: int, progress: tqdm) -> dict[str, float]:
        """Take the remaining steps of this epoch; return its learning rate and the mean of every term.

        Raises:
            UserError: a loss or a weight is not finite, or another worker has ended.
        """
        state, plan = self.state, self.plan
        share = learning_rate_share(self._run.schedule, epoch, self._run.epochs)
        players = list(self._training.players.values())
        for player in players:
            player.optimizer.learning_rate = player.learning_rate * share
        if self._training.progress is not None:
            self._training.progress.assign(epoch / self._run.epochs)
        networks = self._training.networks.values()
        seed_noise(self._strategy, self._devices, networks, self._run.seed, epoch, begin=state.step == 0)
        if state.step == 0:
            state.sums = dict.fromkeys(self._terms, 0.0)
        while state.step < plan.steps:
            # Each batch size gets a separate graph. A graph that TensorFlow relaxes for a second size would make the
            # bits of an epoch depend on the step at which the process began.
            size, end = plan.stretch(state.step)
            positions = plan.positions(state.step, end)
            batches = shared_out(self._strategy, lambda *which: self._feed.batches(epoch, *which), positions, size)
            while state.step < end:
                rows = self._call(batches, end, size)
                for row in rows:
                    self._add(epoch, row, size)
                progress.update(len(rows) * size)
                if (every := self._run.checkpoint_every_steps) and state.step % every == 0:
                    self.save()
        means = {name: value / plan.images for name, value in state.sums.items()}
        return {"learning_rate": players[0].learning_rate * share, **means}

    def save(self) -> None:
        """Write a checkpoint if the training has checkpoints."""
        if self._checkpoints:
            self.state.variables = [np.asarray(variable) for variable in self._variables]
            self._checkpoints.save(self.state)

    def _resume(self) -> State:
        state = self._checkpoints and agreed_state(self._strategy, self._checkpoints)
        if not state:
            return State(0, 0, {}, [], [], [])
        for variable, value in zip(self._variables, state.variables, strict=True):
            variable.assign(value)
        print(f"training goes on after epoch {state.epoch}, step {state.step}")
        return state

    def _call(self, batches, end: int, size: int) -> np.ndarray:
        """Take the steps of one call: at most `steps_per_call`, and not beyond `end` or the next checkpoint."""
        count = min(self._steps_per_call, end - self.state.step)
        if every := self._run.checkpoint_every_steps:
            count = min(count, every - self.state.step % every)
        try:
            return self._take_steps(batches, count, size // self._strategy.num_replicas_in_sync).numpy()
        except LOST_WORKER as error:
            raise explain_lost_worker(self._strategy, error) from error

    def _add(self, epoch: int, row: np.ndarray, size: int) -> None:
        """Add the row of one step to the sums.

        Raises:
            UserError: a value in its row is not finite.
        """
        state = self.state
        if not np.isfinite(row).all():
            first = state.step * self.plan.batch
            self._stop(epoch, row, self._feed.pair_ids(epoch)[first : first + size])
        for name, value in zip(self._terms, row[:-1] * size, strict=True):
            state.sums[name] += float(value)
        state.step += 1

    def _stop(self, epoch: int, row: np.ndarray, pair_ids: Sequence[str]) -> None:
        named = ", ".join(pair_ids[:PAIRS_NAMED]) + (", ..." if len(pair_ids) > PAIRS_NAMED else "")
        values = ", ".join(f"{name} {value:.4g}" for name, value in zip(self._terms, row, strict=False))
        weights = "" if np.isfinite(row[-1]) else "a weight is no longer finite; "
        raise UserError(
            f"epoch {epoch + 1}, step {self.state.step + 1}: {weights}losses: {values}; pairs: {named}. The last good "
            "checkpoint is kept; look at these pairs, or lower the learning rates in the family's section of train"
        )
