import keras
import numpy as np
import pytest
import tensorflow as tf

from pix2street.errors import UserError
from pix2street.gan.loop import train_epochs
from pix2street.gan.losses import LOSS_NAMES
from pix2street.gan.patchgan import build_patchgan
from pix2street.generators.unet import build_unet

SHAPE = (32, 32, 3)
IMAGES = np.random.default_rng(0).uniform(-1, 1, (5, *SHAPE)).astype("float32")


def train(seed: int, images=IMAGES, epochs: int = 2):
    generator, discriminator = build_unet(SHAPE, 3, 4, 0), build_patchgan(SHAPE, SHAPE, 4, 0)
    losses = train_epochs(
        generator, discriminator, lambda _: tf.data.Dataset.from_tensor_slices((images, images)).batch(2), len(images),
        epochs=epochs, seed=seed, learning_rate=1e-3, beta_1=0.5, l1_weight=100.0, disc_loss_weight=1.0,
    )  # fmt: skip
    return list(losses), generator.get_weights() + discriminator.get_weights()


def test_the_same_seed_gives_the_same_bits_and_another_seed_does_not():
    keras.utils.set_random_seed(0)
    losses, weights = train(0)
    keras.utils.set_random_seed(1)
    again, same = train(0)
    assert losses == again
    assert all((a == b).all() for a, b in zip(weights, same, strict=True))
    _, other = train(1)
    assert any((a != b).any() for a, b in zip(weights, other, strict=True))


def test_losses_are_named_and_fall():
    losses, _ = train(0, epochs=6)
    assert [tuple(epoch) for epoch in losses] == [LOSS_NAMES] * 6
    assert losses[-1]["gen_l1"] < losses[0]["gen_l1"]


def test_a_loss_that_is_not_finite_stops_the_run():
    images = IMAGES.copy()
    images[3, 0, 0, 0] = np.nan
    with pytest.raises(UserError, match="epoch 1: a loss is no longer finite"):
        train(0, images)
