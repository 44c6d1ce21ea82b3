"""A tiny training on noise for tests that run it in new processes: with several devices, with workers, and with kills.

    python tests/tiny_training.py one_device|mirrored|multi_worker OUT.npz [--model FAMILY] [--devices N] [...]

writes the rows of the history and all weights. As a script it runs on the given number of logical CPU devices.
"""

import argparse
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

from pix2street.core import numerics
from pix2street.stage import load_quietly

if __name__ == "__main__":
    numerics.pin()
    load_quietly("tensorflow")

import numpy as np
import tensorflow as tf
from shipped import changed
from tiny_models import SETTINGS, SMALL, pix2pix_settings
from tqdm import tqdm

from pix2street.models import MODELS, open_family
from pix2street.models.interface import Task
from pix2street.training import loop
from pix2street.training.batches import epoch_order
from pix2street.training.checkpoint import Checkpoints
from pix2street.training.loop import train_epochs
from pix2street.training.players import Adams
from pix2street.training.runtime import STRATEGIES, prepare, worker_of

SHAPE = (32, 32, 3)
PAIR_IDS = [f"p{i}" for i in range(5)]


def noise(pairs: int = 5) -> np.ndarray:
    return np.random.default_rng(0).uniform(-1, 1, (pairs, *SHAPE)).astype("float32")


class Feed:
    """Images that are their own targets."""

    def __init__(self, images: np.ndarray, seed: int, domains: int = 0, latent: tuple[int, int] | None = None):
        self._images, self._seed, self._domains, self._latent = images, seed, domains, latent

    def __len__(self) -> int:
        return len(self._images)

    def _order(self, epoch: int) -> np.ndarray:
        return epoch_order(len(self), self._seed, epoch)

    def batches(self, epoch: int, positions: np.ndarray, size: int) -> tf.data.Dataset:
        order = self._order(epoch)[positions].astype("int32")
        pairs = {"input": self._images[order], "target": self._images[order]}
        if self._latent:
            levels, numbers = self._latent
            latents = np.random.default_rng(1).normal(size=(len(self), 1, numbers + 1)).astype("float32")
            latents[..., -1] = 1
            pairs["input"] = np.tile(latents, (1, levels, 1))[order]
        if self._domains:
            pairs |= {"domain": order % self._domains, "target_domain": (order + 1) % self._domains}
        return tf.data.Dataset.from_tensor_slices(pairs).batch(size, drop_remainder=True)

    def pair_ids(self, epoch: int) -> list[str]:
        return [PAIR_IDS[i % 5] for i in self._order(epoch)]


def sum_of_weights(network) -> float:
    return float(sum(np.abs(weight).sum() for weight in network.get_weights()))


def train(
    seed: int = 0,
    images: np.ndarray | None = None,
    strategy: tf.distribute.Strategy | None = None,
    dropout_share: float = 0.5,
    steps_per_call: int = 1,
    checkpoints: Checkpoints | None = None,
    family: dict | None = None,
    model: str = "pix2pix",
    **run,
) -> tuple[list[dict], list[np.ndarray], list[np.ndarray]]:
    """Return the rows of the history, the weights of all networks and the family's state, and the weights to keep.

    Args:
        family: changes of the section `train.pix2pix`.
        model: another family has the settings of `SMALL`.
    """
    strategy = strategy or tf.distribute.get_strategy()
    module = open_family(model)
    if model == "pix2pix":
        rates = {"generator_rate": 1e-3, "discriminator_rate": 1e-3}
        settings = pix2pix_settings(dropout_share=dropout_share, product_side_px=0, **rates, **(family or {}))
    else:
        # Adam's first steps are signs of gradients, in which rounding shows the more, the higher the rate is.
        slow = {"generator_rate": 2e-4, "discriminator_rate": 2e-4}
        settings = changed(getattr(SETTINGS, model), **SMALL[model], **slow)
    domains = 3 if module.PAIRING == "domains" else 0
    frames = (2, 2) if module.PAIRING == "sequence" else None
    latent = module.latent_of(SHAPE, settings) if module.PAIRING == "none" else None
    conditions = {"domain": domains} if domains else {}
    task = Task(SHAPE, SHAPE, conditions=conditions, frames=frames, latent=latent, photos=8)
    snapshot = module.build_generator(task, settings, 0)
    section = changed(SETTINGS.run, **{"seed": seed, "epochs": 2, "batch": 2, "checkpoint_every_steps": 0, **run})
    with strategy.scope():
        generator = module.build_generator(task, settings, 0)
        adams = Adams(generator, section.ema_decay, replicas=strategy.num_replicas_in_sync)
        training = module.build_training(task, settings, generator, adams, 0)
    further = {name: module.build_generator(way, settings, 0) for name, way in training.ways.items()}
    rows = train_epochs(
        training,
        [term.name for term in module.TERMS],
        snapshot,
        Feed(noise() if images is None else images, seed, domains, latent),
        lambda network: {"holdout_l1": sum_of_weights(network)},
        lambda row, network: None,
        run=section,
        device=changed(SETTINGS.device, steps_per_call=steps_per_call),
        strategy=strategy,
        checkpoints=checkpoints,
        further=further,
    )
    weights = [weight for network in training.networks.values() for weight in network.get_weights()]
    weights += [np.asarray(value) for value in training.state]
    return rows, weights, [weight for network in (snapshot, *further.values()) for weight in network.get_weights()]


def kill_at_call(count: int) -> None:
    """Let this process kill itself, as `kill -9` does, so many calls of Python functions after its first step.

    Everything before the first step is tracing, which is the same every time.
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
    """Train with checkpoints in `folder`, and write the result to `out` unless the training is killed before."""
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
    parser.add_argument("--model", choices=MODELS, default="pix2pix")
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
    prepare("train.device.device", "cpu", 0, intra_op_threads=1, inter_op_threads=2)
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * arguments.devices)
    if arguments.strategy == "mirrored":
        strategy = tf.distribute.MirroredStrategy([f"CPU:{i}" for i in range(arguments.devices)])
    else:
        strategy = STRATEGIES[arguments.strategy]()
    settings = {
        "epochs": arguments.epochs, "images": noise(8), "strategy": strategy, "ema_decay": arguments.ema_decay,
        "dropout_share": arguments.dropout_share, "model": arguments.model,
    }  # fmt: skip
    if arguments.checkpoints:
        folder = arguments.checkpoints / str(worker_of(strategy))
        train_or_die(folder, arguments.out, None, **settings)
    else:
        rows, weights, kept = train(**settings)
        write(arguments.out, rows, [*weights, *kept])


if __name__ == "__main__":
    main()
