"""Evaluate, for photos without inputs: what they are compared by in place of drawings and targets."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from pix2street.core.domains import Photographed
from pix2street.core.images import read_photo
from pix2street.core.pairs import Dataset
from pix2street.core.photos import read_photos
from pix2street.judges.jury import Jury
from pix2street.metrics import Features, Trained, copies, judge_distances, manifold, normalised, thumbnails

FLOOR = "photos of train, as many as are scored, against the held-out ones"


@dataclass(frozen=True)
class Compared:
    """What sets of photos are compared by, by set; empty for photos of inputs."""

    features: Mapping[str, Sequence[Features]] = field(default_factory=dict)
    train: Mapping[str, Trained] = field(default_factory=dict)
    protocol: Mapping[str, Any] = field(default_factory=dict)


def compare_alone(split: Path, segmenter: Path, photos: Mapping[str, Sequence[Path]], made: Photographed) -> Compared:
    """Return thumbnails of every set of photos and of train, and for a set with classes also the judges' features.

    A judge looks at photos alone, so that it needs no drawing of them: it says what it sees, but not whether that is
    right.
    """
    if not made.alone:
        return Compared()
    dataset = Dataset.read(split)
    channels = dataset.target_channels
    real = thumbnails.thumbnails_of(made.real, channels)
    found = {name: thumbnails.thumbnails_of(paths, channels) for name, paths in photos.items()}
    features = {name: [Features(thumbnails.KEYS, small, real)] for name, small in found.items()}
    height, width = read_photo(made.real[0]).shape[:2]
    seen = thumbnails.thumbnails_of([pair.target_path for pair in read_photos(split, "train")], channels)
    wide = round(width * thumbnails.SIDE_PX / min(height, width))
    seen = np.concatenate([seen, thumbnails.mirrored(seen, wide, channels)])
    train = {name: Trained(small, real, seen) for name, small in found.items()}
    protocol = thumbnails.protocol_of(len(made.pairs)) | {"copies": copies.PROTOCOL, "floor": {"photos": FLOOR}}
    if dataset.classes:
        protocol |= _add_judges(Jury.load(segmenter, dataset.classes), photos, made, features)
    return Compared(features, train, protocol)


def _add_judges(
    jury: Jury, photos: Mapping[str, Sequence[Path]], made: Photographed, features: Mapping[str, list[Features]]
) -> dict[str, Any]:
    """Append the features of every judge to those of every set, and return the protocol of their distances."""
    first = jury.judges[0]
    if not first.levels:
        return {}
    real = [judge.judge(made.real, None) for judge in jury.judges]
    for name, paths in tqdm(photos.items(), desc="judge", unit=" sets"):
        own = [judge.judge(paths, None) for judge in jury.judges]
        features[name] += judge_distances.features_of(own, real, first.levels)
        features[name] += [
            Features({"manifold": "segmenter"}, normalised(one, true), normalised(true, true))
            for one, true in zip(own, real, strict=True)
        ]
    cards = [judge.card.protocol() for judge in jury.judges]
    of_manifold = {**manifold.PROTOCOL, "features": "as of mmd_segmenter", "judges": cards}
    return {**judge_distances.protocol_of(cards, len(made.pairs)), "manifold_segmenter": of_manifold}


def floor_of_train(floor: Mapping[str, Any], scores: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return the distances of photos of train from the held-out ones, in place of those between halves of the latter.

    Args:
        floor: the distances between halves.
        scores: by set of photos, `resampled` among them.
    """
    return {key: value for key, value in scores["resampled"].items() if key in floor}
