import keras
import numpy as np
import pytest
import tensorflow as tf
from tiny_models import build_unet, pix2pix_settings

from pix2street.models import pix2pix
from pix2street.models.interface import Task
from pix2street.training.players import Adams

SHAPE = (32, 32, 3)
TASK = Task(SHAPE, SHAPE)


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


def start_training(settings: pix2pix.Settings):
    generator = pix2pix.build_generator(TASK, settings, 0)
    return pix2pix.build_training(TASK, settings, generator, Adams(generator), 0)


def test_one_update_is_that_of_two_separate_tapes():
    inputs, targets = tf.constant(np.random.default_rng(0).uniform(-1, 1, (2, 2, *SHAPE)), "float32")
    settings = pix2pix_settings(dropout_share=0.0, product_side_px=0)
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
        "gen_total": gen_loss, "gen_gan": gan, "gen_l1": distance, "disc_real": on_real, "disc_generated": on_fake,
        "disc_total": disc_loss, **{name: tf.reduce_mean(tf.cast(told, tf.float32)) for name, told in right.items()},
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
    losses = {k: float(v) for k, v in pix2pix.losses(real, generated_logits, photo, target, settings).items()}
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
    met = pix2pix.losses(zeros, zeros, photo, photo, settings)
    references = {term.name: term.reference(settings.model_dump()) for term in pix2pix.TERMS if term.name in met}
    assert [name for name, value in references.items() if value is None] == ["gen_total", "gen_l1"]
    for name, value in references.items():
        assert value is None or value == pytest.approx(float(met[name]), rel=1e-6)
