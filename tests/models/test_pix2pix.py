import math
from types import SimpleNamespace
from unittest.mock import patch

import keras
import numpy as np
import pytest
import tensorflow as tf
from shipped import changed
from tiny_models import SETTINGS, build_unet, pix2pix_settings

from pix2street.core.errors import UserError
from pix2street.layers.patchgan import with_hidden_maps
from pix2street.models import pix2pix
from pix2street.models.interface import Task
from pix2street.training.players import Adams, OnePassAdam

SHAPE = (32, 32, 3)
TASK = Task(SHAPE, SHAPE)
PLAIN = {"dropout_share": 0.0, "product_side_px": 0}


def trainable(network) -> int:
    return sum(int(np.prod(variable.shape)) for variable in network.trainable_variables)


def test_parameters_at_256_px_follow_from_the_layer_sizes():
    # Kernels are 4x4 = 16. A bias exists only where no norm follows; a norm has a scale and an offset.
    encoder = 16 * (3 * 64 + 64 * 128 + 128 * 256 + 256 * 512 + 4 * 512 * 512) + 64 + 512
    encoder_norms = 2 * (128 + 256 + 512 + 512 + 512 + 512)
    # Each decoder block but the first sees the block below and a skip.
    decoder = 16 * (512 * 512 + 3 * 1024 * 512 + 1024 * 256 + 512 * 128 + 256 * 64)
    decoder_norms = 2 * (512 + 512 + 512 + 512 + 256 + 128 + 64)
    output = 16 * 128 * 3 + 3
    expected = encoder + encoder_norms + decoder + decoder_norms + output
    assert expected == 54_414_531
    assert trainable(build_unet((256, 256, 3), 3, 64, 0)) == expected


@pytest.mark.parametrize(
    ("size", "levels"), [((256, 256), 8), ((128, 128), 7), ((128, 256), 7), ((96, 128), 5), ((32, 48), 4)]
)
def test_depth_follows_from_the_size(size, levels):
    task = Task((*size, 5), (*size, 3))
    assert pix2pix.count_levels(task) == levels
    assert pix2pix.multiple_px(task, pix2pix_settings()) == 2**levels
    network = build_unet((*size, 5), 3, 2, 0)
    assert network.get_layer(f"encode_{levels}").output.shape[1:3] == (size[0] >> levels, size[1] >> levels)
    assert network.output_shape == (None, *size, 3)


def test_dropout_stands_in_the_first_three_decoder_blocks():
    names = [layer.name for layer in build_unet((64, 64, 3), 3, 2, 0).layers if "dropout" in layer.name]
    assert names == ["decode_1_dropout", "decode_2_dropout", "decode_3_dropout"]


def test_weights_start_as_the_paper_says_and_follow_the_seed():
    first, same, other = (build_unet((64, 64, 3), 3, 16, seed).get_weights() for seed in (0, 0, 1))
    assert all((a == b).all() for a, b in zip(first, same, strict=True))
    kernels = [weight for weight in first if weight.ndim == 4]
    assert max(abs(float(kernel.mean())) for kernel in kernels) < 0.002
    assert [round(float(kernel.std()), 2) for kernel in kernels] == [0.02] * len(kernels)
    assert any((a != b).any() for a, b in zip(first, other, strict=True))
    assert len({kernel.ravel()[0] for kernel in kernels}) == len(kernels)


def start_training(settings: pix2pix.Settings, task: Task = TASK):
    generator = pix2pix.build_generator(task, settings, 0)
    return pix2pix.build_training(task, settings, generator, Adams(generator), 0)


def batch_of(shape: tuple[int, int, int] = SHAPE) -> dict[str, tf.Tensor]:
    images = np.random.default_rng(0).uniform(-1, 1, (2, 2, *shape)).astype("float32")
    return dict(zip(("input", "target"), map(tf.constant, images), strict=True))


def step_once(progress: float = 0.0, **changes) -> tuple[dict[str, float], list[list[np.ndarray]]]:
    """Return the terms of a first step without dropout, and then the weights of every network."""
    training = start_training(pix2pix_settings(**PLAIN, **changes))
    training.progress.assign(progress)
    terms = {name: float(value) for name, value in training.step(batch_of()).items()}
    return terms, [network.get_weights() for network in training.networks.values()]


def equal(one: list[np.ndarray], other: list[np.ndarray]) -> bool:
    return all((a == b).all() for a, b in zip(one, other, strict=True))


