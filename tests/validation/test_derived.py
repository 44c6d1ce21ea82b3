import numpy as np
import pandas as pd
import pytest

from pix2street.validation.derived import class_distance, nearest_elsewhere


def hashes(*bits: int) -> list[str]:
    """Return 256-bit hashes with so many bits set, from the lowest."""
    return [f"{(1 << count) - 1:064x}" for count in bits]


def test_the_nearest_photo_of_another_subset_is_found():
    pairs = pd.DataFrame(
        {"pair_id": list("abcd"), "split": ["train", "train", "val", "test"], "target_phash": hashes(0, 100, 90, 256)}
    )
    distance, near = nearest_elsewhere(pairs, "split")
    assert list(distance) == [90, 10, 10, 156]
    assert list(near) == ["c", "c", "b", "b"]


def test_it_agrees_with_counting_bit_by_bit_across_blocks(monkeypatch):
    monkeypatch.setattr("pix2street.validation.derived.BLOCK_ROWS", 3)
    rng = np.random.default_rng(0)
    values = [int.from_bytes(rng.bytes(32)) for _ in range(20)]
    splits = rng.choice(["train", "val"], 20)
    pairs = pd.DataFrame(
        {"pair_id": [f"p{i}" for i in range(20)], "split": splits, "target_phash": [f"{v:064x}" for v in values]}
    )
    expected = [
        min((a ^ b).bit_count() for b, other in zip(values, splits, strict=True) if other != split)
        for a, split in zip(values, splits, strict=True)
    ]
    assert list(nearest_elsewhere(pairs, "split")[0]) == expected


def test_a_set_of_one_subset_has_no_near_duplicate():
    pairs = pd.DataFrame({"pair_id": ["a", "b"], "split": ["train"] * 2, "target_phash": hashes(1, 1)})
    distance, near = nearest_elsewhere(pairs, "split")
    assert list(distance) == [256, 256]
    assert list(near) == ["", ""]


def test_the_distance_of_class_shares_is_half_the_sum_of_their_differences():
    pairs = pd.DataFrame(
        {
            "split": ["train", "train", "val"],
            "class_shares": ["7:0.5 23:0.5", "7:1.0", "7:0.25 26:0.75"],
        }
    )
    # train has 0.75 and 0.25, val 0.25 and 0 and 0.75 of a class that train lacks.
    assert list(class_distance(pairs)) == pytest.approx([0, 0, (0.5 + 0.25 + 0.75) / 2])
