import keras
import numpy as np
import pytest
import tensorflow as tf

from pix2street.layers.norms import NORMS, BatchNorm, ImageNorm

IMAGES = np.random.default_rng(0).normal(2, 3, (3, 4, 5, 6)).astype("float32")


@pytest.mark.parametrize("images", [IMAGES, IMAGES[:1, :1, :1]], ids=["images", "one value"])
def test_batch_norm_is_keras_own_in_every_output_gradient_and_average(images):
    seen = []
    for kind in (lambda: keras.layers.BatchNormalization(epsilon=1e-5, momentum=0.9), BatchNorm):
        layer = kind()
        layer.build(images.shape)
        rng = np.random.default_rng(1)
        layer.set_weights([rng.uniform(0.5, 2, weight.shape) for weight in layer.get_weights()])
        inputs = tf.constant(images)
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            outputs = layer(inputs, training=True)
            loss = tf.reduce_sum(outputs**3)
        gradients = tape.gradient(loss, [inputs, *layer.trainable_variables])
        seen.append([outputs, *gradients, *layer.get_weights(), layer(inputs, training=False)])
    for one, other in zip(*seen, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16"])
def test_statistics_are_float32_in_every_precision(precision):
    layer = BatchNorm(dtype=keras.DTypePolicy(precision))
    # Its square overflows float16; in bfloat16 its mean would be off by units.
    images = (IMAGES + 300).astype("float32")
    outputs = layer(images, training=True)
    assert outputs.dtype == layer.compute_dtype
    assert np.isfinite(np.asarray(tf.cast(outputs, tf.float32))).all()
    stored = np.asarray(tf.cast(tf.cast(images, layer.compute_dtype), tf.float32))
    np.testing.assert_allclose(layer.moving_mean, 0.1 * stored.mean(axis=(0, 1, 2)), rtol=1e-4)


def test_image_norm_normalises_every_image_by_itself():
    outputs = ImageNorm()(IMAGES).numpy()
    np.testing.assert_allclose(outputs.mean(axis=(1, 2)), 0, atol=1e-5)
    np.testing.assert_allclose(outputs.std(axis=(1, 2)), 1, atol=1e-4)
    np.testing.assert_allclose(ImageNorm()(IMAGES[1:2]), outputs[1:2], atol=1e-5)


def test_at_batch_one_they_are_the_same():
    batch, image = (norm()(IMAGES[:1], training=True) if norm is BatchNorm else norm()(IMAGES[:1])
                    for norm in NORMS.values())  # fmt: skip
    np.testing.assert_allclose(batch, image, atol=1e-5)
