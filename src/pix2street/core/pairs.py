"""A pair, the manifest that lists pairs, and the description of a data set."""

import re
import unicodedata
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import pandas as pd

from pix2street.core.classes import ClassTable
from pix2street.core.decoding import NOTES, Stored
from pix2street.core.errors import UserError
from pix2street.core.files import MAX_NAME_BYTES, read_json, write_json
from pix2street.core.frames import FrameCounts
from pix2street.core.images import EdgeSettings, read_ids, read_rgb, write_png
from pix2street.core.tables import read_table, write_rows

SUBSETS = ("train", "val", "test")
HELD_OUT_SUBSETS = ("val", "test")
TEXT_COLUMNS = (
    "pair_id", "split", "group", "source", "fault", "input_path", "target_path", "source_sha256", "input_sha256",
    "target_sha256", "input_mode", "target_mode", "input_notes", "target_notes",
    "class_ids", "class_shares", "class_borders", "unknown_ids", "target_phash",
)  # fmt: skip
NUMBER_COLUMNS = (
    "files", "input_source_height_px", "input_source_width_px", "target_source_height_px", "target_source_width_px",
    "height_px", "width_px", "input_channels", "target_channels", "input_lossy", "changed_share",
    "changed_at_borders", "moved_share", "unknown_share", "touching_share", "between_share", "class_count",
    "input_std", "target_mean", "target_std", "target_entropy_bits", "target_sharpness",
)  # fmt: skip

DOMAIN_COLUMNS = ("domain", "scene")
"""Columns of text that only the manifest of a set with domains has."""

SPECIAL = re.compile(r"[!-,/:-@\[-^`{-~]|^ | \Z")
"""ASCII but letters, digits and `-._`, and spaces at the ends."""

WHOLE_COLUMNS = [name for name in NUMBER_COLUMNS if name.endswith(("files", "_px", "_channels", "_count", "_lossy"))]

InputFrom = Literal["left", "right", "file", "grey", "edges", "reduced", "none", "frames"]

TARGET_CHANNELS = {"rgb": 3, "grey": 1}
"""Channels that targets are kept in, by `split.target_mode`."""

TARGET_MODES = {3: ("RGB",), 1: ("L", "1", "RGB")}
"""Pillow's names of the modes that targets may be stored in, by the channels that they are kept in."""


@dataclass(frozen=True)
class Dataset:
    """The description of a data set: `dataset.json` beside its images.

    Args:
        direction: the usual task in words, e.g. `labels to street`.
        input_from: the origin of a pair's input. `left`, `right`: that half of a side-by-side image
            `<split>/<pair_id>.<ext>`; `file`: `<split>/inputs/<pair_id>.<ext>`, with its target in `<split>/targets/`;
            `grey`, `edges`: drawn from the photo `<split>/<pair_id>.<ext>`, which is the target; `reduced`: this photo
            at a `factor`th of its height and width; `none`: there is no input, each image stands alone, and every image
            is a target; `frames`: the first frames of a part of a video, whose next ones are the target. The frames of
            a video are in `<split>/<video>/`.
        group_pattern: a regular expression whose first group, searched in a pair_id, names what must stay in one split
            (a city, a video sequence); None makes every pair its own group.
        classes: the table of the inputs, None where they are no class maps.
        label_pixels: whether such inputs are stored as the classes' colours or as their ids in one channel.
        edges: the settings by which edges are drawn; None for all other inputs.
        archives: the SHA-256 of every archive that the set was fetched from, by file name.
        target_channels: the channels of the targets that `split` wrote: 3 for RGB, 1 for grey.
        domains: the names of the kinds of targets between which models translate, e.g. `day` and `night`, in their
            order; empty for a set without domains. Files are then in `<split>/<domain>/`, and each pair_id is
            `<domain>_<name>`.
        scenes: whether images of one name show the same scene in several domains.
        factor: the ratio of a target's sides to those of its input in a set of `reduced` inputs; 1 in all others.
        frames: the frames of a pair; None for a set that is not of videos.
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
    domains: tuple[str, ...] = ()
    scenes: bool = False
    factor: int = 1
    frames: FrameCounts | None = None

    @property
    def input_frames(self) -> int:
        """The number of frames that an input has one under the other; 1 for a set that is not of videos."""
        return self.frames.frames_in if self.frames else 1

    @property
    def target_frames(self) -> int:
        """The same of a target."""
        return self.frames.frames_out if self.frames else 1

    def write(self, folder: Path) -> None:
        fields = {**asdict(self), "classes": self.classes and self.classes.to_json()}
        # The file of a set with RGB targets, which nearly all have, does not name their channels.
        if self.target_channels == 3:
            del fields["target_channels"]
        # The file of a set without domains does not speak of them.
        if not self.domains:
            del fields["domains"], fields["scenes"]
        # Nor does that of a set whose inputs have the size of their targets speak of a factor.
        if self.factor == 1:
            del fields["factor"]
        if not self.frames:
            del fields["frames"]
        write_json(folder / "dataset.json", fields)

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Return the data set that `dataset.json` in `folder` describes; raise UserError where the file is damaged."""
        return read_json(folder / "dataset.json", cls._of_json)

    @classmethod
    def _of_json(cls, fields: dict[str, Any]) -> Self:
        classes = fields["classes"] and ClassTable.from_json(fields["classes"])
        edges = fields["edges"] and EdgeSettings(**fields["edges"])
        domains = tuple(fields.get("domains", ()))
        frames = FrameCounts(**fields["frames"]) if "frames" in fields else None
        return cls(**{**fields, "classes": classes, "edges": edges, "domains": domains, "frames": frames})


