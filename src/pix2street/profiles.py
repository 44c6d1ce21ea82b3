"""Profiles: small files of overrides that are written into `params.yaml`, which stays the only source of values.

`profiles/base.yaml` is no profile: it holds a value for every key that any profile changes. Each profile is applied
over it, so that no value of an earlier choice remains. Keys that no profile names are never touched.
"""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from pydantic import Field, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import CommentMark
from ruamel.yaml.representer import RoundTripRepresenter
from ruamel.yaml.tokens import CommentToken

from pix2street.core.errors import UserError
from pix2street.core.files import write_text
from pix2street.core.yaml import load_yaml
from pix2street.params import describe_faults, describe_moved, parse_params, read_yaml_text
from pix2street.settings.section import Section

BASE = "base"
DEFAULT = "quick"
Size = Annotated[float, Field(gt=0)]
Words = Annotated[str, Field(min_length=1)]


class Needs(Section):
    """Time, memory and disk that one run of a profile takes, from an empty cache to the report.

    Attributes:
        memory_gib: main memory, without the GPU's.
        disk_gib: archives, every folder of the pipeline, DVC's copies of them, checkpoints.
        measured: whether time, memory and disk were measured; otherwise they are estimates.
    """

    machine: Words
    time_h: Size
    memory_gib: Size
    disk_gib: Size
    measured: bool


class Profile(Section):
    """One file of `profiles/`; `params` is nested as `params.yaml` is, and names what differs from the base.

    Attributes:
        better_than: the profiles of the same data set and machine whose photos were measured to be worse.
    """

    title: Words
    needs: Needs
    better_than: list[str] = Field(default_factory=list)
    params: dict[str, Any]


class Change(NamedTuple):
    """A key of `params.yaml` with its old and its new value, as they are written."""

    key: str
    old: str
    new: str


def profile_names(folder: Path) -> list[str]:
    """Return the names of the profiles in `folder`, the default first."""
    names = {path.stem for path in folder.glob("*.yaml")} - {BASE}
    return sorted(names, key=lambda name: (name != DEFAULT, name))


def read_profile(folder: Path, name: str) -> Profile:
    """Return the profile `<name>.yaml`.

    Raises:
        UserError: no profile has this name, it is not valid, or it names former keys.
    """
    names = profile_names(folder)
    if name not in names:
        known = f"choose one of {', '.join(names)}" if names else "run in the project's root"
        raise UserError(f"{folder.name}/: no profile is named {name!r}; {known}")
    path = folder / f"{name}.yaml"
    try:
        profile = Profile.model_validate(load_yaml(read_yaml_text(path), f"{folder.name}/{path.name}"))
    except ValidationError as error:
        raise UserError(f"{folder.name}/{path.name} is not a valid profile:\n{describe_faults(error)}") from error
    if moved := describe_moved(dict(_flat(profile.params))):
        raise UserError(f"{folder.name}/{path.name} is not a valid profile:\n{moved}")
    return profile


def values_of(folder: Path, name: str) -> dict[str, Any]:
    """Return what choosing a profile writes: dotted key of `params.yaml` -> value.

    Raises:
        UserError: as `read_profile`, or the base is no YAML, names former keys or lacks a key that the profile changes.
    """
    own, base = dict(_flat(read_profile(folder, name).params)), _base(folder)
    if missing := sorted(own.keys() - base.keys()):
        raise UserError(
            f"{folder.name}/{name}.yaml: changes {', '.join(missing)}, which {folder.name}/{BASE}.yaml does not hold: "
            "no other profile would set it back; add its value there"
        )
    return base | own


def _base(folder: Path) -> dict[str, Any]:
    path = folder / f"{BASE}.yaml"
    values = load_yaml(read_yaml_text(path), f"{folder.name}/{path.name}")
    base = dict(_flat(values)) if isinstance(values, dict) else {}
    if moved := describe_moved(base):
        raise UserError(f"{folder.name}/{path.name} is not valid:\n{moved}")
    return base


def changes_of(params: Path, folder: Path, name: str) -> list[Change]:
    """Return what choosing a profile would change in `params`; nothing if `params` has the profile's values already.

    Raises:
        UserError: as `values_of`; `params` is missing, is not YAML, or lacks a key that the profile sets.
    """
    return _changes(read_yaml_text(params), folder, name)


def use_profile(params: Path, folder: Path, name: str) -> list[Change]:
    """Write the profile's values into `params`, which keeps its comments, order, quotes and line ends.

    Returns:
        The changed keys; without any, the file is not written.

    Raises:
        UserError: as `changes_of`, or the result breaks the schema; `params` then stays as it was.
    """
    before = read_yaml_text(params)
    changes = _changes(before, folder, name)
    _write(params, before, changes, f"with profile {name}")
    return changes


def set_values(params: Path, values: dict[str, Any]) -> list[Change]:
    """Write the values of dotted keys into `params`, as `use_profile` does.

    Returns:
        The changed keys; without any, the file is not written.

    Raises:
        UserError: `params` is missing or is not YAML, or the result breaks the schema; `params` then stays as it was.
    """
    before = read_yaml_text(params)
    changes = _differing(_present(before), values)
    _write(params, before, changes, f"with {', '.join(values)}")
    return changes


def _write(params: Path, before: str, changes: list[Change], what: str) -> None:
    after = _replaced(before, changes)
    try:
        parse_params(after, params.name)
    except UserError as error:
        raise UserError(f"{what} {error}\n{params.name} stays as it was") from error
    if changes:
        write_text(params, after)


