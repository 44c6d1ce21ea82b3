"""Players: an optimizer and the networks that it updates. Adam runs in one pass and may keep averages of weights."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import keras
import tensorflow as tf


class OnePassAdam(keras.optimizers.Adam):
    """Keras' Adam (Kingma & Ba 2015, algorithm 1 in the order of section 2), computed by TensorFlow's kernel.

    Keras' update is seven operations, each of which reads and writes every weight; the kernel does them in one pass.
    This class uses Keras' private `_momentums`, `_velocities` and `_get_variable_index`, and replaces its private
    `_update_model_variables_moving_average`; the release is pinned.
    """

    def update_step(self, gradient, variable, learning_rate):
        """Update a variable, its momentum and its velocity in place."""
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

    def _update_model_variables_moving_average(self, trainable_variables):
        """Move the averages towards the weights, in place: `average -= (1 - decay) * (average - weight)`."""
        if not self.use_ema:
            return
        for variable, average in zip(trainable_variables, self._model_variables_moving_average, strict=True):
            tf.raw_ops.ResourceApplyGradientDescent(
                var=average.value.handle,
                alpha=tf.cast(1 - ramped(self.ema_momentum, self.iterations), variable.dtype),
                delta=average.value - variable.value,
            )


def ramped(decay: float, step: Any) -> Any:
    """Return the decay of a running average in a step, numbered from 0: `min(decay, step / (9 + step))`.

    The average begins as the weights after the first step, and early on it remembers about a tenth of the steps so far.
    A short training therefore keeps nothing of its beginning. (It is the ramp of TensorFlow's
    `ExponentialMovingAverage`, `(1 + n) / (10 + n)`, where n counts from the second step.)
    """
    step = tf.cast(step, tf.float32)
    return tf.minimum(decay, step / (9 + step))


@dataclass(frozen=True)
class AdamPlayer:
    """A player that Adam updates; see `models.interface.Player`.

    Args:
        learning_rate: the initial learning rate; the schedule multiplies it.
        replicas: the number of devices that share a step; gradients are summed over them.
    """

    networks: Sequence[keras.Model]
    optimizer: keras.optimizers.Optimizer
    learning_rate: float
    replicas: int = 1

    @cached_property
    def weights(self) -> list[keras.Variable]:
        """The trainable variables of all networks, in their order."""
        return [variable for network in self.networks for variable in network.trainable_variables]

    def scaled(self, loss: Any) -> Any:
        """Return this device's share of the loss, multiplied if the optimizer scales losses."""
        return self.optimizer.scale_loss(loss / self.replicas)

    def descend(self, tape: tf.GradientTape, scaled_loss: Any) -> None:
        """Update the networks by the gradients of a loss that `scaled` returned."""
        self.optimizer.apply(tape.gradient(scaled_loss, self.weights), self.weights)

    def averages_of(self, network: keras.Model) -> list[keras.Variable]:
        """Return the running averages of a network's trainable variables, in order; empty if none are kept.

        (They are read from a private attribute of the pinned Keras release, since its public method overwrites the
        weights in training.)
        """
        inner = getattr(self.optimizer, "inner_optimizer", self.optimizer)
        if not inner.use_ema:
            return []
        averages = dict(zip(map(id, self.weights), inner._model_variables_moving_average, strict=True))
        return [averages[id(variable)] for variable in network.trainable_variables]


@dataclass(frozen=True)
class Adams:
    """A maker of the players of one training, see `models.interface.MakePlayer`.

    Args:
        generator: the network whose weights are averaged.
        ema_decay: the decay of the running average of its weights (Polyak & Juditsky 1992), which `ramped` lowers
            early on; 0 keeps none.
        scale_losses: whether losses are multiplied before gradients are taken, as float16 needs (Micikevicius et al.
            2018, section 3.2). A step whose scaled gradients are not finite is skipped, and the factor is halved.
        replicas: see `AdamPlayer`.
    """

    generator: keras.Model
    ema_decay: float = 0.0
    scale_losses: bool = False
    replicas: int = 1

    def __call__(
        self, networks: Sequence[keras.Model], *, learning_rate: float, beta_1: float, beta_2: float
    ) -> AdamPlayer:
        """Return the player that updates these networks."""
        ema_decay = self.ema_decay if any(network is self.generator for network in networks) else 0.0
        optimizer = OnePassAdam(
            learning_rate, beta_1=beta_1, beta_2=beta_2, use_ema=ema_decay > 0, ema_momentum=ema_decay or None
        )
        if self.scale_losses:
            # Keras begins with 2^15, which overflows under an L1 weight of 100 and loses the first steps.
            optimizer = keras.optimizers.LossScaleOptimizer(optimizer, initial_scale=2.0**10)
        player = AdamPlayer(networks, optimizer, learning_rate, self.replicas)
        optimizer.build(player.weights)
        return player


def learning_rate_share(schedule: str, epoch: int, epochs: int) -> float:
    """Return the factor of the learning rate in an epoch, numbered from 0.

    "constant" is always 1. "linear" is 1 in the first half, then falls by equal steps and would reach 0 after the last
    epoch, as in the PyTorch reference.
    """
    constant = epochs - epochs // 2
    if schedule == "constant" or epoch < constant:
        return 1.0
    return 1 - (epoch - constant + 1) / (epochs // 2 + 1)
