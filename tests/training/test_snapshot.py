"""The generator that is kept: averaged weights with moving statistics that belong to them."""

import keras
import numpy as np
import pytest
from tiny_models import build_unet

from pix2street.inference.in_use import as_inference
from pix2street.training.players import Adams
from pix2street.training.snapshot import restate_statistics, take_snapshot

SIDE = 32
RATES = {"learning_rate": 0.05, "beta_1": 0.5, "beta_2": 0.999}


def batches(count: int = 4, seed: int = 0) -> list[dict]:
    images = np.random.default_rng(seed).uniform(-1, 1, (count, 2, SIDE, SIDE, 3)).astype("float32")
    return [{"input": image} for image in images]


def normed(momentum: float = 0.9) -> keras.Model:
    """Return a convolution and a batch norm, whose moving statistics can be worked out by hand."""
    inputs = keras.Input((SIDE, SIDE, 3))
    x = keras.layers.Conv2D(4, 3, kernel_initializer=keras.initializers.RandomNormal(seed=1), name="conv")(inputs)
    return keras.Model(inputs, keras.layers.BatchNormalization(momentum=momentum, name="norm")(x))


def statistics_of(network: keras.Model, some: list[dict]) -> tuple[np.ndarray, np.ndarray]:
    conv = network.get_layer("conv")
    outputs = [conv(batch["input"]).numpy() for batch in some]
    return tuple(np.mean([getattr(output, name)((0, 1, 2)) for output in outputs], 0) for name in ("mean", "var"))


def test_statistics_are_the_means_over_the_batches():
    network = normed()
    restate_statistics(network, batches())
    mean, variance = statistics_of(network, batches())
    np.testing.assert_allclose(network.get_layer("norm").moving_mean, mean, atol=1e-6)
    np.testing.assert_allclose(network.get_layer("norm").moving_variance, variance, rtol=1e-4)
    assert network.get_layer("norm").momentum == 0.9


def averaged(build, steps: int = 6):
    """Return a network whose weights have moved, the player that moved them, and a snapshot of it."""
    network, snapshot = build(), build()
    player = Adams(network, ema_decay=0.8)([network], **RATES)
    rng = np.random.default_rng(5)
    for _ in range(steps):
        network(batches(1)[0]["input"], training=True)
        player.optimizer.apply([rng.normal(size=weight.shape) for weight in player.weights], player.weights)
    return network, player, snapshot


def test_an_averaged_network_has_the_statistics_of_its_own_weights():
    network, player, snapshot = averaged(normed)
    take_snapshot(network, player, snapshot, batches)
    mean, variance = statistics_of(snapshot, batches())
    np.testing.assert_allclose(snapshot.get_layer("norm").moving_mean, mean, atol=1e-6)
    np.testing.assert_allclose(snapshot.get_layer("norm").moving_variance, variance, rtol=1e-4)
    assert not np.allclose(mean, network.get_layer("norm").moving_mean, atol=1e-3)


def test_the_photos_of_an_averaged_network_are_normalised_as_in_training():
    network, player, snapshot = averaged(lambda: build_unet((SIDE, SIDE, 3), dropout_share=0.0))
    some = batches(1)
    take_snapshot(network, player, snapshot, lambda: some)
    moving = as_inference(snapshot, "moving", noise=False)(some[0]["input"])
    # Over one batch the moving statistics are that batch's: the photos are those of training.
    training = snapshot(some[0]["input"], training=True)
    np.testing.assert_allclose(moving, training, atol=2e-3)
    for variable, own in zip(snapshot.non_trainable_variables, network.non_trainable_variables, strict=True):
        if "moving" in variable.path:
            variable.assign(own)
    stale = as_inference(snapshot, "moving", noise=False)(some[0]["input"])
    assert np.abs(stale - training).mean() > 10 * np.abs(moving - training).mean()


def test_without_an_average_the_snapshot_is_the_network():
    network, snapshot = normed(), normed()
    network(batches(1)[0]["input"], training=True)
    player = Adams(network)([network], **RATES)
    take_snapshot(network, player, snapshot, batches)
    for one, other in zip(network.get_weights(), snapshot.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_statistics_are_a_function_of_weights_and_batches(share):
    first, second = (build_unet((SIDE, SIDE, 3), dropout_share=share) for _ in range(2))
    second(batches(1)[0]["input"], training=True)  # its dropout has drawn before
    for network in (first, second):
        restate_statistics(network, batches())
    for one, other in zip(first.get_weights(), second.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
