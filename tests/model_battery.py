"""Checks that every family of models must pass."""

from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from shipped import PARAMS, changed

from pix2street.core.styles import CHANNELS
from pix2street.layers.conditions import with_planes
from pix2street.layers.networks import load_network, load_untrained, save_network
from pix2street.models.interface import Family, Task
from pix2street.settings.section import Section
from pix2street.training.batches import epoch_order
from pix2street.training.checkpoint import Checkpoints
from pix2street.training.loop import train_epochs
from pix2street.training.players import Adams

SHAPE = (32, 64, 3)
TASK = Task((32, 64, 4), SHAPE, labels=4, void=(3,))
CODED = replace(TASK, input_shape=(32, 64, 4 + CHANNELS["code"]), constant=CHANNELS["code"])
"""The task with a code behind the labels."""
COLORS = Task(SHAPE, SHAPE)
LATENTS = Task(SHAPE, SHAPE, latent=(4, 4), photos=4)
DOMAINS = Task(SHAPE, SHAPE, conditions={"domain": 3})
TASKS = {
    "paired": TASK,
    "reduced": Task((16, 32, 3), SHAPE),
    "unpaired": COLORS,
    "domains": DOMAINS,
    "sequence": Task(SHAPE, SHAPE, frames=(2, 2)),
    "none": LATENTS,
}


def task_of(family: Family) -> Task:
    """Return the task of a family by what it learns from: labels to photos for pairs, colours for the others."""
    return TASKS[family.PAIRING]


def inputs_of(task: Task, count: int = 2, seed: int = 0) -> tf.Tensor:
    """Return what a generator takes: drawings, and a channel for each value of a condition."""
    some = drawings(count, seed, task)
    if not task.conditions:
        return some
    return with_planes(some, tf.range(count) % 3, 3)


def drawings(count: int = 2, seed: int = 0, task: Task = TASK) -> tf.Tensor:
    """Return blocks, as one-hot labels or in colours; latents for a task without inputs."""
    if task.latent:
        levels, numbers = task.latent
        one = np.random.default_rng(seed).normal(size=(count, 1, numbers))
        one = np.concatenate([one, np.ones((count, 1, 1))], axis=-1)
        return tf.constant(np.tile(one, (1, levels, 1)), tf.float32)
    ids = np.random.default_rng(seed).integers(0, 4, (count, 4, 8)).repeat(8, axis=1).repeat(8, axis=2)
    ids = ids[:, : task.input_shape[0], : task.input_shape[1]]
    if task.labels:
        return tf.one_hot(ids, task.labels)
    return tf.gather(tf.constant([[-1, -1, 1], [-1, 1, 0], [1, 0, -1], [0, 0, 0]], tf.float32), ids)


def batch(seed: int = 1, task: Task = TASK) -> dict[str, tf.Tensor]:
    photos = np.random.default_rng(seed).uniform(-1, 1, (2, *SHAPE))
    pairs = {"input": drawings(seed=seed, task=task), "target": tf.constant(photos, "float32")}
    return pairs | ({"domain": tf.constant([0, 2]), "target_domain": tf.constant([1, 0])} if task.conditions else {})


def coded_batch(seed: int = 1) -> dict[str, tf.Tensor]:
    """Return a batch in which each image has its code in every pixel."""
    plain = batch(seed)
    codes = np.random.default_rng(seed).uniform(-1, 1, (2, 1, 1, CHANNELS["code"])).astype("float32")
    everywhere = tf.broadcast_to(codes, (2, *CODED.input_shape[:2], CHANNELS["code"]))
    return {**plain, "input": tf.concat([plain["input"], everywhere], axis=-1)}


def start(family: Family, settings: Section, seed: int = 0, task: Task | None = None):
    task = task or task_of(family)
    generator = family.build_generator(task, settings, seed)
    return family.build_training(task, settings, generator, Adams(generator), seed)


def check_shape_and_range(family: Family, settings: Section) -> None:
    task = task_of(family)
    photos = family.build_generator(task, settings, 0)(inputs_of(task))
    assert photos.shape == (2, *task.target_shape)
    assert photos.dtype == "float32"
    assert np.abs(photos).max() <= 1


def check_sides(family: Family, settings: Section) -> None:
    """Check that sides that are multiples of `multiple_px` are accepted."""
    multiple = family.multiple_px(task_of(family), settings)
    assert all(side % multiple == 0 for side in SHAPE[:2])


def check_files(family: Family, settings: Section, folder: Path) -> None:
    """Check that equal networks give equal files, a loaded one answers the same, and an untrained one has its start."""
    task = task_of(family)
    network = family.build_generator(task, settings, 7)
    start = network.get_weights()
    network.set_weights([weight + 0.01 for weight in start])
    for name in ("a", "b"):
        (folder / name).mkdir()
        save_network(network, folder / name, "network")
    for file in ("network.json", "network.weights.h5"):
        assert (folder / "a" / file).read_bytes() == (folder / "b" / file).read_bytes()
    loaded = load_network(folder / "a", "network")
    some = inputs_of(task, 1)
    np.testing.assert_array_equal(loaded(some), network(some))
    for restored, first in zip(load_untrained(folder / "a", "network").get_weights(), start, strict=True):
        np.testing.assert_array_equal(restored, first)


class FirstStep:
    """The first step of a training of `seed`, which several checks look at.

    Attributes:
        before: the weights of every network before it, by the network's name.
    """

    def __init__(self, family: Family, settings: Section, seed: int = 0):
        task = task_of(family)
        self.training = start(family, settings, seed)
        self.before = {name: network.get_weights() for name, network in self.training.networks.items()}
        self.terms = self.training.step(batch(task=task))


