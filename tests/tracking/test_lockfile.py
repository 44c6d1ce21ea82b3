import hashlib

import pytest
from dvc.repo import Repo

from pix2street.core.files import write_text
from pix2street.tracking.lockfile import hashes_now, read_hashes

YAML = """
stages:
  make:
    cmd: make
    outs: [data]
  report:
    cmd: report
    deps: [report.py, data, code]
    metrics: [numbers.json: {cache: false}]
    outs: [page.html]
"""
LOCK = """
schema: '2.0'
stages:
  make:
    cmd: make
    outs: [{path: data, md5: made.dir}]
  report:
    cmd: report
    deps: [{path: report.py, md5: old}]
    outs: [{path: page.html, md5: old}]
  removed:
    cmd: remove
    outs: [{path: gone, md5: gone}]
"""


def md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def folder_md5(**contents: str) -> str:
    listed = ", ".join(f'{{"md5": "{md5(text)}", "relpath": "{name}"}}' for name, text in sorted(contents.items()))
    return f"{md5(f'[{listed}]')}.dir"


@pytest.fixture
def root(tmp_path):
    """A DVC repository in which the stage `report` runs."""
    Repo.init(str(tmp_path), no_scm=True).close()
    texts = {"dvc.yaml": YAML, "dvc.lock": LOCK, "report.py": "r", "numbers.json": "n", "page.html": "p"}
    texts |= {"code/b/c.py": "c", "code/a.py": "a", "code/b/c.pyc": "compiled", ".dvcignore": "*.pyc\n"}
    for name, text in texts.items():
        write_text(tmp_path / name, text)
    return tmp_path


def test_the_running_stages_files_are_hashed_and_the_others_are_taken_from_the_lock(root):
    assert read_hashes(root, "report") == {
        "make": {"deps": {}, "outs": {"data": "made.dir"}},
        "report": {
            "deps": {"report.py": md5("r"), "data": "made.dir", "code": folder_md5(**{"a.py": "a", "b/c.py": "c"})},
            "outs": {"page.html": md5("p"), "numbers.json": md5("n")},
        },
    }


def test_a_missing_file_has_no_hash_and_is_named(root):
    (root / "page.html").unlink()
    assert hashes_now(root, "report")["deps"]["data"] is None
    assert hashes_now(root, "report")["outs"] == {"page.html": None, "numbers.json": md5("n")}
    with pytest.raises(FileNotFoundError, match=r"page.html: no such file"):
        read_hashes(root, "report")


def test_where_dvc_cannot_read_the_repository_its_reason_is_told(root):
    (root / ".dvc/config").write_text("[core]\nno_such_option = 1\n")
    with pytest.raises(OSError, match="dvc: "):
        read_hashes(root, "report")
