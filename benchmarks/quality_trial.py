"""The rows that `benchmarks/quality.py` compares, and the trial that all of them share.

A row is a set of changes of `params.yaml`, or the command of another trainer. This module loads nothing that computes.
"""

import json
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pix2street.core.errors import UserError
from pix2street.core.files import read_json
from pix2street.core.yaml import as_yaml, load_yaml
from pix2street.params import parse_params, read_yaml_text

SECTIONS = (["train"], ["generate"], ["compute"])
"""The sections that a row may change; the others make the data and the judge, which all rows share."""
SET_BY_THE_TIME = ("train.run.epochs", "train.run.seed", "train.run.keep")
PARTS = 40
"""The number of equal parts of a training's time."""
NEEDED = ("{split}", "{seconds}", "{photos}")
"""What a command must name; it may also name `{subset}`, `{seed}` and `{clock}`."""


@dataclass(frozen=True)
class Row:
    """A configuration to train: the dotted keys of `params.yaml` that it changes, with their values."""

    name: str
    changes: Mapping[str, Any]

    @property
    def words(self) -> list[str]:
        """The words of the command line that name this row."""
        changes = [
            f"{key}={value if isinstance(value, str) else json.dumps(value)}" for key, value in self.changes.items()
        ]
        return ["--row", f"{self.name}: {' '.join(changes)}".rstrip()]

    def params(self, path: Path) -> str:
        """Return the text of `params.yaml` at `path` with this row's changes.

        Raises:
            UserError: a key is unknown or no row's to change, or the result breaks the schema.
        """
        values = load_yaml(read_yaml_text(path), path.name)
        for key, value in self.changes.items():
            *sections, last = key.split(".")
            section = values
            for part in sections:
                section = section.get(part) if isinstance(section, dict) else None
            if not isinstance(section, dict) or last not in section:
                raise UserError(f"row {self.name}: {path.name} has no key {key}; fix its name")
            if sections[:1] not in SECTIONS or key in SET_BY_THE_TIME:
                raise UserError(
                    f"row {self.name}: must change keys of train, generate or compute, and not "
                    f"{', '.join(SET_BY_THE_TIME)}, which follow from the time and --seeds; it changes {key}"
                )
            section[last] = value
        text = as_yaml(values)
        parse_params(text, f"row {self.name}")
        return text


@dataclass(frozen=True)
class Command:
    """A trainer from outside of this project.

    Args:
        template: its command line, with `{split}` for the split folder, `{seconds}` for the time that it has, and
            `{photos}` for the folder that gets a photo `<pair_id>.png` for each pair of the subset.
    """

    name: str
    template: str

    @property
    def words(self) -> list[str]:
        """The words of the command line that name this row."""
        return ["--command", f"{self.name}: {self.template}"]

    def filled(self, values: Mapping[str, Any]) -> list[str]:
        """Return the words to run, with these values for the names in braces."""
        words = shlex.split(self.template)
        for name, value in values.items():
            words = [word.replace(f"{{{name}}}", str(value)) for word in words]
        return words


def _name_of(text: str) -> str:
    name = text.strip()
    if not re.fullmatch(r"\w[\w ,+-]*", name):
        raise UserError(f"row {name!r}: a name must have letters, digits, spaces and `_,+-` only; choose another")
    return name


def parse_row(text: str) -> Row:
    """Return the row that `NAME: KEY=VALUE KEY=VALUE ...` describes; without keys it is `params.yaml` itself.

    Raises:
        UserError: the name or a change cannot be read.
    """
    name, _, rest = text.partition(":")
    changes = {}
    for word in shlex.split(rest):
        key, sign, value = word.partition("=")
        if not sign:
            raise UserError(f"row {name}: a change must be KEY=VALUE, but is {word}; write e.g. train.run.batch=4")
        changes[key] = load_yaml(value, f"row {name}, {key}")
    return Row(_name_of(name), changes)


def parse_command(text: str) -> Command:
    """Return the command that `NAME: COMMAND` describes.

    Raises:
        UserError: the name cannot be used, or the command does not name all of `NEEDED`.
    """
    name, _, template = text.partition(":")
    if missing := [word for word in NEEDED if word not in template]:
        raise UserError(
            f"command {name}: must name {', '.join(NEEDED)}, but lacks {', '.join(missing)}; write e.g. "
            "'mine: python my_trainer.py {split} {seconds} {photos}'"
        )
    return Command(_name_of(name), template.strip())


def read_rows(path: Path) -> list[Row]:
    """Return the rows of a YAML file, which holds a mapping of dotted keys to values for every name.

    Raises:
        UserError: the file is no such mapping.
    """
    values = load_yaml(read_yaml_text(path), path.name)
    if not isinstance(values, dict) or not all(isinstance(changes, dict) for changes in values.values()):
        raise UserError(
            f"{path}: must hold `name: {{key: value}}` for every row; benchmarks/quality.yaml is an example"
        )
    return [Row(_name_of(str(name)), changes) for name, changes in values.items()]


@dataclass(frozen=True)
class Trial:
    """What all trainings of a comparison share.

    Args:
        split, params: the split folder, and the file that the rows change, as the user wrote them.
        clock: "cpu" or "wall", the measure of `budget_s`.
        shares: the moments whose photos are scored, as shares of `budget_s`.
        steps: the steps of each part of a training, or one number, those of all `PARTS` parts; empty for as many as
            the time allows.
    """

    split: str
    subset: str
    params: str
    clock: str
    budget_s: float
    shares: list[float]
    steps: list[int]

    def command(self, row: Sequence[str], seeds: Sequence[int], *more: str) -> str:
        """Return the command that trains and scores one row alone, given the words that name it, and further words."""
        words = ["python", "benchmarks/quality.py", *row, f"--{self.clock}-seconds", f"{self.budget_s:g}"]
        words += ["--at", *(f"{share:g}" for share in self.shares), "--seeds", *map(str, seeds)]
        words += ["--steps", *map(str, self.steps)] if self.steps else []
        words += ["--split", self.split, "--subset", self.subset, "--params", self.params, *more]
        return shlex.join(words)


def parts_until(shares: Sequence[float]) -> list[int]:
    """Return the number of parts of a training until each share of its time."""
    return [round(share * PARTS) for share in shares]


@dataclass(frozen=True)
class Folder:
    """The photos and records of trainings: `photos/<set>/<subset>/<pair_id>.png` and `records/<training>.json`."""

    root: Path

    def photos(self, training: str, share: float, subset: str) -> Path:
        """Return the folder of the photos that a training makes after a share of the time."""
        return self.root / "photos" / set_name(training, share) / subset

    def record(self, training: str) -> Path:
        """Return the file that says how a training went."""
        return self.root / "records" / f"{training}.json"

    def records(self) -> list[dict]:
        """Return the records of all trainings, in the order of their names."""
        return [read_json(path, dict) for path in sorted((self.root / "records").glob("*.json"))]


def training_name(row: str, seed: int) -> str:
    """Return the name of a row's training."""
    return f"{row}.seed{seed}"


def set_name(training: str, share: float) -> str:
    """Return the name of the set of photos of a training after a share of the time, in per mille."""
    return f"{training}.{round(1000 * share):04d}"
