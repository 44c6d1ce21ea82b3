"""One process that trains a family on noise, with its settings in params.yaml, and prints the CPU time of a step.

    python benchmarks/families.py FAMILY [--size 128] [--calls 8] [--operations]

`step.py --families` runs one for each family and prints their table.
"""

import argparse
import json
import statistics
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pix2street.core import numerics
from pix2street.stage import load_quietly

if __name__ == "__main__":
    numerics.pin()
    load_quietly("tensorflow")

import numpy as np
import tensorflow as tf

from pix2street.core.classes import cityscapes_classes
from pix2street.models import MODELS, open_family
from pix2street.models.interface import Family, MakePlayer, Task, Training
from pix2street.params import read_params
from pix2street.settings.train import Train
from pix2street.training.batches import InputEncoding
from pix2street.training.distribution import build_steps
from pix2street.training.players import Adams
from pix2street.training.runtime import prepare

DOMAINS = 4
"""The number of domains of a family that translates between several."""

FRAMES = 4
"""The number of frames of an input and of a target of a family of videos."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("family", choices=MODELS)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--calls", type=int, default=8)
    parser.add_argument("--operations", action="store_true", help="name the operations that take the most time, too")
    parser.add_argument("--small", type=json.loads, default={}, help="changes of the family's settings, as JSON")
    arguments = parser.parse_args()
    params = read_params(Path(__file__).parents[1] / "params.yaml")
    prepare("train.device.device", "cpu", 0, **params.compute.model_dump())
    train = params.train
    family, training, batch = start(arguments.family, train, arguments.size, train.run.batch, arguments.small)
    generator = training.generator
    device = train.device.model_copy(update={"steps_per_call": 1, "jit_compile": False})
    run = build_steps(training, [term.name for term in family.TERMS], device, tf.distribute.get_strategy())
    batches, taken = iter(tf.data.Dataset.from_tensors(batch).repeat()), []
    for call in range(arguments.calls + 2):
        begun = time.process_time()
        run(batches, 1).numpy()
        if call > 1:  # by then it is traced and warm
            taken.append(1e3 * (time.process_time() - begun))
    weights = sum(weight.size for weight in generator.get_weights())
    found = {"batch": train.run.batch, "generator_weights": weights, "cpu_ms": round(statistics.median(taken), 1)}
    if arguments.operations:
        found["operations"] = operations_of(lambda: run(batches, 1).numpy(), arguments.calls)
    print(json.dumps({"family": arguments.family, **found}))


def operations_of(take_step: Callable[[], Any], steps: int) -> dict[str, float]:
    """Return the milliseconds of each kind of operation in a step, the most first, as TensorFlow's profiler sees them.

    Times are those that pass while an operation runs, so another program on its core lengthens all of them.
    """
    from tensorflow.tsl.profiler.protobuf.xplane_pb2 import XSpace

    with TemporaryDirectory() as folder:
        with tf.profiler.experimental.Profile(folder):
            for _ in range(steps):
                take_step()
        (file,) = Path(folder).rglob("*.xplane.pb")
        space = XSpace.FromString(file.read_bytes())
    taken: Counter[str] = Counter()
    for plane in space.planes:
        for event in (event for line in plane.lines for event in line.events):
            # An operation's name is `<its place in the graph>:<its kind>`.
            place, _, kind = plane.event_metadata[event.metadata_id].name.rpartition(":")
            if place and "::" not in f"{place}:" and "inference" not in kind:
                taken[kind.removeprefix("_MklNative")] += event.duration_ps / 1e9 / steps
    return {kind: round(ms, 2) for kind, ms in taken.most_common()}


def start(
    name: str, train: Train, size: int, count: int, changes: Mapping, make_player: MakePlayer | None = None
) -> tuple[Family, Training, dict[str, np.ndarray]]:
    """Return a family, its training in the last of its phases, and a batch of noise.

    Args:
        train: the section whose settings the family has, but for `changes`.
        size: the sides of a photo.
        count: the number of images in the batch.
        make_player: what makes the players; those of the pipeline by default.
    """
    family, section = open_family(name), getattr(train, name)
    settings = type(section)(**section.model_dump() | changes)
    task, batch = task_of(family.PAIRING, size), {}
    if family.PAIRING == "none":
        task = replace(task, latent=family.latent_of(task.target_shape, settings), photos=settings.min_photos)
    if family.PAIRING == "domains":
        batch = {"domain": np.zeros(count, np.int32), "target_domain": np.ones(count, np.int32)}
    generator = family.build_generator(task, settings, 0)
    make_player = make_player or Adams(generator, train.run.ema_decay)
    training = family.build_training(task, settings, generator, make_player, 0)
    if training.progress is not None:
        training.progress.assign(1.0)
    return family, training, batch | images_of(task, count)


def task_of(pairing: str, size: int) -> Task:
    """Return the task: photos of one-hot classes for a family of pairs, of photos of a quarter of the size for one that
    enlarges, next frames of frames, and photos of photos for the others.
    """
    if pairing == "reduced":
        return Task((size // 4, size // 4, 3), (size, size, 3))
    if pairing == "paired":
        encoding = InputEncoding("onehot", cityscapes_classes())
        return Task((size, size, encoding.channels), (size, size, 3), labels=encoding.labels, void=encoding.void)
    conditions = {"domain": DOMAINS} if pairing == "domains" else {}
    if pairing == "sequence":
        return Task((FRAMES * size, size, 3), (FRAMES * size, size, 3), frames=(FRAMES, FRAMES))
    return Task((size, size, 3), (size, size, 3), conditions=conditions)


def images_of(task: Task, count: int) -> dict[str, np.ndarray]:
    """Return inputs and targets of noise, `[count, H, W, C]` float32; inputs of classes are one-hot.

    Latents are `[count, L, Z + 1]`, as `core/latents.py` says.
    """
    rng = np.random.default_rng(0)
    inputs = rng.uniform(-1, 1, (count, *task.input_shape)).astype("float32")
    if task.labels:
        inputs = np.eye(task.labels, dtype="float32")[rng.integers(task.labels, size=(count, *task.input_shape[:2]))]
    if task.latent:
        levels, numbers = task.latent
        inputs = np.ones((count, levels, numbers + 1), np.float32)
        inputs[..., :-1] = rng.normal(size=(count, 1, numbers))
    return {"input": inputs, "target": rng.uniform(-1, 1, (count, *task.target_shape)).astype("float32")}


if __name__ == "__main__":
    main()