@dataclass(frozen=True)
class Pair:
    """One input and its target on disk."""

    pair_id: str
    input_path: Path
    target_path: Path

    def turned(self) -> "Pair":
        """Return the pair with input and target exchanged."""
        return Pair(self.pair_id, self.target_path, self.input_path)


def refuse_unusable(names: Iterable[str], where: Path | str) -> None:
    """Raise UserError where a name cannot become a pair_id: a file's name, a cell of tables, a part of messages.

    It must be text in UTF-8 on one line, without control characters, and `<pair_id>.png` must not be longer than a file
    system takes. Every other name is kept as it is: spaces at either end, `NA`, `007`, quotes, commas, any script.

    Args:
        names: pair_ids, or names of files without their endings; with or without folders before them.
        where: the beginning of the message, e.g. the folder that holds the files.
    """
    for name in names:
        if fault := _fault_of(name):
            # repr escapes what cannot be shown.
            raise UserError(f"{where}: the name {name!r} {fault}; rename the file")


def _fault_of(name: str) -> str:
    kinds = {unicodedata.category(character) for character in name}
    if "Cs" in kinds:
        return "must be UTF-8, but is not"
    if kinds & {"Cc", "Zl", "Zp"}:
        return "must be on one line, it holds a line break or another control character"
    pair_id = name.rpartition("/")[2]
    if pair_id in ("", ".", ".."):
        return "must name a file, but does not"
    size = max(len(f"{pair_id}.png".encode()), len(plain_name(pair_id).encode()))
    if size > MAX_NAME_BYTES:
        return f"must have at most {MAX_NAME_BYTES} bytes with .png behind it, it has {size}"
    return ""


def plain_name(pair_id: str) -> str:
    """Return a name that every artifact store keeps: `=` and a code replace what has a meaning in a web address.

    `pair_id_of` returns the pair_id again.
    """
    return SPECIAL.sub(lambda found: f"={ord(found[0]):02X}", pair_id)


def pair_id_of(name: str) -> str:
    """Return the pair_id from which `plain_name` made a name."""
    return re.sub("=([0-9A-F]{2})", lambda found: chr(int(found[1], 16)), name)


def group_of(pair_id: str, group_pattern: str | None) -> str:
    """Return the group of a pair; without a pattern, the pair itself.

    Raises:
        UserError: the pattern does not match.
    """
    if group_pattern is None:
        return pair_id
    match = re.search(group_pattern, pair_id)
    if match is None or not match.groups():
        raise UserError(
            f"{pair_id}: group_pattern {group_pattern!r} must match every pair_id and hold one (group); "
            "fix the pattern in params.yaml or rename the file"
        )
    return match.group(1)


def drawing_of(input_path: Path, classes: ClassTable | None) -> np.ndarray:
    """Return a pair's input as it is shown, `[H, W, 3]` uint8: class ids in the colours of their classes.

    Args:
        classes: the table of the inputs, None where they are no class maps.
    """
    return classes.to_colors(read_ids(input_path)) if classes else read_rgb(input_path)


