"""Signs on the borders in the drawings of a whole set that the drawings were smoothed or saved with loss."""

from collections import Counter
from dataclasses import dataclass

import pandas as pd

from pix2street.core.borders import between_ratio, seams
from pix2street.core.pairs import Dataset

NAMES_SHOWN = 6
AT_BORDERS = 0.45
"""The least share of changed pixels near borders in a drawing that was smoothed; after JPEG it is about 0.3."""

ASK = "ask for the drawings as PNG, resized by nearest neighbour and without antialiasing"


@dataclass(frozen=True)
class BorderFindings:
    """Figures that checks of borders compare with their limits, and the ways out.

    Args:
        seam_share: the share of pixels whose class occurs only on the borders of others.
        between_ratio: the share of pixels on borders whose id lies between those of two neighbours; 0 for colours.
        seam, between, moved: what the user can do if the check of this name fails.
    """

    seam_share: float = 0.0
    between_ratio: float = 0.0
    seam: str = ""
    between: str = ""
    moved: str = ""


def look_at_borders(dataset: Dataset, manifest: pd.DataFrame) -> BorderFindings:
    """Return the findings in the manifest's columns; empty ones for a set without classes."""
    columns = ["class_borders", "touching_share", "between_share", "input_lossy", "changed_at_borders"]
    pairs = manifest.loc[manifest["fault"].isna() & manifest["class_borders"].notna(), columns]
    if dataset.classes is None or pairs.empty:
        return BorderFindings()
    touching, pixels = _counts(pairs)
    void = {entry.id for entry in dataset.classes.entries if entry.is_void}
    found = [i for i in seams({i: (touching[i], pixels[i]) for i in pixels}) if i not in void]
    names = {entry.id: entry.name for entry in dataset.classes.entries}
    shown = ", ".join(f"{i} {names.get(i, '')}".strip() for i in found[:NAMES_SHOWN])
    more = f" and {len(found) - NAMES_SHOWN} more" if len(found) > NAMES_SHOWN else ""
    ratio = between_ratio(pairs["touching_share"].mean(), pairs["between_share"].mean())
    happened = _happened(pairs)
    return BorderFindings(
        seam_share=round(sum(pixels[i] for i in found) / sum(pixels.values()), 6),
        between_ratio=round(ratio, 4) if dataset.label_pixels == "ids" else 0.0,
        seam=f"Only on borders of others: {shown}{more}. {happened}; if these classes are real, waive the check."
        if found
        else "",
        between=f"Averages of ids are the ids of other classes. {happened}.",
        moved=f"{happened}; if no better drawings exist, raise the limit.",
    )


def _counts(pairs: pd.DataFrame) -> tuple[Counter[int], Counter[int]]:
    """Return, by class id, how many pixels touch two other classes, and how many pixels the class has."""
    touching, pixels = Counter(), Counter()
    for text in pairs["class_borders"]:
        for entry in text.split():
            class_id, _, counts = entry.partition(":")
            some, every = counts.split("/")
            touching[int(class_id)] += int(some)
            pixels[int(class_id)] += int(every)
    return touching, pixels


def _happened(pairs: pd.DataFrame) -> str:
    """Return a sentence on the probable cause and the way out."""
    if pairs["input_lossy"].mean() > 0.5:
        return f"The files are in a lossy format such as JPEG, which changes colours at borders: {ASK}"
    at_borders = pairs["changed_at_borders"].median()
    if pd.isna(at_borders):
        return f"A smoothing filter or a JPEG on the way leaves such drawings: {ASK}"
    if at_borders >= AT_BORDERS:
        return f"Colours are off only at borders, as a smoothing resize or antialiasing leaves them: {ASK}"
    return f"Colours are off everywhere, as in files that were JPEGs before: {ASK}"
