"""Tables on disk: CSV that is read exactly as it was written, for any text.

A missing value is an empty cell and an empty text is `""`; no word means a missing value. Texts that hold a comma,
a quote or a line break are quoted. Numbers are written in the fewest digits that give the same number again.
"""

import io
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pix2street.core.errors import UserError
from pix2street.core.files import REMAKE, read_lines, write_parts

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

CHUNK_ROWS = 1024
"""The rows that are Python's objects at one time while a table is read or written."""


def write_table(path: Path, table: pd.DataFrame) -> None:
    """Write `table` to `path`, as `as_csv` gives it and as `files.write_text` does."""
    write_parts(path, (line.encode() for line in _lines(table)))


def write_rows(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
    """Write a table of `columns` row by row as they come, as `write_table` does; what a row lacks is missing."""
    lines = (_line(_cell(row.get(column)) for column in columns) for row in rows)
    write_parts(path, (line.encode() for line in chain([_line(map(_quoted, columns))], lines)))


def as_csv(table: pd.DataFrame) -> str:
    """Return the table without its index: a line of column names and a line for each row, each ended by a line feed.

    Raises:
        TypeError: a cell holds neither a text nor a number nor a missing value.
    """
    return "".join(_lines(table))


def _lines(table: pd.DataFrame) -> Iterator[str]:
    yield _line(map(_quoted, table.columns))
    for start in range(0, len(table), CHUNK_ROWS):
        part = table.iloc[start : start + CHUNK_ROWS]
        columns = [map(_cell, part.iloc[:, index].astype(object)) for index in range(part.shape[1])]
        yield from map(_line, zip(*columns, strict=True))


def _line(cells: Iterable[str]) -> str:
    return ",".join(cells) + "\n"


def read_table(
    path: Path,
    text_columns: Collection[str] | None = None,
    way_out: str = REMAKE,
    columns: Collection[str] | None = None,
) -> pd.DataFrame:
    """Return the table at `path`: texts as they were written and numbers, NaN where one is missing.

    Args:
        text_columns: the columns that hold text; None for those that `TEXT_COLUMNS` names for a file of this name.
        way_out: what the user can do where the file cannot be read.
        columns: the columns to keep, as far as the table has them; None for all.

    Raises:
        UserError: the file is missing or is no table that `write_table` wrote.
    """
    texts = TEXT_COLUMNS[path.stem] if text_columns is None else text_columns
    return _table(read_lines(path, way_out), texts, str(path), way_out, columns)


def parse_table(text: str, text_columns: Collection[str], name: str, way_out: str = REMAKE) -> pd.DataFrame:
    """Return the table that `text` holds, as `read_table` does; errors call it `name`."""
    return _table(io.StringIO(text, newline="\n"), text_columns, name, way_out)


def _table(
    lines: Iterable[str],
    text_columns: Collection[str],
    name: str,
    way_out: str,
    columns: Collection[str] | None = None,
) -> pd.DataFrame:
    rows = _rows(iter(lines), name, way_out)
    header = next(rows, [None])
    if None in header:
        raise UserError(f"{name}: must begin with the names of its columns, one is missing; {way_out}")
    kept = [place for place, column in enumerate(header) if columns is None or column in columns]
    parts: dict[int, list[pd.Series]] = {place: [] for place in kept}
    whole = _of_width(rows, len(header), name, way_out)
    # The first chunk may be empty: then the columns are.
    for chunk in chain([[*islice(whole, CHUNK_ROWS)]], iter(lambda: [*islice(whole, CHUNK_ROWS)], [])):
        try:
            for place, found in parts.items():
                cells = [row[place] for row in chunk]
                found.append(pd.Series(cells, dtype="str") if header[place] in text_columns else _numbers(cells))
        except ValueError as error:
            raise UserError(f"{name}: a column of numbers holds something else ({error}); {way_out}") from error
    # A column is whole only if all of its parts are: pandas makes floats of both.
    values = [pd.concat(found, ignore_index=True) for found in parts.values()]
    return pd.DataFrame(dict(enumerate(values))).set_axis([header[place] for place in kept], axis=1)


def _of_width(rows: Iterator[list[str | None]], width: int, name: str, way_out: str) -> Iterator[list[str | None]]:
    """Yield the rows below the header; raise `UserError` at one that has not `width` cells."""
    for number, row in enumerate(rows, 2):
        if len(row) != width:
            raise UserError(
                f"{name}: row {number} must have {width} cells, as its header has, it has {len(row)}; {way_out}"
            )
        yield row


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


def _rows(lines: Iterator[str], name: str, way_out: str) -> Iterator[list[str | None]]:
    """Yield the cells of each row; the last one may lack its line feed."""
    number = 0
    for line in lines:
        first = number = number + 1
        if not SPECIAL.search(line):
            # Most lines hold no quote, and are divided at once.
            yield [cell or None for cell in line.removesuffix("\n").split(",")]
            continue
        # A line feed is part of a cell where a quote is open.
        several, quotes = [line], line.count('"')
        while quotes % 2 and (line := next(lines, "")):
            several.append(line)
            quotes += line.count('"')
            number += 1
        row = "".join(several)
        cells: list[str | None] = []
        start, end = 0, ","
        while end == ",":
            cell = CELL.match(row, start)
            if cell is None:
                where = first + row.count("\n", 0, start)
                raise UserError(
                    f"{name}: line {where} is damaged, a quote or a line break is where none may be; {way_out}"
                )
            quoted, plain, end = cell.groups()
            cells.append(plain or None if quoted is None else quoted.replace('""', '"'))
            start = cell.end()
        yield cells


def _numbers(column: Collection[str | None]) -> pd.Series:
    """Return the column as whole numbers where all cells are whole, else as floats."""
    if column and all(cell is not None and cell.removeprefix("-").isdecimal() for cell in column):
        return pd.Series([int(cell) for cell in column])
    return pd.Series([float("nan") if cell is None else float(cell) for cell in column], dtype=float)
