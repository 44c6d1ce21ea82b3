"""The loop trains a family that is unlike pix2pix, and resumes it exactly, although it does not know it."""

import numpy as np
import pytest
import tensorflow as tf
import toy_family
from shipped import changed
from tiny_models import SETTINGS

from pix2street.core.errors import UserError
from pix2street.models.interface import Task
from pix2street.training.batches import epoch_order
from pix2street.training.checkpoint import Checkpoints
from pix2street.training.loop import train_epochs
from pix2street.training.players import Adams

TASK = Task((16, 16, 3), (32, 32, 3))
TOY = toy_family.Settings(filters=4, rate=2e-3)


class Feed:
    """Five small drawings, each beside a photo of another one that is twice as large."""

    def __init__(self, seed: int, damaged: int | None = None):
        rng = np.random.default_rng(0)
        self._seed = seed
        self._inputs = rng.uniform(-1, 1, (5, 16, 16, 3)).astype("float32")
        self._targets = rng.uniform(-1, 1, (5, 32, 32, 3)).astype("float32")
        if damaged is not None:
            self._targets[damaged] = np.nan

    def __len__(self) -> int:
        return 5

    def batches(self, epoch: int, positions: np.ndarray, size: int) -> tf.data.Dataset:
        order = epoch_order(5, self._seed, epoch)[positions]
        pairs = {"input": self._inputs[order], "target": self._targets[order]}
        return tf.data.Dataset.from_tensor_slices(pairs).batch(size, drop_remainder=True)

    def pair_ids(self, epoch: int) -> list[str]:
        return [f"p{index}" for index in epoch_order(5, self._seed, epoch)]


def train(checkpoints: Checkpoints | None = None, feed: Feed | None = None, epochs: int = 3, **changes):
    """Return the history, every trained or kept value, the weights to keep, and the arguments of `on_epoch`."""
    run = changed(SETTINGS.run, seed=4, epochs=epochs, batch=2, ema_decay=0.5, checkpoint_every_steps=1, **changes)
    generator = toy_family.build_generator(TASK, TOY, 0)
    training = toy_family.build_training(TASK, TOY, generator, Adams(generator, run.ema_decay), 0)
    snapshot = toy_family.build_generator(TASK, TOY, 0)
    told = []
    history = train_epochs(
        training,
        [term.name for term in toy_family.TERMS],
        snapshot,
        feed or Feed(run.seed),
        lambda network: {"holdout_l1": float(np.abs(network(np.ones((1, 16, 16, 3), "float32"))).sum())},
        lambda row, network: told.append((row["epoch"], network is snapshot)),
        run=run,
        device=SETTINGS.device,
        strategy=tf.distribute.get_strategy(),
        checkpoints=checkpoints,
    )
    values = [value for network in training.networks.values() for value in network.get_weights()]
    values += [np.asarray(value) for value in training.state]
    return history, values, snapshot.get_weights(), told


def test_rows_have_the_familys_terms_in_their_order():
    history, _, _, told = train()
    assert [list(row) for row in history] == [["epoch", "learning_rate", "fool", "told", "pool", "holdout_l1"]] * 3
    assert [row["learning_rate"] for row in history] == [TOY.rate] * 3
    assert told == [(1, True), (2, True), (3, True)]


def test_a_row_is_the_mean_over_all_images_of_the_epoch():
    """Use two batches of two and one of one, each weighted with its images; the learning rates are nearly zero."""
    generator = toy_family.build_generator(TASK, TOY, 0)
    slow = toy_family.Settings(filters=4, rate=1e-12)
    training = toy_family.build_training(TASK, slow, generator, Adams(generator), 0)
    history = train_epochs(
        training, ["fool", "told", "pool"], toy_family.build_generator(TASK, slow, 0), Feed(0), lambda network: {},
        lambda row, network: None, run=changed(SETTINGS.run, epochs=1, batch=2, checkpoint_every_steps=0),
        device=SETTINGS.device, strategy=tf.distribute.get_strategy(),
    )  # fmt: skip
    critics = [network for name, network in training.networks.items() if name != "generator"]
    on_targets = [np.mean((critic(Feed(0)._targets) - 1) ** 2) for critic in critics]
    assert history[0]["told"] == pytest.approx(sum(on_targets) / 2, rel=0.2)


def test_it_goes_on_exactly_pool_noise_and_averages_included(tmp_path):
    history, values, kept, _ = train(schedule="linear", keep="best")
    for _ in range(4):
        with Checkpoints(tmp_path, "t" * 64, 1.0) as checkpoints:
            again = train(checkpoints, schedule="linear", keep="best")
        assert again[0] == history
        for one, other in zip([*values, *kept], [*again[1], *again[2]], strict=True):
            np.testing.assert_array_equal(one, other)
        sorted(tmp_path.rglob("*.npz"))[-1].unlink()


def test_epochs_of_an_earlier_process_are_told_without_a_generator(tmp_path):
    with Checkpoints(tmp_path, "t" * 64, 1.0) as checkpoints:
        train(checkpoints, epochs=1)
        *_, told = train(checkpoints, epochs=3)
    assert told == [(1, False), (2, True), (3, True)]


def test_a_value_that_is_not_finite_names_the_familys_terms_and_the_pairs():
    with pytest.raises(UserError, match=r"a weight is no longer finite; losses: fool .*, told nan.*pairs: .*p3"):
        train(feed=Feed(4, damaged=3))


def test_each_player_follows_the_schedule_from_its_own_rate():
    generator = toy_family.build_generator(TASK, TOY, 0)
    training = toy_family.build_training(TASK, TOY, generator, Adams(generator), 0)
    train_epochs(
        training, ["fool", "told", "pool"], toy_family.build_generator(TASK, TOY, 0), Feed(0), lambda network: {},
        lambda row, network: None, run=changed(SETTINGS.run, epochs=2, schedule="linear", checkpoint_every_steps=0),
        device=SETTINGS.device, strategy=tf.distribute.get_strategy(),
    )  # fmt: skip
    rates = [float(player.optimizer.learning_rate) for player in training.players.values()]
    assert rates == pytest.approx([TOY.rate / 2, 4 * TOY.rate / 2])
