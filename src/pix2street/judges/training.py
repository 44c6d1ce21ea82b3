"""The training of a judge on photos and the classes of their pixels."""

from collections.abc import Callable, Sequence

import keras
import numpy as np

from pix2street.core.classes import ClassTable
from pix2street.core.images import read_ids, read_rgb
from pix2street.core.pairs import Pair
from pix2street.core.seeds import derive_seed
from pix2street.judges.losses import WeightedCrossEntropyAndDice, class_weights
from pix2street.judges.network import build_segmenter
from pix2street.settings.segment import Segment
from pix2street.training.batches import segmentation_batches
from pix2street.training.players import OnePassAdam

SALT = 0x6A756467
"""A part of every judge's seed that no other training has."""
WARM_UP = 0.15
"""The share of the steps in which the learning rate rises."""


def seed_of(seed: int, judge: int) -> int:
    """Return the seed of a judge's weights, dropout and data order; judges count from 0.

    It differs from `seed` and all that follows from it, so that a judge never sees the data in the order of a
    generator or a discriminator that is trained with the same number.
    """
    return derive_seed(SALT, seed, judge)


def train_segmenter(
    pairs: Sequence[Pair],
    classes: ClassTable,
    settings: Segment,
    seed: int,
    on_epoch: Callable[[float], None],
    others: Sequence[Pair] = (),
) -> keras.Model:
    """Return a judge that was trained on the targets of `pairs`.

    The learning rate rises from 0 over `WARM_UP` of the steps and falls to 0 along a half cosine (Smith & Topin 2018),
    so that the weights of the last epoch can be used. Gradients are cut at a norm of 1.

    Args:
        seed: the judge's own, see `seed_of`.
        on_epoch: gets the mean loss of each epoch.
        others: the same drawings with other photos, which take turns with the first, see `in_turns`.
    """
    height, width = read_rgb(pairs[0].target_path).shape[:2]
    network = build_segmenter(height, width, len(classes.evaluated_names), settings.filters, seed)
    steps = settings.epochs * -(-len(pairs) // settings.batch)
    rise = round(WARM_UP * steps)
    rate = keras.optimizers.schedules.CosineDecay(
        0.0, max(steps - rise, 1), warmup_target=settings.learning_rate, warmup_steps=rise
    )
    # A model around the network is compiled, since a compiled network would save its optimizer with its weights.
    trainer = keras.Model(network.inputs, network.outputs)
    loss = WeightedCrossEntropyAndDice(class_weights(class_pixels(pairs, classes)))
    trainer.compile(OnePassAdam(rate, global_clipnorm=1.0), loss, jit_compile=False)
    for epoch in range(settings.epochs):
        batches = segmentation_batches(in_turns(pairs, others or pairs, epoch), classes, seed, epoch, settings.batch)
        on_epoch(trainer.fit(batches, verbose=0, shuffle=False).history["loss"][0])
    return network


def in_turns(pairs: Sequence[Pair], others: Sequence[Pair], epoch: int) -> list[Pair]:
    """Return every second of `pairs`, and of `others` the rest; in the next epoch it is the other way round."""
    return [(pair, other)[(index + epoch) % 2] for index, (pair, other) in enumerate(zip(pairs, others, strict=True))]


def class_pixels(pairs: Sequence[Pair], classes: ClassTable) -> np.ndarray:
    """Return the number of pixels of each evaluated class in the inputs of `pairs`, `[C]` int64."""
    counts = np.zeros(256, np.int64)
    for pair in pairs:
        counts += np.bincount(classes.to_evaluated(read_ids(pair.input_path)).ravel(), minlength=256)
    return counts[: len(classes.evaluated_names)]
