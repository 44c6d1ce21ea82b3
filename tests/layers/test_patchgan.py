import numpy as np
import pytest

from pix2street.layers.patchgan import LEAST_PX, build_patchgan, with_hidden_maps


def test_parameters_at_256_px_follow_from_the_layer_sizes():
    # 4x4 kernels; a bias in the first and the last layer; a norm has a scale and an offset.
    expected = 16 * (6 * 64 + 64 * 128 + 128 * 256 + 256 * 512 + 512) + 64 + 1 + 2 * (128 + 256 + 512)
    assert expected == 2_768_705
    network = build_patchgan((256, 256, 3), (256, 256, 3), 64, 0)
    assert sum(int(np.prod(variable.shape)) for variable in network.trainable_variables) == expected
    assert network.output_shape == (None, 30, 30, 1)


@pytest.mark.parametrize(("size", "expected"), [((64, 128), (6, 14)), ((32, 32), (2, 2))])
def test_other_sizes(size, expected):
    assert build_patchgan((*size, 5), (*size, 3), 2, 0).output_shape == (None, *expected, 1)


@pytest.mark.parametrize("part", ["input", "target"])
def test_each_logit_sees_seventy_by_seventy_pixels(part):
    network = build_patchgan((256, 256, 3), (256, 256, 3), 2, 0)
    # Positive weights: no change can cancel out.
    network.set_weights([np.abs(weight) + 0.1 for weight in network.get_weights()])
    images = {"input": np.zeros((1, 256, 256, 3), "float32"), "target": np.zeros((1, 256, 256, 3), "float32")}
    row, column = 14, 15
    before = network(images, training=False).numpy()[0, row, column, 0]

    def moves(y: int, x: int) -> bool:
        changed = {name: image.copy() for name, image in images.items()}
        changed[part][0, y, x] = 100.0
        return network(changed, training=False).numpy()[0, row, column, 0] != before

    # Stride 8 in all; the paddings of one pixel add up to 1 + 2 + 4 + 8 + 8 = 23 pixels of the input.
    top, left = 8 * row - 23, 8 * column - 23
    for y, x, seen in [
        (top, left, True), (top + 69, left + 69, True), (top - 1, left, False), (top, left - 1, False),
        (top + 70, left, False), (top, left + 70, False),
    ]:  # fmt: skip
        assert moves(y, x) == seen, (y - top, x - left)


def test_the_smallest_pair_leaves_one_logit():
    assert build_patchgan((LEAST_PX, LEAST_PX, 3), (LEAST_PX, LEAST_PX, 3), 2, 0).output_shape == (None, 1, 1, 1)


def test_hidden_maps_are_those_of_the_same_layers():
    network = build_patchgan((32, 64, 5), (32, 64, 3), 2, 0)
    viewer = with_hidden_maps(network)
    rng = np.random.default_rng(0)
    pair = {
        name: rng.normal(size=(1, 32, 64, depth)).astype("float32") for name, depth in (("input", 5), ("target", 3))
    }
    *maps, logits = viewer(pair, training=True)
    assert [one.shape for one in maps] == [(1, 16, 32, 2), (1, 8, 16, 4), (1, 4, 8, 8), (1, 3, 7, 16)]
    np.testing.assert_array_equal(logits, network(pair, training=True))
    assert [id(one) for one in viewer.weights] == [id(one) for one in network.weights]


def test_a_scale_sees_the_pair_halved_by_averages():
    full, half = build_patchgan((32, 32, 3), (32, 32, 3), 2, 0), build_patchgan((64, 64, 3), (64, 64, 3), 2, 0, scale=1)
    assert (half.get_weights()[0] != full.get_weights()[0]).any()
    half.set_weights(full.get_weights())
    rng = np.random.default_rng(0)
    pair = {name: rng.normal(size=(1, 64, 64, 3)).astype("float32") for name in ("input", "target")}
    smaller = {name: image.reshape(1, 32, 2, 32, 2, 3).mean((2, 4)) for name, image in pair.items()}
    np.testing.assert_allclose(half(pair), full(smaller), rtol=1e-4, atol=1e-6)
