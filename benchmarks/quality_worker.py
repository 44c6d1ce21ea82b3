"""One training of a given length in time, in a process that `benchmarks/quality.py` starts.

It reads a `Job` as JSON from standard input, and writes the photos of each moment and a record of the training. The
clock starts before the networks are built, when all libraries are loaded, and stands still while photos are made.

A training has `PARTS` parts, each with an equal share of the time, and to the schedule a part is an epoch. The steps of
a part follow from the time that is left until its end, so that any schedule ends with the time.
"""

import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial, reduce
from pathlib import Path

from pix2street.core import numerics

if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    numerics.pin()

import keras
import numpy as np
import tensorflow as tf
from quality_trial import PARTS, parts_until
from tqdm import tqdm

from pix2street.core.errors import UserError
from pix2street.core.files import fresh_folder, write_json
from pix2street.core.images import write_png
from pix2street.core.pairs import Pair, read_pairs
from pix2street.inference.in_use import as_inference, copy_weights, translate
from pix2street.params import Params, parse_params
from pix2street.settings.generate import Generate
from pix2street.settings.train import Train
from pix2street.stage import with_clear_errors
from pix2street.steps.train import Start, open_training
from pix2street.training.batches import TrainingFeed, batches_in_use
from pix2street.training.epoch import EpochRunner, Plan
from pix2street.training.loop import STATISTICS_BATCHES
from pix2street.training.runtime import prepare
from pix2street.training.snapshot import take_snapshot

FIRST_STEPS = (1, 4)
"""The steps of the first parts, when nothing is known of the time of a step; the very first is traced."""


@dataclass(frozen=True)
class Job:
    """A training to do.

    Args:
        params: the text of the row's `params.yaml`.
        clock: "cpu" counts the seconds of all threads of this process, "wall" those that pass.
        shares: the moments, as shares of `budget_s`.
        folders: the folder of each moment's photos.
        steps: the steps of every part; or one number, the steps of all parts together; empty to train for `budget_s`.
    """

    params: str
    split: str
    subset: str
    seed: int
    clock: str
    budget_s: float
    shares: list[float]
    folders: list[str]
    record: str
    steps: list[int]


class Clock:
    """A clock of CPU-seconds and of seconds that starts at once and can stand still."""

    def __init__(self, kind: str):
        self._kind = kind
        self._begin = self._read()

    @staticmethod
    def _read() -> dict[str, float]:
        return {"cpu": time.process_time(), "wall": time.perf_counter()}

    def both(self) -> dict[str, float]:
        """Return the seconds so far by both measures."""
        return {kind: now - self._begin[kind] for kind, now in self._read().items()}

    @property
    def seconds(self) -> float:
        """The seconds so far by the clock's own measure."""
        return self.both()[self._kind]

    @contextmanager
    def standing(self) -> Iterator[None]:
        """Let the block take no time."""
        before = self._read()
        yield
        for kind, now in self._read().items():
            self._begin[kind] += now - before[kind]


