"""The page of the validation: its checks, the files that make no pair, and the worst offenders in pictures."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pix2street.core.images import data_uri, jpeg_bytes, read_rgb, thumbnail
from pix2street.core.pairs import Dataset, drawing_of, read_left_out
from pix2street.reporting.templates import fill

SHOWN = 6
FAULTS_SHOWN = 100
THUMBNAIL_PX = 144


def render_validation(split: Path, verdict: dict[str, Any], table: pd.DataFrame) -> str:
    """Return the page as HTML that loads nothing from elsewhere; equal values give equal text.

    Args:
        table: the manifest with its derived columns, as `validate_split` returns it.
    """
    dataset = Dataset.read(split)
    faults, left_out = table[table["fault"] != ""], read_left_out(split)
    shown = (table["fault"] == "") & (table["files_there"] == True)  # noqa: E712
    pairs = table if shown.all() else table[shown]
    sheets = [sheet for check in verdict["checks"] if (sheet := _sheet(split, dataset, check, pairs))]
    return fill(
        "validation.html.jinja",
        dataset=dataset,
        verdict=verdict,
        faults=faults[["pair_id", "source", "fault"]].head(FAULTS_SHOWN).to_dict("records"),
        more_faults=max(0, len(faults) - FAULTS_SHOWN),
        left_out=left_out.head(FAULTS_SHOWN).to_dict("records"),
        more_left_out=max(0, len(left_out) - FAULTS_SHOWN),
        sheets=sorted(sheets, key=lambda sheet: not sheet["offends"]),
    )


def _sheet(split: Path, dataset: Dataset, check: dict[str, Any], pairs: pd.DataFrame) -> dict[str, Any] | None:
    """Return the worst offenders of a failed check, or the pairs nearest to its limit; None where none can be shown."""
    column = check["column"]
    offenders = pairs[pairs["pair_id"].isin([*check["offending"], *check["waived_pairs"]])]
    per_row = check["observed"] is None and column is not None
    if len(offenders):
        rows = offenders
    elif (
        per_row
        and (check["least"] is not None or check["most"] is not None)
        and pairs[column].min() < pairs[column].max()
    ):
        rows = pairs
    else:
        return None
    if check["least"] is not None or check["most"] is not None:
        keys = rows[[column, "pair_id"]].sort_values([column, "pair_id"], ascending=[check["most"] is None, True])
        rows = rows.loc[keys.index[:SHOWN]]
    alone = dataset.input_from == "none"
    pictures = [
        {
            "pair_id": row["pair_id"],
            "split": row["split"],
            "input": None if alone else _uri(drawing_of(split / row["input_path"], dataset.classes)),
            "target": _uri(read_rgb(split / row["target_path"])),
            "value": _words(row, column),
        }
        for row in rows.head(SHOWN).to_dict("records")
    ]
    return {"check": check, "offends": bool(len(offenders)), "pictures": pictures} if pictures else None


def _words(row: dict[str, Any], column: str) -> str:
    value = row[column]
    words = f"{column} {value:g}" if isinstance(value, (int, float)) else f"{column} {value}"
    if column == "fit" and row["exchanged"]:
        return f"{words} with {row['exchanged']}"
    near = {"hash_distance": "near", "domain_distance": "domain_near"}.get(column)
    return f"{words} from {row[near]}" if near and row[near] else words


def _uri(pixels: np.ndarray) -> str:
    return data_uri(jpeg_bytes(thumbnail(pixels, THUMBNAIL_PX)), "jpeg")
