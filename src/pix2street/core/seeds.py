"""Randomness as a function of where it is used, so that resuming or reordering changes nothing."""

import numpy as np


def derive_seed(*key: int) -> int:
    """Return a 31-bit seed that follows from all the numbers of `key` and their order, e.g. (seed, epoch, index)."""
    return int(np.random.SeedSequence(key).generate_state(1)[0] >> 1)
