from itertools import permutations

import keras
import numpy as np
import pytest
import tensorflow as tf
from model_battery import TASK, batch, drawings, start
from tiny_models import SETTINGS

from pix2street.core.errors import UserError
from pix2street.inference.in_use import as_inference
from pix2street.models import oasis
from pix2street.models.interface import Task

SMALL = SETTINGS.oasis.model_copy(update={"generator_filters": 4, "discriminator_filters": 4})
NO_VOID = np.zeros(3, "float32")
SURE = 50.0
"""A logit that leaves the other classes no probability in float32."""


def one_hot(ids) -> tf.Tensor:
    return tf.one_hot(np.array(ids)[np.newaxis], 3)


def seen_as(ids) -> dict:
    """Return the outputs of a discriminator that is sure of these classes, with equal maps and silent patches."""
    logits = oasis.folded(SURE * tf.one_hot(np.array(ids)[np.newaxis], 4))
    return {"classes": logits, "patches": tf.zeros((1, 1, 1, 1)), **dict.fromkeys(oasis.MAPS, tf.zeros((1, 2, 2, 1)))}


def terms_of(real_ids, generated_ids, ids, void=NO_VOID) -> dict:
    photo = tf.zeros((1, *np.shape(ids), 3))
    return oasis.losses(seen_as(real_ids), seen_as(generated_ids), photo, photo, one_hot(ids), void, SMALL)


IDS = [[0, 0, 1, 1], [0, 2, 1, 1], [2, 2, 2, 1], [0, 0, 0, 0]]
GENERATED = np.full((4, 4), 3)


def test_a_discriminator_that_knows_all_loses_nothing():
    terms = terms_of(IDS, GENERATED, IDS)
    assert float(terms["disc_real"]) == float(terms["disc_generated"]) == 0
    assert float(terms["gen_classes"]) == pytest.approx(SURE * np.mean(weights_of(IDS)))
    assert float(terms["disc_real_accuracy"]) == float(terms["disc_generated_accuracy"]) == 1


def test_a_generator_whose_pixels_are_seen_as_their_classes_loses_nothing():
    terms = terms_of(GENERATED, IDS, IDS)
    assert float(terms["gen_classes"]) == 0
    assert float(terms["disc_generated"]) == SURE
    assert float(terms["disc_real_accuracy"]) == float(terms["disc_generated_accuracy"]) == 0


def test_silent_logits_cost_the_logarithm_of_all_classes():
    silent = seen_as(IDS) | {"classes": tf.zeros((1, 2, 2, 4, 4))}
    terms = oasis.losses(silent, silent, *[tf.zeros((1, 4, 4, 3))] * 2, one_hot(IDS), NO_VOID, SMALL)
    assert float(terms["disc_generated"]) == pytest.approx(np.log(4))
    assert float(terms["gen_classes"]) == pytest.approx(np.log(4) * np.mean(weights_of(IDS)))


def weights_of(ids, void=NO_VOID, power=SMALL.balance_power) -> np.ndarray:
    return oasis.pixel_weights(one_hot(ids), void, power).numpy()[0]


def test_each_class_weighs_the_same_at_power_1():
    weights = weights_of(IDS, power=1.0)
    sums = [weights[np.array(IDS) == index].sum() for index in range(3)]
    np.testing.assert_allclose(sums, 16 / 3, rtol=1e-6)
    assert weights.mean() == pytest.approx(1)


def test_power_0_weighs_all_pixels_equally():
    np.testing.assert_array_equal(weights_of(IDS, power=0.0), 1)


def test_a_class_of_three_pixels_does_not_outweigh_the_photo():
    ids = np.zeros((64, 64), int)
    ids[0, :3] = 1
    weights = weights_of(ids, power=1.0)
    assert weights[0, 0] == oasis.HEAVIEST < 4096 / (2 * 3)
    assert weights[1, 0] == pytest.approx(4096 / (2 * 4093))


def test_one_class_alone_weighs_1():
    np.testing.assert_array_equal(weights_of(np.ones((4, 4), int)), 1)


def test_void_has_no_weight_and_changes_no_other():
    void = np.array([0, 0, 1], "float32")
    weights = weights_of(IDS, void, power=1.0)
    labelled = np.array(IDS) != 2
    assert not weights[~labelled].any()
    assert weights[labelled].mean() == pytest.approx(1)


def test_void_alone_is_finite_and_teaches_no_class():
    terms = terms_of(GENERATED, GENERATED, np.full((4, 4), 2), np.array([0, 0, 1], "float32"))
    assert float(terms["disc_real"]) == float(terms["gen_classes"]) == 0
    assert all(np.isfinite(value) for value in terms.values())


@pytest.mark.parametrize("order", permutations(range(3)))
def test_the_order_of_the_classes_changes_nothing(order):
    logits = np.random.default_rng(0).normal(size=(2, 1, 4, 4, 4)).astype("float32")

    def terms(names):
        seen = [seen_as(IDS) | {"classes": oasis.folded(half[..., [*names, 3]])} for half in logits]
        labels = tf.gather(one_hot(IDS), names, axis=-1)
        photo = tf.zeros((1, 4, 4, 3))
        return oasis.losses(*seen, photo, photo, labels, NO_VOID[[*names]], SMALL)

    first, permuted = terms((0, 1, 2)), terms(order)
    for name, value in first.items():
        assert float(permuted[name]) == pytest.approx(float(value), rel=1e-5), name


