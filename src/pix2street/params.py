"""Typed parameters: what `params.yaml` must hold, section by section.

There are no defaults here: `params.yaml` names every key, so that DVC sees every value. An unknown, missing,
mistyped or out-of-range key is an error that names its path, what was expected and what came.
"""

import io
import os
import re
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, FiniteFloat, ValidationError, model_validator
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.scalarstring import SingleQuotedScalarString

from pix2street.core.archives import Limits
from pix2street.core.errors import UserError
from pix2street.layout import Layout

Seed = Annotated[int, Field(ge=0, lt=2**31)]
Count = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(ge=0, le=1)]
Tolerance = Annotated[float, Field(ge=0)]
Device = Literal["auto", "cpu", "gpu"]

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


def _table_name(name: str) -> str:
    if name not in TABLE_NAMES and not name.lower().endswith(".csv"):
        raise ValueError(f"must be {', '.join(TABLE_NAMES)}, or the name of a .csv file")
    return name


def _full_path(path: str) -> str:
    if path.startswith("~"):
        full = os.path.expanduser(path)
        raise ValueError(f"must be written in full, {full}: DVC reads it too, and takes ~ for a folder's name")
    return path


WebAddress = Annotated[str, Field(pattern=r"^https?://")]
TrackedPath = Annotated[str, Field(min_length=1), AfterValidator(_full_path)]
"""A path that `dvc.yaml` names as a dependency."""
FolderPart = Annotated[str, Field(pattern=r"^[^/]+$")]
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


class Split(Section):
    """The working size, how far a label colour may be off before it counts as unknown, and the targets' channels."""

    height_px: WorkingSize
    width_px: WorkingSize
    snap_tolerance: Annotated[float, Field(ge=0, le=442)]
    max_megapixels: Annotated[float, Field(gt=0)]
    target_mode: Literal["rgb", "grey"]


class Waivers(Section):
    """What may fail all the same; the report says so."""

    checks: list[str]
    pairs: list[str]


class Validate(Section):
    """The limits that the manifest must keep."""

    min_train_pairs: Count
    min_val_pairs: Count
    max_size_ratio: Annotated[float, Field(ge=1)]
    max_aspect_ratio: Annotated[float, Field(ge=1)]
    max_unknown_share: Share
    min_classes_in_input: Annotated[int, Field(ge=1, le=256)]
    min_input_std: Annotated[float, Field(ge=0, le=128)]
    min_target_mean: Annotated[float, Field(ge=0, le=255)]
    max_target_mean: Annotated[float, Field(ge=0, le=255)]
    min_target_std: Annotated[float, Field(ge=0, le=128)]
    min_target_entropy_bits: Annotated[float, Field(ge=0, le=8)]
    min_target_sharpness: Annotated[float, Field(ge=0)]
    min_hash_distance: Annotated[int, Field(ge=0, le=256)]
    max_class_distance: Share
    max_misread_share: Share
    max_moved_share: Share
    max_seam_share: Share
    max_between_ratio: Share
    min_fit: Annotated[float, Field(ge=-2, le=2)]
    min_lead: Annotated[float, Field(ge=-2, le=2)]
    max_outlier_share: Share
    min_best_fit_share: Share
    waive: Waivers


class Compute(Section):
    """CPU threads; bits depend on them, so they are pinned."""

    intra_op_threads: Count
    inter_op_threads: Count


class Pretrained(Section):
    """What photos a judge that was not trained here is shown."""

    height_px: Annotated[int, Field(ge=32, le=4096)]
    width_px: Annotated[int, Field(ge=32, le=4096)]
    black: float
    white: float

    @model_validator(mode="after")
    def _black_is_not_white(self) -> Self:
        if self.black == self.white:
            raise ValueError(f"black and white must differ, both are {self.black:g}")
        return self


class Segment(Section):
    """The judge: a segmentation U-Net trained on the real targets of `train`, or a network from elsewhere."""

    device: Device
    judge: Annotated[str, Field(pattern=r"^(trained|keras|segformer_b[0-5]_cityscapes_1024)$")]
    path: TrackedPath
    pretrained: Pretrained
    seed: Seed
    filters: Count
    epochs: Count
    batch: Count
    learning_rate: Annotated[float, Field(gt=0, le=1)]


