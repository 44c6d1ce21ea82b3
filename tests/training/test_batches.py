from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf

from pix2street.core.classes import VOID, ClassEntry, ClassTable, cityscapes_classes
from pix2street.core.codes import read_codes
from pix2street.core.errors import UserError
from pix2street.core.images import png_bytes, read_rgb, to_unit, write_png
from pix2street.core.pairs import Pair
from pix2street.core.palettes import read_palettes
from pix2street.core.styles import seed_of
from pix2street.training.augmentation import Augmentation
from pix2street.training.batches import (
    InputEncoding,
    TrainingFeed,
    batches_in_use,
    open_pairs,
    plain_batches,
    segmentation_batches,
)
from pix2street.training.latents import LatentFeed

CLASSES = cityscapes_classes()
COLOR = InputEncoding("color", CLASSES)
PALETTE = InputEncoding("onehot", CLASSES, "palette")
CODE = InputEncoding("onehot", CLASSES, "code")


def epoch(pairs, encoding=COLOR, number=0, seed=0, batch=1, jitter=True, mirror=True, cache_mib=0):
    whole = feed_of(pairs, encoding, seed, jitter, mirror, cache_mib)
    return joined(whole.batches(number, np.arange(len(pairs)), batch))


def feed_of(pairs, encoding=COLOR, seed=0, jitter=True, mirror=True, cache_mib=0, apart=0) -> TrainingFeed:
    read = open_pairs(pairs, encoding.classes is not None, cache_mib)
    return TrainingFeed(read, [pair.pair_id for pair in pairs], encoding, seed, jitter, mirror, apart)


def joined(batches) -> list[np.ndarray]:
    """Return all inputs and all targets."""
    batches = list(batches.as_numpy_iterator())
    return [np.concatenate([batch[name] for batch in batches]) for name in ("input", "target")]


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
    part = feed_of(tiny_pairs).batches(0, np.arange(2, 5), 3)
    for images, whole in zip(joined(part), epoch(tiny_pairs), strict=True):
        np.testing.assert_array_equal(images, whole[2:5])


def test_pairs_kept_in_memory_are_the_same_and_are_not_read_again(tiny_pairs):
    read = epoch(tiny_pairs)
    cached = feed_of(tiny_pairs, cache_mib=1)
    too_small = open_pairs(tiny_pairs * 100, True, cache_mib=1)
    for pair in tiny_pairs:
        pair.target_path.unlink()
    np.testing.assert_array_equal(joined(cached.batches(0, np.arange(6), 1))[1], read[1])
    with pytest.raises(tf.errors.NotFoundError):
        too_small(0)


@pytest.mark.parametrize("cache_mib", [0, 1])
def test_a_graph_knows_the_shape_of_a_batch(tiny_pairs, cache_mib):
    spec = feed_of(tiny_pairs, cache_mib=cache_mib).batches(0, np.arange(6), 2).element_spec
    assert spec["input"].shape == spec["target"].shape == (2, 32, 32, 3)


def test_every_pair_is_seen_once_in_an_order_of_the_epoch(tiny_pairs):
    def order(number):
        _, targets = epoch(tiny_pairs, number=number, jitter=False, mirror=False)
        counts = [(target == targets.min()).sum() for target in targets]
        return np.argsort(np.argsort(counts)).tolist()

    assert sorted(order(0)) == list(range(6))
    assert len({tuple(order(number)) for number in range(6)}) == 6


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
    plain = joined(plain_batches(tiny_pairs, COLOR, 2))[0]
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
    for encoding in (COLOR, InputEncoding("onehot", CLASSES), InputEncoding("color", None), PALETTE):
        assert InputEncoding.from_json(encoding.to_json()) == encoding


def test_an_encoding_without_a_style_is_written_and_read_as_before_there_were_styles():
    assert COLOR.to_json().keys() == {"encoding", "classes"}
    assert InputEncoding.from_json(COLOR.to_json()).style == "none"


def test_a_palette_follows_the_labels_in_three_channels():
    assert (PALETTE.labels, PALETTE.channels) == (34, 37)
    assert InputEncoding("color", CLASSES, "palette").channels == 6
    stored = np.array([[[[7, 0, 255, 51], [23, 255, 0, 0]]]], np.uint8)
    encoded = PALETTE.encode(stored).numpy()
    np.testing.assert_array_equal(encoded[..., :34], InputEncoding("onehot", CLASSES).encode(stored[..., :1]))
    np.testing.assert_allclose(encoded[0, 0, :, 34:], [[-1, 1, -0.6], [1, -1, -1]], atol=1e-6)


def test_a_palette_needs_classes():
    with pytest.raises(UserError, match="style: palette needs a data set with classes, but this has none; use none"):
        InputEncoding("color", None, "palette")


