import numpy as np
import pandas as pd
import pytest

from pix2street.validation import near_duplicates
from pix2street.validation.near_duplicates import nearest_elsewhere


def hashes(*bits: int) -> list[str]:
    """Return 256-bit hashes with so many bits set, from the lowest."""
    return [f"{(1 << count) - 1:064x}" for count in bits]


def test_the_nearest_photo_of_another_subset_is_found():
    pairs = pd.DataFrame(
        {"pair_id": list("abcd"), "split": ["train", "train", "val", "test"], "target_phash": hashes(0, 100, 90, 256)}
    )
    distance, near = nearest_elsewhere(pairs, "split", 48)
    assert list(distance) == [90, 10, 10, 156]
    assert list(near) == ["c", "c", "b", "b"]


def test_it_agrees_with_counting_bit_by_bit_across_blocks(monkeypatch):
    monkeypatch.setattr("pix2street.validation.near_duplicates.BLOCK_ROWS", 3)
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
    assert list(nearest_elsewhere(pairs, "split", 48)[0]) == expected


def test_a_set_of_one_subset_has_no_near_duplicate():
    pairs = pd.DataFrame({"pair_id": ["a", "b"], "split": ["train"] * 2, "target_phash": hashes(1, 1)})
    distance, near = nearest_elsewhere(pairs, "split", 48)
    assert list(distance) == [256, 256]
    assert list(near) == ["", ""]


def crowd(count: int, changed: tuple[int, ...], seed: int = 0) -> pd.DataFrame:
    """Return photos with random hashes; from the third on, each other one is an earlier one with some bits changed."""
    rng = np.random.default_rng(seed)
    bits = rng.integers(0, 2, (count, 256), np.uint8)
    for row in range(3, count, 2):
        bits[row] = bits[rng.integers(row)]
        bits[row, rng.choice(256, changed[row % len(changed)], replace=False)] ^= 1
    texts = [row.tobytes().hex() for row in np.packbits(bits, axis=1)]
    return pd.DataFrame(
        {
            "pair_id": [f"p{row}" for row in range(count)],
            "split": rng.choice(["train", "val", "test"], count),
            "scene": rng.choice(["a", "b", "c", None], count),
            "target_phash": texts,
        }
    )


@pytest.mark.parametrize("limit", [0, 1, 7, 48, 60])
def test_tables_find_the_nearest_below_the_limit_as_comparing_all_does(monkeypatch, limit):
    pairs = crowd(300, (0, 3, 6, 30, 47, 48, 59, 70))
    distance, near = nearest_elsewhere(pairs, "split", limit)
    monkeypatch.setattr(near_duplicates, "FEW_PRODUCTS", 0)
    monkeypatch.setattr(near_duplicates, "CHUNK_CANDIDATES", 50)
    by_tables, near_by_tables = nearest_elsewhere(pairs, "split", limit)
    close = distance < limit
    assert close.sum() >= 20 * (limit > 1)
    assert (by_tables[close] == distance[close]).all()
    assert (near_by_tables[close] == near[close]).all()
    assert (by_tables[~close] >= limit).all()


def test_two_hashes_below_the_limit_share_a_key_wherever_they_differ():
    rng = np.random.default_rng(1)
    first = rng.integers(0, 2, 256, np.uint8)
    for kind in ("scattered", "in one part", "in a row"):
        other = first.copy()
        places = {"scattered": rng.permutation(256)[:47], "in one part": np.arange(256)[::8], "in a row": np.arange(47)}
        other[places[kind]] ^= 1
        tables = near_duplicates._tables(np.packbits([first, other], axis=1), 48)
        assert any(one & mask == two & mask for (one, two), mask in tables)


def test_a_crowd_of_equal_photos_is_compared_without_tables(monkeypatch):
    pairs = crowd(200, (0,)).assign(target_phash="0f" * 32, scene=None)
    monkeypatch.setattr(near_duplicates, "FEW_PRODUCTS", 0)
    distance, near = nearest_elsewhere(pairs, "split", 48)
    assert set(distance) == {0}
    first = pairs.groupby("split")["pair_id"].first()
    elsewhere = {split: min(first.drop(split), key=lambda name: int(name[1:])) for split in first.index}
    assert list(near) == [elsewhere[split] for split in pairs["split"]]
