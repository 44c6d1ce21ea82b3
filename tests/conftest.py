import numpy as np
import pytest

from pix2street.images import write_png
from pix2street.pairs import Pair


@pytest.fixture
def tiny_pairs(tmp_path) -> list[Pair]:
    """Six pairs of 32x32: class-id inputs (road below sky) and targets that repeat each id in all channels."""
    pairs = []
    for index in range(6):
        ids = np.full((32, 32), 23, np.uint8)
        ids[10 + 2 * index :, index:] = 7
        pair = Pair(f"p{index}", tmp_path / f"input_{index}.png", tmp_path / f"target_{index}.png")
        write_png(pair.input_path, ids)
        write_png(pair.target_path, np.repeat(ids[..., None], 3, axis=2))
        pairs.append(pair)
    return pairs