def with_palettes(pairs, **changes):
    """Return the feed of pairs with palettes that have a level of their own for each class, and none between."""
    levels = {7: 10, 23: 200}
    pngs = [png_bytes(np.vectorize(levels.get)(read_rgb(pair.target_path)).astype(np.uint8)) for pair in pairs]
    read = open_pairs(pairs, True, changes.pop("cache_mib", 0), palettes=pngs)
    return TrainingFeed(read, [pair.pair_id for pair in pairs], PALETTE, 0, jitter=True, mirror=True), pngs


@pytest.mark.parametrize("cache_mib", [0, 1])
def test_a_palette_is_enlarged_cropped_and_mirrored_with_its_labels(tiny_pairs, cache_mib):
    feed, _ = with_palettes(tiny_pairs, cache_mib=cache_mib)
    for number in range(3):
        inputs, targets = joined(feed.batches(number, np.arange(6), 2))
        labels, palette = inputs[..., :34], inputs[..., 34:]
        road = labels.argmax(axis=-1) == 7
        np.testing.assert_allclose(palette, np.where(road, to_unit(10.0), to_unit(200.0))[..., None] * [1, 1, 1])
        plain = epoch(tiny_pairs, InputEncoding("onehot", CLASSES), number)
        np.testing.assert_array_equal(labels, plain[0])
        np.testing.assert_array_equal(targets, plain[1])


