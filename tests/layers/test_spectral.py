import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from pix2street.inference.in_use import as_inference, copy_weights
from pix2street.layers.networks import load_network, save_network
from pix2street.layers.spectral import SpectralConv2D, SpectralResizeConv2D, advance_power_iterations

RNG = np.random.default_rng(0)
PHOTOS = RNG.normal(size=(2, 6, 8, 3)).astype("float32")
KERNEL = RNG.normal(0, 0.4, (3, 3, 3, 5)).astype("float32")
"""A kernel far from the initial one, which has a spread of 0.02."""


def layer_of(kind=SpectralConv2D, filters=5, size=3, seed=1, **how) -> SpectralConv2D:
    weights = keras.initializers.RandomNormal(0, 0.02, seed=seed)
    layer = kind(filters, size, padding="same", kernel_initializer=weights, seed=seed, **how)
    layer.build(PHOTOS.shape)
    return layer


def moved(steps: int, **how) -> SpectralConv2D:
    """Return a layer whose kernel training has moved to `KERNEL`, after some steps of the power iteration."""
    layer = layer_of(**how)
    layer.kernel.assign(KERNEL)
    for _ in range(steps):
        layer.advance()
    return layer


def network_of(**how) -> keras.Model:
    inputs = keras.Input((6, 8, 3), name="input")
    x = SpectralConv2D(4, 3, 2, padding="same", seed=1, name="narrow", **how)(inputs)
    x = layers.LeakyReLU(0.2, name="bend")(x)
    return keras.Model(inputs, SpectralResizeConv2D(5, 3, padding="same", seed=2, name="wide", **how)(x), name="both")


def norm_of(kernel) -> float:
    """Return the largest singular value of a kernel as a matrix."""
    kernel = np.asarray(kernel, "float64")
    return np.linalg.svd(kernel.reshape(-1, kernel.shape[-1]), compute_uv=False)[0]


@pytest.mark.parametrize("size", [1, 3, 4])
def test_the_kernel_used_has_norm_one(size):
    assert norm_of(layer_of(filters=40, size=size).derived_kernel()) == pytest.approx(1, abs=0.05)
    layer = moved(steps=20)
    assert norm_of(layer.derived_kernel()) == pytest.approx(1, abs=0.01)
    assert float(layer.sigma()) == pytest.approx(norm_of(KERNEL), rel=0.01)
    plain = layers.Conv2D(5, 3, padding="same")
    plain.build(PHOTOS.shape)
    plain.set_weights([KERNEL / norm_of(KERNEL), np.zeros(5)])
    np.testing.assert_allclose(layer(PHOTOS), plain(PHOTOS), atol=0.02)


def test_a_fresh_layer_follows_from_its_seed():
    first, same, other = layer_of(), layer_of(), layer_of(seed=2)
    for one, two in zip(first.get_weights(), same.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)
    assert (first.u.numpy() != other.u.numpy()).any()
    assert np.linalg.norm(first.u) == pytest.approx(1, abs=1e-6)
    assert np.linalg.norm(first.v) == pytest.approx(1, abs=1e-6)


