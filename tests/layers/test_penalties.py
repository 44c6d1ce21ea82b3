import numpy as np
import pytest
import tensorflow as tf

from pix2street.layers.conditions import with_planes
from pix2street.layers.penalties import one_lipschitz, squared_norm


@pytest.mark.parametrize(("length", "penalty", "r1"), [(1.0, 0.0, 0.5), (3.0, 4.0, 4.5), (0.0, 1.0, 0.0)])
def test_penalties_of_a_gradient_of_known_length(length, penalty, r1):
    gradients = np.zeros((2, 4, 4, 3), "float32")
    gradients[0, 1, 2, 0] = length
    gradients[1, :, :, 1] = length / 4
    assert float(one_lipschitz(gradients)) == pytest.approx(penalty, abs=1e-5)
    assert float(squared_norm(gradients)) == pytest.approx(r1, abs=1e-6)


def test_a_gradient_of_zero_has_a_finite_slope():
    gradients = tf.Variable(tf.zeros((1, 2, 2, 3)))
    with tf.GradientTape() as tape:
        penalty = one_lipschitz(gradients)
    assert np.isfinite(tape.gradient(penalty, gradients)).all()


def test_each_image_has_a_plane_for_its_number():
    images = tf.random.stateless_uniform((3, 4, 5, 2), (0, 0))
    told = with_planes(images, tf.constant([1, 0, 2]), 3)
    np.testing.assert_array_equal(told[..., :2], images)
    for image, number in enumerate((1, 0, 2)):
        np.testing.assert_array_equal(told[image, ..., 2:], np.broadcast_to(np.eye(3)[number], (4, 5, 3)))
