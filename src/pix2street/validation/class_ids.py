"""What the class ids of a whole set say of the table they are read by."""

from collections import Counter
from dataclasses import dataclass

import pandas as pd

from pix2street.core.classes import ClassTable
from pix2street.core.numbering import explain_unknown, misread_share, off_by_one
from pix2street.core.pairs import Dataset
from pix2street.validation.derived import shares_of


@dataclass(frozen=True)
class IdFindings:
    """What checks of class ids hold against their limits, and what a user can do.

    Args:
        misread_share: how many more of all pixels another table would score, see `numbering.misread_share`.
        misread: the way out where that is too much.
        unknown: the way out where ids have no class.
        note: what a person should look at, though it may be right.
    """

    misread_share: float = 0.0
    misread: str = ""
    unknown: str = ""
    note: str = ""


def look_at_ids(dataset: Dataset, manifest: pd.DataFrame) -> IdFindings:
    """Return what is found in the manifest's columns; nothing for a set without classes.

    Where the inputs were colours their ids are the table's own, and only whether any class is evaluated can be asked.
    """
    pairs = manifest[manifest["fault"].isna() & manifest["class_shares"].notna()]
    if dataset.classes is None or pairs.empty:
        return IdFindings()
    if pairs["unknown_ids"].notna().any():
        return IdFindings(unknown=explain_unknown(dataset.classes, _occurrences(pairs, dataset.classes)))
    shares: Counter[int] = Counter()
    for text in pairs["class_shares"]:
        shares.update({int(class_id): share / len(pairs) for class_id, share in shares_of(text).items()})
    share, way_out = misread_share(dataset.classes, shares)
    if dataset.label_pixels == "colors" and share < 1:
        return IdFindings()
    return IdFindings(share, way_out, note=off_by_one(dataset.classes, shares))


def _occurrences(pairs: pd.DataFrame, classes: ClassTable) -> Counter[int]:
    """Count in how many inputs each id stands, as they were stored."""
    stored: Counter[int] = Counter()
    for row in pairs.itertuples():
        shares = shares_of(row.class_shares)
        unknown = row.unknown_ids.split() if isinstance(row.unknown_ids, str) else []
        # Unknown ids became the first class; it stood there before only if it is found more often than they were.
        first = str(classes.entries[0].id)
        if unknown and shares.get(first, 0.0) <= row.unknown_share + 0.02:
            shares.pop(first, None)
        stored.update(int(class_id) for class_id in {*shares, *unknown})
    return stored
