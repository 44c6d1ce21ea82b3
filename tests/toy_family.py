"""A family in a few lines that is as unlike pix2pix as the interface allows.

It enlarges its input twice, learns from unpaired images, has three networks and two players with other rates, one of
which moves two networks, a noise layer that is no dropout, and a pool of past photos that exact resumption needs.
"""

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from pix2street.layers.norms import BatchNorm
from pix2street.models.interface import Batch, MakePlayer, Task, Term, Training
from pix2street.settings.section import Count, LearningRate, Section

TITLE = "Toy"
PAPER = "nobody 2026, A family for tests"


class Settings(Section):
    """The section of this family."""

    filters: Count
    rate: LearningRate


PAIRING = "unpaired"
NOISE = "none"
TERMS = (
    Term("fool", "game", "generator", 0.25),
    Term("told", "game", "discriminator", 0.25),
    Term("pool", "pool"),
)


def build_generator(task: Task, settings: Settings, seed: int) -> keras.Model:
    inputs = x = keras.Input(task.input_shape, name="input")
    start = keras.initializers.RandomNormal(0.0, 0.1, seed=seed)
    x = layers.Conv2D(settings.filters, 3, padding="same", kernel_initializer=start, name="first")(x)
    x = BatchNorm(name="norm")(x)
    x = layers.GaussianNoise(0.1, seed=seed, name="noise")(x)
    x = layers.UpSampling2D(task.target_shape[0] // task.input_shape[0], name="enlarge")(x)
    x = layers.Conv2D(3, 3, padding="same", activation="tanh", kernel_initializer=start, name="output")(x)
    return keras.Model(inputs, x, name="toy")


def multiple_px(task: Task, settings: Settings) -> int:
    return 1


def build_critic(task: Task, seed: int, name: str) -> keras.Model:
    inputs = keras.Input(task.target_shape)
    start = keras.initializers.RandomNormal(0.0, 0.1, seed=seed)
    return keras.Model(inputs, layers.Conv2D(1, 4, 2, kernel_initializer=start)(inputs), name=name)


def build_training(
    task: Task, settings: Settings, generator: keras.Model, make_player: MakePlayer, seed: int
) -> Training:
    critics = [build_critic(task, seed + number, f"critic_{number}") for number in (1, 2)]
    mover = make_player([generator], learning_rate=settings.rate, beta_1=0.0, beta_2=0.9)
    judge = make_player(critics, learning_rate=4 * settings.rate, beta_1=0.0, beta_2=0.9)
    pool = keras.Variable(np.zeros((1, *task.target_shape), "float32"), trainable=False, name="pool")

    def step(batch: Batch) -> dict:
        with tf.GradientTape(persistent=True) as tape:
            photo = generator(batch["input"], training=True)
            fool = sum(ops.mean((critic(photo) - 1) ** 2) for critic in critics) / 2
            told = sum(
                (ops.mean((critic(batch["target"]) - 1) ** 2) + ops.mean(critic(pool) ** 2)) / 2 for critic in critics
            )
            scaled = mover.scaled(fool), judge.scaled(told)
        mover.descend(tape, scaled[0])
        judge.descend(tape, scaled[1])
        pool.assign(0.5 * pool + 0.5 * photo[:1])
        return {"fool": fool, "told": told, "pool": ops.mean(ops.abs(pool))}

    networks = {"generator": generator, **{critic.name: critic for critic in critics}}
    return Training(networks, {"generator": mover, "critics": judge}, step, state=[pool])
