"""The frame of every script: libraries are quiet, errors are clear."""

import importlib
import logging
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pix2street import stage
from pix2street.stage import load_quietly, with_clear_errors

ROOT = Path(__file__).parents[1]

CHATTY = """
import logging, os
os.write(2, b"compiled code says hello")
logging.getLogger(__name__).setLevel(logging.WARNING)
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    for name in ("chatty", "broken", "unasked"):
        sys.modules.pop(name, None)


def test_a_library_is_loaded_without_a_word_and_warns_of_nothing(folder, capfd):
    (folder / "chatty.py").write_text(CHATTY)
    load_quietly("chatty")
    assert capfd.readouterr() == ("", "")
    logger = logging.getLogger("chatty")
    assert not logger.isEnabledFor(logging.WARNING)
    assert logger.isEnabledFor(logging.ERROR)


def test_what_a_library_said_is_shown_where_it_fails(folder, capfd):
    (folder / "broken.py").write_text(CHATTY + "1 / 0")
    with pytest.raises(ZeroDivisionError):
        load_quietly("broken")
    assert capfd.readouterr() == ("", "compiled code says hello")


def test_a_library_does_not_load_what_nothing_asks_it_for_and_others_may(folder, monkeypatch):
    monkeypatch.setattr(stage, "UNASKED", ("unasked",))
    (folder / "unasked.py").touch()
    (folder / "chatty.py").write_text("try:\n    import unasked\nexcept ImportError:\n    unasked = None\n")
    load_quietly("chatty")
    assert sys.modules["chatty"].unasked is None
    assert importlib.import_module("unasked").__file__ == str(folder / "unasked.py")


@pytest.mark.parametrize(
    ("script", "missing"),
    [
        ("split", "data/downloaded (of `download`)"),
        ("train", "data/split (of `split`), reports/validate/passed.json (of `validate`)"),
        (
            "evaluate",
            "data/split (of `split`), data/generated (of `generate`), data/baselines (of `generate`), models",
        ),
        ("register", "models/generator (of `train`), reports/evaluate/metrics.json (of `evaluate`)"),
    ],
)
def test_a_script_before_its_turn_names_what_is_missing_before_anything_is_loaded(tmp_path, script, missing):
    for name in ("params.yaml", "dvc.yaml"):
        shutil.copy(ROOT / name, tmp_path)
    command = [sys.executable, "-X", "importtime", ROOT / f"pipeline/{script}.py"]
    failed = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert failed.returncode == 1
    said = [line for line in failed.stderr.splitlines() if not line.startswith("import time:")]
    assert len(said) == 1
    assert said[0].startswith(f"{script}: outputs of earlier stages are missing: {missing}")
    assert said[0].endswith("; run `dvc repro`")
    assert "tensorflow" not in failed.stderr
    assert {path.name for path in tmp_path.iterdir()} == {"params.yaml", "dvc.yaml"}


def test_a_file_that_is_gone_from_an_output_is_one_message(tmp_path):
    (tmp_path / "data/baselines").mkdir(parents=True)
    with pytest.raises(SystemExit) as ended, with_clear_errors("evaluate", tmp_path):
        list((tmp_path / "data/baselines/untrained").iterdir())
    assert str(ended.value) == (
        f"evaluate: {tmp_path}/data/baselines/untrained: no such file or folder, the stage `generate` makes it; run "
        "`dvc repro`, which makes it"
    )


def test_any_other_missing_file_is_a_fault_of_the_program(tmp_path):
    with pytest.raises(FileNotFoundError), with_clear_errors("evaluate", tmp_path):
        (tmp_path / "elsewhere").read_text()


def test_a_name_that_the_terminal_cannot_show_is_shown_escaped(tmp_path):
    code = "from pix2street.stage import with_clear_errors as w; from pathlib import Path\n"
    code += "with w('a', Path.cwd()): print('Stra\\xdfe \\udcdf')"
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("Stra\\xdfe \\udcdf\n", "")
