"""A pair, the manifest that lists pairs, and what a data set says of itself."""

import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, Self

import numpy as np
import pandas as pd

from pix2street.classes import ClassTable
from pix2street.errors import UserError
from pix2street.files import write_json

SPLITS = ("train", "val", "test")
HELD_OUT_SPLITS = ("val", "test")

Half = Literal["left", "right"]


@dataclass(frozen=True)
class Dataset:
    """What a data set says of itself: `dataset.json` beside its images.

    `group_pattern` is a regular expression whose first group, searched in a pair_id, names what must stay in one
    split (a city, a video sequence); None makes every pair its own group. `classes` is the table of the input half,
    None where the input is no class map.
    """

    name: str
    title: str
    licence: str
    home_page: str
    input_half: Half
    group_pattern: str | None
    classes: ClassTable | None

    def group_of(self, pair_id: str) -> str:
        """The group a pair belongs to; raises UserError where the pattern does not match."""
        if self.group_pattern is None:
            return pair_id
        match = re.search(self.group_pattern, pair_id)
        if match is None or not match.groups():
            raise UserError(
                f"{pair_id}: group_pattern {self.group_pattern!r} must match every pair_id and hold one (group); "
                "mend the pattern in params.yaml or rename the file"
            )
        return match.group(1)

    def write(self, folder: Path) -> None:
        classes = self.classes and self.classes.to_json()
        write_json(folder / "dataset.json", {**asdict(self), "classes": classes})

    @classmethod
    def read(cls, folder: Path) -> Self:
        fields = json.loads((folder / "dataset.json").read_text(encoding="utf-8"))
        return cls(**{**fields, "classes": fields["classes"] and ClassTable.from_json(fields["classes"])})


@dataclass(frozen=True)
class Pair:
    """One input and its target on disk."""

    pair_id: str
    input_path: Path
    target_path: Path


def split_side_by_side(image: np.ndarray, input_half: Half) -> tuple[np.ndarray, np.ndarray]:
    """Cut `[H, 2W, 3]` into input and target, each `[H, W, 3]`.

    Raises:
        ValueError: the width is odd, so that the halves would differ.
    """
    width = image.shape[1]
    if width % 2:
        raise ValueError(f"is {width} px wide, two equal halves need an even width")
    left, right = image[:, : width // 2], image[:, width // 2 :]
    return (left, right) if input_half == "left" else (right, left)


def write_manifest(folder: Path, rows: list[dict]) -> None:
    """Write `manifest.csv` below `folder`, one row a pair, sorted by split and pair_id."""
    table = pd.DataFrame(rows).sort_values(["split", "pair_id"])
    table.to_csv(folder / "manifest.csv", index=False, lineterminator="\n")


def read_manifest(folder: Path) -> pd.DataFrame:
    """The manifest below `folder`; ids stay text even where they look like numbers."""
    return pd.read_csv(folder / "manifest.csv", dtype={"pair_id": str, "group": str, "class_ids": str})


def read_pairs(folder: Path, split: str) -> list[Pair]:
    """The pairs of one split in the manifest's order; an empty list where it has none."""
    manifest = read_manifest(folder)
    return [
        Pair(row.pair_id, folder / row.input_path, folder / row.target_path)
        for row in manifest[manifest["split"] == split].itertuples()
    ]
