"""The section `download`: which data set, what an archive may hold, and the settings of each set."""

import re
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from pix2street.core.archives import Limits
from pix2street.settings.section import Count, Section, Seed, Share, TrackedPath

TABLE_NAMES = (
    "none",
    "cityscapes",
    "cityscapes_evaluated",
    "cityscapes_train_ids",
    "pascal_voc",
    "ade20k",
    "ade20k_from_zero",
)
"""What may be said of classes without a table of one's own. The tables themselves are in `class_tables`, which loads
NumPy; that reads the environment once, and whoever imports this module has yet to settle it."""


def _pattern(pattern: str) -> str:
    try:
        groups = re.compile(pattern).groups
    except re.error as error:
        raise ValueError(f"must be a regular expression ({error})") from error
    if groups < 1:
        raise ValueError("must hold one (group) in parentheses")
    return pattern


def _table_name(name: str) -> str:
    if name not in TABLE_NAMES and not name.lower().endswith(".csv"):
        raise ValueError(f"must be {', '.join(TABLE_NAMES)}, or the name of a .csv file")
    return name


WebAddress = Annotated[str, Field(pattern=r"^https?://")]
FolderPart = Annotated[str, Field(pattern=r"^[^/]+$")]


class SyntheticStreets(Section):
    """How many scenes are drawn, how large each half is, and from which seed."""

    seed: Seed
    height_px: Annotated[int, Field(ge=64, le=1024)]
    width_px: Annotated[int, Field(ge=64, le=2048)]
    train_pairs: Count
    val_pairs: Count
    test_pairs: Annotated[int, Field(ge=0)]


class SplitShares(Section):
    """How a folder without splits of its own is divided."""

    train: Share
    val: Share
    test: Share

    @model_validator(mode="after")
    def _sum_to_one(self) -> Self:
        total = self.train + self.val + self.test
        if abs(total - 1) > 1e-9:
            raise ValueError(f"train + val + test must be 1, they are {total:g}")
        return self


class Cityscapes(Section):
    """The size frames are reduced to while they are read, how many there must be, and the site's address."""

    height_px: Annotated[int, Field(ge=64, le=1024)]
    width_px: Annotated[int, Field(ge=64, le=2048)]
    train_pairs: Count
    val_pairs: Count
    site: WebAddress


class Pix2pixSets(Section):
    """Where the authors' archives lie, and which way they are used."""

    base_url: WebAddress
    direction: Literal["forth", "back"]


class OwnImages(Section):
    """What a user's own images are; for paired_folder, colorization and sketches."""

    title: Annotated[str, Field(min_length=1)]
    licence: str
    home_page: str
    group_pattern: Annotated[str, AfterValidator(_pattern)] | None
    split_shares: SplitShares
    split_folders: dict[FolderPart, Literal["train", "val", "test", "ordinary", "left_out"]]
    id_pattern: Annotated[str, AfterValidator(_pattern)] | None
    id_from: Literal["name", "path"]
    seed: Seed


class PairedFolder(Section):
    """How a user's own pairs stand in their files."""

    form: Literal["left", "right", "folders"]
    input_folder: Annotated[str, Field(min_length=1)]
    target_folder: Annotated[str, Field(min_length=1)]
    classes: Annotated[str, AfterValidator(_table_name)]
    label_pixels: Literal["colors", "ids"]
    void_id: Annotated[int, Field(ge=0, le=255)] | None

    @model_validator(mode="after")
    def _ids_have_files_of_their_own(self) -> Self:
        if self.label_pixels == "ids" and self.form != "folders":
            raise ValueError(
                f"label_pixels: ids needs form: folders, it is {self.form}; a photo beside them has colours"
            )
        return self

    @model_validator(mode="after")
    def _a_void_id_is_an_id(self) -> Self:
        if self.void_id is not None and (self.label_pixels != "ids" or self.classes == "none"):
            raise ValueError(
                "void_id needs a class table and label_pixels: ids; give void a row with its colour in a .csv table"
            )
        return self


class Sketches(Section):
    """How edges are drawn (Canny)."""

    sigma: Annotated[float, Field(gt=0, le=10)]
    low_share: Share
    high_share: Share

    @model_validator(mode="after")
    def _low_below_high(self) -> Self:
        if self.low_share > self.high_share:
            raise ValueError(f"low_share {self.low_share:g} must not be above high_share {self.high_share:g}")
        return self


class Download(Section):
    """Which data set, what an archive may hold, and the settings of each set."""

    dataset: Literal[
        "synthetic_streets",
        "cityscapes",
        "facades",
        "maps",
        "night2day",
        "edges2shoes",
        "edges2handbags",
        "colorization",
        "sketches",
        "paired_folder",
    ]
    path: TrackedPath
    max_files: Count
    max_gib: Annotated[float, Field(gt=0)]
    max_unpack_ratio: Annotated[float, Field(ge=1)]
    synthetic_streets: SyntheticStreets
    cityscapes: Cityscapes
    pix2pix_sets: Pix2pixSets
    own_images: OwnImages
    paired_folder: PairedFolder
    sketches: Sketches

    @property
    def limits(self) -> Limits:
        """What an archive may hold."""
        return Limits(self.max_files, self.max_gib, self.max_unpack_ratio)

    def settings(self, root: Path) -> dict[str, Any]:
        """What the chosen set's `fetch` takes; `path` is relative to `root`."""
        limits = {"limits": self.limits}
        path = {"path": root / self.path}
        own = {**limits, **path, **self.own_images.model_dump()}
        match self.dataset:
            case "synthetic_streets":
                return self.synthetic_streets.model_dump()
            case "cityscapes":
                return {**limits, **path, **self.cityscapes.model_dump()}
            case "colorization":
                return own
            case "sketches":
                return {**own, **self.sketches.model_dump()}
            case "paired_folder":
                return {**own, **self.paired_folder.model_dump()}
            case _:
                return {**limits, **self.pix2pix_sets.model_dump()}
