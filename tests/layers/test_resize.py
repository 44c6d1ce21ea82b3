import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers
from tiny_models import build_unet

from pix2street.inference.in_use import as_inference
from pix2street.layers.products import ProductConv2DTranspose, ProductResizeConv2D
from pix2street.layers.resize import ResizeConv2D

SIZES = [(1, 1), (2, 2), (1, 2), (5, 3)]
FUSED = [ResizeConv2D, ProductResizeConv2D]


def in_two(x, conv):
    """Return what the two operations give that the layers fuse."""
    return conv(layers.UpSampling2D(2, interpolation="nearest", dtype=conv.dtype_policy)(x))


def both(fused_class, size, channels=5, filters=7, **how) -> tuple:
    """Return random inputs, a fused layer and a plain convolution with equal random weights."""
    rng = np.random.default_rng(0)
    inputs = tf.constant(rng.normal(size=(3, *size, channels)).astype("float32"))
    made = [kind(filters, 3, padding="same", **how) for kind in (fused_class, layers.Conv2D)]
    for layer in made:
        layer.build(inputs.shape)
    made[0].set_weights([rng.normal(size=w.shape) * 0.2 for w in made[0].get_weights()])
    made[1].set_weights(made[0].get_weights())
    return inputs, *made


@pytest.mark.parametrize("fused_class", FUSED)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("use_bias", [False, True])
def test_it_is_nearest_neighbour_and_a_convolution_borders_included(fused_class, size, use_bias):
    inputs, fused, conv = both(fused_class, size, use_bias=use_bias, activation="tanh")
    seen = []
    for layer, compute in ((fused, fused), (conv, lambda x: in_two(x, conv))):
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            outputs = compute(inputs)
            slope = tf.reshape(tf.range(tf.size(outputs), dtype="float32"), outputs.shape) / 100
            loss = tf.reduce_sum(outputs * tf.sin(slope) + outputs**2)
        seen.append([outputs, *tape.gradient(loss, [inputs, *layer.trainable_variables])])
    assert seen[0][0].shape == fused.compute_output_shape(inputs.shape) == (3, 2 * size[0], 2 * size[1], 7)
    for one, other in zip(*seen, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("fused_class", FUSED)
@pytest.mark.parametrize(
    # float16 sums in float16 on a CPU, as a transposed convolution does.
    ("precision", "limit"), [("float32", 1e-6), ("mixed_float16", 2.0**-9), ("mixed_bfloat16", 2.0**-7.5)],
)  # fmt: skip
def test_every_precision_rounds_only_once(fused_class, precision, limit):
    inputs, fused, conv = both(fused_class, (4, 4), 64, 16, dtype=precision, use_bias=False)
    double = layers.Conv2D(16, 3, padding="same", use_bias=False, dtype="float64")
    double.build(inputs.shape)
    double.set_weights(conv.get_weights())
    exact, outputs = in_two(tf.cast(inputs, "float64"), double), fused(inputs)
    assert outputs.dtype == precision.removeprefix("mixed_")
    assert np.linalg.norm(tf.cast(outputs, "float64") - exact) / np.linalg.norm(exact) < limit
    assert fused.kernel.dtype == fused.derived_kernel().dtype == "float32"
    if fused_class is ResizeConv2D:
        # Its kernel is summed in float32.
        transposed = layers.Conv2DTranspose(16, 4, 2, "same", use_bias=False, dtype=precision)
        transposed.build(inputs.shape)
        transposed.kernel.assign(fused.derived_kernel())
        np.testing.assert_array_equal(tf.cast(outputs, "float32"), tf.cast(transposed(inputs), "float32"))


@pytest.mark.parametrize("fused_class", FUSED)
def test_the_kernel_and_its_start_are_those_of_the_convolution(fused_class):
    made = [
        kind(4, 3, padding="same", kernel_initializer=keras.initializers.RandomNormal(0, 0.02, seed=5), name="conv")
        for kind in (fused_class, layers.Conv2D)
    ]
    for layer in made:
        layer.build((None, 4, 4, 3))
    assert [weight.path for weight in made[0].weights] == [weight.path for weight in made[1].weights]
    for one, other in zip(*(layer.get_weights() for layer in made), strict=True):
        np.testing.assert_array_equal(one, other)


def generator(size: int = 16) -> keras.Model:
    network = build_unet((size, size, 3), norm="instance", upsample="resize", product_side_px=4)
    rng = np.random.default_rng(1)
    network.set_weights([weight + rng.normal(0, 0.1, weight.shape) for weight in network.get_weights()])
    return network


def test_in_use_it_is_one_plain_layer():
    trained = generator()
    photos = np.random.default_rng(2).uniform(-1, 1, (2, 16, 16, 3)).astype("float32")
    assert {ResizeConv2D, ProductResizeConv2D} < set(map(type, trained.layers))
    for any_size, kinds in (
        (False, {layers.Conv2DTranspose, ProductConv2DTranspose}),
        (True, {layers.Conv2DTranspose}),
    ):
        inference = as_inference(trained, "batch", noise=False, any_size=any_size)
        assert {type(layer) for layer in inference.layers if isinstance(layer, layers.Conv2DTranspose)} == kinds
        assert not any(isinstance(layer, ResizeConv2D) for layer in inference.layers)
        np.testing.assert_allclose(inference(photos), trained(photos, training=False), atol=1e-5)
    assert inference(np.zeros((1, 32, 48, 3), "float32")).shape == (1, 32, 48, 3)


def test_a_network_saved_as_two_layers_is_read_and_is_the_same_function():
    inputs = keras.Input((8, 8, 3))
    conv = layers.Conv2D(4, 3, padding="same", name="decode_1_conv")
    former = keras.Model(inputs, conv(layers.UpSampling2D(2, name="decode_1_conv_resize")(inputs)))
    read = keras.models.model_from_json(former.to_json())
    now = keras.Model(inputs, ResizeConv2D(4, 3, padding="same", name="decode_1_conv")(inputs))
    for network in (read, now):
        network.set_weights(former.get_weights())
    picture = np.random.default_rng(0).normal(size=(1, 8, 8, 3)).astype("float32")
    np.testing.assert_array_equal(read.predict_on_batch(picture), former.predict_on_batch(picture))
    np.testing.assert_allclose(now.predict_on_batch(picture), former.predict_on_batch(picture), atol=1e-5)
