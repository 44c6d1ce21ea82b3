"""The parser of its program accepts every command in README, CONTRIBUTING and docs.

Sentences may leave out required arguments.
"""

import argparse
import contextlib
import importlib.util
import io
import re
import shlex
import shutil
import subprocess
import tempfile
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import click
import mlflow.cli
import pytest
from dvc.cli.parser import DvcParser, get_main_parser
from dvc.exceptions import DvcException
from dvc.utils.hydra import apply_overrides, get_hydra_sweeps
from pages import ROOT, commands_in, of_pages
from ruamel.yaml import YAML

from pix2street.cli import RUN
from pix2street.commands.arguments import build_parser
from pix2street.core.errors import UserError
from pix2street.params import parse_params
from pix2street.profiles import profile_names

MAKEFILE = (ROOT / "Makefile").read_text()
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]


def fault_of(command: str) -> str | None:
    """Return why a line of commands cannot be typed, or None."""
    text = re.sub(r"\[(--[^\]]*)\]", r"\1", command)
    lexer = shlex.shlex(text, posix=True, punctuation_chars="|&>")
    lexer.whitespace_split = True
    part: list[str] = []
    for word in [*lexer, "&&"]:
        if word not in ("&&", "|", ">"):
            part += [] if not part and re.match(r"[A-Z_]+=", word) else [word]
            continue
        program, *words = part or ["true"]
        if fault := PROGRAMS.get(program, _unknown)(words):
            return f"{command}: {fault}"
        part = [] if word != ">" else ["to_file"]
    return None


def _unknown(words: list[str]) -> str:
    return "no such program is known to the tests"


def _system(words: list[str]) -> None:
    return None


def _parsed(parse: Callable[[list[str]], Any], words: list[str]) -> tuple[Any, str | None]:
    """Return the parsed arguments and None, or None and argparse's complaint; a missing argument is no complaint."""
    said = io.StringIO()
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
        try:
            return parse(words), None
        except (SystemExit, DvcException) as error:
            reason = said.getvalue().strip().splitlines()[-1:] or [str(error)]
    return None, None if re.search(r"are required|expected .* argument", reason[0]) else reason[0]


def options_of(parser: argparse.ArgumentParser, words: list[str]) -> tuple[set[str], list[str]]:
    """Return the options that the innermost command knows, and the words behind its name."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction) and words and words[0] in action.choices:
            return options_of(action.choices[words[0]], words[1:])
    return set(parser._option_string_actions), words


def _unknown_option(parser: argparse.ArgumentParser, words: list[str]) -> str | None:
    known, rest = options_of(parser, words)
    unknown = [word for word in rest if word.startswith("-") and word.split("=")[0] not in known]
    return f"no option {unknown[0]}" if unknown else None


def _pix2street(words: list[str]) -> str | None:
    _, fault = _parsed(build_parser(None).parse_args, words)
    if words[0] == "use" and words[1] not in profile_names(ROOT / "profiles"):
        fault = f"no profile {words[1]}"
    return fault or _unknown_option(build_parser(None), words)


def _dvc(words: list[str]) -> str | None:
    options, fault = _parsed(dvc_arguments, words)
    fault = fault or _unknown_option(get_main_parser(), words)
    stages = YAML(typ="safe").load((ROOT / "dvc.yaml").read_text())["stages"]
    if words[0] == "repro" and options and (strange := set(options.targets) - set(stages)):
        fault = f"no stage {strange}"
    changes = getattr(options, "set_param", [])
    try:
        for combination in get_hydra_sweeps({"params.yaml": changes}) if changes else []:
            with_overrides(combination["params.yaml"])
    except (DvcException, UserError) as error:
        fault = f"{error}: {error.__cause__}"
    return fault


def dvc_arguments(words: list[str]) -> argparse.Namespace:
    """Return the arguments that DVC parses, or raise its complaint, which DVC itself only logs."""

    def refuse(parser: DvcParser, message: str, cmd_cls: Any = None) -> None:
        raise DvcException(message)

    with mock.patch.object(DvcParser, "error", refuse):
        return get_main_parser().parse_args(words)


def with_overrides(changes: list[str]) -> None:
    """Raise the complaint of DVC or the schema about `dvc exp run -S`."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(shutil.copy(ROOT / "params.yaml", folder))
        apply_overrides(copy, changes)
        parse_params(copy.read_text(), "params.yaml")


def _mlflow(words: list[str]) -> str | None:
    command: click.Command = mlflow.cli.cli
    while isinstance(command, click.Group):
        name, *words = words
        if name not in command.commands:
            return f"no command {name}"
        command = command.commands[name]
    try:
        command.make_context(command.name, list(words))
    except click.MissingParameter:
        return None
    except click.ClickException as error:
        return error.format_message()


