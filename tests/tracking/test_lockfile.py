import shutil
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from pix2street.core.errors import UserError
from pix2street.core.files import write_text
from pix2street.tracking.lockfile import read_hashes

FILES = {
    ".dvc/config": "[core]\nno_scm = true\nanalytics = false\n",
    ".dvcignore": "__pycache__\n",
    "params.yaml": "make: {count: 2}\n",
    "code/a.py": "a",
    "code/__pycache__/a.pyc": "ignored",
    "dvc.yaml": """
stages:
  make:
    cmd: mkdir data && echo made > data/b.txt && echo made > data/a.txt
    deps: [code]
    params: [make]
    outs: [data]
  report:
    cmd: echo 1 > numbers.json && echo page > page.html && python read.py
    deps: [code/a.py, code, data]
    metrics: [numbers.json: {cache: false}]
    outs: [page.html]
  never:
    cmd: echo never
    deps: [page.html]
    outs: [never.txt]
""",
    "read.py": """
from dataclasses import asdict
from pathlib import Path
from pix2street.core.files import write_json
from pix2street.tracking.lockfile import read_hashes
write_json(Path("../read.json"), {name: asdict(one) for name, one in read_hashes(Path.cwd(), "report").items()})
""",
}


@pytest.fixture
def root(tmp_path) -> Path:
    for name, text in FILES.items():
        write_text(tmp_path / "repository" / name, text)
    return tmp_path / "repository"


def repro(root: Path, *arguments: str) -> None:
    command = [sys.executable, "-m", "dvc", "repro", "report", *arguments]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=3600)
    assert done.returncode == 0, done.stderr


def locked(root: Path) -> dict[str, dict[str, dict[str, str]]]:
    stages = YAML(typ="safe").load((root / "dvc.lock").read_text())["stages"]
    return {
        name: {kind: {item["path"]: item["md5"] for item in stage[kind]} for kind in ("deps", "outs")}
        for name, stage in stages.items()
    }


def test_the_running_stage_has_the_hashes_that_dvc_writes_when_it_has_ended(root):
    repro(root)
    read = YAML(typ="safe").load((root.parent / "read.json").read_text())
    assert read == locked(root)
    assert set(read) == {"make", "report"}
    assert set(read["report"]["deps"]) == {"code/a.py", "code", "data"}
    assert set(read["report"]["outs"]) == {"page.html", "numbers.json"}
    # A second run replaces what dvc.lock has of the first.
    write_text(root / "code/a.py", "b")
    repro(root)
    again = YAML(typ="safe").load((root.parent / "read.json").read_text())
    assert again == locked(root)
    assert again["report"]["deps"]["code"] != read["report"]["deps"]["code"]
    assert {name: asdict(one) for name, one in read_hashes(root, "").items()} == again


def test_without_dvc_or_a_file_the_error_says_which_is_missing(root):
    with pytest.raises(FileNotFoundError, match=r"code|data|page"):
        read_hashes(root, "report")
    write_text(root / "dvc.yaml", "stages: {report: {}}")
    with pytest.raises(UserError, match=r"DVC cannot name the hashes of its stages: .*dvc\.yaml"):
        read_hashes(root, "report")
    shutil.rmtree(root / ".dvc")
    with pytest.raises(UserError, match="DVC cannot name the hashes of its stages: you are not inside of a DVC"):
        read_hashes(root, "report")
