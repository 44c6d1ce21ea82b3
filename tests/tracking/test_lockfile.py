import hashlib

from pix2street.core.files import write_text
from pix2street.tracking.lockfile import md5_of, read_hashes

YAML = """
stages:
  make:
    cmd: make
    outs: [data]
  report:
    cmd: report
    deps: [report.py, data]
    metrics: [numbers.json: {cache: false}]
    outs: [page.html]
"""
LOCK = """
schema: '2.0'
stages:
  make:
    outs: [{path: data, md5: made.dir}]
  report:
    deps: [{path: report.py, md5: old}]
    outs: [{path: page.html, md5: old}]
  removed:
    outs: [{path: gone, md5: gone}]
"""


def test_the_running_stages_files_are_hashed_and_the_others_are_taken_from_the_lock(tmp_path):
    for name, text in {
        "dvc.yaml": YAML,
        "dvc.lock": LOCK,
        "report.py": "r",
        "numbers.json": "n",
        "page.html": "p",
    }.items():
        write_text(tmp_path / name, text)

    def md5(text):
        return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()

    assert read_hashes(tmp_path, "report") == {
        "make": {"deps": {}, "outs": {"data": "made.dir"}},
        "report": {
            "deps": {"report.py": md5("r"), "data": "made.dir"},
            "outs": {"page.html": md5("p"), "numbers.json": md5("n")},
        },
    }


def test_a_folders_hash_is_that_of_its_sorted_list(tmp_path):
    for name in ("b/c", "a"):
        write_text(tmp_path / name, name)
    a, c = (hashlib.md5(name.encode(), usedforsecurity=False).hexdigest() for name in ("a", "b/c"))
    listed = f'[{{"md5": "{a}", "relpath": "a"}}, {{"md5": "{c}", "relpath": "b/c"}}]'
    assert md5_of(tmp_path) == hashlib.md5(listed.encode(), usedforsecurity=False).hexdigest() + ".dir"
