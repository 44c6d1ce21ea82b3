import numpy as np
import pytest

from pix2street.core.edge_maps import edge_map
from pix2street.validation.fit import (
    BLOCK_PAIRS,
    Suspects,
    block_agreement,
    block_fit,
    block_lead,
    blocks,
)


def pairs(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return edge maps of drawings of boxes, and of photos with the same boxes in other colours and with grain."""
    rng = np.random.default_rng(0)
    inputs, targets = [], []
    for _ in range(count):
        drawing = np.zeros((64, 64, 3), np.uint8)
        photo = rng.integers(90, 110, (64, 64, 3))
        for _ in range(4):
            top, left, height, width = rng.integers(4, 40, 4)
            drawing[top : top + height, left : left + width] = rng.integers(0, 256, 3)
            photo[top : top + height, left : left + width] += rng.integers(-60, 60, 3)
        inputs.append(edge_map(drawing).ravel())
        targets.append(edge_map(photo.clip(0, 255).astype(np.uint8)).ravel())
    return np.array(inputs, float), np.array(targets, float)


def test_pairs_fit_and_swapped_ones_do_not():
    inputs, targets = pairs(12)
    assert (block_lead(block_agreement(inputs, targets)) > 0).all()
    assert (block_fit(block_agreement(inputs, targets))[0] > 0).all()
    order = np.arange(12)
    order[[2, 9]] = 9, 2
    assert set(np.flatnonzero(block_lead(block_agreement(inputs[order], targets)) < 0)) == {2, 9}
    fit, other = block_fit(block_agreement(inputs[order], targets))
    assert set(np.flatnonzero(fit < 0)) == {2, 9}
    assert (other[2], other[9]) == (9, 2)
    assert fit[2] == fit[9]


def test_a_fit_is_what_an_exchange_of_inputs_loses():
    inputs, targets = pairs(6)
    right = np.corrcoef([row - inputs.mean(axis=0) for row in inputs], [row - targets.mean(axis=0) for row in targets])
    agreement = right[:6, 6:]
    loss = [
        min((agreement[i, i] + agreement[j, j] - agreement[i, j] - agreement[j, i]) / 2 for j in range(6) if j != i)
        for i in range(6)
    ]
    assert block_fit(block_agreement(inputs, targets))[0] == pytest.approx(loss, abs=1e-5)


def test_a_right_pair_without_edges_of_its_own_has_a_low_lead_and_no_low_fit():
    inputs, targets = pairs(12)
    # Its drawing shows nothing of its photo, and no other photo of the set is right for it.
    stranger = edge_map(np.random.default_rng(5).integers(0, 256, (64, 64, 3)).astype(np.uint8)).ravel()
    inputs[4] = 0.3 * inputs[7] + 0.7 * stranger
    lead, (fit, _) = block_lead(block_agreement(inputs, targets)), block_fit(block_agreement(inputs, targets))
    assert set(np.flatnonzero(lead < -0.18)) == {4}
    assert (fit > -0.15).all()


def test_a_right_pair_is_not_blamed_for_a_swapped_one_that_looks_like_it():
    inputs, targets = pairs(12)
    rng = np.random.default_rng(1)
    # Pair 3 nearly shows what pair 9 does; then 9 and 2 are swapped.
    inputs[3], targets[3] = (half[9] + rng.normal(0, half.std() / 3, half[9].shape) for half in (inputs, targets))
    order = np.arange(12)
    order[[2, 9]] = 9, 2
    fit, _ = block_fit(block_agreement(inputs[order], targets))
    assert len(np.flatnonzero(fit < -0.15)) == 2
    assert fit[2] < -0.15


@pytest.mark.parametrize("count", range(2, 6))
def test_tiny_sets_raise_no_alarm(count):
    for _ in range(3):
        assert (block_fit(block_agreement(*pairs(count)))[0] > 0).all()


def test_suspects_find_a_swap_across_blocks():
    inputs, targets = pairs(24)
    order = np.arange(24)
    order[[2, 20]] = 20, 2
    inputs = inputs[order]
    suspects = Suspects()
    for rows in (np.arange(12), np.arange(12, 24)):
        maps = np.stack([inputs[rows], targets[rows]], axis=1)
        suspects.add(100 + rows, block_lead(block_agreement(inputs[rows], targets[rows])), maps)
    fit, other = suspects.fit()
    assert dict(zip(suspects.rows[fit < 0], other[fit < 0], strict=True)) == {102: 120, 120: 102}


def test_suspects_are_those_with_the_lowest_leads(monkeypatch):
    monkeypatch.setattr("pix2street.validation.fit.SUSPECTS", 3)
    suspects = Suspects()
    maps = np.arange(32.0).reshape(4, 2, 4)
    suspects.add(np.arange(4), np.array([0.3, -0.1, 0.0, 0.5]), maps)
    suspects.add(np.arange(4, 8), np.array([0.4, -0.2, 0.6, 0.7]), maps + 100)
    assert list(suspects.rows) == [1, 2, 5]
    assert (np.array(suspects.maps) == [maps[1], maps[2], maps[1] + 100]).all()


def test_no_pair_is_no_suspect():
    fit, other = Suspects().fit()
    assert len(fit) == len(other) == 0


def test_the_lead_of_equal_orthogonal_maps_is_one():
    maps = np.eye(4, 16) * 5 + 3
    # Without what they share, four orthogonal maps agree with themselves by 1 and with each other by -1/3 at most.
    assert block_lead(block_agreement(maps, maps)) == pytest.approx(np.full(4, 1 - agreement_of_two(maps)))
    assert block_fit(block_agreement(maps, maps))[0] == pytest.approx(np.full(4, 1 - agreement_of_two(maps)))


def agreement_of_two(maps: np.ndarray) -> float:
    """Return NumPy's correlation of two different maps after the mean of all is subtracted."""
    return float(np.corrcoef(maps - maps.mean(axis=0))[0, 1])


def test_brightness_contrast_and_side_do_not_matter():
    inputs, targets = pairs(6)
    for measure in (
        lambda *halves: block_lead(block_agreement(*halves)),
        lambda *halves: block_fit(block_agreement(*halves))[0],
    ):
        assert measure(inputs * 3, targets) == pytest.approx(measure(inputs, targets), abs=1e-5)
        assert measure(targets, inputs) == pytest.approx(measure(inputs, targets), abs=1e-5)


def test_one_pair_or_blank_ones_have_no_fit():
    assert block_lead(block_agreement(np.ones((1, 9)), np.ones((1, 9)))) == [0]
    assert block_fit(block_agreement(np.ones((1, 9)), np.ones((1, 9)))) == ([0], [-1])
    blank = block_agreement(np.zeros((3, 9)), np.zeros((3, 9)))
    assert block_lead(blank).tolist() == [0, 0, 0]
    assert block_fit(blank)[0].tolist() == [0, 0, 0]


def test_blocks_are_even_and_hold_every_index_once():
    for count in (1, BLOCK_PAIRS, BLOCK_PAIRS + 1, 3 * BLOCK_PAIRS - 5):
        sizes = [len(block) for block in blocks(count)]
        assert max(sizes) <= BLOCK_PAIRS
        assert max(sizes) - min(sizes) <= 1
        assert (np.concatenate(blocks(count)) == np.arange(count)).all()
