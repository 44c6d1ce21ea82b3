import numpy as np
import pytest

from pix2street.core.classes import cityscapes_classes
from pix2street.core.layouts import CELLS, DONORS, GRID, as_bytes, cells_of, described, donors

ROAD, SKY = 7, 23
KNOWN = np.array([ROAD, SKY], np.uint8)


def street(horizon, side=32):
    ids = np.full((side, side), SKY, np.uint8)
    ids[horizon:] = ROAD
    return ids


def layouts_of(drawings):
    return as_bytes(np.stack([described(drawing, KNOWN).ravel() for drawing in drawings]))


def test_cells_are_means_of_both_halves():
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (32, 48, 2))
    blocks = image.reshape(GRID, 4, GRID, 6, 2).mean(axis=(1, 3))
    expected = (blocks[:, :4] + blocks[:, :3:-1]) / 2
    np.testing.assert_allclose(cells_of(image), expected.reshape(CELLS, 2))


@pytest.mark.parametrize("shape", [(32, 32), (33, 21), (5, 3), (8, 100)])
def test_cells_of_any_size_keep_the_mean_and_do_not_change_in_a_mirror(shape):
    image = np.random.default_rng(1).integers(0, 256, (*shape, 3))
    np.testing.assert_allclose(cells_of(image).mean(axis=0), image.mean((0, 1)))
    np.testing.assert_allclose(cells_of(image[:, ::-1]), cells_of(image))


def test_a_drawing_is_described_by_shares_of_classes_or_by_colours():
    ids = street(12)
    class_ids = np.array([entry.id for entry in cityscapes_classes().entries], np.uint8)
    shares = described(ids, class_ids)
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    np.testing.assert_allclose(shares.mean(axis=0)[[ROAD, SKY]], [20 / 32, 12 / 32])
    rgb = np.full((16, 16, 3), [0, 51, 255], np.uint8)
    np.testing.assert_allclose(described(rgb, class_ids[:0]), [[0, 0.2, 1]] * CELLS)


def test_donors_are_those_with_the_most_similar_drawings_in_the_order_of_a_seed():
    drawings = layouts_of([street(horizon) for horizon in range(4, 28)])
    horizon = 15
    orders = [donors(drawings, KNOWN, street(horizon), seed) for seed in range(20)]
    for order in orders:
        # Two horizons are equally far from this one.
        assert DONORS <= len(order) <= DONORS + 1
        assert np.abs(order + 4 - horizon).max() <= DONORS // 2
    assert len({order[0] for order in orders}) > DONORS / 2
    np.testing.assert_array_equal(donors(drawings, KNOWN, street(horizon)[:, ::-1], 3), orders[3])
    np.testing.assert_array_equal(donors(drawings, KNOWN, street(2 * horizon, 64), 3), orders[3])


def test_few_and_equal_drawings_all_lend():
    assert sorted(donors(layouts_of([street(9), street(20)]), KNOWN, street(9), 0)) == [0, 1]
    assert sorted(donors(layouts_of([street(9)] * 30), KNOWN, street(20), 0)) == list(range(30))
