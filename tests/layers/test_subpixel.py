"""Sub-pixel convolution: which channel becomes which pixel, how it begins, and that every size will do."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from pix2street.layers.in_use import Mode, in_use
from pix2street.layers.networks import load_network, save_network
from pix2street.layers.subpixel import Bilinear, SubPixelConv2D

MAPS = np.random.default_rng(0).normal(size=(2, 3, 5, 2)).astype("float32")


def layer_of(filters: int, kernel: int = 3) -> SubPixelConv2D:
    start = keras.initializers.RandomNormal(0.0, 1.0, seed=1)
    return SubPixelConv2D(filters, kernel, padding="same", kernel_initializer=start, name="large")


def test_it_begins_as_nearest_neighbour_of_a_convolution():
    layer = layer_of(12)
    large = np.asarray(layer(MAPS))
    assert large.shape == (2, 6, 10, 3)
    np.testing.assert_array_equal(large, large[:, ::2, ::2].repeat(2, 1).repeat(2, 2))
    one = keras.layers.Conv2D(3, 3, padding="same")
    one.build(MAPS.shape)
    one.set_weights([np.asarray(layer.kernel)[..., :3], np.zeros(3)])
    np.testing.assert_allclose(large[:, ::2, ::2], one(MAPS), rtol=1e-5, atol=1e-6)


def test_four_channels_become_four_pixels_row_by_row():
    layer = layer_of(4, kernel=1)
    layer.build((None, None, None, 1))
    layer.set_weights([np.array([1.0, 2, 3, 4]).reshape(1, 1, 1, 4), np.zeros(4)])
    np.testing.assert_array_equal(np.asarray(layer(np.ones((1, 1, 1, 1))))[0, ..., 0], [[1, 2], [3, 4]])


@pytest.mark.parametrize("factor", [2, 4])
def test_bilinear_enlargement_is_that_of_tensorflow(factor):
    expected = tf.image.resize(MAPS, (3 * factor, 5 * factor))
    np.testing.assert_allclose(Bilinear(factor)(MAPS), expected, rtol=1e-5, atol=1e-6)
    one = MAPS[:, :1, :1]
    np.testing.assert_allclose(Bilinear(factor)(one), one.repeat(factor, 1).repeat(factor, 2), rtol=1e-6)


def test_it_is_saved_and_used_at_every_size(tmp_path):
    inputs = keras.Input((3, 5, 2))
    network = keras.Model(inputs, layer_of(12)(inputs))
    save_network(network, tmp_path, "network")
    np.testing.assert_array_equal(load_network(tmp_path, "network")(MAPS), network(MAPS))
    free = keras.Input((None, None, 2))
    layer = in_use(network.layers[-1], Mode("batch", False, any_size=True))
    free = keras.Model(free, layer(free))
    free.set_weights(network.get_weights())
    assert free.output_shape == (None, None, None, 3)
    np.testing.assert_allclose(free.predict_on_batch(MAPS), network.predict_on_batch(MAPS), rtol=1e-5, atol=1e-6)
    assert free.predict_on_batch(MAPS[:, :, :4]).shape == (2, 6, 8, 3)
