import keras
import numpy as np
import pytest

from pix2street.layers.masks import Blend
from pix2street.layers.networks import load_network, save_network
from pix2street.layers.residual import build_quartering


@pytest.mark.parametrize(("mask", "expected"), [(0.0, -1.0), (1.0, 0.5), (0.5, -0.25)])
def test_where_the_mask_is_0_an_image_stays_as_it_is(mask, expected):
    image, colour = np.full((1, 2, 2, 5), -1.0), np.full((1, 2, 2, 3), 0.5)
    image[..., 3:] = 7.0  # conditions, of which nothing may come into the photo
    photo = Blend()([image, colour, np.full((1, 2, 2, 3), mask)])
    np.testing.assert_allclose(photo, np.full((1, 2, 2, 3), expected))


def test_a_masked_generator_is_sharp_and_is_the_same_after_saving(tmp_path):
    generator = build_quartering((16, 16, 3), 3, 2, 1, "resize", 0, mask=True)
    stripes = np.zeros((1, 16, 16, 3), "float32")
    stripes[:, :, ::2] = 1.0
    seen = keras.Model(generator.input, [generator.get_layer(name).output for name in ("output", "mask", "blend")])
    colour, mask, photo = map(np.array, seen(stripes))
    np.testing.assert_allclose(photo, mask * colour + (1 - mask) * stripes, atol=1e-6)
    assert np.abs(np.diff(photo, axis=2)).mean() > 5 * np.abs(np.diff(colour, axis=2)).mean()
    save_network(generator, tmp_path, "generator")
    np.testing.assert_array_equal(load_network(tmp_path, "generator")(stripes), photo)