class Train(Section):
    """pix2pix and how it is trained."""

    device: Device
    strategy: Literal["one_device", "mirrored", "multi_worker"]
    deterministic: bool
    seed: Seed
    generator: Literal["unet"]
    norm: Literal["batch", "instance"]
    upsample: Literal["transpose", "resize"]
    input_encoding: Literal["color", "onehot"]
    generator_filters: Count
    discriminator_filters: Count
    epochs: Count
    batch: Count
    learning_rate: Annotated[float, Field(gt=0, le=1)]
    schedule: Literal["constant", "linear"]
    beta_1: Annotated[float, Field(ge=0, lt=1)]
    ema_decay: Annotated[float, Field(ge=0, lt=1)]
    l1_weight: Annotated[float, Field(ge=0)]
    disc_loss_weight: Annotated[float, Field(gt=0, le=1)]
    jitter: bool
    mirror: bool
    holdout_pairs: Annotated[int, Field(ge=0)]
    checkpoint: Literal["last", "best"]
    sample_every_epochs: Count
    sample_pairs: Count
    precision: Literal["float32", "mixed_bfloat16", "mixed_float16"]
    product_side_px: Annotated[int, Field(ge=0)]
    jit_compile: bool
    steps_per_call: Count
    cache_mib: Annotated[int, Field(ge=0)]
    checkpoint_every_steps: Annotated[int, Field(ge=0)]
    max_checkpoint_gib: Annotated[float, Field(gt=0)]

    @model_validator(mode="after")
    def _the_best_needs_a_measure(self) -> Self:
        if self.checkpoint == "best" and not self.holdout_pairs:
            raise ValueError("checkpoint: best needs holdout_pairs of at least 1; val and test are never looked at")
        return self

    @model_validator(mode="after")
    def _compiled_for_one_device(self) -> Self:
        if self.jit_compile and self.strategy != "one_device":
            raise ValueError(f"jit_compile needs strategy: one_device, it is {self.strategy}; choose false")
        return self


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
    min_ceiling: Share
    fid: list[Literal["tf", "clean"]]
    inception: Annotated[str, Field(min_length=1)] | None


class Report(Section):
    """What the page shows."""

    sample_pairs: Count
    extreme_pairs: Annotated[int, Field(ge=0)]


class Register(Section):
    """The limits that a model must keep before it becomes a version in the registry, and who follows whom."""

    required: bool
    # The registry refuses `/` and `:`; they would end the name in models:/<name>@<alias>.
    model: Annotated[str, Field(pattern=r"^[\w.-]+( [\w.-]+)*$")]
    max: dict[str, FiniteFloat]
    min: dict[str, FiniteFloat]
    min_of_ceiling: dict[str, Share]
    promote_by: Annotated[list[str], Field(min_length=1)]


class Verify(Section):
    """How far each score may move, up or down, when a commit is verified with `--tolerant`."""

    l1: Tolerance
    psnr: Tolerance
    ssim: Tolerance
    pixel_accuracy: Tolerance
    mean_iou: Tolerance


class Params(Section):
    """All of `params.yaml`."""

    download: Download
    split: Split
    validate_: Validate = Field(alias="validate")  # pydantic keeps the name `validate` for itself,
    compute: Compute
    segment: Segment
    train: Train
    generate: Generate
    evaluate: Evaluate
    report: Report
    register_: Register = Field(alias="register")  # and this one, of every abstract class
    verify: Verify = Field(exclude=True)  # of no stage: it changes no out, so it is recorded with none

    @model_validator(mode="after")
    def _frames_are_never_enlarged(self) -> Self:
        frames = self.download.cityscapes
        for side in ("height_px", "width_px"):
            reduced, wanted = getattr(frames, side), getattr(self.split, side)
            if self.download.dataset == "cityscapes" and reduced < wanted:
                raise ValueError(
                    f"download.cityscapes.{side}: {reduced} is less than split.{side}: {wanted}, frames would be "
                    "enlarged again; raise it"
                )
        return self

    @model_validator(mode="after")
    def _blank_labels_score_nothing(self) -> Self:
        if self.download.dataset == "cityscapes" and self.evaluate.split == "test":
            raise ValueError(
                "evaluate.split: test has blank labels in Cityscapes, nothing can be scored on it; use val"
            )
        return self

    @model_validator(mode="after")
    def _grey_has_no_colour_to_learn(self) -> Self:
        if self.download.dataset == "colorization" and self.split.target_mode == "grey":
            raise ValueError(
                "split.target_mode: grey leaves download.dataset: colorization nothing to learn, its inputs would be "
                "its targets; use rgb"
            )
        return self


