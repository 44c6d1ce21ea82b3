"""What checks need besides the manifest's own columns: every row in the light of the others."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

BLOCK_ROWS = 4096
HELD_OUT = ("val", "test")

CLASS_COLUMNS = [
    "changed_share", "moved_share", "unknown_share", "class_ids", "class_count", "class_shares", "class_borders",
    "input_lossy", "touching_share", "between_share",
]  # fmt: skip
"""What the manifest says of drawings with classes alone."""


def with_derived_columns(
    manifest: pd.DataFrame, known_ids: Sequence[int], files: set[str], fit: pd.DataFrame
) -> pd.DataFrame:
    """The manifest and, row by row, what its checks need besides; empty where a row is faulty.

    Args:
        known_ids: of the class table; empty for a set without classes.
        files: the images on disk, as the manifest names them.
        fit: of each row its `fit`, its `lead` and the pair `exchanged` with which its fit is lowest; NaN where it was
            not measured.

    Adds `pair_of`, the split of a sound pair; `missing`, columns without a value; `unknown`, class ids that the table
    has not; `files_there`; `sizes_equal`; `size_ratio` and `aspect_ratio` to the median; `copies`, rows with the same
    pixels; `target_splits` and `group_splits`, in how many splits they stand; `hash_distance` to the nearest photo of
    another split and `near`, its pair_id; the columns of `fit`, and `best_fit`, 1 where the lead is positive;
    `class_distance` of a held-out split to train.
    """
    sound = manifest["fault"].isna()
    pairs = manifest[sound]
    known = {str(class_id) for class_id in known_ids}
    seen = pairs["class_ids"].fillna("") + " " + pairs["unknown_ids"].fillna("")
    may_be_empty = ["fault", "unknown_ids", "input_notes", "target_notes", "changed_at_borders"]
    if not known:
        may_be_empty += CLASS_COLUMNS
    needed = pairs.drop(columns=may_be_empty, errors="ignore")
    side = ["height_px", "width_px"]
    sizes = [pairs[[f"{half}_source_{length}" for length in side]].to_numpy(float) for half in ("input", "target")]
    height, width = sizes[1].T
    distance, near = nearest_in_other_split(pairs)
    derived = pd.DataFrame(
        {
            "pair_of": pairs["split"],
            "missing": [" ".join(needed.columns[row]) for row in needed.isna().to_numpy()],
            "unknown": [" ".join(i for i in ids.split() if i not in known) for ids in seen] if known else "",
            "files_there": pairs["input_path"].isin(files) & pairs["target_path"].isin(files),
            "sizes_equal": (sizes[0] == sizes[1]).all(axis=1),
            "size_ratio": _ratio_to_median(height * width),
            "aspect_ratio": _ratio_to_median(width / height),
            "copies": pairs.groupby(["input_sha256", "target_sha256"])["pair_id"].transform("size"),
            "target_splits": pairs.groupby("target_sha256")["split"].transform("nunique"),
            "group_splits": pairs.groupby("group")["split"].transform("nunique"),
            "hash_distance": distance,
            "near": near,
            "best_fit": (fit.loc[sound, "lead"] > 0).astype(float),
            "class_distance": class_distance(pairs) if known else 0.0,
        },
        index=pairs.index,
    )
    return manifest.assign(fault=manifest["fault"].fillna("")).join(fit).join(derived)


def _ratio_to_median(values: np.ndarray) -> np.ndarray:
    """How many times larger or smaller than the median, always 1 or more."""
    if not len(values):
        return values
    ratio = values / np.median(values)
    return np.round(np.maximum(ratio, 1 / ratio), 4)


def nearest_in_other_split(pairs: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """The Hamming distance of each photo's hash to the nearest in another split, and that one's pair_id.

    Where there is no other split, the distance is that of opposite hashes and the pair_id empty.
    """
    count = len(pairs)
    hashes = [bytes.fromhex(text) if isinstance(text, str) else b"" for text in pairs["target_phash"]]
    bits = 8 * max(map(len, hashes), default=0)
    distance, near = np.full(count, bits), np.full(count, "", object)
    if not bits:
        return distance, near
    # Of two rows of +1 and -1 the product is the bits that agree less those that differ.
    signs = 2.0 * np.unpackbits(np.frombuffer(b"".join(hashes), np.uint8).reshape(count, -1), axis=1) - 1
    signs = signs.astype(np.float32)
    splits, ids = pairs["split"].to_numpy(), pairs["pair_id"].to_numpy()
    for split in pd.unique(splits):
        here, there = np.flatnonzero(splits == split), np.flatnonzero(splits != split)
        for start in range(0, len(here) if len(there) else 0, BLOCK_ROWS):
            rows = here[start : start + BLOCK_ROWS]
            for other in range(0, len(there), BLOCK_ROWS):
                columns = there[other : other + BLOCK_ROWS]
                apart = (bits - signs[rows] @ signs[columns].T) / 2
                nearest = apart.argmin(axis=1)
                found = apart[np.arange(len(rows)), nearest].astype(int)
                closer = found < distance[rows]
                distance[rows[closer]], near[rows[closer]] = found[closer], ids[columns[nearest[closer]]]
    return distance, near


def class_distance(pairs: pd.DataFrame) -> np.ndarray:
    """Of each held-out row the total variation between its split's class shares and those of train; 0 for train.

    Half the sum of |p - q| over all classes: the share of pixels that would have to change their class.
    """
    shares = pd.DataFrame([shares_of(text) for text in pairs["class_shares"].fillna("")], index=pairs.index).fillna(0.0)
    means = shares.groupby(pairs["split"]).mean()
    distances = {
        split: round(float((means.loc[split] - means.loc["train"]).abs().sum() / 2), 6)
        for split in HELD_OUT
        if split in means.index and "train" in means.index
    }
    return pairs["split"].map(distances).fillna(0.0).to_numpy()


def shares_of(text: str) -> dict[str, float]:
    """`"7:0.25 23:0.75"` -> share by class id."""
    return {class_id: float(share) for class_id, share in (entry.split(":") for entry in text.split())}
