"""The norms of generator and discriminator, by name."""

import keras
from keras import layers, ops

from pix2street.layers.in_use import Mode, in_use


@keras.saving.register_keras_serializable("pix2street")
class BatchNorm(layers.BatchNormalization):
    """Batch normalisation (Ioffe & Szegedy 2015), in training by TensorFlow's fused kernel if the backend has it.

    The kernel reads the image once, Keras' operations read it eight times. Statistics are float32 in every precision;
    with several devices they are those of the whole batch.

    Epsilon 1e-5 and momentum 0.9 of the averages come from the PyTorch reference. The tutorial keeps Keras' 1e-3 and
    0.99; the pix2pix paper names neither.
    """

    def __init__(self, epsilon=1e-5, momentum=0.9, **kwargs):
        super().__init__(epsilon=epsilon, momentum=momentum, **kwargs)

    def call(self, inputs, training=None, mask=None):
        if not training or keras.config.backend() != "tensorflow":
            return super().call(inputs, training=training)
        import tensorflow as tf

        self.synchronized = tf.distribute.get_strategy().num_replicas_in_sync > 1
        if self.synchronized:
            return super().call(inputs, training=True)
        outputs, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
            x=inputs,
            scale=self.gamma,
            offset=self.beta,
            mean=[],
            variance=[],
            epsilon=self.epsilon,
        )
        # The kernel returns the unbiased variance (divided by n - 1); Keras averages the biased one.
        values = ops.cast(ops.size(inputs) // inputs.shape[-1], "float32")
        for average, value in ((self.moving_mean, mean), (self.moving_variance, variance * (values - 1) / values)):
            average.assign(average * self.momentum + value * (1 - self.momentum))
        return outputs


@keras.saving.register_keras_serializable("pix2street")
class ImageNorm(layers.GroupNormalization):
    """Instance normalisation (Ulyanov et al. 2016): each channel of each image has its own mean and variance.

    At batch 1 it is batch normalisation, and in training TensorFlow's fused kernel computes it.
    """

    def __init__(self, epsilon=1e-5, **kwargs):
        kwargs.pop("groups", None)
        super().__init__(groups=-1, epsilon=epsilon, **kwargs)

    def call(self, inputs, training=None, mask=None):
        if not training or keras.config.backend() != "tensorflow" or inputs.shape[0] != 1:
            return super().call(inputs)
        import tensorflow as tf

        channels = inputs.shape[-1]
        return tf.raw_ops.FusedBatchNormV3(
            x=inputs,
            scale=self.gamma if self.scale else tf.ones(channels),
            offset=self.beta if self.center else tf.zeros(channels),
            mean=[],
            variance=[],
            epsilon=self.epsilon,
        )[0]


@in_use.register
def _(layer: layers.BatchNormalization, mode: Mode) -> layers.Layer:
    if mode.norm == "batch":
        return ImageNorm(layer.epsilon, name=layer.name)
    return layer.__class__.from_config(layer.get_config())


NORMS = {"batch": BatchNorm, "instance": ImageNorm}
