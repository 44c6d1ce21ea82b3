"""The command line: its commands, options, messages and exit codes."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pix2street.cli import RUN, main
from pix2street.commands.arguments import build_parser

ROOT = Path(__file__).parents[1]


def pix2street(*arguments, cwd):
    program = Path(sys.executable).with_name("pix2street")
    return subprocess.run([program, *arguments], cwd=cwd, capture_output=True, text=True, timeout=3600)


def parse(arguments: list[str]):
    return build_parser(None).parse_args(arguments)


def test_help_names_the_commands(tmp_path):
    done = pix2street("--help", cwd=tmp_path)
    assert done.returncode == 0
    (listed,) = re.findall(r"\{(.*)\}", done.stdout.split("\n\n")[0])
    assert listed.split(",") == list(RUN)


def test_a_command_is_needed(capsys):
    with pytest.raises(SystemExit):
        main([])
    assert "required: command" in capsys.readouterr().err


def test_a_folder_without_an_evaluation_is_one_clear_message(tmp_path):
    failed = pix2street("compare", ".", ".", cwd=tmp_path)
    assert failed.returncode == 1
    assert (
        failed.stderr
        == "pix2street compare: .: the run must be evaluated, its metrics.json is missing; run `dvc repro` there\n"
    )
    assert list(tmp_path.iterdir()) == []


def test_profiles_are_listed_and_chosen(tmp_path):
    shutil.copytree(ROOT / "profiles", tmp_path / "profiles")
    shutil.copy(ROOT / "params.yaml", tmp_path)
    listed = pix2street("profiles", cwd=tmp_path)
    assert listed.returncode == 0
    assert "*  quick " in listed.stdout
    better = pix2street("profiles", "--better", cwd=tmp_path)
    assert re.fullmatch(
        "`pix2street use [a-z_]+` makes better photos of the same data in the same minutes\n", better.stdout
    )
    chosen = pix2street("use", "cityscapes", cwd=tmp_path)
    assert chosen.returncode == 0
    assert "train.run.epochs: 8 -> 200\n" in chosen.stdout
    assert "params.yaml is now cityscapes: " in chosen.stdout
    assert "expect 5 h, " in chosen.stdout
    assert "params.yaml already was cityscapes" in pix2street("use", "cityscapes", cwd=tmp_path).stdout
    assert pix2street("profiles", "--better", cwd=tmp_path).stdout == ""
    refused = pix2street("use", "paper", cwd=tmp_path)
    assert refused.returncode == 1
    assert refused.stderr.startswith("pix2street use: profiles/: no profile is named 'paper'; choose one of quick, ")
    assert refused.stderr.count("\n") == 1


def test_profiles_outside_of_a_project_are_one_clear_message(tmp_path):
    failed = pix2street("use", "quick", cwd=tmp_path)
    assert failed.stderr == f"pix2street use: {tmp_path}/params.yaml: no such file; run in the project's root\n"


def test_a_tilde_is_the_home_folder_in_every_path(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    options = parse(["predict", "~/a", "b", "--out", "~/out", "--model", "~/model"])
    assert options.inputs == [f"{tmp_path}/a", "b"]
    assert (options.out, options.model) == (tmp_path / "out", f"{tmp_path}/model")
    assert parse(["compare", "~", ".", "--page=~/p"]).page == tmp_path / "p"
    assert parse(["compare", "~", "."]).run_a == str(tmp_path)
    assert parse(["export", "--data=~/d"]).data == tmp_path / "d"


def test_a_model_from_the_registry_keeps_its_name():
    assert parse(["export", "--model", "models:/a@b"]).model == "models:/a@b"
