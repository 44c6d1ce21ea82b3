"""The network of a judge: its shapes, its seeds and its bytes."""

import keras
import numpy as np
import pytest

from pix2street.judges.network import FACTOR, LEVELS, build_segmenter
from pix2street.layers.networks import load_network, save_network


def photos(*shape, seed=0):
    return np.random.default_rng(seed).uniform(-1, 1, shape).astype(np.float32)


@pytest.mark.parametrize("size", [(32, 32), (16, 48), (33, 50), (8, 20)])
@pytest.mark.parametrize("classes", [1, 5])
def test_each_pixel_of_a_photo_of_any_size_gets_a_score_for_each_class(size, classes):
    network = build_segmenter(*size, classes, 4, 0)
    scores = network.predict_on_batch(photos(2, *size, 3))
    assert scores.shape == (2, *size, classes)
    assert scores.dtype == np.float32
    assert np.isfinite(scores).all()


def test_each_level_has_half_the_size_of_the_one_before():
    network = build_segmenter(64, 128, 3, 4, 0)
    shapes = [network.get_layer(name).output.shape[1:] for name in LEVELS]
    assert shapes == [(32, 64, 4), (16, 32, 8), (8, 16, 16), (4, 8, 16)]
    assert shapes[-1][:2] == (64 // FACTOR, 128 // FACTOR)


def test_the_seed_decides_every_initial_weight():
    first, same, other = (build_segmenter(32, 32, 3, 4, seed) for seed in (0, 0, 1))
    for a, b in zip(first.get_weights(), same.get_weights(), strict=True):
        assert np.array_equal(a, b)
    kernels = [index for index, weight in enumerate(first.weights) if weight.name == "kernel"]
    assert len(kernels) > 20
    for index in kernels:
        assert not np.array_equal(first.get_weights()[index], other.get_weights()[index])


def test_no_two_kernels_of_one_shape_are_equal():
    kernels = [np.asarray(weight) for weight in build_segmenter(32, 32, 3, 4, 0).weights if weight.name == "kernel"]
    for index, kernel in enumerate(kernels):
        for other in kernels[:index]:
            assert kernel.shape != other.shape or not np.array_equal(kernel, other)


def test_a_saved_network_sees_the_same(tmp_path):
    network = build_segmenter(32, 32, 3, 4, 0)
    save_network(network, tmp_path, "segmenter")
    shown = photos(1, 32, 32, 3)
    assert np.array_equal(load_network(tmp_path, "segmenter").predict_on_batch(shown), network.predict_on_batch(shown))


def test_every_weight_is_trained():
    network = build_segmenter(32, 32, 3, 4, 0)
    trainer = keras.Model(network.inputs, network.outputs)
    trainer.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    before = [np.array(weight) for weight in network.trainable_weights]
    trainer.train_on_batch(photos(2, 32, 32, 3), np.random.default_rng(1).integers(0, 3, (2, 32, 32)))
    for weight, old in zip(network.trainable_weights, before, strict=True):
        assert not np.array_equal(np.asarray(weight), old), weight.path
