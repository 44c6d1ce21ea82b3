"""The class table that the ids of a set really follow, if it is not the one that is set."""

from collections.abc import Mapping
from dataclasses import dataclass

from pix2street.core.class_tables import HEADER, NAMED_TABLES, VOID_ROW
from pix2street.core.classes import ClassTable

FAMILIES = (
    ("cityscapes", "cityscapes_evaluated", "cityscapes_train_ids"),
    ("pascal_voc",),
    ("ade20k", "ade20k_from_zero"),
)
"""Tables of the same classes under other numbers."""

FAMILY_SHARE = 0.8
"""The least share of a table's evaluated classes whose names a family must have for the table to belong to it."""

MIN_WON_CLASSES = 3
"""The least number of ids that another table scores and this one does not; with fewer, a set may be half unlabelled."""

VOID_AFTER = {"cityscapes_train_ids": 19}
"""Ids just after the classes of a table that people use for void as well."""

MASKS = ({0, 255}, {0, 1})
MIN_GAIN = 0.2
"""The least gain in evaluated share at which another table is proposed for one that may lack rows."""


@dataclass(frozen=True)
class Other:
    """A named table that knows all ids of a set.

    Args:
        name: as `download.paired_folder.classes` takes it.
        void_id: an id that must be added to it, None for none.
        evaluated_share: the share of the weights that is of classes it evaluates.
        won: ids that it evaluates and the set's own table does not.
    """

    name: str
    void_id: int | None
    evaluated_share: float
    won: tuple[int, ...]

    @property
    def settings(self) -> str:
        void = f" and void_id: {self.void_id}" if self.void_id is not None else ""
        return f"download.paired_folder.classes: {self.name}{void}"


def evaluated_share(classes: ClassTable, weights: Mapping[int, float]) -> float:
    """Return the share of the weights whose ids are of evaluated classes; 0 without weights.

    Args:
        weights: the weight of each id that occurs, e.g. its share of the pixels.
    """
    total = sum(weights.values())
    return sum(weights[i] for i in _evaluated(classes) & weights.keys()) / total if total else 0.0


def likely_other(classes: ClassTable, weights: Mapping[int, float]) -> Other | None:
    """Return the table of the same classes under other numbers that knows all ids and scores most; None for none."""
    mine = _evaluated(classes)
    found = []
    for name in _family(classes):
        table = NAMED_TABLES[name]()
        known, evaluated = {entry.id for entry in table.entries}, _evaluated(table)
        extra = weights.keys() - known
        if table != classes and extra <= {VOID_AFTER.get(name)}:
            share = evaluated_share(table, weights)
            won = tuple(sorted((evaluated & weights.keys()) - mine))
            found.append(Other(name, next(iter(extra), None), share, won))
    return max(found, key=lambda other: other.evaluated_share, default=None)


def misread_share(classes: ClassTable, shares: Mapping[int, float]) -> tuple[float, str]:
    """Return the further share of pixels that another table of the same classes would score, and the way out.

    They are 0 and "" if no such table is likely. The share is 1 if no pixel is of an evaluated class. `classes` must
    know every id.

    Args:
        shares: the share of all pixels, by the ids that occur.
    """
    mine, other = evaluated_share(classes, shares), likely_other(classes, shares)
    if shares and not mine and set(shares) in MASKS:
        return 1.0, _as_mask(set(shares))
    if other and (len(other.won) >= MIN_WON_CLASSES or not mine) and other.evaluated_share > mine:
        return round(other.evaluated_share - mine, 6) if mine else 1.0, _sentence(classes, shares, other)
    if shares and not mine:
        return 1.0, "No pixel is of an evaluated class, so that nothing could be scored; correct the class table."
    return 0.0, ""


def off_by_one(classes: ClassTable, shares: Mapping[int, float]) -> str:
    """Return a sentence on the signs that all ids are too low by one; empty without such signs.

    The signs are a void before the first class (or 255) with more pixels than any class, and a last class that never
    occurs. They prove nothing: a set may be mostly unlabelled.
    """
    evaluated = _evaluated(classes)
    first, last = min(evaluated, default=0), max(evaluated, default=0)
    voids = [entry for entry in classes.entries if entry.is_void and entry.id in (first - 1, 255)]
    most = max(voids, key=lambda entry: shares.get(entry.id, 0.0), default=None)
    if most is None or last in shares or not 0 < shares.get(most.id, 0.0) == max(shares.values()):
        return ""
    name = next(entry.name for entry in classes.entries if entry.id == last)
    return (
        f"{most.id} {most.name} has {shares[most.id]:.0%} of the pixels, more than any class, and {last} {name} never "
        "occurs: look at reports/validate/index.html whether every id is one too low for the class table"
    )


