"""The content of `params.yaml`, checked.

An unknown, missing, mistyped or out-of-range key is an error that names its path, the rule and the value met.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, ValidationError, create_model, model_validator

from pix2street.core.errors import UserError
from pix2street.core.yaml import load_yaml
from pix2street.layout import Layout
from pix2street.models import MODELS, open_family
from pix2street.settings.compute import Compute
from pix2street.settings.download import Download
from pix2street.settings.evaluate import Evaluate
from pix2street.settings.generate import Generate
from pix2street.settings.register import Register
from pix2street.settings.report import Report
from pix2street.settings.section import Section
from pix2street.settings.segment import Segment
from pix2street.settings.split import Split
from pix2street.settings.train import MOVED, Train
from pix2street.settings.validate import Validate
from pix2street.settings.verify import Verify

FamilyTrain = create_model(
    "FamilyTrain",
    __base__=Train,
    __doc__="The section `train` with the section of every family.",
    model=(Literal[tuple(MODELS)], ...),
    **{name: (open_family(name).Settings, ...) for name in MODELS},
)


class Params(Section):
    """The content of `params.yaml`."""

    download: Download
    split: Split
    validate_: Validate = Field(alias="validate")  # pydantic keeps this name for itself
    compute: Compute
    segment: Segment
    train: FamilyTrain
    generate: Generate
    evaluate: Evaluate
    report: Report
    register_: Register = Field(alias="register")  # every abstract class has a method of this name
    verify: Verify = Field(exclude=True)  # no stage reads it, so no run records it

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
        if self.download.dataset == "cityscapes" and self.evaluate.subset == "test":
            raise ValueError(
                "evaluate.subset: test has blank labels in Cityscapes, nothing can be scored on it; use val"
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
    """Return the checked content of `params.yaml`.

    Raises:
        UserError: as `read_yaml_text` and `parse_params`; or the path of a source is, holds or lies in an output.
    """
    params = parse_params(read_yaml_text(path), path.name)
    _refuse_outputs(params, path.parent)
    return params


def _refuse_outputs(params: Params, root: Path) -> None:
    """Raise UserError if a stage would read the user's files from an output, which is removed when it is made again."""
    layout = Layout(root.resolve())
    for key, text in (("download.path", params.download.path), ("segment.path", params.segment.path)):
        path = (layout.root / text).resolve()
        for stage, outputs in layout.outputs.items():
            if met := next((one for one in outputs if path.is_relative_to(one) or one.is_relative_to(path)), None):
                relation = "is" if path == met else "lies in" if path.is_relative_to(met) else "holds"
                raise UserError(
                    f"{key}: {text} {relation} {met.relative_to(layout.root)}, which the stage `{stage}` makes; name a "
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


def parse_params(text: str, name: str) -> Params:
    """Return the checked content of `params.yaml`; errors call the file `name`.

    Raises:
        UserError: it is not YAML or breaks the schema; every fault is listed with its key path.
    """
    values = load_yaml(text, name)
    if not isinstance(values, dict):
        met = "empty" if values is None else f"a {'list' if isinstance(values, list) else 'single value'}"
        raise UserError(
            f"{name}: the file must hold sections, each with its `name:`, but is {met}; restore it from git"
        )
    try:
        return Params.model_validate(values)
    except ValidationError as error:
        raise UserError(f"{name} is not valid; nothing was run:\n{describe_faults(error)}") from error


def describe_faults(error: ValidationError) -> str:
    """Return a line for every fault: key path, rule, and the value met. Former keys come first."""
    faults = [(".".join(map(str, fault["loc"])) or "the file", fault) for fault in error.errors()]
    moved = [key for key, fault in faults if key in MOVED and fault["type"] in ("extra_forbidden", "model_type")]
    # A key or section is not missing where a former key holds its value.
    filled = [f"{new}." for key in moved for new in MOVED[key].split(" and ")]
    lines = [
        f"  {_describe(key, fault)}"
        for key, fault in faults
        if key not in moved and not (fault["type"] == "missing" and any(new.startswith(f"{key}.") for new in filled))
    ]
    return "\n".join(filter(None, [describe_moved(moved), *lines]))


def describe_moved(keys: Iterable[str]) -> str:
    """Return a line for each of the dotted `keys` that is a former key: what it is now; empty where none is."""
    moved = [key for key in keys if key in MOVED]
    if len(moved) == 1:
        return f"  {moved[0]}: it is {MOVED[moved[0]]} now; move its value there"
    head = ["  these keys have moved; move each value to its new key"] if moved else []
    return "\n".join(head + [f"  {key} -> {MOVED[key]}" for key in moved])


def _describe(key: str, fault: dict) -> str:
    match fault["type"]:
        case "extra_forbidden":
            return f"{key}: unknown key; remove it or fix its name"
        case "missing":
            return f"{key}: missing; add it"
        case "model_type":
            return f"{key}: must be a section, `name: value` in each line; it is {fault['input']!r}"
    rule = fault["msg"].removeprefix("Value error, ").removeprefix("Input ")
    if fault["type"] == "string_type":
        rule += ", in quotes where it looks like something else"
    if isinstance(fault["input"], dict):  # a rule between keys names what it met
        return f"{key}: {rule}" if fault["loc"] else rule
    return f"{key}: {rule}; it is {fault['input']!r}"
