"""One update of both networks."""

from collections.abc import Callable

import keras
import tensorflow as tf

from pix2street.layers.losses import LOSS_NAMES, pix2pix_losses
from pix2street.training.diagnostics import discriminator_accuracy

Step = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]

STEP_NAMES = (*LOSS_NAMES, "disc_real_accuracy", "disc_generated_accuracy", "gradient_sum")
"""What a step returns, in this order; the last is finite where every gradient is."""


def build_step(
    generator: keras.Model,
    discriminator: keras.Model,
    gen_optimizer: keras.optimizers.Optimizer,
    disc_optimizer: keras.optimizers.Optimizer,
    l1_weight: float,
    disc_loss_weight: float,
    replicas: int = 1,
) -> Step:
    """A function of one batch that updates both networks and returns what it met on the way.

    Both updates follow from the same weights and share one pass of D(x, G(x)), as in the tutorial; the PyTorch
    reference updates the discriminator first and passes G(x) through the new one.

    Args:
        replicas: how many devices run the step side by side; gradients are summed over them.

    Returns:
        `(inputs [B, H, W, C], targets [B, H, W, 1 or 3]) -> [9]` float32 in the order of `STEP_NAMES`.
    """

    def step(inputs: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape(persistent=True) as tape:
            generated = generator(inputs, training=True)
            real_logits = discriminator({"input": inputs, "target": targets}, training=True)
            generated_logits = discriminator({"input": inputs, "target": generated}, training=True)
            losses = pix2pix_losses(real_logits, generated_logits, generated, targets, l1_weight, disc_loss_weight)
            # Scaled only where an optimizer says so, for float16, whose small gradients would vanish.
            gen_loss = gen_optimizer.scale_loss(losses["gen_total"] / replicas)
            disc_loss = disc_optimizer.scale_loss(losses["disc_total"] / replicas)
        gen_gradients = tape.gradient(gen_loss, generator.trainable_variables)
        disc_gradients = tape.gradient(disc_loss, discriminator.trainable_variables)
        total = tf.add_n([tf.reduce_sum(gradient) for gradient in [*gen_gradients, *disc_gradients]])
        gen_optimizer.apply(gen_gradients, generator.trainable_variables)
        disc_optimizer.apply(disc_gradients, discriminator.trainable_variables)
        accuracies = discriminator_accuracy(real_logits, generated_logits)
        return tf.stack([*(losses[name] for name in LOSS_NAMES), *accuracies, total])

    return step