@dataclass
class PartFeed:
    """One part after another of a training that runs through the epochs of another feed.

    Args:
        batch: the size of every batch; pairs that fill no batch at the end of an epoch of `feed` are left out.
        begin, images: the images before the present part, and those of it; multiples of `batch`.
    """

    feed: TrainingFeed
    batch: int
    begin: int
    images: int

    def __len__(self) -> int:
        return self.images

    def _places(self, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the epochs of `feed` and the positions within them."""
        return np.divmod(self.begin + positions, len(self.feed) // self.batch * self.batch)

    def batches(self, part: int, positions: np.ndarray, size: int) -> tf.data.Dataset:
        """Return the pairs at these positions of the present part, in batches of exactly `size`."""
        epochs, places = self._places(positions)
        of_epochs = [self.feed.batches(epoch, places[epochs == epoch], size) for epoch in np.unique(epochs).tolist()]
        return reduce(tf.data.Dataset.concatenate, of_epochs)

    def pair_ids(self, part: int) -> list[str]:
        """Return the pair_ids of the present part, in order."""
        epochs, places = self._places(np.arange(self.images))
        orders = {epoch: self.feed.pair_ids(epoch) for epoch in np.unique(epochs).tolist()}
        return [orders[epoch][place] for epoch, place in zip(epochs.tolist(), places.tolist(), strict=True)]


class Course:
    """A training that advances by parts.

    Raises:
        UserError: `open_training` fails, or there are fewer pairs than a batch has.
    """

    def __init__(self, split: Path, train: Train):
        strategy = tf.distribute.get_strategy()
        self.start: Start = open_training(split, train, strategy)
        training, feed, self._batch = self.start.training, self.start.feed, train.run.batch
        if len(feed) < self._batch:
            raise UserError(f"train.run.batch: {self._batch} is more than the {len(feed)} pairs to train on; lower it")
        self._feed = PartFeed(feed, self._batch, begin=0, images=self._batch)
        terms = [term.name for term in self.start.family.TERMS]
        run = train.run.model_copy(update={"epochs": PARTS, "checkpoint_every_steps": 0})
        self._runner = EpochRunner(
            training, terms, self._feed, run=run, device=train.device, strategy=strategy, checkpoints=None
        )
        player = next(iter(training.players.values()))
        first = np.arange(min(len(feed) // self._batch, STATISTICS_BATCHES) * self._batch)
        read_some = partial(feed.batches, 0, first, self._batch)
        self._snapshot = partial(take_snapshot, training.generator, player, self.start.saved, read_some)

    def advance(self, part: int, steps: int) -> None:
        """Take these steps as a part of the training; parts count from 0."""
        self._feed.images = steps * self._batch
        self._runner.plan = Plan.of(len(self._feed), self._batch, replicas=1)
        with tqdm(disable=True) as progress:
            self._runner.advance(part, progress)
        self._runner.state.step = 0
        self._feed.begin += len(self._feed)

    def snapshot(self) -> keras.Model:
        """Return a generator with the present weights, or with their running average where one is kept."""
        self._snapshot()
        return self.start.saved


class Photographer:
    """A maker of the photos of all pairs of the subset, as the stage `generate` makes them."""

    def __init__(self, start: Start, generate: Generate, pairs: Sequence[Pair]):
        self._inference = as_inference(start.saved, generate.norm, generate.dropout)
        self._seed = generate.seed
        self._pair_ids = [pair.pair_id for pair in pairs]
        self._batches = batches_in_use(pairs, start.encoding, start.bank, self._seed)

    def make(self, generator: keras.Model, folder: Path) -> None:
        """Write `<pair_id>.png` for each pair into `folder`."""
        copy_weights(generator, self._inference)
        photos = translate(self._inference, self._batches, self._pair_ids, self._seed)
        with fresh_folder(folder) as fresh:
            for pair_id, photo in zip(self._pair_ids, photos, strict=True):
                write_png(fresh / f"{pair_id}.png", photo)


def steps_of_part(part: int, taken: int, first_s: float, now_s: float, budget_s: float) -> int:
    """Return the steps that a part may take, 0 if its time is spent.

    Args:
        taken: the steps so far; all but the first took from `first_s` to `now_s`.
    """
    if part < len(FIRST_STEPS):
        return FIRST_STEPS[part]
    step_s = (now_s - first_s) / (taken - 1)
    return max(0, round(((part + 1) / PARTS * budget_s - now_s) / step_s))


def train(job: Job, params: Params) -> dict:
    """Train, write each moment's photos, and return the steps of every part and the time of every moment."""
    total = job.steps[0] if len(job.steps) == 1 else 0
    fixed = [total * (part + 1) // PARTS - total * part // PARTS for part in range(PARTS)] if total else job.steps
    clock = Clock(job.clock)
    course = Course(Path(job.split), params.train)
    with clock.standing():
        pairs = read_pairs(Path(job.split), job.subset)
        photographer = Photographer(course.start, params.generate, pairs)
    points: list[dict] = []
    part_steps: list[int] = []
    first_s = 0.0
    ends = parts_until(job.shares)
    for part in tqdm(range(ends[-1]), unit=" parts", desc="train"):
        taken = sum(part_steps)
        steps = fixed[part] if fixed else steps_of_part(part, taken, first_s, clock.seconds, job.budget_s)
        if steps:
            course.advance(part, steps)
        first_s = first_s or clock.seconds
        part_steps.append(steps)
        if part + 1 in ends:
            point = {"share": job.shares[len(points)], **clock.both(), "steps": taken + steps}
            with clock.standing():
                photographer.make(course.snapshot(), Path(job.folders[len(points)]))
            points.append(point)
    return {"part_steps": part_steps, "points": points}


def main() -> None:
    job = Job(**json.load(sys.stdin))
    with with_clear_errors("quality", Path.cwd()):
        params = parse_params(job.params, "params of the row")
        run = params.train.run.model_copy(update={"seed": job.seed})
        params = params.model_copy(update={"train": params.train.model_copy(update={"run": run})})
        device = params.train.device
        prepare("train.device.device", device.device, job.seed, device.deterministic, **params.compute.model_dump())
        write_json(Path(job.record), train(job, params))


if __name__ == "__main__":
    main()
