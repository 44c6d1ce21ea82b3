"""Mirrored borders: those of TensorFlow with its gradient, at every size."""

import numpy as np
import pytest
import tensorflow as tf

from pix2street.layers.residual import ReflectionPad


@pytest.mark.parametrize(("height", "width"), [(4, 7), (8, 9), (12, 5), (20, 20)])
def test_borders_and_their_gradient_are_those_of_tensorflow(height, width):
    maps, weights = (tf.random.stateless_normal((2, height, width, 3), [0, 0]), np.random.default_rng(0))
    weights = weights.normal(size=(2, height + 6, width + 6, 3)).astype("float32")
    found = []
    for pad in (ReflectionPad(3), lambda x: tf.pad(x, [[0, 0], [3, 3], [3, 3], [0, 0]], "REFLECT")):
        with tf.GradientTape() as tape:
            tape.watch(maps)
            padded = pad(maps)
            loss = tf.reduce_sum(weights * padded)
        found.append((padded, tape.gradient(loss, maps)))
    (own, own_gradient), (expected, gradient) = found
    np.testing.assert_array_equal(own, expected)
    np.testing.assert_allclose(own_gradient, gradient, rtol=1e-5, atol=1e-5)
