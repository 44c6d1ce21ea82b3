"""The nearest photo from another subset or domain, by perceptual hashes: exact, without comparing all with all."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

BLOCK_ROWS = 4096
FEW_PRODUCTS = 2**26
"""Up to so many comparisons, all photos are compared with all others in less than a second."""

PART_BITS = 32
RADIUS = 5
"""The most bits in which two parts of near hashes may differ: 63 tables find all such parts of 32 bits."""

CHUNK_CANDIDATES = 2**18

Found = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Rows, for each a row from elsewhere, and the number of bits in which their hashes differ."""


def nearest_elsewhere(pairs: pd.DataFrame, column: str, limit: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the Hamming distance of each photo's hash to the nearest from elsewhere, and the pair_id of that one.

    Photos are elsewhere that have another value in `column`, the subset or the domain, and do not show the same scene.
    If there is none, the distance is that of opposite hashes, and the pair_id is empty. In a set that takes more than
    `FEW_PRODUCTS` comparisons, photos at `limit` or further may count as none.
    """
    count = len(pairs)
    hashes = [bytes.fromhex(text) if isinstance(text, str) else b"" for text in pairs["target_phash"]]
    bits = 8 * max(map(len, hashes), default=0)
    if not bits:
        return np.zeros(count, int), np.full(count, "", object)
    packed = np.frombuffer(b"".join(hashes), np.uint8).reshape(count, -1)
    kinds = pd.factorize(pairs[column])[0]
    scenes = pd.factorize(pairs["scene"])[0] if "scene" in pairs else np.full(count, -1)
    # A distance and the row at it are one number, so that the smallest is the first of the nearest.
    best = np.full(count, bits * 2**32)
    for kind in range(kinds.max()):
        own, others = np.flatnonzero(kinds == kind), np.flatnonzero(kinds > kind)
        few = len(own) * len(others) <= FEW_PRODUCTS
        for rows, elsewhere, apart in (
            _by_products(packed, scenes, own, others) if few else _by_tables(packed, scenes, own, others, limit)
        ):
            np.minimum.at(best, rows, apart * 2**32 + elsewhere)
            np.minimum.at(best, elsewhere, apart * 2**32 + rows)
    distance, row = np.divmod(best, 2**32)
    return distance, np.where(distance < bits, pairs["pair_id"].to_numpy(object)[row], "")


def _by_products(packed: np.ndarray, scenes: np.ndarray, own: np.ndarray, others: np.ndarray) -> Iterator[Found]:
    """Yield for each row of `own` the nearest of `others`, and for each of `others` the nearest of `own`, by blocks."""
    bits = 8 * packed.shape[1]
    # The product of two rows of +1 and -1 is the number of bits that agree less the number that differ.
    signs = 2 * np.unpackbits(packed, axis=1).astype(np.float32) - 1
    for start in range(0, len(own), BLOCK_ROWS):
        rows = own[start : start + BLOCK_ROWS]
        for other in range(0, len(others), BLOCK_ROWS):
            columns = others[other : other + BLOCK_ROWS]
            apart = (bits - signs[rows] @ signs[columns].T) / 2
            apart[(scenes[rows, None] == scenes[columns]) & (scenes[rows, None] >= 0)] = bits
            nearest, nearest_own = apart.argmin(axis=1), apart.argmin(axis=0)
            yield rows, columns[nearest], apart[np.arange(len(rows)), nearest].astype(int)
            yield rows[nearest_own], columns, apart[nearest_own, np.arange(len(columns))].astype(int)


def _by_tables(
    packed: np.ndarray, scenes: np.ndarray, own: np.ndarray, others: np.ndarray, limit: int
) -> Iterator[Found]:
    """Yield all rows of `own` and `others` whose hashes differ in fewer than `limit` bits, some of them repeatedly.

    The bits are divided into parts, of which one differs in few bits if the hashes do. A table has a key for each hash,
    some bits of one part. The tables of a part are chosen so that two parts that differ in few bits have one key in at
    least one table (Pagh, "CoveringLSH: locality-sensitive hashing without false negatives", 2018, section 3). Where
    most hashes are so alike that keys hardly tell them apart, all are compared with all.
    """
    words, left_to_compare = packed.view(np.uint64), len(own) * len(others) // 4
    for keys, mask in _tables(packed, limit):
        own_keys, other_keys = keys[own] & mask, keys[others] & mask
        order = np.argsort(other_keys)
        first, last = (np.searchsorted(other_keys[order], own_keys, side) for side in ("left", "right"))
        ends = np.cumsum(last - first)
        left_to_compare -= ends[-1]
        if left_to_compare < 0:
            yield from _by_products(packed, scenes, own, others)
            return
        for members in np.split(
            np.arange(len(own)), np.searchsorted(ends, range(CHUNK_CANDIDATES, ends[-1], CHUNK_CANDIDATES))
        ):
            counts = (last - first)[members]
            places = np.arange(counts.sum()) + np.repeat(first[members] - np.cumsum(counts) + counts, counts)
            rows, elsewhere = own[np.repeat(members, counts)], others[order[places]]
            apart = np.bitwise_count(words[rows] ^ words[elsewhere]).sum(axis=1, dtype=int)
            near = (apart < limit) & ((scenes[rows] != scenes[elsewhere]) | (scenes[rows] < 0))
            yield rows[near], elsewhere[near], apart[near]


def _tables(packed: np.ndarray, limit: int) -> Iterator[tuple[np.ndarray, np.uint32]]:
    """Yield a part of each hash, `[N]` uint32, and the bits of it that are the key of a table.

    Each bit of a part has a vector of `radius + 1` binary digits. A table has the bits whose vectors have an odd
    product with the table's own vector. No `radius` bits occur in all tables, because some vector is orthogonal to
    those of all of them.
    """
    bits = np.unpackbits(packed, axis=1)
    parts = max(bits.shape[1] // PART_BITS, -(-limit // (RADIUS + 1)))
    for start in range(parts):
        part = bits[:, start::parts]
        keys = _as_number(part)
        vectors = 2 ** ((limit - 1) // parts + 1)
        # The upper half of the vectors gives each key half of the bits, or all.
        of_bits = np.resize(np.arange(vectors // 2, vectors), part.shape[1])
        for table in range(1, vectors):
            yield keys, _as_number(np.bitwise_count(of_bits & table)[None] % 2)[0]


def _as_number(bits: np.ndarray) -> np.ndarray:
    """Return `[N, up to 32]` bits as `[N]` uint32."""
    padded = np.zeros((len(bits), PART_BITS), np.uint8)
    padded[:, : bits.shape[1]] = bits
    return np.packbits(padded, axis=1).view(np.uint32)[:, 0]
