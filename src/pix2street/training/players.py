"""Players, each an optimizer and the networks that it moves: Adam in one pass over memory, averages of weights."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

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


@dataclass(frozen=True)
class AdamPlayer:
    """One side of the game, moved by Adam; see `models.interface.Player`.

    Args:
        learning_rate: at the start; a schedule multiplies it.
        replicas: how many devices run a step side by side; gradients are summed over them.
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
        """Return this device's share of the loss, enlarged where the optimizer scales losses."""
        return self.optimizer.scale_loss(loss / self.replicas)

    def descend(self, tape: tf.GradientTape, scaled_loss: Any) -> None:
        """Update the networks by the gradients of a loss that `scaled` returned."""
        self.optimizer.apply(tape.gradient(scaled_loss, self.weights), self.weights)

    def averages_of(self, network: keras.Model) -> list[keras.Variable]:
        """Return the running averages of a network's trainable variables, in order; none where there is no average.

        (Keras' own way to them overwrites the weights that are being trained; the release is pinned.)
        """
        inner = getattr(self.optimizer, "inner_optimizer", self.optimizer)
        if not inner.use_ema:
            return []
        averages = dict(zip(map(id, self.weights), inner._model_variables_moving_average, strict=True))
        return [averages[id(variable)] for variable in network.trainable_variables]


@dataclass(frozen=True)
class Adams:
    """The players of one training: called as `models.interface.MakePlayer` is.

    Args:
        generator: the network whose weights are averaged.
        ema_decay: above 0 a running average of its weights is kept (Polyak & Juditsky 1992).
        scale_losses: whether losses are multiplied while gradients are taken, as float16 needs (Micikevicius et al.
            2018, section 3.2); a step whose scaled gradients are not finite is left out then and the factor halved.
        replicas: see `AdamPlayer`.
    """

    generator: keras.Model
    ema_decay: float = 0.0
    scale_losses: bool = False
    replicas: int = 1

    def __call__(
        self, networks: Sequence[keras.Model], *, learning_rate: float, beta_1: float, beta_2: float
    ) -> AdamPlayer:
        """Return the player that moves these networks."""
        ema_decay = self.ema_decay if any(network is self.generator for network in networks) else 0.0
        optimizer = OnePassAdam(
            learning_rate, beta_1=beta_1, beta_2=beta_2, use_ema=ema_decay > 0, ema_momentum=ema_decay or None
        )
        if self.scale_losses:
            # Keras begins at 2^15, where an L1 weight of 100 overflows and the first steps are lost.
            optimizer = keras.optimizers.LossScaleOptimizer(optimizer, initial_scale=2.0**10)
        player = AdamPlayer(networks, optimizer, learning_rate, self.replicas)
        optimizer.build(player.weights)
        return player


def learning_rate_share(schedule: str, epoch: int, epochs: int) -> float:
    """Return the share of the learning rate that an epoch, numbered from 0, trains with.

    "constant": all. "linear": all in the first half, then less by equal parts every epoch, and nothing left after the
    last, as the PyTorch reference does.
    """
    constant = epochs - epochs // 2
    if schedule == "constant" or epoch < constant:
        return 1.0
    return 1 - (epoch - constant + 1) / (epochs // 2 + 1)
