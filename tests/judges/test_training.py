"""The training of a judge: what it learns, and that nobody else is trained on the same data in the same order."""

import itertools
from functools import partial

import numpy as np
from shipped import PARAMS, changed

from pix2street.core.pairs import Dataset, read_pairs
from pix2street.judges.network import build_segmenter
from pix2street.judges.training import class_pixels, seed_of, train_segmenter
from pix2street.training.batches import epoch_order

SEGMENT = changed(PARAMS.segment, filters=4, epochs=2, batch=2)


def train(split, seed=0, **changes):
    losses = []
    network = train_segmenter(
        read_pairs(split, "train"), Dataset.read(split).classes, changed(SEGMENT, **changes), seed, losses.append
    )
    return network.get_weights(), losses


def test_each_epoch_is_reported_and_the_loss_falls(road_and_sky):
    _, losses = train(road_and_sky, epochs=6, learning_rate=0.01)
    assert len(losses) == 6
    assert losses[-1] < losses[0]


def test_a_seed_gives_the_same_weights_again(road_and_sky):
    first, again = (train(road_and_sky, seed=3, epochs=1)[0] for _ in range(2))
    assert all(map(np.array_equal, first, again))


def test_no_judge_shares_its_seed_or_its_order_of_the_data_with_another_training():
    """A discriminator that names classes would teach its generator to please a judge of the same training."""
    numbers = range(50)
    of_judges = {seed_of(seed, judge) for seed in numbers for judge in range(9)}
    assert len(of_judges) == 450
    assert of_judges.isdisjoint(range(10_000))
    orders = partial(epoch_order, 400)
    for seed, judge, epoch in itertools.product((0, 1), (0, 1, 2), (0, 1)):
        own = orders(seed_of(seed, judge), epoch)
        others = [orders(other, epoch) for other in (0, 1)]
        others += [orders(seed_of(seed, other), epoch) for other in range(3) if other != judge]
        for order in others:
            assert (own == order).mean() < 0.02


def test_no_judge_shares_an_initial_weight_with_a_judge_of_the_plain_seed():
    own, plain = (build_segmenter(32, 32, 3, 4, seed) for seed in (seed_of(0, 0), 0))
    kernels = [index for index, weight in enumerate(own.weights) if weight.name == "kernel"]
    for index in kernels:
        assert not np.array_equal(own.get_weights()[index], plain.get_weights()[index])


def test_pixels_are_counted_by_class(road_and_sky):
    classes = Dataset.read(road_and_sky).classes
    pairs = read_pairs(road_and_sky, "train")
    pixels = class_pixels(pairs, classes)
    by_name = dict(zip(classes.evaluated_names, pixels.tolist(), strict=True))
    assert {name for name, count in by_name.items() if count} == {"road", "sky"}
    assert pixels.sum() <= len(pairs) * 32 * 32