def test_calls_change_no_weight_and_use_one_kernel():
    layer = moved(steps=1)
    before = layer.get_weights()
    first = layer(PHOTOS, training=True)
    second = layer(PHOTOS, training=True)
    layer(PHOTOS, training=False)
    np.testing.assert_array_equal(first, second)
    for one, other in zip(before, layer.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    layer.advance()
    assert (layer(PHOTOS).numpy() != first.numpy()).any()
    np.testing.assert_array_equal(layer.kernel, KERNEL)


@pytest.mark.parametrize("steps", [1, 30])
def test_the_gradient_flows_through_sigma_but_not_through_its_vectors(steps):
    layer = moved(steps, use_bias=False)
    u, v = np.float64(layer.u), np.float64(layer.v)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(tf.sin(3.0 * layer(PHOTOS)))
    gradient = np.float64(tape.gradient(loss, layer.kernel))
    plain = layers.Conv2D(5, 3, padding="same", use_bias=False, dtype="float64")
    plain.build(PHOTOS.shape)

    def loss_of(kernel) -> float:
        plain.kernel.assign(kernel / (v @ kernel.reshape(-1, 5) @ u))
        return float(tf.reduce_sum(tf.sin(3.0 * plain(PHOTOS.astype("float64")))))

    assert loss_of(np.float64(KERNEL)) == pytest.approx(float(loss), rel=1e-4)
    for direction in np.random.default_rng(1).normal(size=(4, *KERNEL.shape)):
        step = 1e-5 * direction
        slope = (loss_of(KERNEL + step) - loss_of(KERNEL - step)) / 2e-5
        assert (gradient * direction).sum() == pytest.approx(slope, rel=1e-3, abs=1e-3 * np.linalg.norm(gradient))
    # A factor of the kernel changes nothing, so that the gradient has no part along the kernel.
    assert abs((gradient * KERNEL).sum()) < 1e-4 * np.linalg.norm(gradient) * np.linalg.norm(KERNEL)


@pytest.mark.parametrize("precision", ["mixed_float16", "mixed_bfloat16"])
def test_sigma_is_float32_in_every_precision(precision):
    layer, exact = moved(steps=5, dtype=precision), moved(steps=5)
    assert {weight.dtype for weight in layer.weights} == {"float32"}
    assert layer(PHOTOS).dtype == precision.removeprefix("mixed_")
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(tf.cast(layer(PHOTOS), "float32"))
    assert tape.gradient(loss, layer.kernel).dtype == "float32"
    # Within a network, layers cast weights to their precision by themselves.
    inputs = keras.Input(PHOTOS.shape[1:])
    network, seen = keras.Model(inputs, layer(inputs)), []
    layer.convolution_op = lambda inputs, kernel: seen.append(layer.sigma()) or inputs
    layer.use_bias = False
    network(PHOTOS)
    assert seen[0].dtype == "float32"
    assert float(seen[0]) == float(exact.sigma())


def test_one_call_advances_every_layer_of_a_network_by_one_step():
    inner = network_of()
    network = keras.Sequential([keras.Input((6, 8, 3)), inner, SpectralConv2D(2, 1, name="last")])
    single = [network.get_layer("last"), inner.get_layer("narrow"), inner.get_layer("wide")]
    expected = []
    for layer in single:
        layer.kernel.assign(RNG.normal(size=layer.kernel.shape))
        matrix = np.float64(layer.kernel).reshape(-1, layer.filters)
        v = matrix @ layer.u.numpy()
        v /= np.linalg.norm(v)
        u = matrix.T @ v
        expected.append((u / np.linalg.norm(u), v))
    tf.function(advance_power_iterations)(network)
    for layer, (u, v) in zip(single, expected, strict=True):
        np.testing.assert_allclose(layer.u, u, atol=1e-6)
        np.testing.assert_allclose(layer.v, v, atol=1e-6)


def test_resized_it_is_nearest_neighbour_and_the_normed_convolution():
    layer = layer_of(SpectralResizeConv2D)
    layer.kernel.assign(KERNEL)
    for _ in range(30):
        layer.advance()
    plain = layers.Conv2D(5, 3, padding="same")
    plain.build(PHOTOS.shape)
    plain.set_weights([KERNEL / layer.sigma(), np.zeros(5)])
    assert float(layer.sigma()) == pytest.approx(norm_of(KERNEL), rel=0.01)
    np.testing.assert_allclose(layer(PHOTOS), plain(layers.UpSampling2D(2)(PHOTOS)), atol=1e-5)


@pytest.mark.parametrize("any_size", [False, True])
def test_in_use_it_is_a_plain_convolution(any_size):
    trained = network_of()
    inference = as_inference(trained, "batch", noise=False, any_size=any_size)
    kinds = [type(layer) for layer in inference.layers[1:]]
    assert kinds == [layers.Conv2D, layers.LeakyReLU, layers.Conv2DTranspose]
    np.testing.assert_allclose(inference(PHOTOS), trained(PHOTOS), atol=1e-6)
    trained.get_layer("narrow").kernel.assign(KERNEL[..., :4])
    trained.get_layer("wide").bias.assign(np.arange(5))
    advance_power_iterations(trained)
    copy_weights(trained, inference)
    np.testing.assert_allclose(inference(PHOTOS), trained(PHOTOS), atol=1e-5)


def test_its_vectors_are_saved_and_resumed_but_not_trained(tmp_path):
    network = network_of()
    network.get_layer("narrow").kernel.assign(KERNEL[..., :4])
    advance_power_iterations(network)
    assert [weight.name for weight in network.non_trainable_variables] == ["u", "v"] * 2
    save_network(network, tmp_path, "generator")
    read = load_network(tmp_path, "generator")
    for one, other in zip(network.get_weights(), read.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(read(PHOTOS), network(PHOTOS))
    again = network_of()
    for variable, value in zip(again.variables, network.variables, strict=True):
        variable.assign(np.asarray(value))
    for one in (network, again):
        advance_power_iterations(one)
    np.testing.assert_array_equal(again(PHOTOS), network(PHOTOS))


def test_equal_networks_give_equal_files(tmp_path):
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        save_network(network_of(kernel_initializer=keras.initializers.RandomNormal(0, 0.02, 3)), tmp_path / name, "d")
    for file in ("d.json", "d.weights.h5"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "other" / file).read_bytes()
