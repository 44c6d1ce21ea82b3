import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from pix2street.layers.products import ProductConv2D, ProductConv2DTranspose


@pytest.mark.parametrize("size", [(2, 2), (4, 4), (2, 4), (8, 6)])
@pytest.mark.parametrize("use_bias", [False, True])
def test_a_convolution_as_a_product_is_the_same_function(size, use_bias):
    agree(layers.Conv2D, ProductConv2D, size, use_bias)


@pytest.mark.parametrize("size", [(1, 1), (2, 2), (1, 2), (4, 3)])
@pytest.mark.parametrize("use_bias", [False, True])
def test_a_transposed_convolution_as_a_product_is_the_same_function(size, use_bias):
    agree(layers.Conv2DTranspose, ProductConv2DTranspose, size, use_bias)


def agree(plain_class, product_class, size, use_bias) -> None:
    """Check that outputs and gradients by the input and by every weight agree, with equal weights."""
    rng = np.random.default_rng(0)
    inputs = tf.constant(rng.normal(size=(3, *size, 5)).astype("float32"))
    made = [c(7, 4, 2, padding="same", use_bias=use_bias, activation="tanh") for c in (plain_class, product_class)]
    for layer in made:
        layer.build(inputs.shape)
    made[0].set_weights([rng.normal(size=w.shape) * 0.1 for w in made[0].get_weights()])
    made[1].set_weights(made[0].get_weights())
    seen = []
    for layer in made:
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            outputs = layer(inputs)
            loss = tf.reduce_sum(outputs * tf.cast(tf.range(tf.size(outputs)), "float32")[:1] + outputs**2)
        seen.append([outputs, *tape.gradient(loss, [inputs, *layer.trainable_variables])])
    for one, other in zip(*seen, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)


def test_a_network_with_them_survives_its_json():
    inputs = keras.Input((4, 4, 3))
    network = keras.Model(inputs, ProductConv2DTranspose(3, 4, 2, padding="same")(
        ProductConv2D(6, 4, 2, padding="same")(inputs)
    ))  # fmt: skip
    again = keras.models.model_from_json(network.to_json())
    again.set_weights(network.get_weights())
    picture = np.ones((2, 4, 4, 3), "float32")
    np.testing.assert_array_equal(network.predict_on_batch(picture), again.predict_on_batch(picture))