def split_side_by_side(image: Stored, input_half: Literal["left", "right"]) -> tuple[Stored, Stored]:
    """Cut an image of `[H, 2W, ...]` pixels into input and target, each `[H, W, ...]`.

    Raises:
        ValueError: the width is odd, so that the halves would differ.
    """
    width = image.pixels.shape[1]
    if width % 2:
        raise ValueError(f"is {width} px wide, two equal halves need an even width; crop or replace it")
    left, right = image.columns(slice(None, width // 2)), image.columns(slice(width // 2, None))
    return (left, right) if input_half == "left" else (right, left)


def write_manifest(folder: Path, rows: Iterable[Mapping[str, Any]], left_out: Sequence[Mapping[str, Any]] = ()) -> None:
    """Write `manifest.csv` below `folder`, sorted by split and pair_id; a missing value is an empty cell.

    Args:
        rows: the rows of pairs, of which all or none have a `domain`. A list is sorted first. Rows that are made while
            they are written, and never in memory together, must come in the order of the table.
        left_out: the files without a pair, as `accounting.read_left_out` returns them. They follow the pairs, with
            their reasons in a last column, `left_out`; without such rows the table has no such column.
    """
    if isinstance(rows, list):
        rows = sorted(rows, key=lambda row: (str(row["split"]), str(row["pair_id"])))
    rows = iter(rows)
    first = [*islice(rows, 1)]
    domain_columns = DOMAIN_COLUMNS if any("domain" in row for row in first) else ()
    columns = [*TEXT_COLUMNS, *domain_columns, *NUMBER_COLUMNS, *(["left_out"] if left_out else [])]
    rest = ({"left_out" if key == "reason" else key: value for key, value in row.items()} for row in left_out)
    write_rows(folder / "manifest.csv", columns, chain(first, rows, rest))


def photos_of(folder: Path, pairs: Sequence[Pair]) -> list[Path]:
    """Return the photo of each pair; raise `UserError` if the folder does not hold exactly those."""
    found = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    names = [f"{pair.pair_id}.png" for pair in pairs]
    wanted = {*names}
    if found != wanted:
        faults = [
            f"{len(some)} {what} ({', '.join(sorted(some)[:3])}{', ...' if len(some) > 3 else ''})"
            for what, some in {"missing": wanted - found, "too many": found - wanted}.items()
            if some
        ]
        raise UserError(
            f"{folder}: must hold one photo for each of the {len(wanted)} pairs; {', '.join(faults)}; run `generate` "
            "again"
        )
    return [folder / name for name in names]


def write_photos(folder: Path, pairs: Sequence[Pair], photos: Iterable[np.ndarray]) -> None:
    """Write the photo of each pair, `[H, W, 1 or 3]` uint8, to `<folder>/<pair_id>.png`; the folder is made."""
    folder.mkdir(parents=True)
    for pair, photo in zip(pairs, photos, strict=True):
        write_png(folder / f"{pair.pair_id}.png", photo)


def read_manifest(folder: Path, columns: Collection[str] | None = None) -> pd.DataFrame:
    """Return the manifest below `folder` without what was left out; ids stay text even where they look like numbers.

    A row with a `fault` is a file that could not become a pair: it has no images.

    Args:
        columns: the columns to keep; None for all.
    """
    kept = None if columns is None else (*columns, "left_out")
    table = read_table(folder / "manifest.csv", (*TEXT_COLUMNS, *DOMAIN_COLUMNS, "left_out"), columns=kept)
    if "left_out" not in table:
        return table
    pairs = table[table["left_out"].isna()].drop(columns="left_out").reset_index(drop=True)
    # The rows of left-out files have no such numbers, so that the whole columns were read as floats.
    whole = [column for column in WHOLE_COLUMNS if column in pairs and pairs[column].notna().all()]
    return pairs.astype(dict.fromkeys(whole, "int64"))


def read_left_out(folder: Path) -> pd.DataFrame:
    """Return the manifest's rows of files that were left out: `source`, `files`, `left_out`; the last is the reason."""
    columns = ["source", "files", "left_out"]
    table = read_table(folder / "manifest.csv", ("source", "left_out"), columns=columns).reindex(columns=columns)
    return table.dropna(subset="left_out").reset_index(drop=True)


NOTE_COLUMNS = ("files", "input_notes", "target_notes")
"""The columns of the manifest that `count_notes` needs."""


def count_notes(manifest: pd.DataFrame) -> dict[str, int]:
    """Return how many files were changed while they were read, by what was done to them (`decoding.NOTES`)."""
    # A pair in one file has the same notes on both sides.
    sides = [manifest["target_notes"], manifest["input_notes"].where(manifest["files"] > 1)]
    notes = pd.concat(sides).dropna().str.split("; ").explode()
    return {note: int(count) for note in NOTES if (count := (notes == note).sum())}


def read_pairs(folder: Path, split: str) -> list[Pair]:
    """Return the pairs of one split in the manifest's order, none of faulty rows; the list may be empty.

    Raises:
        UserError: the images of the set stand alone.
    """
    manifest = read_manifest(folder, ("pair_id", "split", "fault", "input_path", "target_path"))
    manifest = manifest[manifest["fault"].isna()]
    if manifest["input_path"].isna().any():
        raise UserError(
            f"{folder}: the images of this data set stand alone, and pairs are needed here; choose a data set of pairs "
            "in download.dataset, or a model that learns from unpaired images in train.model"
        )
    return [
        Pair(row.pair_id, folder / row.input_path, folder / row.target_path)
        for row in manifest[manifest["split"] == split].itertuples()
    ]
