"""Profiles: small files of overrides that are written into `params.yaml`, which stays the only truth.

`profiles/quick.yaml` is the default and holds a value for every key that any other profile changes. Each profile is
applied over it, so that choosing one leaves nothing of another behind; keys that no profile names are never touched.
"""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from pydantic import Field, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import MappingNode, Node, SequenceNode

from pix2street.core.errors import UserError
from pix2street.core.files import write_text
from pix2street.core.yaml import load_yaml
from pix2street.params import describe_faults, parse_params, read_yaml_text
from pix2street.settings.section import Section

BASE = "quick"
Size = Annotated[float, Field(gt=0)]
Words = Annotated[str, Field(min_length=1)]


class Needs(Section):
    """What one run of a profile takes from an empty cache to the report.

    Attributes:
        memory_gib: of the machine, beside the GPU's own.
        disk_gib: archives, every folder of the pipeline, DVC's copies of them, checkpoints.
        measured: whether time, memory and disk were; estimates otherwise.
    """

    machine: Words
    time_h: Size
    memory_gib: Size
    disk_gib: Size
    measured: bool


class Profile(Section):
    """One file of `profiles/`; `params` is nested as `params.yaml` is."""

    title: Words
    needs: Needs
    params: dict[str, Any]


class Change(NamedTuple):
    """A key of `params.yaml`, and what was and is written there."""

    key: str
    old: str
    new: str


def profile_names(folder: Path) -> list[str]:
    """The profiles in `folder`, the default first."""
    return sorted((path.stem for path in folder.glob("*.yaml")), key=lambda name: (name != BASE, name))


def read_profile(folder: Path, name: str) -> Profile:
    """The profile `<name>.yaml`.

    Raises:
        UserError: there is none of this name, or it is no valid profile.
    """
    names = profile_names(folder)
    if name not in names:
        there = f"there are {', '.join(names)}" if names else "run in the project's root"
        raise UserError(f"{folder.name}/: no profile {name!r}; {there}")
    path = folder / f"{name}.yaml"
    try:
        return Profile.model_validate(load_yaml(read_yaml_text(path), f"{folder.name}/{path.name}"))
    except ValidationError as error:
        raise UserError(f"{folder.name}/{path.name} is no valid profile:\n{describe_faults(error)}") from error


def values_of(folder: Path, name: str) -> dict[str, Any]:
    """What choosing a profile writes: dotted key of `params.yaml` -> value.

    Raises:
        UserError: as `read_profile`, or the default lacks a key that the profile changes.
    """
    base = dict(_flat(read_profile(folder, BASE).params))
    own = dict(_flat(read_profile(folder, name).params))
    if missing := sorted(own.keys() - base.keys()):
        raise UserError(
            f"{folder.name}/{name}.yaml: changes {', '.join(missing)}, which {folder.name}/{BASE}.yaml does not hold: "
            "no other profile would set it back; add its default there"
        )
    return base | own


def changes_of(params: Path, folder: Path, name: str) -> list[Change]:
    """What choosing a profile would change in `params`; empty where `params` is that profile.

    Raises:
        UserError: as `values_of`; `params` is missing, no YAML, or lacks a key that the profile sets.
    """
    return _changes(read_yaml_text(params), folder, name)


def use_profile(params: Path, folder: Path, name: str) -> list[Change]:
    """Write the profile's values into `params`, where nothing else changes: no comment, no order, no spacing.

    Returns:
        The keys whose values were others.

    Raises:
        UserError: as `changes_of`, or the result breaks the schema; `params` is then as it was.
    """
    before = read_yaml_text(params)
    changes = _changes(before, folder, name)
    after = _replaced(before, changes)
    try:
        parse_params(after, params.name)
    except UserError as error:
        raise UserError(f"with profile {name} {error}\n{params.name} stays as it was") from error
    if changes:
        write_text(params, after)
    return changes