def table_of_unknown(classes: ClassTable, weights: Mapping[int, float]) -> Other | None:
    """Return the table that ids seem to follow where `classes` does not know all of them; None where there is none.

    Args:
        weights: the weight of each id that occurs, known or not, e.g. the number of inputs with it.
    """
    other = likely_other(classes, weights)
    if other is None or set(weights) in MASKS:
        return None
    gain = other.evaluated_share - evaluated_share(classes, weights)
    return other if _is_whole(classes) or gain >= MIN_GAIN else None


def explain_unknown(classes: ClassTable, weights: Mapping[int, float]) -> str:
    """Return what ids that the table does not know may mean, and the way out; arguments as in `table_of_unknown`."""
    seen, known = set(weights), {entry.id for entry in classes.entries}
    unknown = seen - known
    if other := table_of_unknown(classes, weights):
        return f"The ids look like those of {other.name}: set {other.settings}."
    if seen in MASKS:
        return _as_mask(seen)
    if unknown == {255}:
        return (
            "255 usually marks pixels that nobody labelled. Where it does, add this row to the class table (its "
            f"columns are {HEADER}), or set download.paired_folder.void_id: 255:\n  {VOID_ROW}"
        )
    if unknown == {0}:
        return (
            "0 often marks pixels that nobody labelled. Where it does, add the row 0,void,0,0,0,0 to the class table "
            "or set download.paired_folder.void_id: 0; where it is the first class, subtract 1 from every id of the "
            "table."
        )
    if unknown == {max(known - {255}, default=0) + 1} and 0 in known:
        return "The ids go one beyond the table. Where they count from 1, add 1 to every id of the table" + (
            ", and a row for 0 where that marks pixels that nobody labelled: 0,void,0,0,0,0." if 0 in seen else "."
        )
    return (
        "Add a row for each of these ids to the class table, e.g. for pixels that nobody labelled "
        f"{min(unknown, default=255)},void,0,0,0,0; or give their pixels the ids of other classes."
    )


def _sentence(classes: ClassTable, shares: Mapping[int, float], other: Other) -> str:
    names = {entry.id: entry.name for entry in classes.entries}
    now = ", ".join(f"{class_id} {names[class_id]}" for class_id in other.won[:6])
    never = [entry.name for entry in classes.entries if entry.evaluated and entry.id not in shares]
    absent = f"; {', '.join(never[:6])} never occur" if never else ""
    return (
        f"By this table {evaluated_share(classes, shares):.0%} of the pixels are of evaluated classes (not evaluated "
        f"are {now}{absent}), by {other.name} {other.evaluated_share:.0%}. If the ids are those of {other.name}, set "
        f"{other.settings}."
    )


def _as_mask(seen: set[int]) -> str:
    low, high = sorted(seen)
    return (
        f"The inputs hold only {low} and {high}, as a mask does. A class table of two rows reads it, e.g. as "
        f"classes.csv beside the images:\n  {HEADER}\n  {low},background,0,0,0,1\n  {high},object,255,255,255,1\n"
        "  and in params.yaml under download.paired_folder:\n  classes: classes.csv\n  label_pixels: ids"
    )


def _family(classes: ClassTable) -> tuple[str, ...]:
    """Return the names of the tables with the same classes as this one; none where no table has them."""
    mine = _evaluated_names(classes)
    shared = [len(mine & _evaluated_names(NAMED_TABLES[family[0]]())) for family in FAMILIES]
    best = max(shared)
    return FAMILIES[shared.index(best)] if mine and best >= FAMILY_SHARE * len(mine) else ()


def _is_whole(classes: ClassTable) -> bool:
    """Return whether a table has all classes of its family, and so needs no further row."""
    family = _family(classes)
    return bool(family) and _evaluated_names(classes) == _evaluated_names(NAMED_TABLES[family[0]]())


def _evaluated(classes: ClassTable) -> set[int]:
    return {entry.id for entry in classes.entries if entry.evaluated}


def _evaluated_names(classes: ClassTable) -> set[str]:
    return {entry.name.casefold() for entry in classes.entries if entry.evaluated}
