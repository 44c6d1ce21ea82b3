import keras
import numpy as np
import tensorflow as tf

from pix2street.training.noise import noise_layers_of, seed_noise


def network(name: str) -> keras.Model:
    inputs = keras.Input((8,))
    inner = keras.Sequential([keras.Input((8,)), keras.layers.GaussianNoise(1.0, name="noise")], name="inner")
    return keras.Model(inputs, keras.layers.Dropout(0.5, name="dropout")(inner(inputs)), name=name)


def draws(networks: list[keras.Model]) -> list[np.ndarray]:
    return [np.asarray(each(np.ones((1, 8), "float32"), training=True)) for each in networks]


def seed(networks: list[keras.Model], epoch: int, begin: bool = True) -> None:
    seed_noise(tf.distribute.get_strategy(), [0], networks, 0, epoch, begin)


def test_noise_layers_of_any_kind_are_found_at_any_depth():
    assert sorted(layer.name for layer in noise_layers_of(network("one"))) == ["dropout", "noise"]


def test_noise_is_a_function_of_the_epoch_and_differs_between_networks():
    networks = [network("one"), network("other")]
    seed(networks, 0)
    first = draws(networks)
    draws(networks)
    seed(networks, 0)
    np.testing.assert_array_equal(draws(networks), first)
    assert (first[0] != first[1]).any()
    seed(networks, 1)
    assert all((one != other).any() for one, other in zip(draws(networks), first, strict=True))


def test_an_interrupted_epoch_goes_on_counting():
    networks = [network("one")]
    seed(networks, 0)
    draws(networks)
    second = draws(networks)
    seed(networks, 0)
    draws(networks)
    seed(networks, 0, begin=False)
    np.testing.assert_array_equal(draws(networks), second)
