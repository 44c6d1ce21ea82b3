"""A pair, the manifest that lists pairs, and what a data set says of itself."""

import json
import re
from dataclasses import asdict, dataclass, field
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

TARGET_CHANNELS = {"rgb": 3, "grey": 1}
"""Channels that targets are kept in, by `split.target_mode`."""

TARGET_MODES = {3: ("RGB",), 1: ("L", "1", "LA", "RGB")}
"""Pillow's names of the modes that targets may be stored in, by the channels that they are kept in."""


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
        target_channels: of the targets that `split` wrote: 3 for RGB, 1 for grey.
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
    target_channels: int = 3

    def write(self, folder: Path) -> None:
        fields = {**asdict(self), "classes": self.classes and self.classes.to_json()}
        # A set of RGB targets, as nearly all are, does not name their channels.
        if self.target_channels == 3:
            del fields["target_channels"]
        write_json(folder / "dataset.json", fields)

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


def write_manifest(folder: Path, rows: list[dict]) -> None:
    """Write `manifest.csv` below `folder`, one row a pair, sorted by split and pair_id; what a row lacks is empty."""
    table = pd.DataFrame(rows, columns=[*TEXT_COLUMNS, *NUMBER_COLUMNS])
    table = table.sort_values(["split", "pair_id"], kind="stable")
    table.to_csv(folder / "manifest.csv", index=False, lineterminator="\n")


def read_manifest(folder: Path) -> pd.DataFrame:
    """The manifest below `folder`; ids stay text even where they look like numbers.

    A row with a `fault` is a file that could not become a pair: it has no images.
    """
    return pd.read_csv(
        folder / "manifest.csv", dtype=dict.fromkeys(TEXT_COLUMNS, str), keep_default_na=False, na_values=""
    )


def read_pairs(folder: Path, split: str) -> list[Pair]:
    """The pairs of one split in the manifest's order; an empty list where it has none. Faulty rows are no pairs."""
    manifest = read_manifest(folder)
    manifest = manifest[manifest["fault"].isna()]
    return [
        Pair(row.pair_id, folder / row.input_path, folder / row.target_path)
        for row in manifest[manifest["split"] == split].itertuples()
    ]
