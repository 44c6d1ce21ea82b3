"""Columns that checks need besides those of the manifest; each compares a row with all others."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pandas as pd

from pix2street.core.pairs import HELD_OUT_SUBSETS
from pix2street.validation.near_duplicates import nearest_elsewhere

CLASS_COLUMNS = [
    "changed_share", "moved_share", "unknown_share", "class_ids", "class_count", "class_shares", "class_borders",
    "input_lossy", "touching_share", "between_share",
]  # fmt: skip
"""Columns of the manifest that are filled only for drawings with classes."""


INPUT_COLUMNS = [
    "input_path", "input_sha256", "input_mode", "input_source_height_px", "input_source_width_px", "input_channels",
    "input_std",
]  # fmt: skip
"""Columns of the manifest that are empty for images that stand alone."""


def with_derived_columns(
    manifest: pd.DataFrame,
    known_ids: Sequence[int],
    on_disk: pd.Series,
    fit: pd.DataFrame,
    min_hash_distance: int,
    alone: bool = False,
) -> pd.DataFrame:
    """Return the manifest with the further columns of its checks, which are empty for a faulty row.

    The columns are `pair_of`, the subset of a sound pair; `missing`, the columns without a value; `unknown`, class ids
    that the table lacks; `files_there`, whether both images are on disk; `sizes_equal`; `size_ratio` and
    `aspect_ratio` to the median of the set or of the domain; `copies`, the number of rows with the same pixels;
    `target_splits` and `group_splits`, the number of subsets that hold the target and the group; `hash_distance` to the
    nearest photo of another subset and `near`, its pair_id; the columns of `fit`, and `best_fit`, 1 if the lead is
    positive; and `class_distance` of a held-out subset to train.

    A set with domains also has `target_domains`, the number of domains that hold the target, and `domain_distance` to
    the nearest photo of another domain and another scene, and `domain_near`, its pair_id.

    Args:
        known_ids: the ids of the class table; empty for a set without classes.
        on_disk: whether both images of each row are on disk, or the only one of an image that stands alone.
        fit: each row's `fit`, `lead` and the pair `exchanged` with which its fit is lowest; NaN if not measured.
        min_hash_distance: the distance below which photos are near duplicates.
        alone: whether the images stand alone, without inputs.
    """
    sound = manifest["fault"].isna()
    pairs = manifest if sound.all() else manifest[sound]
    known = {str(class_id) for class_id in known_ids}
    seen = pairs["class_ids"].fillna("") + " " + pairs["unknown_ids"].fillna("")
    may_be_empty = ["fault", "unknown_ids", "input_notes", "target_notes", "changed_at_borders", "scene"]
    if not known:
        may_be_empty += CLASS_COLUMNS
    if alone:
        may_be_empty += INPUT_COLUMNS
    needed = pairs.drop(columns=may_be_empty, errors="ignore").isna()
    missing = np.full(len(pairs), "", object)
    for place in np.flatnonzero(needed.any(axis=1)):
        missing[place] = " ".join(needed.columns[needed.iloc[place]])
    side = ["height_px", "width_px"]
    sizes = [pairs[[f"{half}_source_{length}" for length in side]].to_numpy(float) for half in ("input", "target")]
    height, width = sizes[1].T
    distance, near = nearest_elsewhere(pairs, "split", min_hash_distance)
    kind = pairs["domain"] if "domain" in pairs else pd.Series("", pairs.index)
    derived = pd.DataFrame(
        {
            "pair_of": pairs["split"],
            "missing": missing,
            "unknown": [" ".join(i for i in ids.split() if i not in known) for ids in seen] if known else "",
            "files_there": on_disk[sound],
            "sizes_equal": (sizes[0] == sizes[1]).all(axis=1),
            "size_ratio": pd.Series(height * width, pairs.index).groupby(kind).transform(_ratio_to_median),
            "aspect_ratio": pd.Series(width / height, pairs.index).groupby(kind).transform(_ratio_to_median),
            "copies": pairs.groupby(["input_sha256", "target_sha256"], dropna=False)["pair_id"].transform("size"),
            "target_splits": pairs.groupby("target_sha256")["split"].transform("nunique"),
            "group_splits": pairs.groupby("group")["split"].transform("nunique"),
            "hash_distance": distance,
            "near": near,
            "best_fit": (fit.loc[sound, "lead"] > 0).astype(float),
            "class_distance": class_distance(pairs) if known else 0.0,
        },
        index=pairs.index,
    )
    if "domain" in pairs:
        distance, near = nearest_elsewhere(pairs, "domain", min_hash_distance)
        domains = pairs.groupby("target_sha256")["domain"].transform("nunique")
        derived = derived.assign(target_domains=domains, domain_distance=distance, domain_near=near)
    return manifest.assign(fault=manifest["fault"].fillna("")).join(fit).join(derived)


def _ratio_to_median(values: pd.Series) -> pd.Series:
    """Return how many times larger or smaller than the median each value is, always 1 or more."""
    ratio = values / np.median(values)
    return np.round(np.maximum(ratio, 1 / ratio), 4)


def class_distance(pairs: pd.DataFrame) -> np.ndarray:
    """Return, for each row, the total variation between the class shares of its subset and those of train.

    It is half the sum of |p - q| over all classes: the share of pixels that would have to change their class; 0 for a
    row of train.
    """
    means: dict[str, Counter[str]] = {}
    for split, texts in pairs["class_shares"].fillna("").groupby(pairs["split"]):
        means[split] = Counter()
        for text in texts:
            for class_id, share in shares_of(text).items():
                means[split][class_id] += share / len(texts)
    classes = sorted({class_id for shares in means.values() for class_id in shares})
    distances = {
        split: round(sum(abs(means[split][i] - means["train"][i]) for i in classes) / 2, 6)
        for split in HELD_OUT_SUBSETS
        if split in means and "train" in means
    }
    return pairs["split"].map(distances).fillna(0.0).to_numpy()


def shares_of(text: str) -> dict[str, float]:
    """Return the share of each class id in a text like `"7:0.25 23:0.75"`."""
    return {class_id: float(share) for class_id, share in (entry.split(":") for entry in text.split())}
