"""Signs in the class ids of a whole set that they are read by the wrong class table."""

from collections import Counter
from dataclasses import dataclass

import pandas as pd

from pix2street.core.classes import ClassTable
from pix2street.core.numbering import explain_unknown, misread_share, off_by_one
from pix2street.core.pairs import Dataset
from pix2street.validation.derived import shares_of


@dataclass(frozen=True)
class IdFindings:
    """Figures that checks of class ids compare with their limits, and the ways out.

    Args:
        misread_share: the share of pixels that another table would score and this one does not, see
            `numbering.misread_share`.
        misread: what the user can do if that share is too large.
        unknown: what the user can do if ids have no class.
        note: a line about a set that may be right but that a person should check.
    """

    misread_share: float = 0.0
    misread: str = ""
    unknown: str = ""
    note: str = ""


def look_at_ids(dataset: Dataset, manifest: pd.DataFrame) -> IdFindings:
    """Return the findings in the manifest's columns; empty ones for a set without classes.

    Ids that were made from colours are those of the table; the only question left is whether any class is evaluated.
    """
    columns = ["class_shares", "unknown_ids", "unknown_share"]
    pairs = manifest.loc[manifest["fault"].isna() & manifest["class_shares"].notna(), columns]
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
    """Count the inputs in which each id occurs, as the files were stored."""
    stored: Counter[int] = Counter()
    for row in pairs.itertuples():
        shares = shares_of(row.class_shares)
        unknown = row.unknown_ids.split() if isinstance(row.unknown_ids, str) else []
        # `split` replaced unknown ids by the first class. The file held that class only if it now has a larger share
        # than the unknown ids had.
        first = str(classes.entries[0].id)
        if unknown and shares.get(first, 0.0) <= row.unknown_share + 0.02:
            shares.pop(first, None)
        stored.update(int(class_id) for class_id in {*shares, *unknown})
    return stored
