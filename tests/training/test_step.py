import keras
import numpy as np
import tensorflow as tf
from pix2street.models.unet import build_unet
from pix2street.training.step import STEP_NAMES, build_step

from pix2street.layers.patchgan import build_patchgan

SHAPE = (32, 32, 3)


def networks_and_optimizers():
    networks = build_unet(SHAPE, 3, 4, 0, dropout_share=0.0), build_patchgan(SHAPE, SHAPE, 4, 0)
    optimizers = [keras.optimizers.Adam(2e-4, beta_1=0.5) for _ in networks]
    for network, optimizer in zip(networks, optimizers, strict=True):
        optimizer.build(network.trainable_variables)
    return *networks, *optimizers


def test_one_update_is_that_of_two_separate_tapes():
    inputs, targets = tf.constant(np.random.default_rng(0).uniform(-1, 1, (2, 2, *SHAPE)), "float32")
    generator, discriminator, gen_optimizer, disc_optimizer = networks_and_optimizers()
    losses = build_step(generator, discriminator, gen_optimizer, disc_optimizer, 100.0, 1.0)(inputs, targets).numpy()

    # The tutorial's way, with Keras' own losses.
    gen, disc, gen_adam, disc_adam = networks_and_optimizers()
    entropy = keras.losses.BinaryCrossentropy(from_logits=True)
    with tf.GradientTape() as gen_tape, tf.GradientTape() as disc_tape:
        photo = gen(inputs, training=True)
        real = disc({"input": inputs, "target": targets}, training=True)
        fake = disc({"input": inputs, "target": photo}, training=True)
        gan, distance = entropy(tf.ones_like(fake), fake), tf.reduce_mean(tf.abs(targets - photo))
        gen_loss = gan + 100 * distance
        on_real, on_fake = entropy(tf.ones_like(real), real), entropy(tf.zeros_like(fake), fake)
        disc_loss = on_real + on_fake
    gen_gradients = gen_tape.gradient(gen_loss, gen.trainable_variables)
    disc_gradients = disc_tape.gradient(disc_loss, disc.trainable_variables)
    gen_adam.apply(gen_gradients, gen.trainable_variables)
    disc_adam.apply(disc_gradients, disc.trainable_variables)

    expected = [float(loss) for loss in (gen_loss, gan, distance, on_real, on_fake, disc_loss)]
    assert np.isfinite(losses[-1])
    accuracies = [float(tf.reduce_mean(tf.cast(right, tf.float32))) for right in (real > 0, fake < 0)]
    np.testing.assert_allclose(losses[6:8], accuracies)
    np.testing.assert_allclose(losses[:6], expected, rtol=1e-5, err_msg=str(STEP_NAMES))
    for ours, theirs in ((generator, gen), (discriminator, disc)):
        for a, b in zip(ours.get_weights(), theirs.get_weights(), strict=True):
            # Adam's first step is the sign of the gradient: where that is noise, the steps may differ.
            assert np.quantile(np.abs(a - b), 0.99) < 1e-5
