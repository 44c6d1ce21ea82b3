from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import tensorflow as tf
from model_battery import TASK, batch, drawings, start
from shipped import changed
from tiny_models import SETTINGS

from pix2street.core.errors import UserError
from pix2street.inference.in_use import as_inference
from pix2street.layers.edges import ClassEdges
from pix2street.models import pix2pixhd
from pix2street.models.interface import Task

SMALL = changed(
    SETTINGS.pix2pixhd, generator_filters=2, discriminator_filters=2, downs=2, blocks=1, enhancer_blocks=1, scales=1
)
COLORS = Task((32, 32, 3), (32, 32, 3))


def weights_on_paper(filters: int, channels: int, downs: int, blocks: int) -> int:
    """Return the weights of the global generator: kernels without biases, but for the last convolution."""
    widths = [filters * 2**level for level in range(downs + 1)]
    sizes = sum(9 * narrow * wide for narrow, wide in pairwise(widths))
    return 49 * channels * filters + 2 * sizes + blocks * 2 * 9 * widths[-1] ** 2 + 49 * filters * 3 + 3


def test_the_global_generator_of_the_paper_has_182_million_weights():
    # 35 classes and their edges; the paper's settings.
    assert weights_on_paper(64, 36, 4, 9) == 182_525_379
    task = Task((64, 64, 5), (64, 64, 3), labels=5)
    settings = changed(SMALL, downs=4, blocks=9, upsample="transpose")
    network = pix2pixhd.build_generator(task, settings, 0)
    assert network.count_params() == weights_on_paper(2, 6, 4, 9)
    assert network.get_layer("down_4").output.shape == (None, 4, 4, 32)


@pytest.mark.parametrize("upsample", ["transpose", "resize"])
def test_both_ways_up_have_the_same_weights(upsample):
    network = pix2pixhd.build_generator(COLORS, changed(SMALL, upsample=upsample), 0)
    assert network.count_params() == weights_on_paper(2, 3, 2, 1)


def test_the_enhancer_adds_the_features_of_the_global_generator_at_half_of_the_size():
    settings = changed(SMALL, enhancer=True, enhancer_blocks=2, generator_filters=4)
    network = pix2pixhd.build_generator(TASK, settings, 0)
    assert network.get_layer("half").output.shape == (None, 16, 32, 5)
    of_encoder, of_global = network.get_layer("enhancer_sum").input
    assert of_encoder.shape == of_global.shape == (None, 16, 32, 4)
    assert of_global is network.get_layer("up_2").output
    inner = weights_on_paper(4, 5, 2, 1) - (49 * 4 * 3 + 3)
    outer = 49 * 5 * 2 + 9 * 2 * 4 + 2 * 2 * 9 * 4**2 + 9 * 4 * 2 + 49 * 2 * 3 + 3
    assert network.count_params() == inner + outer
    assert network.output_shape == (None, 32, 64, 3)


