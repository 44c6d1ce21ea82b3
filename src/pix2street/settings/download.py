"""The section `download`: the data set, the limits of archives, and the settings of each set."""

import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from pix2street.core.limits import Limits
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
"""The values of `paired_folder.classes` other than the name of a CSV file.

The tables are in `core/class_tables.py`, which loads NumPy. This module must not, because it is imported before the
environment is set, which NumPy reads once."""


def _pattern(pattern: str) -> str:
    """Raise an error unless the pattern is a regular expression with a group."""
    try:
        groups = re.compile(pattern).groups
    except re.error as error:
        raise ValueError(f"must be a regular expression ({error})") from error
    if groups < 1:
        raise ValueError("must hold one (group) in parentheses")
    return pattern


def _table_name(name: str) -> str:
    """Raise an error unless the name is that of a table or of a CSV file."""
    if name not in TABLE_NAMES and not name.lower().endswith(".csv"):
        raise ValueError(f"must be {', '.join(TABLE_NAMES)}, or the name of a .csv file")
    return name


WebAddress = Annotated[str, Field(pattern=r"^https?://")]
FolderPart = Annotated[str, Field(pattern=r"^[^/]+$")]


class SyntheticStreets(Section):
    """The number of scenes, the size of each half, and the seed they are drawn from.

    Args:
        domains: the hours and weathers in each of which every scene is drawn; empty for one that is drawn by chance.
        frames: the frames of each scene's drive, of which the section `frames` makes pairs; 0 for photos.
    """

    seed: Seed
    height_px: Annotated[int, Field(ge=64, le=1024)]
    width_px: Annotated[int, Field(ge=64, le=2048)]
    train_pairs: Count
    val_pairs: Count
    test_pairs: Annotated[int, Field(ge=0)]
    domains: list[Literal["day", "golden", "overcast", "dusk", "night", "haze", "rain"]]
    frames: Annotated[int, Field(ge=0)]

    @model_validator(mode="after")
    def _none_or_several(self) -> Self:
        _refuse_one_domain(self.domains)
        if self.domains and self.frames:
            raise ValueError(f"frames must be 0 with domains, but is {self.frames}: drives have one hour each")
        return self


class SplitShares(Section):
    """The shares by which images without a split are divided."""

    train: Share
    val: Share
    test: Share

    @model_validator(mode="after")
    def _sum_to_one(self) -> Self:
        total = self.train + self.val + self.test
        if abs(total - 1) > 1e-9:
            raise ValueError(f"train + val + test must be 1, but are {total:g}")
        return self

    @property
    def above_zero(self) -> dict[str, float]:
        """The shares of the splits that get images."""
        return {split: share for split, share in self.model_dump().items() if share > 0}


class Cityscapes(Section):
    """The size to which frames are reduced when they are read, their numbers, and the address of the site."""

    height_px: Annotated[int, Field(ge=64, le=1024)]
    width_px: Annotated[int, Field(ge=64, le=2048)]
    train_pairs: Count
    val_pairs: Count
    site: WebAddress


class Pix2pixSets(Section):
    """The address of the authors' archives, and the direction in which they are used."""

    base_url: WebAddress
    direction: Literal["forth", "back"]


class Naming(Section):
    """The meaning of the names of folders and files.

    Args:
        group_pattern: a regular expression. Pairs whose pair_ids have the same first group stay in one split.
        split_shares: the shares by which images without a split are divided; None forbids such images.
        split_folders: the splits of folders that do not have the usual names.
        id_pattern: a regular expression whose first group, in a file name without its ending, is the pair_id.
        id_from: "name" uses the file name for the pair_id; "path" puts the names of the sub-folders before it.
        seed: the seed of the division into splits.
    """

    group_pattern: Annotated[str, AfterValidator(_pattern)] | None
    split_shares: SplitShares | None
    split_folders: dict[FolderPart, Literal["train", "val", "test", "ordinary", "left_out"]]
    id_pattern: Annotated[str, AfterValidator(_pattern)] | None
    id_from: Literal["name", "path"]
    seed: Seed


class OwnImages(Naming):
    """The description and the naming of a user's own images, for every data set that `path` names."""

    title: Annotated[str, Field(min_length=1)]
    licence: str
    home_page: str
    split_shares: SplitShares