def check_one_step_moves_every_weight(first: FirstStep) -> None:
    still, trained = [], []
    for name, network in first.training.networks.items():
        of_network = {id(weight) for weight in network.trainable_variables}
        for weight, old in zip(network.weights, first.before[name], strict=True):
            if id(weight) in of_network:
                trained.append(id(weight))
                still += [weight.path] if (weight.numpy() == old).all() else []
    assert not still, still
    moved = [id(weight) for player in first.training.players.values() for weight in player.weights]
    assert sorted(moved) == sorted(trained)


def check_a_step_with_codes(family: Family, settings: Section) -> None:
    """Check that a step on inputs with a code has finite terms, and that photos depend on the code."""
    training, some = start(family, settings, task=CODED), coded_batch()
    assert all(np.isfinite(value) for value in training.step(some).values())
    other = tf.concat([some["input"][..., :4], -some["input"][..., 4:]], axis=-1)
    photos = [training.generator(inputs, training=False).numpy() for inputs in (some["input"], other)]
    # Norms remove constants but for rounding, and zeros beside an image save them only at its borders.
    assert np.median(np.abs(photos[0] - photos[1])) > 1e-3


def check_terms(family: Family, settings: Section, first: FirstStep) -> None:
    """Check that a step returns the declared terms as finite scalars, and that settings that scale terms exist."""
    assert list(first.terms) == [term.name for term in family.TERMS]
    assert all(np.isfinite(value) and np.ndim(value) == 0 for value in first.terms.values())
    named = {name for term in family.TERMS for name in (term.scaled_by, term.chosen_by, term.needs)}
    assert named - {""} <= set(type(settings).model_fields)


def check_precision(family: Family, settings: Section, policy: str) -> None:
    """Check that a step in half precision has finite terms, and that photos and all that is kept stay float32."""
    before, task = keras.config.dtype_policy(), task_of(family)
    keras.config.set_dtype_policy(policy)
    try:
        training = start(family, settings)
    finally:
        keras.config.set_dtype_policy(before)
    assert all(np.isfinite(value) for value in training.step(batch(task=task)).values())
    assert training.generator(inputs_of(task)).dtype == "float32"
    kept = [weight for network in training.networks.values() for weight in network.weights]
    assert not [weight.path for weight in kept if "16" in str(weight.dtype)]
    assert not [value for value in training.state if "float16" in str(value.dtype)]


def check_a_seed_decides_all(family: Family, settings: Section, first: FirstStep) -> None:
    """Check that the same seed gives the same step whatever Keras' own seed is, and another seed another start."""
    keras.utils.set_random_seed(1)
    again = FirstStep(family, settings)
    for name, network in first.training.networks.items():
        for one, other in zip(network.get_weights(), again.training.networks[name].get_weights(), strict=True):
            np.testing.assert_array_equal(one, other)
    elsewhere = family.build_generator(task_of(family), settings, 1).get_weights()
    assert any((one != other).any() for one, other in zip(first.before["generator"], elsewhere, strict=True))


class Feed:
    """Four pairs of a drawing and noise."""

    def __init__(self, task: Task):
        self._task = task

    def __len__(self) -> int:
        return 4

    def batches(self, epoch: int, positions: np.ndarray, size: int) -> tf.data.Dataset:
        order = epoch_order(4, 0, epoch)[positions]
        photos = np.random.default_rng(1).uniform(-1, 1, (4, *self._task.target_shape)).astype("float32")
        pairs = {"input": drawings(4, task=self._task).numpy()[order], "target": photos[order]}
        if self._task.conditions:
            pairs |= {"domain": order.astype("int32") % 3, "target_domain": (order.astype("int32") + 1) % 3}
        return tf.data.Dataset.from_tensor_slices(pairs).batch(size, drop_remainder=True)

    def pair_ids(self, epoch: int) -> list[str]:
        return [f"p{index}" for index in epoch_order(4, 0, epoch)]


def check_resume(family: Family, settings: Section, folder: Path) -> None:
    """Check that a training that was interrupted within an epoch ends with the same bits."""
    task = task_of(family)
    run = changed(PARAMS.train.run, epochs=2, batch=2, ema_decay=0.5, schedule="linear", checkpoint_every_steps=1)

    def train() -> list[np.ndarray]:
        generator = family.build_generator(task, settings, 0)
        training = family.build_training(task, settings, generator, Adams(generator, run.ema_decay), 0)
        snapshot = family.build_generator(task, settings, 0)
        further = {name: family.build_generator(way, settings, 0) for name, way in training.ways.items()}
        with Checkpoints(folder, "t" * 64, 1.0) as checkpoints:
            history = train_epochs(
                training, [term.name for term in family.TERMS], snapshot, Feed(task), lambda network: {},
                lambda row, network: None, run=run, device=PARAMS.train.device,
                strategy=tf.distribute.get_strategy(), checkpoints=checkpoints, further=further,
            )  # fmt: skip
        weights = [weight for network in training.networks.values() for weight in network.get_weights()]
        state = [np.asarray(value) for value in training.state]
        kept = [weight for network in (snapshot, *further.values()) for weight in network.get_weights()]
        return [np.array(list(history[-1].values())), *weights, *state, *kept]

    whole = train()
    # Two checkpoints are kept: after the last epoch, and after the last step within it.
    sorted(folder.rglob("*.npz"))[-1].unlink()
    for one, other in zip(whole, train(), strict=True):
        np.testing.assert_array_equal(one, other)
