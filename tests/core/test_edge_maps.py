from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from pix2street.core.edge_maps import EDGES_FILE, KEPT_PX, SEEN_PX, STRONGEST, EdgeMaps, edge_map, edge_maps_of
from pix2street.core.errors import UserError
from pix2street.core.images import resize_box


def pixels(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)


@pytest.mark.parametrize("size", [(64, 64), (37, 50), (9, 64), (3, 1)])
def test_an_edge_map_is_the_gradient_that_scipy_computes(size):
    image = pixels(*size, 3)
    # Sobel's kernels of 3x3 after a binomial one of 3x3 are those of 5x5.
    smooth = ndimage.convolve1d(ndimage.convolve1d(image.astype(float), [1, 2, 1], 0), [1, 2, 1], 1)
    colors = smooth.transpose(2, 0, 1)
    gradient = sum(np.hypot(ndimage.sobel(color, 0), ndimage.sobel(color, 1)) for color in colors)
    found, inner = edge_map(image), (slice(1, -1), slice(1, -1))  # the border is mirrored once here and twice there
    np.testing.assert_allclose(found[inner], (255 * np.sqrt(gradient / (3 * STRONGEST)))[inner], atol=0.5001)


def test_the_strongest_edge_is_in_range_and_a_plain_image_has_none():
    image = np.zeros((16, 16, 3), np.uint8)
    assert not edge_map(image).any()
    image[np.triu_indices(16)] = 255
    assert 200 < edge_map(image).max() <= 255


def test_a_map_stays_small_and_is_never_enlarged():
    assert edge_map(pixels(1024, 48, 3)).shape == (KEPT_PX, 48)
    large = pixels(2 * SEEN_PX, 2 * SEEN_PX, 3)
    assert (edge_map(large) == edge_map(resize_box(large, SEEN_PX, SEEN_PX))).all()


def test_one_channel_counts_as_grey():
    grey = pixels(40, 30)
    assert (edge_map(grey) == edge_map(np.dstack([grey] * 3))).all()


def test_a_pair_is_compared_at_the_size_of_its_smaller_image():
    found = edge_maps_of(pixels(16, 12, 3), pixels(64, 48, 3))
    assert (found.shape, found.dtype) == ((2, 16 * 12), np.uint8)


def test_maps_are_read_at_some_places(tmp_path: Path):
    maps = pixels(7, 2, 30)
    (tmp_path / EDGES_FILE).write_bytes(maps.tobytes())
    places = np.array([2, 3, 6])
    assert (EdgeMaps.open(tmp_path, 7).read(places) == maps[places]).all()


@pytest.mark.parametrize("content", [None, b"", bytes(61)])
def test_a_file_of_other_pairs_is_refused(tmp_path: Path, content: bytes | None):
    if content is not None:
        (tmp_path / EDGES_FILE).write_bytes(content)
    with pytest.raises(UserError, match=r"edges.bin: must hold the edges of 6 pairs.* run `dvc repro`"):
        EdgeMaps.open(tmp_path, 6)