def _make(words: list[str]) -> str | None:
    target, *variables = words
    if not re.search(rf"^{target}:", MAKEFILE, re.M):
        return f"no target {target}"
    recipe = re.search(rf"^{target}:.*\n((?:\t.*\n)*)", MAKEFILE, re.M)[1]
    return next((f"{target} ignores {word}" for word in variables if f"$({word.split('=')[0]})" not in recipe), None)


def _pip(words: list[str]) -> str | None:
    if words[:2] == ["install", "-e"]:
        (extra,) = re.findall(r"\[(.*)\]", words[2])
        return None if extra in EXTRAS else f"no extra {extra}"
    return None if words[0] == "install" and re.fullmatch(r"dvc-\w+", words[1]) else "no such package is known"


def _python(words: list[str]) -> str | None:
    if words[0] == "-m":
        return None if importlib.util.find_spec(words[1]) else f"no module {words[1]}"
    if words[0] == "-c":
        compile(words[1], "-c", "exec")
        return None
    if not (ROOT / words[0]).is_file():
        return f"no file {words[0]}"
    source = (ROOT / words[0]).read_text()
    return next((f"no option {word}" for word in words if word.startswith("--") and f'"{word}"' not in source), None)


def _git(words: list[str]) -> str | None:
    listed = subprocess.run(["git", "--list-cmds=main"], capture_output=True, text=True, check=True).stdout.split()
    return None if words[0] in listed else f"no command {words[0]}"


def _export(words: list[str]) -> str | None:
    paths = [*(ROOT / "src").rglob("*.py"), ROOT / "Makefile", ROOT / "docker/compose.yaml"]
    for name in (word.split("=")[0] for word in words):
        if not any(name in path.read_text() for path in paths):
            return f"nothing reads {name}"
    return None


def _docker(words: list[str]) -> str | None:
    """Return what is wrong with `docker compose --file FILE COMMAND [--rm] [SERVICE] [COMMAND OF THE CONTAINER]`."""
    file, command, *rest = words[2:]
    if words[:2] != ["compose", "--file"] or command not in ("build", "run", "down"):
        return f"no such command of Compose is known: {command}"
    service, *inside = [word for word in rest if word != "--rm"] or [None]
    if service and service not in YAML(typ="safe").load((ROOT / file).read_text())["services"]:
        return f"no service {service}"
    return fault_of(shlex.join(inside)) if inside else None


PROGRAMS: dict[str, Callable[[list[str]], str | None]] = {
    "pix2street": _pix2street,
    "dvc": _dvc,
    "mlflow": _mlflow,
    "make": _make,
    "pip": _pip,
    "python": _python,
    "python3": _python,
    "git": _git,
    "export": _export,
    "docker": _docker,
    **dict.fromkeys(("source", "printf", "curl", "cp", "sudo", "to_file", "true"), _system),
}


@of_pages
def test_every_command_can_be_typed(path):
    assert [f"{line}: {fault}" for line, command in commands_in(path.read_text()) if (fault := fault_of(command))] == []


@pytest.mark.parametrize(
    ("command", "fault"),
    [
        ("pix2street fly", "invalid choice: 'fly'"),
        ("pix2street predict --high", "no option --high"),
        ("pix2street predict a --out b --seed -1", "--seed: must be a whole number"),
        ("pix2street use paper", "no profile paper"),
        ("dvc fly", "invalid choice: 'fly'"),
        ("dvc repro fly", "no stage {'fly'}"),
        ("dvc exp run --fly", "unrecognized arguments: --fly"),
        ("dvc exp run -S train.l1_weight=1,2", "Could not override 'train.l1_weight'"),
        ("dvc exp run --queue -S train.run.epochs=1,0", "train.run.epochs: should be greater than or equal to 1"),
        ("A=1 mlflow models fly", "no command fly"),
        ("mlflow models serve -m a --fly", "No such option"),
        ("make fly", "no target fly"),
        ("make repro OPTIONS=-f", "repro ignores OPTIONS=-f"),
        ("pip install -e '.[fly]'", "no extra fly"),
        ("python benchmarks/fly.py", "no file benchmarks/fly.py"),
        ("python benchmarks/borders.py FOLDER --fly", "no option --fly"),
        ("git fly && dvc pull", "no command fly"),
        ("export FLY=1", "nothing reads FLY"),
        ("docker compose --file docker/compose.yaml run --rm fly", "no service fly"),
        ("docker compose --file docker/compose.yaml run --rm pix2street dvc fly", "invalid choice: 'fly'"),
        ("printf a | fly > photo.png", "no such program"),
    ],
)
def test_a_command_that_cannot_be_typed_is_found(command, fault):
    assert fault in str(fault_of(command))


@pytest.mark.parametrize("command", RUN)
def test_every_command_has_help(command, capsys):
    with pytest.raises(SystemExit) as ended:
        build_parser(None).parse_args([command, "--help"])
    assert ended.value.code == 0
    assert f"usage: pix2street {command} " in capsys.readouterr().out
