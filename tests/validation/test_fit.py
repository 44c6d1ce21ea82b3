import numpy as np
import pytest

from pix2street.validation.fit import BLOCK_PAIRS, SIDE_PX, block_fit, blocks, edge_map


def pairs(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Edge maps of drawings of boxes, and of photos with the same boxes in other colours and with grain."""
    rng = np.random.default_rng(0)
    inputs, targets = [], []
    for _ in range(count):
        drawing = np.zeros((64, 64, 3), np.uint8)
        photo = rng.integers(90, 110, (64, 64, 3))
        for _ in range(4):
            top, left, height, width = rng.integers(4, 40, 4)
            drawing[top : top + height, left : left + width] = rng.integers(0, 256, 3)
            photo[top : top + height, left : left + width] += rng.integers(-60, 60, 3)
        inputs.append(edge_map(drawing))
        targets.append(edge_map(photo.clip(0, 255).astype(np.uint8)))
    return np.array(inputs), np.array(targets)


def test_pairs_fit_and_swapped_ones_do_not():
    inputs, targets = pairs(12)
    assert (block_fit(inputs, targets) > 0).all()
    order = np.arange(12)
    order[[2, 9]] = 9, 2
    fit = block_fit(inputs[order], targets)
    assert set(np.flatnonzero(fit < 0)) == {2, 9}


def test_the_fit_of_equal_orthogonal_maps_is_one():
    maps = np.eye(4, 16) * 5 + 3
    # Without what they share, four orthogonal maps agree with themselves by 1 and with each other by -1/3 at most.
    assert block_fit(maps, maps) == pytest.approx(np.full(4, 1 - block_agreement(maps)))


def block_agreement(maps: np.ndarray) -> float:
    """The correlation of two different maps after the mean of all is taken away, by NumPy's own."""
    return float(np.corrcoef(maps - maps.mean(axis=0))[0, 1])


def test_brightness_contrast_and_side_do_not_matter():
    inputs, targets = pairs(6)
    assert block_fit(inputs * 3, targets) == pytest.approx(block_fit(inputs, targets), abs=1e-5)
    assert block_fit(targets, inputs) == pytest.approx(block_fit(inputs, targets), abs=1e-5)


def test_one_pair_or_blank_ones_have_no_fit():
    assert block_fit(np.ones((1, 9)), np.ones((1, 9))) == [0]
    assert np.isfinite(block_fit(np.zeros((3, 9)), np.zeros((3, 9)))).all()


def test_blocks_are_even_and_hold_every_index_once():
    for count in (1, BLOCK_PAIRS, BLOCK_PAIRS + 1, 3 * BLOCK_PAIRS - 5):
        sizes = [len(block) for block in blocks(count)]
        assert max(sizes) <= BLOCK_PAIRS
        assert max(sizes) - min(sizes) <= 1
        assert (np.concatenate(blocks(count)) == np.arange(count)).all()


def test_an_edge_map_stays_small_and_is_never_enlarged():
    assert edge_map(np.zeros((1024, 64, 3), np.uint8)).shape == (SIDE_PX * 64,)
