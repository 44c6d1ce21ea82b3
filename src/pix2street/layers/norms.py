"""The norms of both networks, by name."""

import keras
from keras import layers, ops

from pix2street.layers.in_use import Mode, in_use


@keras.saving.register_keras_serializable("pix2street")
class BatchNorm(layers.BatchNormalization):
    """Batch normalisation (Ioffe & Szegedy 2015): Keras' own, trained by a fused kernel where TensorFlow is the
    backend.

    The kernel passes over the image once where Keras' operations pass over it eight times. Statistics are float32 in
    every precision. Under a strategy with several devices they are those of the whole batch, whichever device holds it.

    Epsilon 1e-5 and the averages' momentum 0.9 are the PyTorch reference's; the tutorial keeps Keras' 1e-3 and 0.99,
    and the pix2pix paper names neither.
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
        # The kernel's variance is that of the population the values are a sample of; Keras averages the values' own.
        values = ops.cast(ops.size(inputs) // inputs.shape[-1], "float32")
        for average, value in ((self.moving_mean, mean), (self.moving_variance, variance * (values - 1) / values)):
            average.assign(average * self.momentum + value * (1 - self.momentum))
        return outputs


@keras.saving.register_keras_serializable("pix2street")
class ImageNorm(layers.GroupNormalization):
    """Instance normalisation (Ulyanov et al. 2016): each channel of each image with its own mean and variance."""

    def __init__(self, epsilon=1e-5, **kwargs):
        kwargs.pop("groups", None)
        super().__init__(groups=-1, epsilon=epsilon, **kwargs)

    def call(self, inputs, mask=None):
        return super().call(inputs)


@in_use.register
def _(layer: layers.BatchNormalization, mode: Mode) -> layers.Layer:
    if mode.norm == "batch":
        return ImageNorm(layer.epsilon, name=layer.name)
    return layer.__class__.from_config(layer.get_config())


NORMS = {"batch": BatchNorm, "instance": ImageNorm}
