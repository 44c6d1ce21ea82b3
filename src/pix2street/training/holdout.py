"""The pairs of train that are kept apart from training."""

from pathlib import Path

import numpy as np
import pandas as pd

from pix2street.core.errors import UserError
from pix2street.core.pairs import Pair, read_manifest, read_pairs


def hold_out(split: Path, count: int, seed: int) -> tuple[list[Pair], list[Pair]]:
    """Return the pairs to train on, and at most `count` pairs of train to keep apart, both in the manifest's order.

    Frames of a group resemble each other, so whole groups are kept apart, drawn by `seed`, as long as they fit. If even
    the smallest group does not fit, single pairs are kept apart.

    Raises:
        UserError: fewer than two pairs would be left to train on.
    """
    pairs = read_pairs(split, "train")
    if len(pairs) < count + 2:
        raise UserError(
            f"{split}: train has {len(pairs)} pairs, and train.data.holdout_pairs: {count} leaves fewer than two to "
            "train on; choose fewer or add pairs"
        )
    manifest = read_manifest(split).set_index("pair_id")
    groups = manifest.loc[[pair.pair_id for pair in pairs], "group"].to_numpy()
    sizes = pd.Series(groups).value_counts(sort=False)
    if count and sizes.min() > count:
        print(
            f"every group of train has more than {count} pairs; single pairs are kept apart (train.data.holdout_pairs)"
        )
        groups = np.arange(len(pairs))
        sizes = pd.Series(1, index=groups)
    kept, room = set(), count
    for name in np.random.default_rng(seed).permutation(sizes.index.to_numpy()):
        if sizes[name] <= room:
            kept.add(name)
            room -= sizes[name]
    apart = [group in kept for group in groups]
    return (
        [pair for pair, out in zip(pairs, apart, strict=True) if not out],
        [pair for pair, out in zip(pairs, apart, strict=True) if out],
    )
