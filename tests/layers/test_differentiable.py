"""Augmentation of what a discriminator sees: gradients flow through it, and no draw marks a photo as generated."""

import numpy as np
import pytest
import tensorflow as tf

from pix2street.layers.differentiable import DRAWS, KINDS, SHIFT, augmented

RNG = np.random.default_rng(0)
IMAGES = RNG.uniform(-1, 1, (6, 16, 24, 3)).astype("float32")
DRAWN = RNG.uniform(size=(6, DRAWS)).astype("float32")


def test_without_kinds_nothing_changes():
    np.testing.assert_array_equal(augmented(IMAGES, DRAWN, ()), IMAGES)


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_changes_images_and_lets_gradients_through(kind):
    images = tf.constant(IMAGES)
    with tf.GradientTape() as tape:
        tape.watch(images)
        seen = augmented(images, tf.constant(DRAWN), [kind])
        loss = tf.reduce_sum(seen * tf.constant(RNG.normal(size=IMAGES.shape).astype("float32")))
    assert (np.abs(seen - IMAGES).max(axis=(1, 2, 3)) > 0).all()
    assert (np.abs(tape.gradient(loss, images)).max(axis=(1, 2, 3)) > 0).all()


def test_a_translation_moves_whole_pixels_and_fills_with_grey():
    draws = np.full((1, DRAWS), 0.5, "float32")
    np.testing.assert_array_equal(augmented(IMAGES[:1], draws, ["translation"]), IMAGES[:1])
    draws[:, 3] = 0.0
    moved = np.array(augmented(IMAGES[:1], draws, ["translation"]))
    most = round(16 * SHIFT)
    np.testing.assert_array_equal(moved[:, :-most], IMAGES[:1, most:])
    assert (moved[:, -most:] == 0).all()
    draws[:, 3] = 1 - 1e-6
    moved = np.array(augmented(IMAGES[:1], draws, ["translation"]))
    np.testing.assert_array_equal(moved[:, most:], IMAGES[:1, :-most])


def test_a_hole_is_half_of_each_side_unless_it_is_cut_by_a_border():
    draws = np.full((1, DRAWS), 0.5, "float32")
    seen = np.array(augmented(IMAGES[:1], draws, ["cutout"]))
    assert (seen == 0).all(axis=-1).sum() == 8 * 12
    assert (seen[:, 4:12, 6:18] == 0).all()


def test_color_in_the_middle_of_its_range_changes_nothing():
    draws = np.full((6, DRAWS), 0.5, "float32")
    np.testing.assert_allclose(augmented(IMAGES, draws, ["color"]), IMAGES, atol=1e-6)
    draws[:, 1] = 0
    grey = np.array(augmented(IMAGES, draws, ["color"]))
    np.testing.assert_allclose(grey, np.repeat(IMAGES.mean(axis=-1, keepdims=True), 3, axis=-1), atol=1e-6)
