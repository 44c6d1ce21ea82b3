"""The optimizer of both networks: Adam in one pass over memory, its schedule, and the average of its weights."""

import keras
import tensorflow as tf


class OnePassAdam(keras.optimizers.Adam):
    """Keras' Adam (Kingma & Ba 2015, algorithm 1 with section 2's order), computed by TensorFlow's own kernel.

    Keras writes the update as seven operations, each of which reads and writes every weight; the kernel does all at
    once. It uses Keras' private `_momentums`, `_velocities` and `_get_variable_index`, whose release is pinned.
    """

    def update_step(self, gradient, variable, learning_rate):
        """Update one variable, its momentum and its velocity in place."""
        index = self._get_variable_index(variable)
        dtype = variable.dtype
        steps = tf.cast(self.iterations + 1, dtype)
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=self._momentums[index].value.handle,
            v=self._velocities[index].value.handle,
            beta1_power=tf.pow(tf.cast(self.beta_1, dtype), steps),
            beta2_power=tf.pow(tf.cast(self.beta_2, dtype), steps),
            lr=tf.cast(learning_rate, dtype),
            beta1=tf.cast(self.beta_1, dtype),
            beta2=tf.cast(self.beta_2, dtype),
            epsilon=tf.cast(self.epsilon, dtype),
            grad=tf.cast(gradient, dtype),
        )


def build_adam(
    network: keras.Model, learning_rate: float, beta_1: float, *, ema_decay: float = 0.0, scale_losses: bool = False
) -> keras.optimizers.Optimizer:
    """One-pass Adam for `network`.

    Args:
        ema_decay: above 0 it keeps a running average of the weights (Polyak & Juditsky 1992), see `averages_of`.
        scale_losses: multiply the loss while gradients are taken, as float16 needs (Micikevicius et al. 2018, section
            3.2); a step whose scaled gradients are not finite is left out then and the factor halved.
    """
    optimizer = OnePassAdam(learning_rate, beta_1=beta_1, use_ema=ema_decay > 0, ema_momentum=ema_decay or None)
    if scale_losses:
        # Keras begins at 2^15, where lambda = 100 overflows and the first steps are lost.
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer, initial_scale=2.0**10)
    optimizer.build(network.trainable_variables)
    return optimizer


def averages_of(optimizer: keras.optimizers.Optimizer) -> list[keras.Variable]:
    """The running averages in the order of the network's trainable variables; none where there is no average.

    (Keras' own way to them overwrites the weights that are being trained; the release is pinned.)
    """
    inner = getattr(optimizer, "inner_optimizer", optimizer)
    return inner._model_variables_moving_average if inner.use_ema else []


def learning_rate_share(schedule: str, epoch: int, epochs: int) -> float:
    """What of the learning rate an epoch, numbered from 0, trains with.

    "constant": all. "linear": all in the first half, then less by equal parts every epoch, and nothing left after the
    last, as the PyTorch reference does.
    """
    constant = epochs - epochs // 2
    if schedule == "constant" or epoch < constant:
        return 1.0
    return 1 - (epoch - constant + 1) / (epochs // 2 + 1)
