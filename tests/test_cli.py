"""The command line, in processes of its own."""

import subprocess
import sys
from pathlib import Path

import pytest

from pix2street.cli import main


def pix2street(*arguments, cwd):
    program = Path(sys.executable).with_name("pix2street")
    return subprocess.run([program, *arguments], cwd=cwd, capture_output=True, text=True, timeout=120)


def test_help_names_the_commands(tmp_path):
    done = pix2street("--help", cwd=tmp_path)
    assert done.returncode == 0
    assert "compare" in done.stdout


def test_a_command_is_needed(capsys):
    with pytest.raises(SystemExit):
        main([])
    assert "required: command" in capsys.readouterr().err


def test_a_folder_without_an_evaluation_is_one_clear_message(tmp_path):
    failed = pix2street("compare", ".", ".", cwd=tmp_path)
    assert failed.returncode == 1
    assert (
        failed.stderr
        == "pix2street compare: .: no metrics.json there; the run was not evaluated, run `dvc repro` there\n"
    )
    assert list(tmp_path.iterdir()) == []
