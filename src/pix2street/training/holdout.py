"""Pairs or images of train that are kept apart from training, to measure on."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from pix2street.core.domains import DomainImage
from pix2street.core.errors import UserError
from pix2street.core.pairs import Pair, read_manifest, read_pairs


def hold_out(split: Path, count: int, seed: int, pairs: Sequence[Pair] | None = None) -> tuple[list[Pair], list[Pair]]:
    """Return the pairs to train on, and at most `count` pairs of train to keep apart, both in the manifest's order.

    Frames of a group resemble each other, so whole groups are kept apart, drawn by `seed`, as long as they fit. If even
    the smallest group does not fit, single pairs are kept apart.

    Args:
        pairs: the pairs of train; None reads them.

    Raises:
        UserError: fewer than two pairs would be left to train on.
    """
    pairs = read_pairs(split, "train") if pairs is None else pairs
    if len(pairs) < count + 2:
        raise UserError(
            f"{split}: train has {len(pairs)} pairs, and train.data.holdout_pairs: {count} leaves fewer than two to "
            "train on; choose fewer or add pairs"
        )
    manifest = read_manifest(split).set_index("pair_id")
    apart = _draw_apart(manifest.loc[[pair.pair_id for pair in pairs], "group"].to_numpy(), count, seed)
    return (
        [pair for pair, out in zip(pairs, apart, strict=True) if not out],
        [pair for pair, out in zip(pairs, apart, strict=True) if out],
    )


def hold_out_images(
    images: Sequence[DomainImage], source: str, count: int, seed: int
) -> tuple[list[DomainImage], list[DomainImage]]:
    """Return the images to train on, and those to keep apart: at most `count` of the domain `source`, as in `hold_out`.

    Images of the same groups in other domains, such as the same scenes, are kept apart, too.

    Raises:
        UserError: fewer than two images of the domain would be left to train on.
    """
    own = [image for image in images if image.domain == source]
    if len(own) < count + 2:
        raise UserError(
            f"the domain {source} has {len(own)} images in train, and train.data.holdout_pairs: {count} leaves fewer "
            "than two to train on; choose fewer or add images"
        )
    drawn = _draw_apart(np.array([image.group for image in own], object), count, seed)
    ids = {image.pair_id for image, out in zip(own, drawn, strict=True) if out}
    groups = {image.group for image in own if image.pair_id in ids}
    apart = [image.pair_id in ids or (image.domain != source and image.group in groups) for image in images]
    return (
        [image for image, out in zip(images, apart, strict=True) if not out],
        [image for image, out in zip(images, apart, strict=True) if out],
    )


def _draw_apart(groups: np.ndarray, count: int, seed: int) -> list[bool]:
    """Return which items are kept apart, at most `count`, in whole groups if they fit."""
    sizes = pd.Series(groups).value_counts(sort=False)
    if count and sizes.min() > count:
        print(
            f"every group of train has more than {count} pairs; single pairs are kept apart (train.data.holdout_pairs)"
        )
        groups = np.arange(len(groups))
        sizes = pd.Series(1, index=groups)
    kept, room = set(), count
    for name in np.random.default_rng(seed).permutation(sizes.index.to_numpy()):
        if sizes[name] <= room:
            kept.add(name)
            room -= sizes[name]
    return [group in kept for group in groups]