def as_table(params: Path, folder: Path) -> str:
    """All profiles with what they take; a star before the one that `params` is, else what stands nearest to it.

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
        lines += ["", f"{params.name} is none of them as it is; nearest is {nearest}, but for {listed}"]
    return "\n".join(lines)


def expectation(needs: Needs) -> str:
    """What a run takes, in words."""
    time, memory, disk, basis = _sizes(needs)
    return f"expect {time}, {memory} of memory and {disk} of disk ({basis}) on {needs.machine}"


def _sizes(needs: Needs) -> tuple[str, str, str, str]:
    time = f"{needs.time_h * 60:.0f} min" if needs.time_h < 1 else f"{needs.time_h:g} h"
    basis = "measured" if needs.measured else "estimated"
    return time, f"{needs.memory_gib:g} GiB", f"{needs.disk_gib:g} GiB", basis


def _load(text: str) -> Any:
    return YAML(typ="safe").load(text)


def _flat(values: Any, section: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted keys and values; a value is whatever is no mapping."""
    for key, value in values.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{section}{key}.")
        else:
            yield f"{section}{key}", value


def _changes(text: str, folder: Path, name: str) -> list[Change]:
    wanted = values_of(folder, name)
    values = load_yaml(text, "params.yaml")
    there = dict(_flat(values)) if isinstance(values, dict) else {}
    if unknown := [key for key in wanted if key not in there]:
        raise UserError(
            f"params.yaml: no value at {', '.join(unknown)}, which {folder.name}/{BASE}.yaml sets; mend the key's name "
            "there, or add it here"
        )
    written = [Change(key, _written(there[key]), _written(value)) for key, value in wanted.items()]
    return [change for change in written if change.old != change.new]


def _written(value: Any) -> str:
    """A value as it stands behind its key, on one line."""
    yaml = YAML(typ="safe")
    yaml.default_flow_style, yaml.width = True, 1 << 20
    stream = io.StringIO()
    # In a list of one: a scalar alone would end with a document's end mark.
    yaml.dump([value], stream)
    return stream.getvalue().strip()[1:-1]


def _replaced(text: str, changes: list[Change]) -> str:
    """`text` with other values behind these keys and every other character as it was.

    A round trip through ruamel would move the comment behind each value that grows, and not back when it shrinks.

    Raises:
        UserError: a value stands where it cannot be replaced alone (an alias, a block of text).
    """
    places = dict(_places(text, YAML().compose(text)))
    new = {change.key: change.new for change in changes}
    after = text
    # From the end, so that places before stay where they are.
    for key in sorted(new.keys() & places.keys(), key=places.get, reverse=True):
        begin, end, comment = places[key]
        after = f"{after[:begin]} {new[key]}{comment}{after[end:]}"
    wanted = dict(_flat(_load(text))) | {key: _load(value) for key, value in new.items()}
    try:
        right = dict(_flat(_load(after))) == wanted
    except (YAMLError, AttributeError):
        right = False
    if not right:
        keys = ", ".join(change.key for change in changes)
        raise UserError(f"params.yaml: {keys} cannot be changed where they stand; write plain values behind their keys")
    return after


class _Place(NamedTuple):
    """Where a value begins, right behind its key's colon, and ends; and a comment in between, which stays."""

    begin: int
    end: int
    comment: str


def _places(text: str, mapping: MappingNode, section: str = "") -> Iterator[tuple[str, _Place]]:
    """Dotted key -> where its value stands."""
    for key, value in mapping.value:
        if isinstance(value, MappingNode):
            yield from _places(text, value, f"{section}{key.value}.")
        else:
            begin = text.index(":", key.end_mark.index) + 1
            end = max(begin, _end(value))
            # As DVC writes a list: `key:  # comment`, then a line an item.
            behind_key = text[begin:end].splitlines()[0].strip() if end > begin else ""
            yield f"{section}{key.value}", _Place(begin, end, f"  {behind_key}" if behind_key[:1] == "#" else "")


def _end(node: Node) -> int:
    """Where a value's last character stands; comments and empty lines behind it are none of it."""
    if isinstance(node, SequenceNode) and not node.flow_style and node.value:
        return _end(node.value[-1])
    # An empty value is marked where the next thing begins.
    return node.end_mark.index if node.start_mark.index < node.end_mark.index else 0