def read_params(path: Path) -> Params:
    """Read and check all of `params.yaml`.

    Raises:
        UserError: as `read_yaml_text` and `parse_params`; or a path lies in an output of the pipeline or holds one.
    """
    params = parse_params(read_yaml_text(path), path.name)
    _refuse_outputs(params, path.parent)
    return params


def _refuse_outputs(params: Params, root: Path) -> None:
    """What a stage reads of the user's must not be what the pipeline makes: it would be removed and made again."""
    layout = Layout(root.resolve())
    for key, text in (("download.path", params.download.path), ("segment.path", params.segment.path)):
        path = (layout.root / text).resolve()
        for stage, outputs in layout.outputs.items():
            if met := next((one for one in outputs if path.is_relative_to(one) or one.is_relative_to(path)), None):
                place = "is" if path == met else "lies in" if path.is_relative_to(met) else "holds"
                raise UserError(
                    f"{key}: {text} {place} {met.relative_to(layout.root)}, which the stage `{stage}` makes; name a "
                    "folder apart from all that the pipeline makes, e.g. data/source or one outside of the repository"
                )


def read_yaml_text(path: Path) -> str:
    """Return the text of `params.yaml` or a profile; no line end is changed.

    Raises:
        UserError: the file is missing, or is not in UTF-8.
    """
    try:
        return path.read_bytes().decode()
    except FileNotFoundError as error:
        raise UserError(f"{path}: no such file; run in the project's root") from error
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise UserError(
            f"{path.name}: must be in UTF-8, which is what DVC reads, line {line} holds the byte "
            f"0x{error.object[error.start]:02x} in another encoding; save the file as UTF-8"
        ) from error


def load_yaml(text: str, name: str) -> Any:
    """Return the values of YAML 1.2, the dialect that DVC reads: `1e-4` is a number and `no` is a word.

    Raises:
        UserError: it is no YAML; `name`, line and column stand before the reason.
    """
    try:
        return YAML(typ="safe").load(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        reason = " ".join(filter(None, (error.context, error.problem)))
        raise UserError(f"{name}: no valid YAML: {place}{reason}; correct the line") from error
    except (YAMLError, ValueError, TypeError, AttributeError, RecursionError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{name}: no valid YAML: {reason}; correct the file") from error


def parse_params(text: str, name: str) -> Params:
    """Check the content of `params.yaml`; `name` stands in errors.

    Raises:
        UserError: it is no YAML or breaks the schema; every fault is listed with its key path.
    """
    values = load_yaml(text, name)
    if not isinstance(values, dict):
        met = "empty" if values is None else f"a {'list' if isinstance(values, list) else 'single value'}"
        raise UserError(f"{name}: the file must hold sections, `name:` each, it is {met}; get it back from git")
    try:
        return Params.model_validate(values)
    except ValidationError as error:
        raise UserError(f"{name} is not valid; nothing was run:\n{describe_faults(error)}") from error


def describe_faults(error: ValidationError) -> str:
    """A line a fault: key path, rule, and the value met."""
    return "\n".join(f"  {_describe(fault)}" for fault in error.errors())


def _describe(fault: dict) -> str:
    key = ".".join(str(part) for part in fault["loc"]) or "the file"
    if fault["type"] == "extra_forbidden":
        return f"{key}: unknown key; remove it or mend its name"
    if fault["type"] == "missing":
        return f"{key}: missing; add it"
    rule = fault["msg"].removeprefix("Value error, ").removeprefix("Input ")
    if fault["type"] == "string_type":
        rule += ", in quotes where it looks like something else"
    if isinstance(fault["input"], dict):  # a rule between keys names what it met
        return f"{key}: {rule}" if fault["loc"] else rule
    return f"{key}: {rule}; it is {fault['input']!r}"


def as_yaml(values: Mapping[str, Any], indent: int = 0) -> str:
    """Return nested settings as the block of YAML in which they stand in `params.yaml`.

    Args:
        values: sections of sections; a mapping three levels down is written on one line.
        indent: spaces before every line.
    """
    yaml = YAML()
    yaml.width = 1000
    stream = io.StringIO()
    yaml.dump(_laid_out(values, 0), stream)
    return textwrap.indent(stream.getvalue(), " " * indent).rstrip()


def _laid_out(value: Any, depth: int) -> Any:
    if isinstance(value, Mapping):
        mapping = CommentedMap((key, _laid_out(one, depth + 1)) for key, one in value.items())
        if depth > 2:
            mapping.fa.set_flow_style()
        return mapping
    # A pattern is read more easily between quotes even where YAML needs none.
    return SingleQuotedScalarString(value) if isinstance(value, str) and value.startswith("^") else value
