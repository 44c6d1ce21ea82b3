"""The account of every file that a source holds: it is part of a pair, or it is left out for a stated reason."""

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

import pandas as pd

from pix2street.core.formats import why_unwanted
from pix2street.core.tables import read_table, write_table

LEFT_OUT = "left_out.csv"
"""The table beside `dataset.json` of the files left out: a row has a name, the reason and how many files share both.

It does not exist where nothing was left out."""

REASONS_SHOWN = 8


def row_of(name: str) -> str:
    """Return the name under which a file is listed: that of the outermost hidden or litter folder, else the file's."""
    parts = name.split("/")
    folders = ("/".join(parts[:count]) for count in range(1, len(parts)))
    return next((f"{folder}/" for folder in folders if why_unwanted(folder)), name)


def settle(
    folder: Path,
    path: Path,
    found: Collection[str],
    taken: Mapping[str, str],
    left_out: Mapping[str, str],
    row_of: Callable[[str], str] = row_of,
    alone: bool = False,
) -> None:
    """Write the files left out to `folder/left_out.csv`, and print the account of all files.

    Args:
        path: the source, named in what is printed.
        found: the names of all files of the source.
        taken: the new path of each file in a pair, `<split>/<pair_id>`, or `<split>/inputs/<pair_id>` and its target.
        left_out: the reason for every other file.
        row_of: the row of the table that a file belongs to.
        alone: whether the images stand alone, `<split>/<domain>/<pair_id>`, and make no pairs.

    Raises:
        RuntimeError: a file is in both or in neither, which is a bug: no input may cause it.
    """
    if len(found) != len(taken) + len(left_out) or {*found} != {*taken, *left_out}:
        lost = sorted({*found} ^ {*taken, *left_out}) or sorted(taken.keys() & left_out.keys())
        raise RuntimeError(f"{path}: not accounted for: {lost}")
    if left_out:
        rows = Counter((_printable(row_of(name)), _printable(reason)) for name, reason in left_out.items())
        table = pd.DataFrame(
            [(*row, count) for row, count in sorted(rows.items())], columns=["source", "reason", "files"]
        )
        write_table(folder / LEFT_OUT, table)
    print(f"{path}: {account_of(taken, left_out, alone)}")


def account_of(taken: Mapping[str, str], left_out: Mapping[str, str], alone: bool = False) -> str:
    """Return the account of all files, `420 files found: 400 in 200 pairs, 20 left out (...)`; see `settle`."""
    found, reasons = len(taken) + len(left_out), Counter(left_out.values())
    rest = f"{reasons.total():,} left out ({in_words(reasons)})" if reasons else "none left out"
    if alone:
        return f"{found:,} files found: {len(taken):,} images, {rest}"
    halves = Counter(
        tuple(part for part in path.split("/") if part not in ("inputs", "targets")) for path in taken.values()
    )
    whole = 2 if any(path.count("/") > 1 for path in taken.values()) else 1
    pairs = sum(count == whole for count in halves.values())
    in_pairs = whole * pairs
    lonely = f", {len(taken) - in_pairs:,} without the other half" if len(taken) > in_pairs else ""
    return f"{found:,} files found: {in_pairs:,} in {pairs:,} pairs{lonely}, {rest}"


def in_words(reasons: Mapping[str, int]) -> str:
    """Return the counted reasons, the commonest first: `18 x no image (.txt), 2 x dangling link`."""
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
    """Return a name for people: line ends, other controls and bytes that are no UTF-8 become escapes."""
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in name)