class PairedFolder(Section):
    """The form of a user's own pairs: which half, folder or file is the input, and what its pixels mean.

    Args:
        form: the half of a side-by-side image that is the input, or `folders` if inputs and targets are separate files.
        input_folder, target_folder: for `folders`, the names of the folders at any depth, e.g. `labels` in
            `train/labels/a.png`; with `*`, patterns of the files' names.
        classes: `none`, one of `TABLE_NAMES`, or the name of a CSV file in the source.
        label_pixels: whether the inputs' pixels hold colours or ids of classes.
        void_id: the id of pixels that nobody labelled, if the table does not have it; else None.
    """

    form: Literal["left", "right", "folders"]
    input_folder: Annotated[str, Field(min_length=1)]
    target_folder: Annotated[str, Field(min_length=1)]
    classes: Annotated[str, AfterValidator(_table_name)]
    label_pixels: Literal["colors", "ids"]
    void_id: Annotated[int, Field(ge=0, le=255)] | None

    @model_validator(mode="after")
    def _ids_have_separate_files(self) -> Self:
        if self.label_pixels == "ids" and self.form != "folders":
            raise ValueError(
                f"label_pixels: ids needs form: folders, but it is {self.form}; a photo beside them has colours"
            )
        return self

    @model_validator(mode="after")
    def _a_void_id_is_an_id(self) -> Self:
        if self.void_id is not None and (self.label_pixels != "ids" or self.classes == "none"):
            raise ValueError(
                "void_id needs a class table and label_pixels: ids; give void a row with its colour in a .csv table"
            )
        return self


class UnpairedFolders(Section):
    """The two folders whose images belong to nothing in the other.

    Args:
        input_folder, target_folder: their names at any depth, e.g. `A` in `trainA/1.jpg`; the domains have them, too.
        scenes: whether images of one name in both folders show the same scene.
    """

    input_folder: FolderPart
    target_folder: FolderPart
    scenes: bool

    @model_validator(mode="after")
    def _two_folders(self) -> Self:
        _refuse_equal_names([self.input_folder, self.target_folder])
        return self


class DomainFolders(Section):
    """The folders of the domains.

    Args:
        domains: their names at any depth, in the order of the domains; empty for all folders in the order of their
            names.
        scenes: whether images of one name show the same scene in several domains.
    """

    domains: list[FolderPart]
    scenes: bool

    @model_validator(mode="after")
    def _none_or_several(self) -> Self:
        _refuse_one_domain(self.domains)
        return self


class Frames(Section):
    """The frames of a pair, see `core.frames.FrameCounts`."""

    frames_in: Count
    frames_out: Count
    step: Count
    every: Count


def _refuse_one_domain(domains: list[str]) -> None:
    """Raise an error where there is one domain, or one twice."""
    if len(domains) == 1:
        raise ValueError(f"domains must name two or more, or be [], but it names {domains[0]!r} alone")
    _refuse_equal_names(domains)


def _refuse_equal_names(names: list[str]) -> None:
    """Raise an error where two names are equal on a disk that does not tell cases apart."""
    folded = [name.casefold() for name in names]
    if doubled := [name for name in names if folded.count(name.casefold()) > 1]:
        raise ValueError(f"each domain needs a name of its own, but {' and '.join(map(repr, doubled))} are one")


class Sketches(Section):
    """The settings of Canny's edge detector."""

    sigma: Annotated[float, Field(gt=0, le=10)]
    low_share: Share
    high_share: Share

    @model_validator(mode="after")
    def _low_below_high(self) -> Self:
        if self.low_share > self.high_share:
            raise ValueError(f"low_share {self.low_share:g} must not be above high_share {self.high_share:g}")
        return self


class SuperResolution(Section):
    """The photos, and by how much their inputs are smaller.

    Args:
        photos: `synthetic_streets` draws them as that section says, without labels; `own` takes those of `path`.
        factor: the ratio of a photo's sides to those of its input.
    """

    photos: Literal["synthetic_streets", "own"]
    factor: Literal[2, 4]


class Download(Section):
    """The data set, the limits of archives, and the settings of each set."""

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
        "super_resolution",
        "paired_folder",
        "unpaired_folders",
        "domain_folders",
        "frames",
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
    unpaired_folders: UnpairedFolders
    domain_folders: DomainFolders
    sketches: Sketches
    super_resolution: SuperResolution
    frames: Frames

    @property
    def limits(self) -> Limits:
        """The most that an archive may hold."""
        return Limits(self.max_files, self.max_gib, self.max_unpack_ratio)
