"""A pair, the manifest that lists pairs, and what a data set says of itself."""

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Literal, Self

import numpy as np
import pandas as pd

from pix2street.classes import ClassTable
from pix2street.errors import UserError
from pix2street.files import write_json
from pix2street.images import EdgeSettings

SPLITS = ("train", "val", "test")
HELD_OUT_SPLITS = ("val", "test")
TEXT_COLUMNS = (
    "pair_id", "split", "group", "source", "fault", "input_path", "target_path", "source_sha256", "input_sha256",
    "target_sha256", "input_mode", "target_mode", "class_ids", "class_shares", "unknown_ids", "target_phash",
)  # fmt: skip
NUMBER_COLUMNS = (
    "files", "input_source_height_px", "input_source_width_px", "target_source_height_px", "target_source_width_px",
    "height_px", "width_px", "input_channels", "target_channels", "changed_share", "unknown_share", "class_count",
    "input_std", "target_mean", "target_std", "target_entropy_bits", "target_sharpness",
)  # fmt: skip

InputFrom = Literal["left", "right", "file", "grey", "edges"]


@dataclass(frozen=True)
class Dataset:
    """What a data set says of itself: `dataset.json` beside its images.

    Args:
        direction: the usual task in words, e.g. `labels to street`.
        input_from: where a pair's input comes from. `left`, `right`: that half of a side-by-side image
            `<split>/<pair_id>.<ext>`; `file`: `<split>/inputs/<pair_id>.<ext>`, with its target in `<split>/targets/`;
            `grey`, `edges`: drawn from the photo `<split>/<pair_id>.<ext>`, which is the target.
        group_pattern: a regular expression whose first group, searched in a pair_id, names what must stay in one split
            (a city, a video sequence); None makes every pair its own group.
        classes: the table of the inputs, None where they are no class maps.
        label_pixels: whether such inputs come as the classes' colours or as their ids in one channel.
        edges: how the edges are drawn; None for all other inputs.
        archives: SHA-256 of every archive the set was fetched from, by file name.
    """

    name: str
    title: str
    direction: str
    licence: str
    home_page: str
    input_from: InputFrom
    group_pattern: str | None = None
    classes: ClassTable | None = None
    label_pixels: Literal["colors", "ids"] = "colors"
    edges: EdgeSettings | None = None
    archives: dict[str, str] = field(default_factory=dict)

    def write(self, folder: Path) -> None:
        classes = self.classes and self.classes.to_json()
        write_json(folder / "dataset.json", {**asdict(self), "classes": classes})

    @classmethod
    def read(cls, folder: Path) -> Self:
        fields = json.loads((folder / "dataset.json").read_text(encoding="utf-8"))
        fields["classes"] = fields["classes"] and ClassTable.from_json(fields["classes"])
        fields["edges"] = fields["edges"] and EdgeSettings(**fields["edges"])
        return cls(**fields)


@dataclass(frozen=True)
class Pair:
    """One input and its target on disk."""

    pair_id: str
    input_path: Path
    target_path: Path


def group_of(pair_id: str, group_pattern: str | None) -> str:
    """The group a pair belongs to, itself where there is no pattern.

    Raises:
        UserError: the pattern does not match.
    """
    if group_pattern is None:
        return pair_id
    match = re.search(group_pattern, pair_id)
    if match is None or not match.groups():
        raise UserError(
            f"{pair_id}: group_pattern {group_pattern!r} must match every pair_id and hold one (group); "
            "mend the pattern in params.yaml or rename the file"
        )
    return match.group(1)


def split_side_by_side(image: np.ndarray, input_half: Literal["left", "right"]) -> tuple[np.ndarray, np.ndarray]:
    """Cut `[H, 2W, ...]` into input and target, each `[H, W, ...]`.

    Raises:
        ValueError: the width is odd, so that the halves would differ.
    """
    width = image.shape[1]
    if width % 2:
        raise ValueError(f"is {width} px wide, two equal halves need an even width")
    left, right = image[:, : width // 2], image[:, width // 2 :]
    return (left, right) if input_half == "left" else (right, left)


def write_manifest(folder: Path, rows: list[dict], left_out: Sequence[dict] = ()) -> None:
    """Write `manifest.csv` below `folder`, one row a pair, sorted by split and pair_id; what a row lacks is empty.

    Args:
        left_out: what makes no pair, as `accounting.read_left_out` returns it. It stands behind the pairs, with its
            reason in a last column, `left_out`; without such rows there is no such column.
    """
    columns = [*TEXT_COLUMNS, *NUMBER_COLUMNS, *(["left_out"] if left_out else [])]
    table = pd.DataFrame(rows, columns=columns)
    table = table.sort_values(["split", "pair_id"], kind="stable")
    table.to_csv(folder / "manifest.csv", index=False, lineterminator="\n")
    if left_out:
        rest = pd.DataFrame(left_out).rename(columns={"reason": "left_out"}).reindex(columns=columns)
        # Apart from the pairs: a table of both would turn their whole numbers into others.
        rest.to_csv(folder / "manifest.csv", mode="a", header=False, index=False, lineterminator="\n")


def read_manifest(folder: Path) -> pd.DataFrame:
    """The manifest below `folder` without what was left out; ids stay text even where they look like numbers.

    A row with a `fault` is a file that could not become a pair: it has no images.
    """
    read = partial(pd.read_csv, folder / "manifest.csv", keep_default_na=False, na_values="")
    table = read(dtype=dict.fromkeys(TEXT_COLUMNS, str))
    if "left_out" not in table:
        return table
    pairs = table["left_out"].isna()
    return read(dtype=dict.fromkeys(TEXT_COLUMNS, str), nrows=int(pairs.sum())).drop(columns="left_out")


def read_left_out(folder: Path) -> pd.DataFrame:
    """The manifest's rows of what was left out: `source`, `files`, `left_out`; the last is the reason."""
    text = dict.fromkeys(["source", "left_out"], str)
    table = pd.read_csv(folder / "manifest.csv", dtype=text, keep_default_na=False, na_values="")
    return table.reindex(columns=["source", "files", "left_out"]).dropna(subset="left_out").reset_index(drop=True)


def read_pairs(folder: Path, split: str) -> list[Pair]:
    """The pairs of one split in the manifest's order; an empty list where it has none. Faulty rows are no pairs."""
    manifest = read_manifest(folder)
    manifest = manifest[manifest["fault"].isna()]
    return [
        Pair(row.pair_id, folder / row.input_path, folder / row.target_path)
        for row in manifest[manifest["split"] == split].itertuples()
    ]
