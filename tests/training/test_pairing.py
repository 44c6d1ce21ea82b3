"""No step sees a pair that is kept apart: not at an epoch's end, not mirrored, not on two devices, none held out."""

from functools import partial

import numpy as np
import pytest
import tensorflow as tf
from shipped import PARAMS, changed
from tiny_models import TINY_TRAIN

from pix2street.core.errors import UserError
from pix2street.core.images import write_png
from pix2street.core.pairs import Dataset, Pair, read_pairs, write_manifest
from pix2street.steps.train import open_training
from pix2street.training.batches import InputEncoding, TrainingFeed, open_pairs
from pix2street.training.distribution import shared_out
from pix2street.training.epoch import Plan

SIDE = 32
STEP = 8
"""The levels between two pairs, whose images are of one grey each, which no crop and no mirror changes."""


def write_pairs(folder, count: int) -> list[Pair]:
    pairs = []
    for number in range(count):
        paths = [folder / f"train/{side}/p{number}.png" for side in ("inputs", "targets")]
        for path in paths:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_png(path, np.full((SIDE, SIDE, 3), STEP * number, np.uint8))
        pairs.append(Pair(f"p{number}", *paths))
    return pairs


def feed_of(pairs, apart: int, seed: int = 0) -> TrainingFeed:
    encoding = InputEncoding("color", None)
    read = open_pairs(pairs, False, cache_mib=1)
    return TrainingFeed(read, [pair.pair_id for pair in pairs], encoding, seed, True, True, apart)


def numbers_of(images) -> set[int]:
    """Return which pairs' images are in a batch."""
    return {round(float((np.mean(image) + 1) * 127.5) / STEP) for image in images}


