"""A commit is made again from its clone; each fault is planted in a repository of two stages."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from pix2street.cli import main
from pix2street.core.errors import UserError
from pix2street.verification.table import DIFFERS, NOT_MADE, SAME, TOLERATED, Row, first_diverged
from pix2street.verification.verify import verify
from pix2street.verification.wiring import loaded_with_wiring, wiring_files

FILES = {
    "params.yaml": "count: 2\ncompute: 1\n",
    "src/words.txt": "green\n",
    # The environment decides what a run does, so the file and its hash do not change.
    "pipeline/write.py": """
import os
from pathlib import Path
from ruamel.yaml import YAML

words = Path("src/words.txt").read_text()
count = YAML(typ="safe").load(Path("params.yaml").read_text())["count"]
Path("data/words").mkdir(parents=True)
Path("data/words/a.txt").write_text(count * words + os.environ.get("CHANCE", ""))
if "EDIT" in os.environ:
    Path("src/words.txt").write_text("red\\n")
""",
    "pipeline/score.py": """
import json, os
from pathlib import Path

length = len(Path("data/words/a.txt").read_text())
scores = {"l1": 0.25 + float(os.environ.get("DRIFT", "0")), "psnr": None}
Path("reports/evaluate").mkdir(parents=True, exist_ok=True)
Path("reports/evaluate/metrics.json").write_text(json.dumps({"generated": scores, "length": length}))
""",
    "dvc.yaml": """
stages:
  score:
    cmd: python pipeline/score.py
    deps: [pipeline/score.py, data/words]
    params: [compute]
    metrics: [{reports/evaluate/metrics.json: {cache: false}}]
  write:
    cmd: python pipeline/write.py
    deps: [pipeline/write.py, src/words.txt]
    params: [count]
    outs: [data/words]
