"""A short measurement of a training's step in several forms, to choose the fastest for a machine."""

import statistics
import time
from collections.abc import Callable, Mapping
from operator import attrgetter
from typing import Any

import numpy as np
import tensorflow as tf

from pix2street.models.interface import Family, Training
from pix2street.settings.section import Section
from pix2street.settings.train import Train
from pix2street.training.distribution import build_steps
from pix2street.training.epoch import Feed

GAIN = 0.05
"""The share of a step's time that another value must save to be chosen."""

WARM = 2
"""The first steps, which are traced and warm up, and are not timed."""

Step = Callable[[], Any]


def choices_of(train: Train) -> dict[str, list[Any]]:
    """Return keys of `params.yaml` whose best value depends on the machine, with values, the present one first."""
    choices = {"device.precision": ("float32", "mixed_bfloat16")}
    if hasattr(train.family, "product_side_px"):
        choices[f"{train.model}.product_side_px"] = (0, 8, 16)
    return {f"train.{key}": list(dict.fromkeys((attrgetter(key)(train), *more))) for key, more in choices.items()}


def changed(section: Section, key: str, value: Any) -> Any:
    """Return a section of settings with another value of a dotted key."""
    name, _, rest = key.partition(".")
    return section.model_copy(update={name: changed(getattr(section, name), rest, value) if rest else value})


def step_of(family: Family, training: Training, feed: Feed, train: Train) -> Step:
    """Return a function that takes one step of a training, on its first batch again and again."""
    device = train.device.model_copy(update={"steps_per_call": 1})
    run = build_steps(training, [term.name for term in family.TERMS], device, tf.distribute.get_strategy())
    batch = train.run.batch
    batches = iter(feed.batches(0, np.arange(batch), batch).cache().repeat())
    return lambda: run(batches, 1).numpy()


def by_turns(steps: Mapping[Any, Step], rounds: int) -> dict[Any, float]:
    """Return the milliseconds of each step, the median of its turns; other work on the machine falls on all alike."""
    taken: dict[Any, list[float]] = {name: [] for name in steps}
    for number in range(WARM + rounds):
        for name, step in steps.items():
            begin = time.perf_counter()
            step()
            if number >= WARM:
                taken[name].append(1e3 * (time.perf_counter() - begin))
    return {name: statistics.median(own) for name, own in taken.items()}


def fastest(milliseconds: Mapping[Any, float]) -> Any:
    """Return the value with the shortest step, or the first, the present one, if that saves less than `GAIN`."""
    present, best = next(iter(milliseconds)), min(milliseconds, key=milliseconds.__getitem__)
    return best if milliseconds[best] < (1 - GAIN) * milliseconds[present] else present