def write_reduced(folder, shape: tuple[int, int]) -> None:
    """Write a split whose inputs have another size than its targets."""
    rows = []
    for number, pair in enumerate(write_pairs(folder, 4)):
        write_png(pair.input_path, np.full((*shape, 3), STEP * number, np.uint8))
        paths = {f"{side}_path": f"train/{side}s/{pair.pair_id}.png" for side in ("input", "target")}
        rows.append({"pair_id": pair.pair_id, "split": "train", "group": pair.pair_id, **paths})
    Dataset("x", "X", "small to large", "own", "", "reduced", factor=2).write(folder)
    write_manifest(folder, rows)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((SIDE // 2, SIDE // 2), "pix2pix makes photos of 16x16 px .* but its targets have 32x32 px"),
        ((SIDE // 2, SIDE), "jitter: .* a target here is 2 times as high and 1 times as wide"),
    ],
)
def test_targets_of_another_size_need_a_model_and_an_augmentation_for_it(tmp_path, shape, message):
    write_reduced(tmp_path, shape)
    train = changed(TINY_TRAIN, data={"encoding": "color", "style": "none", "jitter": True})
    with pytest.raises(UserError, match=message):
        open_training(tmp_path, train, tf.distribute.get_strategy())


class OneOf:
    """The strategy of one of several workers, as far as batches are shared out; devices are those of all workers."""

    def __init__(self, worker: int, workers: int, devices: int):
        self._context = tf.distribute.InputContext(workers, worker, devices)

    def distribute_datasets_from_function(self, make):
        return make(self._context)


def steps_of(feed, epoch: int, plan: Plan, devices: int = 1, workers: int = 1):
    """Yield the pairs of the inputs and of the targets that each step of an epoch shows on all devices."""
    step = 0
    while step < plan.steps:
        size, end = plan.stretch(step)
        positions = plan.positions(step, end)
        shares = [
            list(shared_out(OneOf(worker, workers, devices), partial(feed.batches, epoch), positions, size))
            for worker in range(workers)
        ]
        each = devices // workers
        assert [len(batches) for batches in shares] == [(end - step) * each] * workers
        for first in range(0, (end - step) * each, each):
            shown = [batch for batches in shares for batch in batches[first : first + each]]
            yield tuple(set().union(*(numbers_of(batch[name]) for batch in shown)) for name in ("input", "target"))
        step = end


@pytest.mark.parametrize(
    ("count", "batch", "devices", "workers"),
    [(2, 1, 1, 1), (5, 1, 1, 1), (7, 3, 1, 1), (8, 4, 1, 1), (9, 4, 2, 1), (11, 4, 2, 2), (12, 2, 2, 1), (11, 4, 4, 2)],
)
def test_no_step_sees_a_pair(tmp_path, count, batch, devices, workers):
    feed, plan = feed_of(write_pairs(tmp_path, count), batch), Plan.of(count, batch, devices)
    for epoch in range(6):
        inputs, targets = zip(*steps_of(feed, epoch, plan, devices, workers), strict=True)
        assert all(not seen & theirs for seen, theirs in zip(inputs, targets, strict=True))
        assert sum(map(len, inputs)) == len(set().union(*inputs)) == plan.images
        assert sum(map(len, targets)) == plan.images


def test_a_shift_that_is_shorter_than_a_step_would_show_pairs(tmp_path):
    """Show that the test above can fail."""
    feed, plan = feed_of(write_pairs(tmp_path, 7), 1), Plan.of(7, 3, 1)
    assert any(seen & theirs for epoch in range(6) for seen, theirs in steps_of(feed, epoch, plan))


def test_the_pairing_follows_from_seed_and_epoch_alone(tmp_path):
    pairs = write_pairs(tmp_path, 12)
    plan = Plan.of(12, 2, 1)
    seen = [tuple(steps_of(feed_of(pairs, 2, seed), epoch, plan)) for seed in (0, 1) for epoch in (0, 1)]
    assert tuple(steps_of(feed_of(pairs, 2), 0, plan)) == seen[0]
    assert len({str(one) for one in seen}) == 4
    partners = {str([targets for inputs, targets in one if 3 in inputs]) for one in seen}
    assert len(partners) > 1


def test_a_training_that_goes_on_within_an_epoch_sees_the_same_images(tmp_path):
    feed, plan = feed_of(write_pairs(tmp_path, 12), 2), Plan.of(12, 2, 1)
    whole, rest = (list(feed.batches(3, plan.positions(first, 6), 2).as_numpy_iterator()) for first in (0, 4))
    for one, other in zip(whole[4:], rest, strict=True):
        for name in ("input", "target"):
            np.testing.assert_array_equal(one[name], other[name])


def test_too_few_pairs_for_a_step_are_refused(tmp_path):
    pairs = write_pairs(tmp_path, 7)
    with pytest.raises(
        UserError, match=r"7 pairs to train on are too few .* of 4 pairs: at least 8 are needed; choose"
    ):
        feed_of(pairs, 4)


def split_folder(folder, **changes):
    """Return the folder of a set of ten pairs of one grey each, of train and of val."""
    Dataset(
        **{"name": "d", "title": "D", "direction": "", "licence": "", "home_page": "", "input_from": "file"} | changes
    ).write(folder)
    names = [pair.pair_id for pair in write_pairs(folder, 10)]
    rows = [
        {
            "pair_id": name, "split": "train", "group": name, "input_path": f"train/inputs/{name}.png",
            "target_path": f"train/targets/{name}.png",
        }
        for name in names
    ]  # fmt: skip
    write_manifest(folder, rows)
    return folder


def test_pairs_that_are_kept_apart_from_training_lend_no_photo(tmp_path):
    train = changed(
        TINY_TRAIN,
        data={"pairing": "apart", "holdout_pairs": 3, "encoding": "color", "style": "none"},
        run={"batch": 2},
    )
    start = open_training(split_folder(tmp_path), train, tf.distribute.get_strategy())
    held_out = {int(pair.pair_id[1:]) for pair in start.held_out}
    assert len(held_out) == 3
    assert start.exact
    plan = Plan.of(len(start.feed), 2, 1)
    for epoch in range(4):
        for inputs, targets in steps_of(start.feed, epoch, plan):
            assert not (inputs & targets)
            assert not ((inputs | targets) & held_out)
    assert {pair.pair_id for pair in [*start.pairs, *start.held_out]} == {
        pair.pair_id for pair in read_pairs(tmp_path, "train")
    }


def test_pairs_are_together_unless_they_are_set_apart(tmp_path):
    assert PARAMS.train.data.pairing == "together"
    train = changed(TINY_TRAIN, data={"holdout_pairs": 0, "encoding": "color", "style": "none"})
    start = open_training(split_folder(tmp_path), train, tf.distribute.get_strategy())
    assert all(inputs == targets for inputs, targets in steps_of(start.feed, 0, Plan.of(10, 1, 1)))


def test_a_style_needs_pairs_together(tmp_path):
    train = changed(TINY_TRAIN, data={"pairing": "apart", "encoding": "color", "style": "code"})
    with pytest.raises(UserError, match=r"style: code needs pairs, .* but train.data.pairing: apart keeps them apart"):
        open_training(split_folder(tmp_path), train, tf.distribute.get_strategy())


def test_renderings_of_one_scene_cannot_be_set_apart(tmp_path):
    folder = split_folder(tmp_path, domains=("day", "night"), scenes=True)
    train = changed(TINY_TRAIN, data={"pairing": "apart", "encoding": "color", "style": "none"})
    with pytest.raises(UserError, match="pairing: apart needs a data set in which no two pairs show the same scene"):
        open_training(folder, train, tf.distribute.get_strategy())
