import numpy as np
import pytest
import tensorflow as tf

from pix2street.core.classes import VOID, ClassEntry, ClassTable, cityscapes_classes
from pix2street.core.errors import UserError
from pix2street.core.images import to_unit, write_png
from pix2street.core.pairs import Pair
from pix2street.training.batches import (
    InputEncoding,
    epoch_order,
    open_pairs,
    plain_batches,
    segmentation_batches,
    training_batches,
)

CLASSES = cityscapes_classes()
COLOR = InputEncoding("color", CLASSES)


def epoch(pairs, encoding=COLOR, number=0, seed=0, batch=1, jitter=True, mirror=True, cache_mib=0):
    read = open_pairs(pairs, encoding.classes is not None, cache_mib)
    order = epoch_order(len(pairs), seed, number)
    batches = list(training_batches(read, encoding, order, seed, number, batch, jitter, mirror).as_numpy_iterator())
    return [np.concatenate(part) for part in zip(*batches, strict=True)]


def test_an_epoch_is_a_function_of_seed_and_number(tiny_pairs):
    first, again = epoch(tiny_pairs), epoch(tiny_pairs)
    assert all((a == b).all() for a, b in zip(first, again, strict=True))
    for other in (epoch(tiny_pairs, number=1), epoch(tiny_pairs, seed=1)):
        assert (other[0] != first[0]).any()


def test_the_batch_size_changes_no_image(tiny_pairs):
    for one, three in zip(epoch(tiny_pairs), epoch(tiny_pairs, batch=3), strict=True):
        np.testing.assert_array_equal(one, three)


def test_pairs_that_fill_no_batch_are_left_out(tiny_pairs):
    for one, four in zip(epoch(tiny_pairs), epoch(tiny_pairs, batch=4), strict=True):
        np.testing.assert_array_equal(one[:4], four)


def test_part_of_an_order_is_that_part_of_the_epoch(tiny_pairs):
    read, order = open_pairs(tiny_pairs, True), epoch_order(6, 0, 0)
    part = training_batches(read, COLOR, order[2:5], 0, 0, 3, True, True)
    for images, whole in zip(next(part.as_numpy_iterator()), epoch(tiny_pairs), strict=True):
        np.testing.assert_array_equal(images, whole[2:5])


def test_pairs_kept_in_memory_are_the_same_and_are_not_read_again(tiny_pairs):
    read = epoch(tiny_pairs)
    cached = open_pairs(tiny_pairs, True, cache_mib=1)
    too_small = open_pairs(tiny_pairs * 100, True, cache_mib=1)
    for pair in tiny_pairs:
        pair.target_path.unlink()
    batches = training_batches(cached, COLOR, epoch_order(6, 0, 0), 0, 0, 1, True, True).as_numpy_iterator()
    for (_, target), expected in zip(batches, read[1], strict=True):
        np.testing.assert_array_equal(target[0], expected)
    with pytest.raises(tf.errors.NotFoundError):
        too_small(0)


@pytest.mark.parametrize("cache_mib", [0, 1])
def test_a_graph_knows_the_shape_of_a_batch(tiny_pairs, cache_mib):
    read = open_pairs(tiny_pairs, True, cache_mib)
    inputs, targets = training_batches(read, COLOR, epoch_order(6, 0, 0), 0, 0, 2, True, True).element_spec
    assert inputs.shape == targets.shape == (2, 32, 32, 3)


def test_every_pair_is_seen_once_in_an_order_of_the_epoch(tiny_pairs):
    def order(number):
        _, targets = epoch(tiny_pairs, number=number, jitter=False, mirror=False)
        counts = [(target == targets.min()).sum() for target in targets]
        return np.argsort(np.argsort(counts)).tolist()

    assert sorted(order(0)) == list(range(6))
    assert len({tuple(order(number)) for number in range(6)}) > 1