""",
}


class Repository:
    """A git and DVC repository below a temporary folder."""

    def __init__(self, root: Path):
        self.root = root

    def run(self, *command: str, **environment: str) -> str:
        environment = {
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            **environment,
        }
        done = subprocess.run(command, cwd=self.root, env=environment, capture_output=True, text=True, timeout=3600)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def write(self, name: str, text: str) -> None:
        (self.root / name).parent.mkdir(parents=True, exist_ok=True)
        (self.root / name).write_text(text)

    def replace(self, name: str, old: str, new: str) -> None:
        text = (self.root / name).read_text()
        assert old in text
        (self.root / name).write_text(text.replace(old, new))

    def commit(self) -> None:
        self.run("git", "add", "-A")
        self.run("git", "-c", "user.name=t", "-c", "user.email=t@t", "commit", "-qm", "state")

    def repro(self, **environment: str) -> None:
        self.run("dvc", "repro", "-q", **environment)
        self.commit()


@pytest.fixture(scope="module")
def made_once(tmp_path_factory) -> Path:
    repository = Repository(tmp_path_factory.mktemp("made_once"))
    for name, text in FILES.items():
        repository.write(name, text)
    repository.run("git", "init", "-q")
    repository.run("dvc", "init", "-q")
    repository.repro()
    return repository.root


@pytest.fixture
def repository(made_once, tmp_path, monkeypatch) -> Repository:
    """Return a repository whose lock is true; it is the working directory."""
    root = tmp_path / "repository"
    shutil.copytree(made_once, root)
    monkeypatch.chdir(root)
    return Repository(root)


def verified(repository: Repository, tolerances: dict | None = None) -> list[Row]:
    folder = repository.root.parent / "verified"
    folder.mkdir()
    return verify(repository.root, "HEAD", folder, tolerances)


def verdicts(rows: list[Row]) -> dict[str, str]:
    return {row.subject: row.verdict for row in rows}


def test_a_true_commit_is_made_again_and_the_checkout_is_left_alone(repository, capsys):
    main(["verify"])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines[1:5]] == [
        ["checkout", "outs"],
        ["lock", "dvc.lock"],
        ["write", "data/words"],
        ["score", "reports/evaluate/metrics.json"],
    ]
    assert all("same" in line for line in lines[1:5])
    hashes = lines[3].split()[2:4]
    assert hashes[0] == hashes[1]
    assert repository.run("git", "rev-parse", "HEAD")[:8] in lines[-1]
    assert lines[-1].endswith("is reproduced: 4 of 4 rows")
    left = repository.run("git", "status", "--porcelain", "--ignored").splitlines()
    assert [line for line in left if ".dvc/" not in line] == ["!! data/words/"]


def test_an_out_that_comes_out_otherwise_is_an_error_that_names_the_first_stage(repository, monkeypatch, capsys):
    monkeypatch.setenv("CHANCE", "seven")
    with pytest.raises(SystemExit) as end:
        main(["verify"])
    assert "is not reproduced; first diverged: write (data/words)" in str(end.value.code)
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [row[-1] for row in rows if row and row[0] in ("write", "score")] == ["differs", "differs"]


def test_a_lock_with_another_hash_of_an_out_is_found(repository):
    lock = YAML(typ="safe").load((repository.root / "dvc.lock").read_text())
    true = lock["stages"]["write"]["outs"][0]["md5"]
    repository.replace(
        "dvc.lock",
        f"    outs:\n    - path: data/words\n      hash: md5\n      md5: {true}",
        (f"    outs:\n    - path: data/words\n      hash: md5\n      md5: {'0' * 32}.dir"),
    )
    repository.commit()
    rows = verified(repository)
    assert first_diverged(rows).stage == "write"
    out = next(row for row in rows if row.subject == "data/words" and row.recorded)
    assert (out.recorded, out.made, out.verdict) == ("0" * 12, true[:12], DIFFERS)
    score = next(row for row in rows if (row.stage, row.subject) == ("score", "dvc.lock"))
    assert "it was made from another data/words than write is recorded to have made" in score.note


def test_a_lock_that_does_not_belong_to_the_commit_is_found(repository):
    repository.replace("src/words.txt", "green", "blue")
    repository.replace("params.yaml", "count: 2", "count: 3")
    repository.replace("dvc.yaml", "[count]", "[count, compute]")
    repository.replace("dvc.yaml", "python pipeline/score.py", "python -B pipeline/score.py")
    repository.replace("pipeline/score.py", "0.25", "0.250")
    repository.replace("reports/evaluate/metrics.json", "0.25", "0.20")
    repository.commit()
    faults = {row.stage: row.note for row in verified(repository) if row.subject == "dvc.lock"}
    expected = {
        "write": ["src/words.txt is modified", "params.yaml:count is modified", "params.yaml:compute is new"],
        "score": [
            "pipeline/score.py is modified",
            "its command is another",
            "reports/evaluate/metrics.json is in the commit with other content",
        ],
    }
    assert {stage: note.partition("commit: ")[2].split("; ") for stage, note in faults.items()} == expected


def test_a_comment_in_the_code_makes_a_lock_another_commits_although_the_outs_are_the_same(repository):
    repository.replace("pipeline/score.py", "0.25", "0.250")
    repository.commit()
    rows = verified(repository)
    assert [row.verdict for row in rows if row.recorded] == [SAME, SAME]
    assert (first_diverged(rows).stage, first_diverged(rows).subject) == ("score", "dvc.lock")


def test_stages_that_only_one_of_lock_and_dvc_yaml_has_are_found(repository):
    repository.replace("dvc.yaml", "  write:", "  compose:")
    repository.commit()
    rows = verified(repository)
    faults = {row.stage: row.note for row in rows if row.subject == "dvc.lock"}
    assert "dvc.lock does not know this stage" in faults["compose"]
    assert "dvc.yaml has no such stage" in faults["write"]
    made = next(row for row in rows if (row.stage, row.subject) == ("compose", "data/words"))
    assert (made.recorded, made.verdict) == ("none", DIFFERS)


def test_an_out_changed_by_hand_is_found(repository):
    repository.write("data/words/a.txt", "by hand")
    rows = verified(repository)
    found = first_diverged(rows)
    assert (found.stage, found.subject, found.verdict) == ("write", "data/words", DIFFERS)
    assert "changed by hand: data/words" in found.note
    # The commit itself is true.
    assert [row.verdict for row in rows if row.recorded] == [SAME, SAME]


def test_an_out_that_was_never_made_here_is_not_one_changed_by_hand(repository):
    shutil.rmtree(repository.root / "data/words")
    shutil.rmtree(repository.root / ".dvc/cache")
    assert all(row.good for row in verified(repository))


@pytest.mark.parametrize("way", ["a file", "a module", "an out"])
def test_an_unlisted_dependency_is_named(repository, way):
    if way == "a file":
        missing = "src/words.txt"
        repository.replace("dvc.yaml", ", src/words.txt", "")
    elif way == "a module":
        missing = "src/lengths/ruler.py"
        repository.write("src/lengths/__init__.py", "")
        repository.write(missing, "")
        repository.replace("pipeline/write.py", "import os", "import lengths.ruler, os")
        repository.replace("dvc.yaml", "src/words.txt", "src/words.txt, src/lengths/__init__.py")
    else:
        missing = "data/words"
        repository.replace("dvc.yaml", "deps: [pipeline/score.py, data/words]", "deps: [pipeline/score.py]")
    # With all of the repository around it the stage runs, and DVC calls the lock fresh.
    for stage in ("write", "score"):
        repository.run("dvc", "repro", "-q", "--force", "--single-item", stage, PYTHONPATH="src")
    repository.commit()
    rows = verified(repository)
    stage = "score" if way == "an out" else "write"
    assert verdicts(rows)["dvc.lock"] == SAME
    assert first_diverged(rows).stage == stage
    assert first_diverged(rows).verdict == NOT_MADE
    assert f"asks for {missing}, an unlisted dependency; add it to deps of {stage} in" in first_diverged(rows).note


def test_a_dependency_edited_while_its_stage_ran_is_found_in_the_lock(repository):
    repository.run("dvc", "repro", "-q", "--force", EDIT="1")
    repository.commit()
    # DVC took the hash of the file as it was afterwards and believes that the output was made from it.
    assert "up to date" in repository.run("dvc", "status")
    rows = verified(repository)
    assert verdicts(rows)["dvc.lock"] == SAME
    assert (first_diverged(rows).stage, first_diverged(rows).subject) == ("write", "data/words")


def test_a_stage_that_edits_what_it_depends_on_is_found(repository, monkeypatch):
    monkeypatch.setenv("EDIT", "1")
    rows = verified(repository)
    found = next(row for row in rows if row.subject == "src/words.txt")
    assert (found.verdict, found.note) == (DIFFERS, "src/words.txt: edited while write ran")
    assert (repository.root / "src/words.txt").read_text() == "green\n"


def test_data_outside_git_comes_from_the_checkout_and_code_does_not(repository):
    repository.write(".gitignore", "/data/source\n/src/more.txt\n")
    repository.write("data/source/a.png", "pixels")
    repository.write("src/more.txt", "more")
    repository.replace("dvc.yaml", "src/words.txt]", "src/words.txt, data/source, src/more.txt]")
    repository.repro()
    rows = verified(repository)
    assert (repository.root.parent / "verified/made/data/source/a.png").read_text() == "pixels"
    lock = next(row for row in rows if row.subject == "dvc.lock")
    assert "src/more.txt is deleted" in lock.note
    assert "data/source" not in lock.note


def test_a_stage_that_fails_takes_those_after_it_along(repository):
    repository.replace("pipeline/write.py", "import os", "import os; 1 / 0")
    repository.commit()
    rows = verified(repository)
    assert [row.verdict for row in rows if row.recorded] == [NOT_MADE, NOT_MADE]
    log = (repository.root.parent / "verified/write.log").read_text()
    assert "\nZeroDivisionError: division by zero\n" in log


def test_an_older_commit_is_verified_and_uncommitted_changes_are_not(repository, capsys):
    repository.replace("src/words.txt", "green", "blue")
    repository.repro()
    repository.replace("src/words.txt", "blue", "red")
    main(["verify", "HEAD~1"])
    shown = capsys.readouterr()
    assert re.search(r"^\S+ is reproduced", shown.out, re.M), shown.out
    assert "not the uncommitted changes: src/words.txt" in shown.err


@pytest.mark.parametrize("wiring", ["tracking/run", "tracking"])
def test_the_wiring_is_there_without_being_declared_wherever_a_commit_has_it(repository, wiring):
    repository.write("src/pix2street/__init__.py", "")
    repository.write(f"src/pix2street/{wiring}.py", "from pix2street.core.errors import FACTOR\n")
    repository.write("src/pix2street/core/errors.py", "FACTOR = 1\n")
    module = wiring.replace("/", ".")
    repository.replace("pipeline/score.py", "import json, os", f"import json, os\nimport pix2street.{module}")
    repository.repro(PYTHONPATH="src")
    assert all(row.good for row in verified(repository))


def test_wiring_may_be_a_folder_and_the_families_it_loads_by_name_come_with_what_they_import(tmp_path):
    sources = {
        "__init__": "",
        "params": "from pix2street.settings import train\n",
        "settings/__init__": "",
        "settings/train": "from pix2street.core.errors import FACTOR\n",
        "core/errors": "",
        "core/images": "",
        "models/__init__": "",
        "models/family": "from pix2street.layers import blocks\ndef f():\n    from pix2street.core import images\n",
        "layers/blocks": "",
        "layers/norms": "",
        "steps/train": "",
    }
    for name, text in sources.items():
        path = tmp_path / f"src/pix2street/{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def names(files: set[str]) -> set[str]:
        return {file.removeprefix("src/pix2street/").removesuffix(".py") for file in files}

    wiring = {"params", "settings/__init__", "settings/train"}
    assert names(wiring_files(tmp_path)) == wiring
    brought = {"__init__", "core/errors", "models/__init__", "models/family", "layers/blocks"}
    assert names(loaded_with_wiring(tmp_path)) == wiring | brought
    shutil.rmtree(tmp_path / "src/pix2street/settings")
    shutil.rmtree(tmp_path / "src/pix2street/models")
    assert names(loaded_with_wiring(tmp_path)) == {"__init__", "params"}


@pytest.mark.parametrize(("drift", "verdict"), [("0.0", SAME), ("0.015", TOLERATED), ("-0.03", DIFFERS)])
def test_what_networks_made_is_held_against_tolerances(repository, monkeypatch, drift, verdict):
    monkeypatch.setenv("DRIFT", drift)
    rows = verified(repository, {"l1": 0.02, "psnr": 1.0})
    assert verdicts(rows)["reports/evaluate/metrics.json"] == verdict
    assert verdicts(rows)["data/words"] == SAME
    if verdict == SAME:
        assert "generated.l1" not in verdicts(rows)
    else:
        score = next(row for row in rows if row.subject == "generated.l1")
        assert (score.recorded, score.made, score.verdict) == ("0.25", f"{0.25 + float(drift):g}", verdict)
        assert verdicts(rows)["generated.psnr"] == TOLERATED
    assert (first_diverged(rows) is None) == (verdict != DIFFERS)


def test_no_tolerance_covers_what_no_network_made(repository, monkeypatch):
    monkeypatch.setenv("CHANCE", "seven")
    rows = verified(repository, {"l1": 0.02})
    assert verdicts(rows)["data/words"] == DIFFERS
    assert first_diverged(rows).stage == "write"


def test_what_is_made_is_kept_where_the_user_says(repository, tmp_path, capsys):
    main(["verify", "--keep", "kept"])
    assert (repository.root / "kept/made/data/words/a.txt").read_text() == "green\ngreen\n"
    assert json.loads((repository.root / "kept/made/reports/evaluate/metrics.json").read_text())["length"] == 12
    with pytest.raises(SystemExit, match="--keep: kept exists"):
        main(["verify", "--keep", "kept"])


def test_what_cannot_be_verified_is_one_clear_message(repository, tmp_path):
    with pytest.raises(UserError, match="nowhere: no commit of this repository"):
        verify(repository.root, "nowhere", tmp_path, None)
    with pytest.raises(UserError, match="no git repository's root"):
        verify(tmp_path, "HEAD", tmp_path, None)
    (repository.root / "dvc.lock").unlink()
    repository.commit()
    with pytest.raises(UserError, match=r"dvc.lock: not in HEAD .*; run `dvc repro` and commit it"):
        verified(repository)
