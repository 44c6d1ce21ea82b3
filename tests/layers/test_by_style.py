"""Layers that a style steers, and those whose weights are scaled in every call."""

import keras
import numpy as np
import pytest
from keras import ops

from pix2street.layers.by_style import LearnedStart, StyledConv2D, Truncate
from pix2street.layers.equalized import EqualConv2D, EqualDense, ScaledLeaky
from pix2street.layers.progressive import BatchDeviation, PixelNorm

RNG = np.random.default_rng(0)


def normal(*shape: int) -> np.ndarray:
    return RNG.normal(size=shape).astype("float32")


def by_own_kernels(x, style, kernel, demodulate):
    """Return the convolution of each image with its own modulated kernel, as the paper writes it."""
    made = []
    for image, strength in zip(x, style, strict=True):
        own = kernel * strength[None, None, :, None]
        if demodulate:
            own = own / np.sqrt(np.square(own).sum(axis=(0, 1, 2), keepdims=True) + 1e-8)
        made.append(ops.convert_to_numpy(ops.conv(image[None], own, padding="same"))[0])
    return np.stack(made)


@pytest.mark.parametrize("demodulate", [True, False])
@pytest.mark.parametrize("up", [True, False])
def test_modulating_maps_is_modulating_kernels(demodulate, up):
    x, style = normal(3, 4, 6, 5), normal(3, 5)
    layer = StyledConv2D(7, 3, 0, demodulate=demodulate, up=up)
    made = ops.convert_to_numpy(layer([x, style]))
    kernel = np.array(layer.kernel) * layer.factor
    seen = x.repeat(2, axis=1).repeat(2, axis=2) if up else x
    np.testing.assert_allclose(made, by_own_kernels(seen, style, kernel, demodulate), atol=2e-5)
    assert layer.compute_output_shape([x.shape, style.shape]) == made.shape


def test_demodulation_makes_the_strength_of_a_style_of_no_effect():
    x, style = normal(2, 8, 8, 4), normal(2, 4)
    layer = StyledConv2D(3, 3, 0)
    np.testing.assert_allclose(layer([x, style]), layer([x, 100 * style]), atol=1e-4)


def test_a_pixel_norm_leaves_vectors_of_mean_square_1():
    norms = np.square(ops.convert_to_numpy(PixelNorm()(5 * normal(4, 3, 16)))).mean(axis=-1)
    np.testing.assert_allclose(norms, 1, atol=1e-4)


def test_truncation_goes_a_share_of_the_way_from_the_mean_that_training_followed():
    layer = Truncate(momentum=0.5)
    styles = normal(4, 2, 3) + 2
    whole = np.ones((4, 2, 1), "float32")
    np.testing.assert_allclose(layer([styles, whole], training=True), styles, atol=1e-6)
    first = styles.mean(axis=(0, 1)) / 2
    np.testing.assert_allclose(layer.mean, first, atol=1e-6)
    np.testing.assert_allclose(layer([styles, 0 * whole])[0, 0], first, atol=1e-6)
    half = ops.convert_to_numpy(layer([styles, 0.5 * whole]))
    np.testing.assert_allclose(half, (styles + first) / 2, atol=1e-6)
    np.testing.assert_allclose(layer.mean, first, atol=1e-6)
    assert layer.trainable_weights == []


def test_every_photo_begins_alike():
    made = ops.convert_to_numpy(LearnedStart(2, 3, 4, seed=1)(normal(5, 7)))
    assert made.shape == (5, 2, 3, 4)
    assert (made == made[0]).all()


def test_scaled_weights_keep_the_mean_square_of_a_map():
    x = normal(64, 8, 8, 32)
    for layer in (EqualConv2D(64, 3, 0), EqualDense(64, 0), EqualDense(64, 0, rate=0.01)):
        made = ops.convert_to_numpy(ScaledLeaky()(layer(x)))
        inner = made[:, 2:-2, 2:-2]
        assert np.square(inner).mean() == pytest.approx(1.04, abs=0.15)


def test_a_rate_slows_learning_and_not_the_start():
    for rate in (1.0, 0.01):
        layer = EqualDense(4, 0, rate=rate, bias=1.0)
        before = ops.convert_to_numpy(layer(np.ones((1, 3), "float32")))
        layer.bias.assign_add(np.full(4, 0.5))
        after = ops.convert_to_numpy(layer(np.ones((1, 3), "float32")))
        np.testing.assert_allclose(after - before, 0.5 * rate, atol=1e-6)
    np.testing.assert_allclose(layer(np.zeros((1, 3), "float32")), 1 + 0.5 * 0.01, atol=1e-6)


def test_a_group_of_equal_images_has_no_deviation():
    x = normal(8, 4, 4, 3)
    made = ops.convert_to_numpy(BatchDeviation(group=4)(x))
    np.testing.assert_array_equal(made[..., :3], x)
    groups = x.reshape(4, 2, 4, 4, 3)
    for index in range(2):
        expected = groups[:, index].std(axis=0).mean()
        np.testing.assert_allclose(made[index::2, ..., 3], expected, rtol=1e-4)
    equal = ops.convert_to_numpy(BatchDeviation()(np.repeat(x[:1], 4, axis=0)))
    assert np.abs(equal[..., 3]).max() < 1e-3
    assert BatchDeviation()(normal(3, 4, 4, 2)).shape == (3, 4, 4, 3)


def test_layers_are_made_again_from_their_configurations():
    layers = (StyledConv2D(2, 3, 5, up=True), Truncate(0.9), LearnedStart(2, 2, 3, 1), BatchDeviation(3))
    for layer in (*layers, EqualDense(3, 1, 0.5, 2.0), EqualConv2D(3, 1, 4)):
        again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
        assert again.get_config() == layer.get_config()