def test_inputs_in_use_have_palettes_that_follow_from_their_names_and_the_seed(tiny_pairs):
    _, bank = read_palettes(tiny_pairs)
    (inputs, _), (again, _), (other, _) = (
        joined(batches_in_use(tiny_pairs, PALETTE, bank, seed)) for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(inputs, again)
    np.testing.assert_array_equal(inputs[..., :34], other[..., :34])
    one, two = (joined(batches_in_use(tiny_pairs[:1], PALETTE, bank, 0, [name]))[0] for name in ("p0", "x"))
    np.testing.assert_array_equal(one, inputs[:1])
    expected = bank.draw(read_rgb(tiny_pairs[0].input_path)[..., 0], seed_of("x", 0))
    np.testing.assert_allclose(two[0, ..., 34:], to_unit(expected.astype(np.float32)), atol=1e-6)
    plain = joined(batches_in_use(tiny_pairs, COLOR, None, 0))[0]
    np.testing.assert_array_equal(plain, joined(plain_batches(tiny_pairs, COLOR, 1))[0])


def test_a_code_follows_labels_or_colours_in_eight_channels():
    assert (CODE.labels, CODE.channels, CODE.stored_channels, CODE.constant) == (34, 42, 9, 8)
    assert PALETTE.constant == COLOR.constant == 0
    rgb = InputEncoding("color", None, "code")
    assert (rgb.channels, rgb.stored_channels) == (11, 11)
    code = np.array([0, 51, 102, 153, 204, 255, 0, 255], np.uint8)
    for encoding, drawing in ((CODE, [7]), (rgb, [255, 0, 51])):
        stored = np.concatenate([np.array(drawing, np.uint8), code])[None, None, None]
        encoded = encoding.encode(stored).numpy()[0, 0, 0]
        plain = InputEncoding(encoding.kind, encoding.classes).encode(stored[..., : len(drawing)]).numpy()
        np.testing.assert_array_equal(encoded[:-8], plain[0, 0, 0])
        np.testing.assert_allclose(encoded[-8:], [-1, -0.6, -0.2, 0.2, 0.6, 1, -1, 1], atol=1e-6)
    assert InputEncoding.from_json(rgb.to_json()) == rgb


@pytest.mark.parametrize("classes", [CLASSES, None])
@pytest.mark.parametrize("cache_mib", [0, 1])
def test_a_pair_has_its_own_code_in_every_pixel_of_every_view(tiny_pairs, classes, cache_mib):
    encoding = InputEncoding("color", classes, "code")
    codes = np.random.default_rng(0).integers(0, 256, (6, 8)).astype(np.uint8)
    feed = replace(feed_of(tiny_pairs, encoding, cache_mib=cache_mib), codes=codes)
    for number in range(2):
        inputs, targets = joined(feed.batches(number, np.arange(6), 2))
        own = [codes[int(pair_id[1:])] for pair_id in feed.pair_ids(number)]
        expected = to_unit(np.array(own, np.float32))[:, None, None]
        np.testing.assert_allclose(inputs[..., 3:], np.broadcast_to(expected, inputs[..., 3:].shape), atol=1e-6)
        plain = epoch(tiny_pairs, InputEncoding("color", classes), number)
        np.testing.assert_array_equal(inputs[..., :3], plain[0])
        np.testing.assert_array_equal(targets, plain[1])


@pytest.mark.parametrize("classes", [CLASSES, None])
def test_inputs_in_use_have_codes_of_training_photos(tiny_pairs, classes):
    encoding, bank = InputEncoding("color", classes, "code"), read_codes(tiny_pairs, classes)
    inputs, _ = joined(batches_in_use(tiny_pairs, encoding, bank, 0))
    for pair, one in zip(tiny_pairs, inputs, strict=True):
        code = bank.draw(encoding.read(pair.input_path), seed_of(pair.pair_id, 0))
        np.testing.assert_allclose(one[..., 3:], np.broadcast_to(to_unit(code / 1.0), (32, 32, 8)), atol=1e-6)


def test_plain_batches_keep_order_and_pixels(tiny_pairs):
    targets = joined(plain_batches(tiny_pairs, COLOR, 4))[1]
    assert [float((target < 0).all(axis=-1).mean()) for target in targets] == [1.0] * 6
    assert np.diff([(target == targets.min()).sum() for target in targets]).max() < 0


def test_no_reader_waits_for_tensorflows_tuner_when_it_is_closed(tiny_pairs):
    latent = InputEncoding("color", None, latent=(2, 3))
    readers = [
        feed_of(tiny_pairs).batches(0, np.arange(6), 2),
        LatentFeed.of(tiny_pairs, latent.latent, 0, False, True).batches(0, np.arange(6), 2),
        plain_batches(tiny_pairs, COLOR, 4),
        batches_in_use(tiny_pairs, latent, None, seed=0),
        segmentation_batches(tiny_pairs, CLASSES, seed=0, epoch=0, batch=2),
    ]
    assert [reader.options().autotune.enabled for reader in readers] == [False] * 5


def test_the_judges_batches_are_photos_and_evaluated_places(tiny_pairs):
    photos, places = next(segmentation_batches(tiny_pairs, CLASSES, 0, 0, 6).as_numpy_iterator())
    assert photos.shape == (6, 32, 32, 3)
    assert set(np.unique(places)) <= {0, 10, VOID}
    assert ((photos[..., 0] < to_unit(15.0)) == (places == 0)).mean() > 0.97


def test_pairs_drawn_apart_are_never_pairs_and_every_image_is_seen_once(tiny_pairs):
    apart, together = (feed_of(tiny_pairs, jitter=False, mirror=False, apart=apart) for apart in (2, 0))
    targets_of_epochs = []
    for number in range(6):
        inputs, targets = joined(apart.batches(number, np.arange(6), 2))
        own_inputs, own_targets = joined(together.batches(number, np.arange(6), 2))
        np.testing.assert_array_equal(inputs, own_inputs)
        assert not any((one == own).all() for one, own in zip(targets, own_targets, strict=True))
        assert sorted(map(np.sum, targets)) == sorted(map(np.sum, own_targets))
        targets_of_epochs.append(targets.tobytes())
    assert len(set(targets_of_epochs)) == 6


def test_pairs_drawn_apart_are_jittered_and_mirrored_apart(tmp_path):
    pairs = []
    for name, seed in (("a", 0), ("b", 1)):
        blocks = np.random.default_rng(seed).integers(0, 256, (8, 8, 3)).astype(np.uint8)
        write_png(tmp_path / f"{name}.png", np.kron(blocks, np.ones((4, 4, 1), np.uint8)))
        pairs.append(Pair(name, tmp_path / f"{name}.png", tmp_path / f"{name}.png"))

    def likeness(apart: bool, number: int) -> float:
        """Return the correlation of the inputs with the targets of the same pairs."""
        inputs, targets = joined(
            feed_of(pairs, InputEncoding("color", None), apart=int(apart)).batches(number, np.arange(2), 1)
        )
        return np.corrcoef(inputs.ravel(), (targets[::-1] if apart else targets).ravel())[0, 1]

    assert min(likeness(False, number) for number in range(4)) > 0.99
    # With two pairs the other's target is that of the other input: were they cropped alike, they would agree.
    assert max(likeness(True, number) for number in range(4)) < 0.9


@pytest.mark.parametrize("class_ids", [True, False])
def test_a_target_larger_than_its_input_is_cropped_at_the_same_position(class_ids):
    small = np.kron(np.random.default_rng(0).integers(0, 2, (8, 8, 1)) * 255, np.ones((4, 4, 1)))
    large = np.kron(small, np.ones((2, 2, 1)))
    images = tuple(tf.constant(image, tf.uint8) for image in (small, large))
    augment = Augmentation(0, jitter=True, mirror=True)
    for index in range(4):
        low, high = augment(tf.constant(index), images, (class_ids, class_ids))
        assert (low.shape, high.shape) == ((32, 32, 1), (64, 64, 1))
        reduced = high.numpy().reshape(32, 2, 32, 2, 1).mean((1, 3))
        shifts = [(down, right) for down in (-1, 0, 1) for right in (-1, 0, 1)]
        likeness = {by: np.corrcoef(np.roll(reduced, by, (0, 1)).ravel(), low.numpy().ravel())[0, 1] for by in shifts}
        assert max(likeness, key=likeness.get) == (0, 0)
        assert likeness[0, 0] > 0.9
