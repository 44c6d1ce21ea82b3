import numpy as np
import pytest
from scipy.ndimage import convolve

from pix2street.metrics.pyramid import expand, laplacian_pyramid, patches_of

RNG = np.random.default_rng(0)
KERNEL = np.outer([1, 4, 6, 4, 1], [1, 4, 6, 4, 1]) / 256


def photo(height: int, width: int, channels: int = 3) -> np.ndarray:
    return RNG.integers(0, 256, (height, width, channels)).astype(np.uint8)


@pytest.mark.parametrize(
    ("height", "width", "sides"),
    [(128, 128, [128, 64, 32, 16]), (64, 96, [64, 32, 16]), (48, 80, [48, 24]), (33, 50, [33, 17]), (15, 40, [15])],
)
def test_the_last_level_is_the_last_whose_shorter_side_is_long_enough(height, width, sides):
    levels = laplacian_pyramid(photo(height, width).astype(np.float32))
    assert [min(level.shape[:2]) for level in levels] == sides
    assert {level.shape[2] for level in levels} == {3}


@pytest.mark.parametrize(("height", "width"), [(64, 64), (33, 50)])
def test_the_levels_together_are_the_photo(height, width):
    pixels = photo(height, width).astype(np.float32)
    *finer, whole = laplacian_pyramid(pixels)
    for level in reversed(finer):
        whole = level + expand(whole, level.shape)
    np.testing.assert_allclose(whole, pixels, atol=1e-3)


def test_levels_are_those_of_a_convolution_with_the_two_dimensional_kernel():
    pixels = photo(32, 64, 1).astype(np.float32)
    low_pass = convolve(pixels[..., 0], KERNEL, mode="mirror")[::2, ::2]
    spread = np.zeros((32, 64))
    spread[::2, ::2] = low_pass
    expected = [pixels[..., 0] - convolve(spread, 4 * KERNEL, mode="mirror"), low_pass]
    for level, by_hand in zip(laplacian_pyramid(pixels), expected, strict=True):
        np.testing.assert_allclose(level[..., 0], by_hand, atol=1e-3)


def test_one_colour_is_in_the_coarsest_level_alone():
    *finer, coarsest = laplacian_pyramid(np.full((64, 64, 3), 90, np.float32))
    assert max(np.abs(level).max() for level in finer) < 1e-4
    np.testing.assert_allclose(coarsest, 90, atol=1e-4)


def test_patches_are_windows_of_their_level():
    pixels = photo(32, 40)
    levels = laplacian_pyramid(pixels.astype(np.float32))
    found = patches_of(pixels, 5, key=7)
    assert {side: patches.shape for side, patches in found.items()} == {32: (5, 3, 49), 16: (5, 3, 49)}
    for level, patches in zip(levels, found.values(), strict=True):
        rows, columns = (range(places - 6) for places in level.shape[:2])
        windows = {level[y : y + 7, x : x + 7].transpose(2, 0, 1).tobytes() for y in rows for x in columns}
        assert {patch.tobytes() for patch in patches} <= windows


def test_places_follow_from_the_key():
    pixels = photo(32, 32)
    same, again, other = (patches_of(pixels, 8, key)[32] for key in (1, 1, 2))
    assert (same == again).all()
    assert (same != other).any()


def test_patches_reach_the_last_row_and_column():
    pixels = np.zeros((8, 8, 1), np.uint8)
    pixels[-1, -1] = 255
    assert patches_of(pixels, 64, 0)[8][..., -1].max() == 255