def test_one_update_is_that_of_two_separate_tapes():
    inputs, targets = tf.constant(np.random.default_rng(0).uniform(-1, 1, (2, 2, *SHAPE)), "float32")
    settings = pix2pix_settings(**PLAIN)
    training = start_training(settings)
    terms = {name: float(value) for name, value in training.step({"input": inputs, "target": targets}).items()}

    # The tutorial's way, with Keras' own losses and optimizer.
    gen, disc = pix2pix.build_generator(TASK, settings, 0), pix2pix.build_discriminator(TASK, settings, 0)
    entropy = keras.losses.BinaryCrossentropy(from_logits=True)
    with tf.GradientTape() as gen_tape, tf.GradientTape() as disc_tape:
        photo = gen(inputs, training=True)
        real = disc({"input": inputs, "target": targets}, training=True)
        fake = disc({"input": inputs, "target": photo}, training=True)
        gan, distance = entropy(tf.ones_like(fake), fake), tf.reduce_mean(tf.abs(targets - photo))
        gen_loss = gan + 100 * distance
        on_real, on_fake = entropy(tf.ones_like(real), real), entropy(tf.zeros_like(fake), fake)
        disc_loss = on_real + on_fake
    for tape, loss, network in ((gen_tape, gen_loss, gen), (disc_tape, disc_loss, disc)):
        optimizer = keras.optimizers.Adam(2e-4, beta_1=0.5)
        optimizer.apply(tape.gradient(loss, network.trainable_variables), network.trainable_variables)

    right = {"disc_real_accuracy": real > 0, "disc_generated_accuracy": fake < 0}
    expected = {
        "gen_total": gen_loss, "gen_gan": gan, "gen_l1": distance, "gen_features": 0.0, "disc_real": on_real,
        "disc_generated": on_fake, "disc_total": disc_loss,
        **{name: tf.reduce_mean(tf.cast(told, tf.float32)) for name, told in right.items()},
    }  # fmt: skip
    assert terms == pytest.approx({name: float(value) for name, value in expected.items()}, rel=1e-5)
    assert tuple(terms) == tuple(term.name for term in pix2pix.TERMS)
    for ours, theirs in zip(training.networks.values(), (gen, disc), strict=True):
        for a, b in zip(ours.get_weights(), theirs.get_weights(), strict=True):
            # Adam's first step is the sign of the gradient: where that is noise, the steps may differ.
            assert np.quantile(np.abs(a - b), 0.99) < 1e-5


def test_totals_are_made_of_their_terms():
    rng = np.random.default_rng(0)
    real, generated_logits = rng.normal(size=(2, 1, 3, 3, 1)).astype("float32")
    photo, target = rng.uniform(-1, 1, (2, 1, 4, 4, 3)).astype("float32")
    settings = pix2pix_settings(l1_weight=100.0, disc_loss_weight=0.5)
    terms = pix2pix.losses([[real]], [[generated_logits]], photo, target, settings, 100.0)
    losses = {name: float(value) for name, value in terms.items()}
    assert losses["gen_total"] == pytest.approx(losses["gen_gan"] + 100 * losses["gen_l1"], rel=1e-6)
    assert losses["disc_total"] == pytest.approx((losses["disc_real"] + losses["disc_generated"]) / 2, rel=1e-6)


def test_each_player_has_its_own_rate_and_betas():
    changes = {"generator_rate": 1e-3, "discriminator_rate": 4e-3, "beta_1": 0.0, "beta_2": 0.9}
    players = start_training(pix2pix_settings(**changes)).players
    assert {name: player.learning_rate for name, player in players.items()} == {
        "generator": 1e-3,
        "discriminator": 4e-3,
    }
    assert {(player.optimizer.beta_1, player.optimizer.beta_2) for player in players.values()} == {(0.0, 0.9)}


def test_terms_know_their_value_where_nobody_is_ahead():
    zeros = np.zeros((1, 3, 3, 1), "float32")
    photo = np.zeros((1, 4, 4, 3), "float32")
    settings = pix2pix_settings(disc_loss_weight=0.5)
    met = pix2pix.losses([[zeros]], [[zeros]], photo, photo, settings, 100.0)
    references = {term.name: term.reference(settings.model_dump()) for term in pix2pix.TERMS if term.name in met}
    assert [name for name, value in references.items() if value is None] == ["gen_total", "gen_l1", "gen_features"]
    for name, value in references.items():
        assert value is None or value == pytest.approx(float(met[name]), rel=1e-6)


@pytest.mark.parametrize("end", [None, 100.0])
def test_an_l1_weight_without_an_end_stays(end):
    assert pix2pix.l1_weight_at(0.5, pix2pix_settings(l1_weight_end=end)) == 100.0


@pytest.mark.parametrize(
    ("progress", "expected"), [(0.0, 100.0), (0.125, 77.5), (0.25, 55.0), (0.5, 10.0), (0.75, 10.0)]
)
def test_the_l1_weight_falls_over_the_first_half(progress, expected):
    assert float(pix2pix.l1_weight_at(progress, pix2pix_settings(l1_weight_end=10.0))) == pytest.approx(expected)


def test_a_step_takes_the_l1_weight_of_its_epoch():
    terms, _ = step_once(0.25, l1_weight_end=10.0)
    assert terms["gen_total"] == pytest.approx(terms["gen_gan"] + 55 * terms["gen_l1"], rel=1e-5)


def test_an_l1_weight_never_rises():
    with pytest.raises(ValueError, match="l1_weight_end: 101 is more than l1_weight: 100; choose at most as much"):
        changed(SETTINGS.pix2pix, l1_weight_end=101.0)