def test_folded_pixels_lie_in_rows():
    x = np.arange(2 * 4 * 6 * 3).reshape(2, 4, 6, 3)
    folded = np.array(oasis.folded(tf.constant(x)))
    for row, column in np.ndindex(4, 6):
        np.testing.assert_array_equal(folded[:, row // 2, column // 2, 2 * (row % 2) + column % 2], x[:, row, column])


def test_labelmix_asks_for_the_mixed_logits():
    rng = np.random.default_rng(0)
    real, generated = ({"classes": tf.constant(rng.normal(size=(1, 2, 2, 4, 4)), "float32")} for _ in range(2))
    ones, zeros = tf.ones((1, 4, 4, 1)), tf.zeros((1, 4, 4, 1))
    assert float(oasis.labelmix(real, real, generated, ones)) == 0
    assert float(oasis.labelmix(generated, real, generated, zeros)) == 0
    apart = np.mean((real["classes"].numpy() - generated["classes"].numpy()) ** 2)
    assert float(oasis.labelmix(real, real, generated, zeros)) == pytest.approx(apart, rel=1e-6)


def test_the_mask_takes_or_leaves_whole_classes():
    labels = drawings(count=8)
    mask = oasis.build_mask(TASK, seed=0)(labels).numpy()[..., 0]
    assert set(np.unique(mask)) == {0, 1}
    ids = labels.numpy().argmax(axis=-1)
    for image in range(8):
        for index in np.unique(ids[image]):
            assert np.ptp(mask[image][ids[image] == index]) == 0
    assert not (oasis.build_mask(TASK, seed=1)(labels).numpy()[..., 0] == mask).all()


def test_a_discriminator_judges_patches_only_where_their_loss_has_a_weight():
    names = [oasis.build_discriminator(TASK, SMALL.model_copy(update={"hinge_weight": w}), 0).output for w in (0, 0.5)]
    assert ["patches" in outputs for outputs in names] == [False, True]
    silent = seen_as(IDS)
    hinge = oasis.losses(
        silent, silent, *[tf.zeros((1, 4, 4, 3))] * 2, one_hot(IDS), NO_VOID,
        SMALL.model_copy(update={"hinge_weight": 0.5}),
    )  # fmt: skip
    assert float(hinge["disc_hinge"]) == 2
    assert float(hinge["gen_hinge"]) == 0


def test_feature_matching_teaches_the_generator_alone():
    seen = []
    for weight in (0.0, 10.0):
        training = start(oasis, SMALL.model_copy(update={"feature_weight": weight}))
        terms = training.step(batch())
        assert [name for name, value in terms.items() if value == 0] == ["gen_hinge", "disc_hinge", "disc_labelmix"]
        seen.append([network.get_weights() for network in training.networks.values()])
    (plain_gen, plain_disc, _), (gen, disc, _) = seen
    assert all((a == b).all() for a, b in zip(plain_disc, disc, strict=True))
    assert any((a != b).any() for a, b in zip(plain_gen, gen, strict=True))


@pytest.mark.parametrize("modulation", ["clade", "spade"])
def test_an_image_of_one_class_shows_which(modulation):
    generator = oasis.build_generator(TASK, SMALL.model_copy(update={"modulation": modulation}), 0)
    photos = [generator(tf.one_hot(np.full((1, 32, 64), index), 4)).numpy() for index in (0, 1)]
    assert np.abs(photos[0] - photos[1]).mean() > 1e-3


def test_clade_is_a_table_by_class():
    from pix2street.layers.modulation import modulate

    x, labels = keras.Input((4, 4, 2)), keras.Input((4, 4, 3))
    network = keras.Model([x, labels], modulate(x, labels, iter(range(9)), "m"))
    table, bias = network.get_layer("m_by_labels").get_weights()
    network.get_layer("m_by_labels").set_weights([table * 50, bias + 0.5])
    values = np.random.default_rng(0).normal(size=(2, 4, 4, 2)).astype("float32")
    ids = np.random.default_rng(1).integers(0, 3, (2, 4, 4))
    normal = (values - values.mean((1, 2), keepdims=True)) / np.sqrt(values.var((1, 2), keepdims=True) + 1e-5)
    gamma, beta = np.split((table * 50 + 0.5)[ids], 2, axis=-1)
    expected = normal * (1 + gamma) + beta
    expected = np.where(expected > 0, expected, 0.2 * expected)
    np.testing.assert_allclose(network([tf.constant(values), tf.one_hot(ids, 3)]), expected, rtol=1e-4, atol=1e-5)


def test_in_use_noise_can_be_left_out_and_sides_may_differ():
    generator = oasis.build_generator(TASK, SMALL, 0)
    for weight in generator.weights:
        if weight.path.endswith("noise/scale"):
            weight.assign(weight + 1)
    noisy, quiet = (as_inference(generator, "batch", noise=noise, any_size=True) for noise in (True, False))
    wide = tf.concat([drawings(1), drawings(1)], axis=2)
    assert quiet(wide).shape == (1, 32, 128, 3)
    np.testing.assert_array_equal(quiet(wide), quiet(wide))
    assert np.abs(noisy(wide).numpy() - noisy(wide).numpy()).max() > 0.01


def test_colours_are_refused():
    with pytest.raises(UserError, match="encoding is color; set it to onehot"):
        oasis.build_generator(Task((32, 32, 3), (32, 32, 3)), SMALL, 0)


def test_sides_that_cannot_be_halved_are_refused():
    with pytest.raises(UserError, match="multiples of 16 px, but they are 40 and 32"):
        oasis.build_generator(Task((40, 32, 4), (40, 32, 3), labels=4), SMALL, 0)
    with pytest.raises(UserError, match="multiples of 16 px, but they are 40 and 32"):
        oasis.build_discriminator(Task((40, 32, 4), (40, 32, 3), labels=4), SMALL, 0)