def as_table(params: Path, folder: Path) -> str:
    """Return a table of all profiles and what they take; a star marks the one whose values `params` has.

    If none has them, a last line names the nearest profile and the keys that differ.

    Raises:
        UserError: as `changes_of`, for any of them.
    """
    rows, distances = [("", "profile", "", "time", "memory", "disk", "", "machine")], {}
    for name in profile_names(folder):
        profile, distances[name] = read_profile(folder, name), changes_of(params, folder, name)
        mark = "" if distances[name] else "*"
        rows.append((mark, name, profile.title, *_sizes(profile.needs), profile.needs.machine))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
    nearest = min(distances, key=lambda name: len(distances[name]))
    if distances[nearest]:
        listed = ", ".join(f"{change.key}: {change.old} ({change.new})" for change in distances[nearest])
        lines += ["", f"{params.name} equals none of them; the nearest is {nearest}, except for {listed}"]
    return "\n".join(lines)


def better_in_the_same_time(params: Path, folder: Path) -> str:
    """Return a sentence on the profile whose photos are better in the time of the one that `params` has.

    Returns:
        The sentence without a full stop; empty if there is no such profile, or if `params` equals no profile.

    Raises:
        UserError: as `changes_of`, for any of them.
    """
    profiles = {name: read_profile(folder, name) for name in profile_names(folder)}
    present = next((name for name in profiles if not changes_of(params, folder, name)), None)
    if present is None:
        return ""
    limit_h = profiles[present].needs.time_h
    known = {name: one for name, one in profiles.items() if one.needs.time_h <= limit_h}
    better = {name: one for name, one in known.items() if present in one.better_than}
    # The best of them is the one that none of the others is better than.
    best = next((name for name in better if not any(name in other.better_than for other in better.values())), None)
    if best is None:
        return ""
    unit = "minutes" if limit_h < 1 else "hours"
    return f"`pix2street use {best}` makes better photos of the same data in the same {unit}"


def expectation(needs: Needs) -> str:
    """Return in words what a run takes."""
    time, memory, disk, basis = _sizes(needs)
    return f"expect {time}, {memory} of memory and {disk} of disk ({basis}) on {needs.machine}"


def _sizes(needs: Needs) -> tuple[str, str, str, str]:
    time = f"{needs.time_h * 60:.0f} min" if needs.time_h < 1 else f"{needs.time_h:g} h"
    basis = "measured" if needs.measured else "estimated"
    return time, f"{needs.memory_gib:g} GiB", f"{needs.disk_gib:g} GiB", basis


def _flat(values: dict[str, Any], section: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every value that is not a mapping, with its dotted key."""
    for key, value in values.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{section}{key}.")
        else:
            yield f"{section}{key}", value


def _changes(text: str, folder: Path, name: str) -> list[Change]:
    wanted, present = values_of(folder, name), _present(text)
    if unknown := [key for key in wanted if key not in present]:
        raise UserError(
            f"params.yaml: no value at {', '.join(unknown)}, which {folder.name}/{BASE}.yaml sets; fix the key's name "
            "there, or add it here"
        )
    return _differing(present, wanted)


def _present(text: str) -> dict[str, Any]:
    values = load_yaml(text, "params.yaml")
    present = dict(_flat(values)) if isinstance(values, dict) else {}
    if moved := describe_moved(present):
        raise UserError(f"params.yaml is not valid; nothing was written:\n{moved}")
    return present


def _differing(present: dict[str, Any], wanted: dict[str, Any]) -> list[Change]:
    written = [Change(key, _written(present[key]), _written(value)) for key, value in wanted.items()]
    return [change for change in written if change.old != change.new]


def _written(value: Any) -> str:
    """Return a value as YAML on one line."""
    yaml = YAML(typ="safe")
    yaml.default_flow_style, yaml.width = True, 1 << 20
    stream = io.StringIO()
    # The value is dumped within a list, because ruamel writes an end mark after a single scalar.
    yaml.dump([value], stream)
    return stream.getvalue().strip()[1:-1]


class _Representer(RoundTripRepresenter):
    """ruamel's representer of a round trip, which writes `null` and not an empty value."""


_Representer.add_representer(type(None), lambda self, _: self.represent_scalar("tag:yaml.org,2002:null", "null"))


def _replaced(text: str, changes: list[Change]) -> str:
    """Return `text` with the new values.

    Raises:
        UserError: other keys would change too.
    """
    yaml = YAML()
    yaml.Representer, yaml.preserve_quotes, yaml.width = _Representer, True, 1 << 20
    values = yaml.load(text.replace("\r\n", "\n"))
    wanted = dict(_flat(values)) | {change.key: YAML().load(change.new) for change in changes}
    for change in changes:
        section, (*above, key) = values, change.key.split(".")
        for name in above:
            section = section[name]
        _move_comments(section, key, len(change.new))
        section[key] = None  # ruamel would write the new value in the old one's quotes
        section[key] = wanted[change.key]
    if dict(_flat(values)) != wanted:
        keys = ", ".join(change.key for change in changes)
        raise UserError(f"params.yaml: {keys} share their section with other keys (`*name`); write it out for each")
    stream = io.StringIO()
    yaml.dump(values, stream)
    return stream.getvalue().replace("\n", "\r\n" if "\r\n" in text else "\n")


def _move_comments(section: CommentedMap, key: str, width: int) -> None:
    """Move the comments behind and within the value of `key` to two spaces behind a new value of `width` characters."""
    old, (*before, behind, below) = section[key], section.ca.items.get(key, [None] * 4)
    parts = [behind, below]
    if isinstance(old, CommentedSeq):
        parts += [part for index in sorted(old.ca.items) for part in old.ca.items[index]]
    tokens = [token for part in parts for token in (part if isinstance(part, list) else [part]) if token]
    if tokens:
        mark = CommentMark(section.lc.key(key)[1] + len(f"{key}: ") + width + 2)
        text = "".join(token.value for token in tokens)
        section.ca.items[key] = [*before, CommentToken(text, mark), None]
