"""The table that a verification ends in: a row for each output, each score, and each fault of the lock."""

from collections.abc import Iterable
from dataclasses import dataclass

SAME, DIFFERS, TOLERATED, NOT_MADE = "same", "differs", "within tolerance", "not made"


@dataclass(frozen=True)
class Row:
    """One line of the table: an output, a score, or a statement on the checkout or the lock."""

    stage: str
    subject: str
    recorded: str
    made: str
    verdict: str
    note: str = ""

    @property
    def good(self) -> bool:
        return self.verdict in (SAME, TOLERATED)


def first_diverged(rows: Iterable[Row]) -> Row | None:
    """Return the first row that is not the same, where any row is bad; None where all are good."""
    rows = list(rows)
    if all(row.good for row in rows):
        return None
    return next(row for row in rows if row.verdict != SAME)


def as_text(rows: Iterable[Row]) -> str:
    """Return the table in aligned columns."""
    cells = [("stage", "what", "recorded", "made again", "", "")]
    cells += [(row.stage, row.subject, row.recorded, row.made, row.verdict, row.note) for row in rows]
    widths = [max(len(line[column]) for line in cells) for column in range(5)]
    lines = [
        "  ".join([*(cell.ljust(width) for cell, width in zip(line[:5], widths, strict=True)), line[5]])
        for line in cells
    ]
    return "\n".join(line.rstrip() for line in lines)
