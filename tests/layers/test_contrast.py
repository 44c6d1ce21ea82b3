import keras
import numpy as np
import pytest
import tensorflow as tf

from pix2street.layers.contrast import build_heads, draw_places, patch_contrast, take_places


def unit(*rows) -> tf.Tensor:
    """Return features of one image, made as long as 1."""
    rows = np.array(rows, "float32")[np.newaxis]
    return tf.constant(rows / np.linalg.norm(rows, axis=-1, keepdims=True))


def test_features_that_say_nothing_find_one_of_all_patches():
    same = tf.ones((2, 5, 4)) / 2
    loss, _ = patch_contrast(same, same, 0.07)
    assert float(loss) == pytest.approx(np.log(5), rel=1e-6)


def test_the_contrast_is_that_of_the_paper():
    queries, keys, temperature = unit([1, 0], [0.6, 0.8]), unit([1, 0], [0, 1]), 0.5
    first = -np.log(np.exp(1 / 0.5) / (np.exp(1 / 0.5) + np.exp(0)))
    second = -np.log(np.exp(0.8 / 0.5) / (np.exp(0.6 / 0.5) + np.exp(0.8 / 0.5)))
    loss, found = patch_contrast(queries, keys, temperature)
    assert float(loss) == pytest.approx((first + second) / 2, rel=1e-5)
    assert float(found) == 1


def test_patches_whose_own_key_is_not_the_nearest_are_not_found():
    keys = unit([1, 0, 0], [0, 1, 0], [0, 0, 1])
    assert float(patch_contrast(tf.gather(keys, [0, 2, 1], axis=1), keys, 0.07)[1]) == pytest.approx(1 / 3)


def test_other_images_of_the_batch_lend_no_negatives():
    rng = np.random.default_rng(0)
    features = tf.math.l2_normalize(tf.constant(rng.normal(size=(2, 2, 6, 4)), "float32"), axis=-1)
    alone = [float(patch_contrast(*features[:, image : image + 1], 0.07)[0]) for image in range(2)]
    assert float(patch_contrast(*features, 0.07)[0]) == pytest.approx(np.mean(alone), rel=1e-5)


def test_only_queries_get_a_gradient():
    queries, keys = tf.Variable(unit([1, 0], [0.6, 0.8])), tf.Variable(unit([1, 1], [0, 1]))
    with tf.GradientTape() as tape:
        loss, _ = patch_contrast(queries, keys, 0.07)
    to_queries, to_keys = tape.gradient(loss, [queries, keys])
    assert np.abs(to_queries).max() > 0
    assert to_keys is None


def test_places_are_different_ones_and_at_most_all():
    draws = keras.random.SeedGenerator(0)
    some = [draw_places(100, 30, draws).numpy() for _ in range(2)]
    assert all(len(set(places)) == 30 and min(places) >= 0 and max(places) < 100 for places in some)
    assert set(some[0]) != set(some[1])
    assert sorted(draw_places(6, 30, draws).numpy()) == list(range(6))


def test_features_are_taken_at_their_places():
    features = tf.reshape(tf.range(2 * 3 * 4 * 2), (2, 3, 4, 2))
    taken = take_places(features, tf.constant([5, 0]))
    np.testing.assert_array_equal(taken, np.stack([features[:, 1, 1], features[:, 0, 0]], axis=1))


def test_every_head_gives_features_of_length_1():
    heads = build_heads([3, 7], 32, 0)
    assert heads.count_params() == (3 * 32 + 32) + (7 * 32 + 32) + 2 * (32 * 32 + 32)
    rng = np.random.default_rng(0)
    outputs = heads([tf.constant(rng.normal(size=(2, 4, depth)), "float32") for depth in (3, 7)])
    for output in outputs:
        assert output.shape == (2, 4, 32)
        np.testing.assert_allclose(np.linalg.norm(output, axis=-1), 1, rtol=1e-4)