def test_a_warm_up_without_an_l1_is_refused():
    with pytest.raises(ValueError, match=r"warm_up: 0\.1 learns from L1 alone, but l1_weight is 0"):
        changed(SETTINGS.pix2pix, warm_up=0.1, l1_weight=0.0)


def test_feature_matching_moves_the_generator_alone():
    plain, (gen, disc) = step_once()
    terms, (other_gen, other_disc) = step_once(feature_weight=10.0)
    assert plain["gen_features"] == 0
    assert terms["gen_features"] > 0
    assert terms["gen_total"] == pytest.approx(plain["gen_total"] + 10 * terms["gen_features"], rel=1e-5)
    assert equal(disc, other_disc)
    assert not equal(gen, other_gen)


def test_features_of_a_photo_like_the_real_one_match():
    viewer = with_hidden_maps(pix2pix.build_discriminator(TASK, pix2pix_settings(), 0))
    photo = batch_of()["target"]
    views = [viewer({"input": photo, "target": image}, training=True) for image in (photo, photo, -photo)]
    settings = pix2pix_settings(feature_weight=10.0)
    features = [
        float(pix2pix.losses([views[0]], [view], photo, photo, settings, 100.0)["gen_features"]) for view in views[1:]
    ]
    assert features[0] == 0 < features[1]


def test_the_warm_up_minimises_l1_alone_and_the_discriminator_rests():
    settings = pix2pix_settings(warm_up=0.5, **PLAIN)
    training = start_training(settings)
    gen, disc = training.networks.values()
    player = training.players["discriminator"]
    before = [*disc.get_weights(), *(np.asarray(variable) for variable in player.optimizer.variables)]
    reference = pix2pix.build_generator(TASK, settings, 0)
    with tf.GradientTape() as tape:
        distance = tf.reduce_mean(tf.abs(batch_of()["target"] - reference(batch_of()["input"], training=True)))
        total = 100.0 * distance
    optimizer = OnePassAdam(settings.generator_rate, beta_1=0.5)
    optimizer.apply(tape.gradient(total, reference.trainable_variables), reference.trainable_variables)

    terms = tf.function(training.step)(batch_of())
    assert tuple(terms) == tuple(term.name for term in pix2pix.TERMS)
    assert equal(before, [*disc.get_weights(), *(np.asarray(variable) for variable in player.optimizer.variables)])
    for ours, theirs in zip(gen.get_weights(), reference.get_weights(), strict=True):
        assert np.quantile(np.abs(ours - theirs), 0.99) < 1e-5
    references = {term.name: term.reference(settings.model_dump()) for term in pix2pix.TERMS}
    references |= {"gen_total": total, "gen_l1": distance, "gen_features": 0.0}
    assert {name: float(value) for name, value in terms.items()} == pytest.approx(
        {name: float(value) for name, value in references.items()}, rel=1e-5
    )


@pytest.mark.parametrize(("progress", "rests"), [(0.0, True), (0.375, True), (0.5, False), (0.875, False)])
def test_an_epoch_warms_up_if_it_begins_within_the_share(progress, rests):
    terms, _ = step_once(progress, warm_up=0.5)
    assert (terms["disc_real"] == pytest.approx(math.log(2), abs=1e-7)) == rests


def test_after_the_warm_up_a_step_is_that_of_a_training_without_one():
    plain, with_warm_up = step_once(), step_once(0.5, warm_up=0.5)
    assert plain[0] == with_warm_up[0]
    assert all(map(equal, plain[1], with_warm_up[1]))


def test_several_devices_cannot_warm_up():
    devices = SimpleNamespace(num_replicas_in_sync=2)
    with (
        patch.object(tf.distribute, "get_strategy", lambda: devices),
        pytest.raises(UserError, match=r"warm_up: 0.5 needs one device, because 2 .*choose 0"),
    ):
        start_training(pix2pix_settings(warm_up=0.5))


def test_losses_are_means_over_the_scales_and_every_discriminator_learns():
    task = Task((64, 64, 3), (64, 64, 3))
    training = start_training(pix2pix_settings(scales=2, feature_weight=10.0, **PLAIN), task)
    assert list(training.networks) == ["generator", "discriminator", "discriminator_2"]
    _, *discs = training.networks.values()
    assert [disc.output_shape for disc in discs] == [(None, 6, 6, 1), (None, 2, 2, 1)]
    before = [disc.get_weights() for disc in discs]
    batch = batch_of(task.input_shape)
    real = [disc({"input": batch["input"], "target": batch["target"]}, training=True) for disc in discs]
    terms = training.step(batch)
    expected = [tf.reduce_mean(tf.math.softplus(-logits)) for logits in real]
    assert float(terms["disc_real"]) == pytest.approx(float(sum(expected)) / 2, rel=1e-5)
    assert terms["gen_features"] > 0
    for disc, weights in zip(discs, before, strict=True):
        assert all((old != new).any() for old, new in zip(weights, disc.get_weights(), strict=True))


def test_a_pair_that_is_too_small_for_a_scale_is_refused():
    with pytest.raises(UserError, match=r"scales: discriminator 2 needs sides of at least 48 px, .* 32x32; choose few"):
        start_training(pix2pix_settings(scales=2))
