"""What became of every file that a source holds: it stands in a pair, or it is left out, with a reason."""

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

import pandas as pd

from pix2street.core.formats import why_unwanted
from pix2street.core.tables import read_table, write_table

LEFT_OUT = "left_out.csv"
"""The table beside `dataset.json`: what was left out, why, and how many files a row stands for. None without such."""
REASONS_SHOWN = 8


def row_of(name: str) -> str:
    """Return the name under which a file is listed: the outermost folder that is hidden or litter, else its own."""
    parts = name.split("/")
    folders = ("/".join(parts[:count]) for count in range(1, len(parts)))
    return next((f"{folder}/" for folder in folders if why_unwanted(folder)), name)


def settle(
    folder: Path,
    path: Path,
    found: Collection[str],
    places: Mapping[str, str],
    left_out: Mapping[str, str],
    row_of: Callable[[str], str] = row_of,
) -> None:
    """Write what was left out into `folder/left_out.csv`, and say on the terminal what became of all files.

    Args:
        path: of the source, for the terminal.
        found: the names of all its files.
        places: where those in pairs went, `<split>/<pair_id>`, or `<split>/inputs/<pair_id>` and its target.
        left_out: the reason for every other file.
        row_of: the row of the table that a file belongs to.

    Raises:
        RuntimeError: a file is in both or in neither; no input may bring that about.
    """
    if len(found) != len(places) + len(left_out) or {*found} != {*places, *left_out}:
        lost = sorted({*found} ^ {*places, *left_out}) or sorted(places.keys() & left_out.keys())
        raise RuntimeError(f"{path}: not accounted for: {lost}")
    if left_out:
        rows = Counter((_printable(row_of(name)), _printable(reason)) for name, reason in left_out.items())
        table = pd.DataFrame(
            [(*row, count) for row, count in sorted(rows.items())], columns=["source", "reason", "files"]
        )
        write_table(folder / LEFT_OUT, table)
    print(f"{path}: {account_of(places, left_out)}")


def account_of(places: Mapping[str, str], left_out: Mapping[str, str]) -> str:
    """Return what became of all files, `420 files found: 400 in 200 pairs, 20 left out (...)`; see `settle`."""
    found, reasons = len(places) + len(left_out), Counter(left_out.values())
    halves = Counter(
        tuple(part for part in place.split("/") if part not in ("inputs", "targets")) for place in places.values()
    )
    whole = 2 if any(place.count("/") > 1 for place in places.values()) else 1
    pairs = sum(count == whole for count in halves.values())
    in_pairs = whole * pairs
    lonely = f", {len(places) - in_pairs:,} without an other half" if len(places) > in_pairs else ""
    left_out = f"{reasons.total():,} left out ({in_words(reasons)})" if reasons else "none left out"
    return f"{found:,} files found: {in_pairs:,} in {pairs:,} pairs{lonely}, {left_out}"


def in_words(reasons: Mapping[str, int]) -> str:
    """Return `18 x no image (.txt), 2 x dangling link`, the commonest first."""
    ordered = sorted(reasons.items(), key=lambda item: (-item[1], item[0]))
    words = [f"{count:,} x {_printable(reason)}" for reason, count in ordered[:REASONS_SHOWN]]
    more = sum(count for _, count in ordered[REASONS_SHOWN:])
    return ", ".join([*words, f"{more:,} for other reasons"] if more else words)


def read_left_out(folder: Path) -> list[dict]:
    """Return the rows of `folder/left_out.csv`; none where nothing was left out."""
    if not (folder / LEFT_OUT).exists():
        return []
    return read_table(folder / LEFT_OUT, ("source", "reason")).to_dict("records")


def _printable(name: str) -> str:
    """A name for people: line ends, other controls and bytes that are no UTF-8 stand in it as escapes."""
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in name)