def test_ranges_and_colours(tiny_pairs):
    inputs, targets = epoch(tiny_pairs)
    assert inputs.shape == targets.shape == (6, 32, 32, 3)
    assert inputs.dtype == targets.dtype == np.float32
    allowed = {tuple(to_unit(CLASSES.colors[i].astype(np.float32))) for i in (7, 23)}
    assert {tuple(color) for color in inputs.reshape(-1, 3)} == allowed
    assert (targets.min() >= -1) & (targets.max() <= 1)


def test_input_and_target_stay_together_under_jitter_and_mirroring(tiny_pairs):
    inputs, targets = epoch(tiny_pairs, batch=6)
    road = np.isclose(inputs, to_unit(np.float32(CLASSES.colors[7]))).all(axis=-1)
    # Targets repeat the ids (7 and 23); bicubic edges lie between, but on the right side of the middle mostly.
    agree = (targets[..., 0] < to_unit(15.0)) == road
    assert agree.mean() > 0.97
    plain = np.concatenate([batch for batch, _ in plain_batches(tiny_pairs, COLOR, 2).as_numpy_iterator()])
    assert not any((image == other).all() for image in inputs for other in plain)


def test_rgb_inputs_are_treated_like_targets(tmp_path):
    picture = np.random.default_rng(0).integers(0, 256, (32, 32, 3)).astype(np.uint8)
    write_png(tmp_path / "a.png", picture)
    pair = Pair("a", tmp_path / "a.png", tmp_path / "a.png")
    inputs, targets = epoch([pair], InputEncoding("color", None))
    # An input goes back to 8 bits before it is encoded, a target does not.
    np.testing.assert_allclose(inputs, targets, atol=1.01 / 127.5)


def test_onehot_has_a_channel_a_class(tiny_pairs):
    encoding = InputEncoding("onehot", CLASSES)
    inputs, _ = epoch(tiny_pairs, encoding)
    assert inputs.shape[-1] == encoding.channels == 34
    assert (inputs.sum(axis=-1) == 1).all()
    assert set(np.unique(inputs.argmax(axis=-1))) == {7, 23}


def test_void_has_a_channel_and_a_colour_of_its_own(tiny_pairs):
    void = ClassTable((ClassEntry(7, "road", (9, 9, 9), True), ClassEntry(23, "sky", (5, 5, 5), True),
                       ClassEntry(255, "void", (224, 224, 192), False)))  # fmt: skip
    ids = np.array([[[[7], [23], [255]]]], np.uint8)
    assert InputEncoding("onehot", void).encode(ids).numpy()[0, 0].tolist() == np.eye(3).tolist()
    assert InputEncoding("color", void).encode(ids).numpy()[0, 0, 2].tolist() == pytest.approx(
        (np.array([224, 224, 192]) / 127.5 - 1).tolist()
    )


def test_onehot_needs_classes():
    with pytest.raises(UserError, match="onehot needs a data set with classes"):
        InputEncoding("onehot", None)


def test_an_encoding_survives_json():
    for encoding in (COLOR, InputEncoding("onehot", CLASSES), InputEncoding("color", None)):
        assert InputEncoding.from_json(encoding.to_json()) == encoding


def test_plain_batches_keep_order_and_pixels(tiny_pairs):
    targets = np.concatenate([target for _, target in plain_batches(tiny_pairs, COLOR, 4).as_numpy_iterator()])
    assert [float((target < 0).all(axis=-1).mean()) for target in targets] == [1.0] * 6
    assert np.diff([(target == targets.min()).sum() for target in targets]).max() < 0


def test_the_judges_batches_are_photos_and_evaluated_places(tiny_pairs):
    photos, places = next(segmentation_batches(tiny_pairs, CLASSES, 0, 0, 6).as_numpy_iterator())
    assert photos.shape == (6, 32, 32, 3)
    assert set(np.unique(places)) <= {0, 10, VOID}
    assert ((photos[..., 0] < to_unit(15.0)) == (places == 0)).mean() > 0.97
