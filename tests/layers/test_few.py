"""The convolution with few filters: the results, gradients and weights of a plain one, at every size."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from pix2street.layers.few import FewFiltersConv2D, convolution
from pix2street.layers.networks import load_network, save_network

MAPS = np.random.default_rng(0).normal(size=(2, 14, 18, 5)).astype("float32")


def pair_of(kernel: int, padding: str) -> list[keras.layers.Conv2D]:
    """Return the layer and a plain one with the same weights."""
    kinds = (FewFiltersConv2D, keras.layers.Conv2D)
    few, plain = (kind(3, kernel, padding=padding, bias_initializer="ones") for kind in kinds)
    for layer in (few, plain):
        layer.build(MAPS.shape)
    plain.set_weights(few.get_weights())
    return [few, plain]


def result_and_gradients(layer: keras.layers.Conv2D, maps: np.ndarray) -> list[tf.Tensor]:
    maps = tf.constant(maps)
    with tf.GradientTape() as tape:
        tape.watch(maps)
        result = layer(maps)
        loss = tf.reduce_sum(tf.sin(result))
    return [result, *tape.gradient(loss, [maps, *layer.trainable_variables])]


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("kernel", [1, 3, 7, 9])
def test_results_and_gradients_are_those_of_a_plain_convolution(kernel, padding):
    for own, plain in zip(*(result_and_gradients(layer, MAPS) for layer in pair_of(kernel, padding)), strict=True):
        np.testing.assert_allclose(own, plain, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("height", [13, 14])
@pytest.mark.parametrize("width", [17, 18])
def test_every_size_will_do(height, width):
    few, plain = pair_of(7, "valid")
    maps = MAPS[:, :height, :width]
    np.testing.assert_allclose(few(maps), plain(maps), rtol=1e-4, atol=1e-4)
    inputs = keras.Input((None, None, 5))
    network = keras.Model(inputs, few(inputs))
    np.testing.assert_allclose(network(maps), plain(maps), rtol=1e-4, atol=1e-4)


def test_a_network_with_it_is_saved_and_loaded(tmp_path):
    inputs = keras.Input((14, 18, 5))
    network = keras.Model(inputs, FewFiltersConv2D(3, 7, name="photo")(inputs))
    save_network(network, tmp_path, "network")
    loaded = load_network(tmp_path, "network")
    assert type(loaded.get_layer("photo")) is FewFiltersConv2D
    np.testing.assert_array_equal(loaded(MAPS), network(MAPS))


@pytest.mark.parametrize(
    ("filters", "kernel", "stride", "kind"),
    [
        (3, 7, 1, FewFiltersConv2D),
        (1, 9, 1, FewFiltersConv2D),
        (5, 7, 1, keras.layers.Conv2D),
        (3, 3, 1, keras.layers.Conv2D),
        (3, 7, 2, keras.layers.Conv2D),
    ],
)
def test_it_is_chosen_where_it_pays(filters, kernel, stride, kind):
    assert type(convolution(filters, kernel, stride)) is kind
