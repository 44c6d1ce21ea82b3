"""Typed parameters: what `params.yaml` must hold, section by section.

There are no defaults here: `params.yaml` names every key, so that DVC sees every value. An unknown, missing,
mistyped or out-of-range key is an error that names its path, what was expected and what came.
"""

import re
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from pix2street.errors import UserError
from pix2street.pairs import Half

Seed = Annotated[int, Field(ge=0, lt=2**31)]
Count = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(ge=0, le=1)]
Device = Literal["auto", "cpu", "gpu"]


def _multiple_of_16(size: int) -> int:
    if size % 16:
        raise ValueError("must be a multiple of 16, so that the U-Net has at least four levels")
    return size


def _pattern(pattern: str) -> str:
    try:
        groups = re.compile(pattern).groups
    except re.error as error:
        raise ValueError(f"must be a regular expression ({error})") from error
    if groups < 1:
        raise ValueError("must hold one (group) in parentheses")
    return pattern


WorkingSize = Annotated[int, Field(ge=32, le=2048), AfterValidator(_multiple_of_16)]


class Section(BaseModel):
    """A mapping that knows all its keys."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


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


class PairedFolder(Section):
    """Where a user's own pairs lie and what they are."""

    path: Annotated[str, Field(min_length=1)]
    title: Annotated[str, Field(min_length=1)]
    licence: str
    home_page: str
    input_half: Half
    classes: Annotated[str, Field(pattern=r"^(none|cityscapes|cityscapes_evaluated|.+\.csv)$")]
    group_pattern: Annotated[str, AfterValidator(_pattern)] | None
    split_shares: SplitShares
    seed: Seed


class Download(Section):
    """Which data set, and the settings of each."""

    dataset: Literal["synthetic_streets", "paired_folder"]
    synthetic_streets: SyntheticStreets
    paired_folder: PairedFolder


class Split(Section):
    """The working size, and how far label colours may be off."""

    height_px: WorkingSize
    width_px: WorkingSize
    snap_tolerance: Annotated[float, Field(ge=0, le=442)]
    max_snapped_share: Share


class Validate(Section):
    """The limits that the manifest must keep."""

    min_train_pairs: Count
    min_val_pairs: Count
    min_target_std: Annotated[float, Field(ge=0, le=128)]
    min_classes_in_input: Annotated[int, Field(ge=1, le=256)]


class Compute(Section):
    """CPU threads; bits depend on them, so they are pinned."""

    intra_op_threads: Count
    inter_op_threads: Count


class Segment(Section):
    """The judge: a segmentation U-Net trained on the real targets of `train`."""

    device: Device
    seed: Seed
    filters: Count
    epochs: Count
    batch: Count
    learning_rate: Annotated[float, Field(gt=0, le=1)]


class Train(Section):
    """pix2pix and how it is trained."""

    device: Device
    seed: Seed
    generator: Literal["unet"]
    input_encoding: Literal["color", "onehot"]
    generator_filters: Count
    discriminator_filters: Count
    epochs: Count
    batch: Count
    learning_rate: Annotated[float, Field(gt=0, le=1)]
    beta_1: Annotated[float, Field(ge=0, lt=1)]
    l1_weight: Annotated[float, Field(ge=0)]
    disc_loss_weight: Annotated[float, Field(gt=0, le=1)]
    jitter: bool
    mirror: bool
    sample_every_epochs: Count
    sample_pairs: Count


class Generate(Section):
    """How the generator behaves when it is used; the same for samples, `generate` and export."""

    device: Device
    seed: Seed
    norm: Literal["batch", "moving"]
    dropout: bool


class Evaluate(Section):
    """What is scored."""

    device: Device
    split: Literal["val", "test"]


class Report(Section):
    """What the page shows."""

    sample_pairs: Count


class Params(Section):
    """All of `params.yaml`."""

    download: Download
    split: Split
    validate_: Validate = Field(alias="validate")  # pydantic keeps the name `validate` for itself
    compute: Compute
    segment: Segment
    train: Train
    generate: Generate
    evaluate: Evaluate
    report: Report


def read_params(path: Path) -> Params:
    """Read and check all of `params.yaml`.

    Raises:
        UserError: the file is missing, no YAML, or breaks the schema; every fault is listed with its key path.
    """
    try:
        # YAML 1.2, the dialect DVC reads: `1e-4` is a number and `no` is a word.
        values = YAML(typ="safe").load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise UserError(f"{path}: no such file; run in the project's root") from error
    except YAMLError as error:
        raise UserError(f"{path.name}: no valid YAML: {error}") from error
    try:
        return Params.model_validate(values)
    except ValidationError as error:
        faults = "\n".join(f"  {_describe(fault)}" for fault in error.errors())
        raise UserError(f"{path.name} is not valid; nothing was run:\n{faults}") from error


def _describe(fault: dict) -> str:
    key = ".".join(str(part) for part in fault["loc"]) or "the file"
    if fault["type"] == "extra_forbidden":
        return f"{key}: unknown key; remove it or mend its name"
    if fault["type"] == "missing":
        return f"{key}: missing; add it"
    rule = fault["msg"].removeprefix("Value error, ").removeprefix("Input ")
    return f"{key}: {rule}; it is {fault['input']!r}"
