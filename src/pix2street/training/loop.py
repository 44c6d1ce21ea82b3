"""The loop over the epochs of a training, which is the same for all families."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import islice
from types import MappingProxyType

import keras
import numpy as np
import tensorflow as tf
from tqdm import tqdm

from pix2street.models.interface import Training
from pix2street.settings.train import Devices, Run
from pix2street.training.checkpoint import Checkpoints
from pix2street.training.epoch import EpochRunner, Feed
from pix2street.training.snapshot import take_snapshots

STATISTICS_BATCHES = 16
"""The number of batches of train that give the moving statistics of averaged weights."""
HOLDOUT_L1 = "holdout_l1"
"""The column whose least value decides the best epoch under `run.keep: best`."""

Row = dict[str, float]
"""One epoch of the history, by column."""


def train_epochs(
    training: Training,
    terms: Sequence[str],
    snapshot: keras.Model,
    feed: Feed,
    inspect: Callable[[keras.Model], Row],
    on_epoch: Callable[[Row, keras.Model | None], None],
    *,
    run: Run,
    device: Devices,
    strategy: tf.distribute.Strategy,
    checkpoints: Checkpoints | None = None,
    further: Mapping[str, keras.Model] = MappingProxyType({}),
) -> list[Row]:
    """Train all networks in place and return the history; `snapshot` and `further` then hold the weights to keep.

    A row holds the epoch from 1, the learning rate of the generator's player (the others follow the same schedule), the
    mean of every term, and the values from `inspect`. With checkpoints the training continues after the newest one, and
    the result has the same bits as without an interruption.

    Args:
        training: the training, built under the scope of `strategy`.
        terms: the names of the terms that `training.step` returns.
        snapshot: a generator of the same form in float32.
        inspect: measures the generator after an epoch.
        further: those of `training.ways`, by name.
        on_epoch: called with each row and the generator after that epoch; None if an earlier process trained the epoch.

    Raises:
        UserError: `EpochRunner` or its `advance` fails.
    """
    runner = EpochRunner(training, terms, feed, run=run, device=device, strategy=strategy, checkpoints=checkpoints)
    state, plan = runner.state, runner.plan
    saved = [snapshot, *further.values()]
    size, end = plan.stretch(0)
    read_some = partial(feed.batches, 0, plan.positions(0, min(end, STATISTICS_BATCHES)), size)
    for row in state.history:
        on_epoch(row, None)
    with tqdm(total=run.epochs * plan.images, initial=runner.images_seen, unit=" images", desc="train") as progress:
        for epoch in range(state.epoch, run.epochs):
            means = runner.advance(epoch, progress)
            take_snapshots(training, snapshot, further, read_some)
            row = {"epoch": epoch + 1, **means, **inspect(snapshot)}
            best = min((seen[HOLDOUT_L1] for seen in state.history), default=np.inf) if run.keep == "best" else None
            if best is not None and row[HOLDOUT_L1] < best:
                state.best = [weight for network in saved for weight in network.get_weights()]
            shown = HOLDOUT_L1 if HOLDOUT_L1 in row else terms[0]
            progress.set_postfix({"epoch": f"{epoch + 1}/{run.epochs}", shown: f"{row[shown]:.3f}"})
            on_epoch(row, snapshot)
            state.epoch, state.step = epoch + 1, 0
            state.history.append(row)
            runner.save()
    take_snapshots(training, snapshot, further, read_some)
    if run.keep == "best":
        best = iter(state.best)
        for network in saved:
            network.set_weights(list(islice(best, len(network.weights))))
    return state.history