@pytest.mark.parametrize("enhancer", [False, True])
def test_constant_channels_pass_the_norms(enhancer):
    settings, constant = changed(SMALL, enhancer=enhancer), 3
    task = replace(TASK, input_shape=(*TASK.input_shape[:2], 4 + constant), constant=constant)
    plain = pix2pixhd.build_generator(replace(task, constant=0), settings, 0)
    network = pix2pixhd.build_generator(task, settings, 0)
    one = np.concatenate([drawings(1), np.full((1, *TASK.input_shape[:2], constant), 0.5)], axis=-1)
    other = np.concatenate([drawings(1), np.full((1, *TASK.input_shape[:2], constant), -0.5)], axis=-1)
    # The first norm removes what is constant.
    np.testing.assert_allclose(plain(one), plain(other), atol=1e-4)
    assert np.median(np.abs(network(one) - network(other))) > 1e-3
    channels, narrow = 4 + constant, max(SMALL.generator_filters // 2, 1)
    first = SMALL.generator_filters * (channels + 1)
    more = first + narrow * (2 * channels + 1) if enhancer else first + SMALL.generator_filters * channels
    assert network.count_params() == plain.count_params() + more


def test_every_weight_of_the_enhancer_learns():
    training = start(pix2pixhd, changed(SMALL, enhancer=True))
    before = training.generator.get_weights()
    training.step(batch())
    assert all((old != new).any() for old, new in zip(before, training.generator.get_weights(), strict=True))


def test_edges_are_where_a_neighbour_has_another_class():
    ids = np.array([[0, 0, 0, 1], [0, 0, 0, 1], [0, 0, 0, 0], [2, 0, 0, 0]])
    others = np.full((1, 4, 4, 2), 0.7)
    others[..., 0] = np.arange(16).reshape(4, 4)  # further channels, as those of a palette, have no edges
    inputs = np.concatenate([np.eye(3)[ids][np.newaxis], others], axis=-1).astype("float32")
    expected = [[0, 0, 1, 1], [0, 0, 1, 1], [1, 0, 0, 1], [1, 1, 0, 0]]
    np.testing.assert_array_equal(ClassEdges(3)(inputs)[0, ..., 0], expected)


def test_borders_of_the_image_and_diagonal_neighbours_are_no_edges():
    assert not np.array(ClassEdges(2)(tf.one_hot(np.zeros((1, 3, 3), int), 2))).any()
    ids = np.zeros((3, 3), int)
    ids[0, 0] = 1
    assert np.array(ClassEdges(2)(tf.one_hot(ids[np.newaxis], 2)))[0, 1, 1, 0] == 0


def test_generator_and_discriminators_see_edges_where_there_are_classes():
    assert pix2pixhd.build_generator(TASK, SMALL, 0).get_layer("global_start_conv_pad").output.shape[-1] == 5
    assert pix2pixhd.build_generator(COLORS, SMALL, 0).get_layer("global_start_conv_pad").output.shape[-1] == 3
    for task, channels in ((TASK, 4 + 1 + 3), (COLORS, 6)):
        (network,) = pix2pixhd.build_discriminators(task, SMALL, 0).values()
        assert network.get_layer("pair").output.shape[-1] == channels


def test_each_scale_sees_half_the_size_of_the_one_before():
    task = Task((64, 128, 4), (64, 128, 3), labels=4)
    networks = pix2pixhd.build_discriminators(task, changed(SMALL, scales=2), 0)
    assert list(networks) == ["discriminator", "discriminator_2"]
    sizes = [network.get_layer("block_1_conv_pad").input.shape[1:] for network in networks.values()]
    assert sizes == [(64, 128, 8), (32, 64, 8)]


def views(*logits: float) -> list:
    """Return what a discriminator of each scale gives that says one number everywhere, with equal maps."""
    return [[*([tf.zeros((1, 2, 2, 1))] * 4), tf.fill((1, 3, 3, 1), value)] for value in logits]


def losses_of(real, generated, **changes) -> dict[str, float]:
    photo = tf.zeros((1, 4, 4, 3))
    terms = pix2pixhd.losses(real, generated, photo, photo + 0.5, changed(SMALL, **changes))
    return {name: float(value) for name, value in terms.items()}


@pytest.mark.parametrize(("gan_loss", "undecided"), [("least_squares", 0.5), ("hinge", 0.0)])
def test_terms_know_their_value_where_nobody_is_ahead(gan_loss, undecided):
    met = losses_of(views(undecided), views(undecided), gan_loss=gan_loss)
    references = {term.name: term.reference({"gan_loss": gan_loss}) for term in pix2pixhd.TERMS}
    without = ["gen_total", "gen_features", "gen_l1"] + (["gen_gan"] if gan_loss == "hinge" else [])
    assert {name for name, value in references.items() if value is None} == set(without)
    for name, value in references.items():
        assert value is None or value == met[name] or name.endswith("accuracy"), name


@pytest.mark.parametrize(
    ("gan_loss", "real", "generated", "gen"),
    [("least_squares", 0.04, 0.09, 0.49), ("hinge", 0.2, 1.3, -0.3)],
)
def test_losses_of_patches_are_those_of_their_papers(gan_loss, real, generated, gen):
    terms = losses_of(views(0.8), views(0.3), gan_loss=gan_loss)
    assert terms["disc_real"] == pytest.approx(real)
    assert terms["disc_generated"] == pytest.approx(generated)
    assert terms["gen_gan"] == pytest.approx(gen)
    assert terms["disc_total"] == pytest.approx(real + generated)


def test_a_patch_is_told_right_on_its_side_of_the_middle():
    told = ("disc_real_accuracy", "disc_generated_accuracy")
    assert [losses_of(views(0.4), views(0.4))[name] for name in told] == [0, 1]
    assert [losses_of(views(0.4), views(0.4), gan_loss="hinge")[name] for name in told] == [1, 0]


def test_losses_are_means_over_the_scales_and_the_total_has_its_weights():
    real, generated = views(0.8, 0.6), views(0.3, 0.1)
    generated[0][:4] = [tf.fill((1, 2, 2, 1), value) for value in (1.0, 2.0, 3.0, 4.0)]
    terms = losses_of(real, generated, feature_weight=10.0, l1_weight=2.0)
    assert terms["disc_real"] == pytest.approx((0.04 + 0.16) / 2)
    # Equation 4 adds the maps of a discriminator; those of the second match.
    assert terms["gen_features"] == pytest.approx((1 + 2 + 3 + 4) / 2)
    assert terms["gen_total"] == pytest.approx(terms["gen_gan"] + 10 * 5 + 2 * 0.5)


def test_feature_matching_teaches_the_generator_alone():
    seen = []
    for weight in (0.0, 10.0):
        training = start(pix2pixhd, changed(SMALL, feature_weight=weight))
        training.step(batch())
        seen.append([network.get_weights() for network in training.networks.values()])
    (plain_gen, plain_disc), (gen, disc) = seen
    assert all((a == b).all() for a, b in zip(plain_disc, disc, strict=True))
    assert any((a != b).any() for a, b in zip(plain_gen, gen, strict=True))


def test_in_use_sides_may_differ_and_nothing_else_changes():
    generator = pix2pixhd.build_generator(TASK, SMALL, 0)
    copy = as_inference(generator, "batch", noise=True, any_size=True)
    np.testing.assert_allclose(copy(drawings(1)), generator(drawings(1)), rtol=1e-4, atol=1e-5)
    for height, width in ((8, 8), (24, 72)):
        assert copy(tf.zeros((1, height, width, 4))).shape == (1, height, width, 3)


@pytest.mark.parametrize(("enhancer", "multiple"), [(False, 8), (True, 16)])
def test_sides_that_cannot_be_halved_are_refused(enhancer, multiple):
    settings = changed(SMALL, enhancer=enhancer)
    assert pix2pixhd.multiple_px(COLORS, settings) == multiple
    assert pix2pixhd.build_generator(Task((multiple, multiple, 3), (multiple, multiple, 3)), settings, 0)
    with pytest.raises(UserError, match=f"multiples of {multiple} px, but they are {multiple} and 36; choose fewer"):
        pix2pixhd.build_generator(Task((multiple, 36, 3), (multiple, 36, 3)), settings, 0)


def test_a_pair_that_is_too_small_for_a_scale_is_refused():
    with pytest.raises(UserError, match=r"scales: discriminator 2 needs sides of at least 48 px, .* 32x32; choose few"):
        pix2pixhd.build_discriminators(COLORS, changed(SMALL, scales=2), 0)
