"""Tables on disk: CSV that is read exactly as it was written, for any text.

A missing value is an empty cell and an empty text is `""`; no word means a missing value. Texts that hold a comma,
a quote or a line break are quoted. Numbers are written in the fewest digits that give the same number again.
"""

import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pix2street.core.errors import UserError
from pix2street.core.files import REMAKE, read_text, write_text

CELL = re.compile(r'(?:"((?:[^"]|"")*+)"|([^",\r\n]*+))(,|\n|\Z)')
"""A quoted or a plain cell, and what ends it."""
SPECIAL = re.compile(r'["\r]')
NEEDS_QUOTES = re.compile(r'[",\r\n]')
TEXT_COLUMNS = {
    "history": (),
    "images": ("pair_id",),
    "class_iou": ("class",),
    "class_pixels": ("pair_id", "class"),
    "confusion": ("truth", "judged"),
    "domains": ("to", "photos"),
}
"""The columns that hold text in each table of `train` and `evaluate`; all others hold numbers."""


def write_table(path: Path, table: pd.DataFrame) -> None:
    """Write `table` to `path`, as `as_csv` gives it and as `files.write_text` does."""
    write_text(path, as_csv(table))


def as_csv(table: pd.DataFrame) -> str:
    """Return the table without its index: a line of column names and a line for each row, each ended by a line feed.

    Raises:
        TypeError: a cell holds neither a text nor a number nor a missing value.
    """
    columns = [_written(table.iloc[:, index]) for index in range(table.shape[1])]
    header = ",".join(map(_quoted, table.columns))
    return "".join(f"{line}\n" for line in [header, *map(",".join, zip(*columns, strict=True))])


def read_table(path: Path, text_columns: Collection[str] | None = None, way_out: str = REMAKE) -> pd.DataFrame:
    """Return the table at `path`: texts as they were written and numbers, NaN where one is missing.

    Args:
        text_columns: the columns that hold text; None for those that `TEXT_COLUMNS` names for a file of this name.
        way_out: what the user can do where the file cannot be read.

    Raises:
        UserError: the file is missing or is no table that `write_table` wrote.
    """
    texts = TEXT_COLUMNS[path.stem] if text_columns is None else text_columns
    return parse_table(read_text(path, way_out), texts, str(path), way_out)


def parse_table(text: str, text_columns: Collection[str], name: str, way_out: str = REMAKE) -> pd.DataFrame:
    """Return the table that `text` holds, as `read_table` does; errors call it `name`."""
    header, *rows = _rows(text, name, way_out) if text else [[None]]
    if None in header:
        raise UserError(f"{name}: must begin with the names of its columns, one is missing; {way_out}")
    for number, row in enumerate(rows, 2):
        if len(row) != len(header):
            raise UserError(
                f"{name}: row {number} must have {len(header)} cells, as its header has, it has {len(row)}; {way_out}"
            )
    columns = zip(*rows, strict=True) if rows else [()] * len(header)
    try:
        values = [
            pd.Series(column, dtype="str") if column_name in text_columns else _numbers(column)
            for column_name, column in zip(header, columns, strict=True)
        ]
    except ValueError as error:
        raise UserError(f"{name}: a column of numbers holds something else ({error}); {way_out}") from error
    return pd.DataFrame(dict(enumerate(values))).set_axis(header, axis=1)


def _written(column: pd.Series) -> list[str]:
    return [_cell(value) for value in column.astype(object)]


def _cell(value: Any) -> str:
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, str):
        return _quoted(value)
    if value is None or value is pd.NA or value != value:
        return ""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"a table holds texts and numbers, it cannot hold {value!r}")
    return repr(value)


def _quoted(text: str) -> str:
    if text and not NEEDS_QUOTES.search(text):
        return text
    return '"' + text.replace('"', '""') + '"'


def _rows(text: str, name: str, way_out: str) -> Iterator[list[str | None]]:
    """Yield the cells of each row; the last one may lack its line feed."""
    row: list[str | None] = []
    start, end = 0, "\n"
    while start < len(text) or end == ",":
        if not row:
            stop = text.find("\n", start) % (len(text) + 1)
            if not SPECIAL.search(text, start, stop):
                # Most lines hold no quote, and are divided at once.
                yield [cell or None for cell in text[start:stop].split(",")]
                start = stop + 1
                continue
        cell = CELL.match(text, start)
        if cell is None:
            line = text.count("\n", 0, start) + 1
            raise UserError(f"{name}: line {line} is damaged, a quote or a line break is where none may be; {way_out}")
        quoted, plain, end = cell.groups()
        row.append(plain or None if quoted is None else quoted.replace('""', '"'))
        start = cell.end()
        if end != ",":
            yield row
            row = []


def _numbers(column: Collection[str | None]) -> pd.Series:
    """Return the column as whole numbers where all cells are whole, else as floats."""
    if column and all(cell is not None and cell.removeprefix("-").isdecimal() for cell in column):
        return pd.Series([int(cell) for cell in column])
    return pd.Series([float("nan") if cell is None else float(cell) for cell in column], dtype=float)
