"""Adam in one pass over memory."""

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
