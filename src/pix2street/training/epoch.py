"""One epoch: its steps, its checkpoints, and the pairs that are named where a number is no longer finite."""

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
    """How an epoch is cut into steps: `full` batches of `batch` pairs, then one of `rest` where that is not 0.

    With several devices a batch is shared out equally; the pairs at an epoch's end that cannot be, fewer than there are
    devices and others in every epoch, are left out of it.
    """

    batch: int
    full: int
    rest: int

    @classmethod
    def of(cls, pairs: int, batch: int, replicas: int) -> "Plan":
        """Return the plan for so many pairs and devices.

        Raises:
            UserError: the batch cannot be shared out equally, or there are fewer pairs than devices.
        """
        if batch % replicas:
            raise UserError(
                f"train.run.batch: {batch} cannot be shared out equally to {replicas} devices; choose a multiple"
            )
        full, rest = divmod(pairs, batch)
        plan = cls(batch, full, rest - rest % replicas)
        if not plan.images:
            raise UserError(f"{pairs} pairs to train on cannot be shared out to {replicas} devices; add pairs")
        return plan

    @property
    def steps(self) -> int:
        """Steps of an epoch."""
        return self.full + (self.rest > 0)

    @property
    def images(self) -> int:
        """Pairs of an epoch."""
        return self.full * self.batch + self.rest

    def stretch(self, step: int) -> tuple[int, int]:
        """Return the size of the batch of `step`, and the first step after it that has a batch of another size."""
        return (self.batch, self.full) if step < self.full else (self.rest, self.steps)

    def positions(self, step: int, end: int) -> np.ndarray:
        """Return the positions of the pairs of these steps, which have batches of one size, in the epoch's order."""
        size, _ = self.stretch(step)
        return np.arange(step * self.batch, step * self.batch + (end - step) * size)


class EpochRunner:
    """Takes every step of an epoch, from the newest checkpoint on.

    Args:
        training: built under the scope of `strategy`.
        terms: the names of what `training.step` returns.
        checkpoints: where they are kept; None for none.

    Raises:
        UserError: as `Plan.of` and `agreed_state`.
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
        """Images of all epochs so far."""
        return self.state.epoch * self.plan.images + self.state.step * self.plan.batch

    def advance(self, epoch: int, progress: tqdm) -> dict[str, float]:
        """Take the steps of this epoch that have not been taken; return its learning rate and the mean of every term.

        Raises:
            UserError: a loss or a weight is no longer finite, or another worker is gone.
        """
        state, plan = self.state, self.plan
        share = learning_rate_share(self._run.schedule, epoch, self._run.epochs)
        players = list(self._training.players.values())
        for player in players:
            player.optimizer.learning_rate = player.learning_rate * share
        networks = self._training.networks.values()
        seed_noise(self._strategy, self._devices, networks, self._run.seed, epoch, begin=state.step == 0)
        if state.step == 0:
            state.sums = dict.fromkeys(self._terms, 0.0)
        while state.step < plan.steps:
            # A size of batch has a graph to itself: one that is relaxed on meeting a second size makes the bits of an
            # epoch depend on where the process began.
            size, end = plan.stretch(state.step)
            positions = plan.positions(state.step, end)
            batches = shared_out(self._strategy, lambda *which: self._feed.batches(epoch, *which), positions, size)
            while state.step < end:
                rows = self._call(batches, end)
                for row in rows:
                    self._add(epoch, row, size)
                progress.update(len(rows) * size)
                if (every := self._run.checkpoint_every_steps) and state.step % every == 0:
                    self.save()
        means = {name: value / plan.images for name, value in state.sums.items()}
        return {"learning_rate": players[0].learning_rate * share, **means}

    def save(self) -> None:
        """Write a checkpoint where checkpoints are kept."""
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

    def _call(self, batches, end: int) -> np.ndarray:
        """Take the next steps up to `end`, as many as one call takes and no more than to the next checkpoint."""
        count = min(self._steps_per_call, end - self.state.step)
        if every := self._run.checkpoint_every_steps:
            count = min(count, every - self.state.step % every)
        try:
            return self._take_steps(batches, count).numpy()
        except LOST_WORKER as error:
            raise explain_lost_worker(self._strategy, error) from error

    def _add(self, epoch: int, row: np.ndarray, size: int) -> None:
        """Count one step in.

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
            "checkpoint is kept; look at these pairs, lower the learning rates of the family's section in train"
        )
