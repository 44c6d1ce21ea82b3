"""A tiny training on noise, for tests that need it in processes of their own: several devices, workers, kills.

    python tests/tiny_training.py one_device|mirrored|multi_worker OUT.npz [--devices N] [--checkpoints FOLDER] [...]

writes the rows of the history and all weights. Run as a script it has as many logical CPU devices as it is told.
"""

import argparse
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

from pix2street.core import numerics

if __name__ == "__main__":
    numerics.pin()

import numpy as np
import tensorflow as tf
from pix2street.models.unet import build_unet
from tqdm import tqdm

from pix2street.layers.patchgan import build_patchgan
from pix2street.training import loop
from pix2street.training.batches import epoch_order
from pix2street.training.checkpoint import Checkpoints
from pix2street.training.loop import train_epochs
from pix2street.training.runtime import STRATEGIES, prepare, worker_of

SHAPE = (32, 32, 3)
PAIR_IDS = [f"p{i}" for i in range(5)]


def noise(pairs: int = 5) -> np.ndarray:
    return np.random.default_rng(0).uniform(-1, 1, (pairs, *SHAPE)).astype("float32")


def train(
    seed: int = 0,
    images: np.ndarray | None = None,
    strategy: tf.distribute.Strategy | None = None,
    dropout_share: float = 0.5,
    **changes,
) -> tuple[list[dict], list[np.ndarray], list[np.ndarray]]:
    """The rows of the history, the weights of both networks, and those to keep. Inputs are their own targets."""
    images = noise() if images is None else images
    strategy = strategy or tf.distribute.get_strategy()
    with strategy.scope():
        generator = build_unet(SHAPE, 3, 4, 0, dropout_share)
        discriminator = build_patchgan(SHAPE, SHAPE, 4, 0)
    snapshot = build_unet(SHAPE, 3, 4, 0, dropout_share)

    def batches_of(epoch: int, places: np.ndarray, size: int) -> tf.data.Dataset:
        photos = images[epoch_order(len(images), seed, epoch)[places]]
        return tf.data.Dataset.from_tensor_slices((photos, photos)).batch(size, drop_remainder=True)

    settings = {
        "epochs": 2, "batch": 2, "learning_rate": 1e-3, "schedule": "constant", "beta_1": 0.5, "ema_decay": 0.0,
        "l1_weight": 100.0, "disc_loss_weight": 1.0,
    }  # fmt: skip
    rows = train_epochs(
        strategy,
        generator,
        discriminator,
        snapshot,
        batches_of,
        lambda epoch: [PAIR_IDS[i % 5] for i in epoch_order(len(images), seed, epoch)],
        lambda: {"snapshot_sum": float(sum(np.abs(weight).sum() for weight in snapshot.get_weights()))},
        seed=seed,
        **{**settings, **changes},
    )
    rows = list(rows)
    return rows, generator.get_weights() + discriminator.get_weights(), snapshot.get_weights()


def kill_at_call(count: int) -> None:
    """Let this process kill itself, as `kill -9` does, so many calls of Python functions after its first step.

    (What comes before the first step is tracing, the same every time.)
    """
    calls: Iterator[int] = iter(range(count))

    def die_when_done(*_):
        if next(calls, None) is None:
            os.kill(os.getpid(), signal.SIGKILL)

    class Armed(tqdm):
        def update(self, n=1):
            sys.setprofile(die_when_done)
            super().update(n)

    loop.tqdm = Armed


def stand_still_at(images: int) -> None:
    """Let this process stop once it has seen so many images, until it is continued or killed."""

    class Standing(tqdm):
        def update(self, n=1):
            super().update(n)
            if self.n == images:
                os.kill(os.getpid(), signal.SIGSTOP)

    loop.tqdm = Standing


def train_or_die(folder: Path, out: Path, kill_after_calls: int | None, **changes) -> None:
    """A training with checkpoints in `folder`; its result goes to `out`, if it lives to see it."""
    if kill_after_calls:
        kill_at_call(kill_after_calls)
    with Checkpoints(folder, "k" * 64, 1.0) as checkpoints:
        rows, weights, kept = train(checkpoints=checkpoints, checkpoint_every_steps=2, **changes)
    sys.setprofile(None)
    write(out, rows, [*weights, *kept])


def write(out: Path, rows: list[dict], weights: list[np.ndarray]) -> None:
    np.savez(out, rows=[list(row.values()) for row in rows], **{f"w{i:04}": w for i, w in enumerate(weights)})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("strategy", choices=STRATEGIES)
    parser.add_argument("out", type=Path)
    parser.add_argument("--devices", type=int, default=1)
    parser.add_argument("--checkpoints", type=Path)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--dropout-share", type=float, default=0.5)
    parser.add_argument("--ema-decay", type=float, default=0.0)
    parser.add_argument("--announce", action="store_true", help="print a line when an epoch is done")
    parser.add_argument("--stand-still-at", type=int, help="images after which it waits to be continued or killed")
    arguments = parser.parse_args()
    if arguments.stand_still_at:
        stand_still_at(arguments.stand_still_at)
    prepare("train.device", "cpu", 0, intra_op_threads=1, inter_op_threads=2)
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * arguments.devices)
    if arguments.strategy == "mirrored":
        strategy = tf.distribute.MirroredStrategy([f"CPU:{i}" for i in range(arguments.devices)])
    else:
        strategy = STRATEGIES[arguments.strategy]()
    settings = {
        "epochs": arguments.epochs, "images": noise(8), "strategy": strategy, "ema_decay": arguments.ema_decay,
        "dropout_share": arguments.dropout_share,
    }  # fmt: skip
    if arguments.checkpoints:
        folder = arguments.checkpoints / str(worker_of(strategy))
        train_or_die(folder, arguments.out, None, **settings)
    else:
        rows, weights, kept = train(**settings)
        write(arguments.out, rows, [*weights, *kept])


if __name__ == "__main__":
    main()
