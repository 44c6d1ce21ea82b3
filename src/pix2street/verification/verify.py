"""Whether a commit makes what its `dvc.lock` says; the only place that knows DVC.

The commit is cloned into an empty folder with a DVC cache and a tracking store of its own, so nothing that was made
before can be taken for something made now, and nothing is recorded. Then every stage is run by `dvc repro`, one after
the other, each in a workspace that holds its declared dependencies and nothing else of the repository. A dependency
that `dvc.yaml` does not name is therefore not there, whoever would read it: Python, TensorFlow's own readers, or a
program. A stage that does without it either ends in an error, which names it, or makes other bytes, which are seen;
where neither happens, the file has no influence. (Watching Python's `open` does not see TensorFlow read.) Parameters
are the exception: every stage checks all of `params.yaml`, so a key it does not declare is still there.

DVC takes the hash of a dependency when the command has ended (iterative/dvc#11058). A file edited in between is
recorded as it is afterwards, beside outs that were made from what it was before. So hashes are taken before as well.
"""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import networkx as nx
from dvc.exceptions import DvcException
from dvc.repo import Repo
from dvc.stage import Stage
from ruamel.yaml import YAML

from pix2street.core.errors import UserError
from pix2street.core.files import write_text
from pix2street.layout import Layout

WIRING = tuple(
    f"src/pix2street/{name}.py" for name in ("params", "layout", "stage", "tracking/run", "tracking/registry")
)
"""What stands around every step and can change no out; no stage declares it (see the head of `dvc.yaml`)."""

FORMER_WIRING = tuple(f"src/pix2street/{name}.py" for name in ("tracking", "registry"))
"""Where older commits have parts of it."""

CODE = ("src", "pipeline")
"""A file below these that is not in the commit is never taken from the checkout: the commit would be incomplete."""

FLOATING = "compute"
"""The section of `params.yaml` on which the bits of every network depend: who declares it may differ elsewhere."""

SAME, DIFFERS, TOLERATED, NOT_MADE = "same", "differs", "within tolerance", "not made"


@dataclass(frozen=True)
class Row:
    """One line of the table: an out, a score, or what is true of the checkout and the lock."""

    stage: str
    subject: str
    recorded: str
    made: str
    verdict: str
    note: str = ""

    @property
    def good(self) -> bool:
        return self.verdict in (SAME, TOLERATED)


def verify(checkout: Path, revision: str, folder: Path, tolerances: dict[str, float] | None = None) -> list[Row]:
    """Make everything again that `dvc.lock` records at a commit; a row for each out, in the order of the stages.

    What it says as it goes is printed to standard error. `folder/made` ends as the clone with all that was made in it,
    `folder/<stage>.log` holds what a stage printed.

    Args:
        checkout: the root of a git and DVC repository; only read.
        revision: what git takes for a commit.
        folder: empty.
        tolerances: by score, how far it may move where bytes depend on floating point; None: all bytes must be equal.

    Raises:
        UserError: the checkout is no such repository, or has no such revision, or no `dvc.lock`.
    """
    commit = commit_of(checkout, revision)
    made = folder / "made"
    _git(folder, "clone", "--quiet", "--no-checkout", str(checkout), str(made))
    _git(made, "checkout", "--quiet", "--detach", commit)
    for name in ("dvc.yaml", "dvc.lock"):
        if not (made / name).is_file():
            raise UserError(f"{name}: not in {revision} ({commit[:8]}); run `dvc repro` and commit it")
    _keep_apart(made, folder)
    recorded = _locked(made)
    try:
        with Repo(str(made)) as repo, repo.lock:
            stages = [stage for stage in nx.topological_sort(repo.index.graph.reverse()) if stage.cmd]
            for stage in stages:
                _bring_sources(checkout, made, stage, repo)
            rows = [*_changed_by_hand(checkout, stages), *_lock_rows(stages, recorded)]
            floating = _floating(repo.index.graph.reverse())
    except DvcException as error:
        raise UserError(f"dvc: {error}; mend what it names, and verify again") from error
    scores_before = _read_json(Layout(made).metrics)
    for stage in stages:
        rows += _make(stage, made, folder, recorded)
    if tolerances is not None:
        rows = _tolerate(rows, floating, scores_before, _read_json(Layout(made).metrics), tolerances)
    place = {stage.name: number for number, stage in enumerate(stages)}
    return sorted(rows, key=lambda row: place.get(row.stage, -1))


def commit_of(checkout: Path, revision: str) -> str:
    """The 40 digits of the commit that `revision` means in a checkout.

    Raises:
        UserError: it means none, or the folder is no git repository's root.
    """
    if not (checkout / ".git").exists():
        raise UserError(f"{checkout}: no git repository's root; run in the project's root")
    try:
        return _git(checkout, "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}").strip()
    except UserError as error:
        raise UserError(f"{revision}: no commit of this repository; `git log --oneline` lists them") from error


def uncommitted(checkout: Path) -> list[str]:
    """Tracked files that differ from the last commit."""
    lines = _git(checkout, "status", "--porcelain", "--untracked-files=no").splitlines()
    return [line[3:] for line in lines]


def first_diverged(rows: Iterable[Row]) -> Row | None:
    """The first row that is not the same, where any row is bad; None where all is well."""
    rows = list(rows)
    if all(row.good for row in rows):
        return None
    return next(row for row in rows if row.verdict != SAME)


def as_text(rows: Iterable[Row]) -> str:
    """The table."""
    cells = [("stage", "what", "recorded", "made again", "", "")]
    cells += [(row.stage, row.subject, row.recorded, row.made, row.verdict, row.note) for row in rows]
    widths = [max(len(line[column]) for line in cells) for column in range(5)]
    lines = [
        "  ".join([*(cell.ljust(width) for cell, width in zip(line[:5], widths, strict=True)), line[5]])
        for line in cells
    ]
    return "\n".join(line.rstrip() for line in lines)


def _status_of(stage: Stage) -> list:
    """What DVC finds changed about a stage: words, and dicts that name what changed and how."""
    # DVC names the stage by a path that depends on the working directory.
    return [entry for entries in stage.status().values() for entry in entries]


def _changed_by_hand(checkout: Path, stages: list[Stage]) -> list[Row]:
    """A row for each out of the checkout that is there and is not what the checkout's own lock records."""
    known = {stage.name for stage in stages} & _locked(checkout).keys()
    rows = []
    with Repo(str(checkout)) as repo, repo.lock:
        status = {stage.name: _status_of(stage) for stage in repo.index.stages if stage.name in known}
    for name, entries in status.items():
        for out, kind in _merged(entries, "changed outs").items():
            if kind == "modified":
                rows.append(Row(name, out, "", "", DIFFERS, f"changed by hand: {out}; `dvc repro` makes it again"))
    return rows or [Row("checkout", "outs", "", "", SAME, "none was changed by hand")]


def _lock_rows(stages: list[Stage], recorded: dict[str, Any]) -> list[Row]:
    """What of `dvc.lock` does not belong to code, data and parameters of its own commit; nothing is run for it."""
    outs = {_path_of(out): stage.name for stage in stages for out in stage.outs}
    rows = []
    for stage in stages:
        name = stage.name
        if name not in recorded:
            rows.append(_lock_row(name, "dvc.lock does not know this stage"))
            continue
        entries = _status_of(stage)
        faults = [
            f"{what} is {kind}"
            for what, kind in _changed_deps(entries)
            if kind != "deleted" or not _made_by(what, outs)
        ]
        if stage.cmd_changed:
            faults.append("its command is another")
        changed = _merged(entries, "changed outs").items()
        faults += [f"{out} is in the commit with other content" for out, kind in changed if kind == "modified"]
        for path, value in _hashes(recorded[name], "deps").items():
            maker = outs.get(path)
            if maker in recorded and value != _hashes(recorded[maker], "outs").get(path):
                faults.append(f"it was made from another {path} than {maker} is recorded to have made")
        if faults:
            rows.append(_lock_row(name, "; ".join(faults)))
    known = {stage.name for stage in stages}
    rows += [
        _lock_row(name, "dvc.yaml has no such stage; remove it from dvc.lock") for name in recorded if name not in known
    ]
    return rows or [Row("lock", "dvc.lock", "", "", SAME, "belongs to code, data and parameters")]


def _lock_row(stage: str, fault: str) -> Row:
    return Row(stage, "dvc.lock", "", "", DIFFERS, f"does not belong to the commit: {fault}")


def _changed_deps(entries: list) -> Iterator[tuple[str, str]]:
    for path, kind in _merged(entries, "changed deps").items():
        if isinstance(kind, dict):  # of a file of parameters, key by key
            yield from ((f"{path}:{key}", str(change)) for key, change in kind.items())
        else:
            yield path, str(kind)


def _merged(entries: list, key: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for entry in entries:
        if isinstance(entry, dict) and isinstance(entry.get(key), dict):
            found |= entry[key]
    return found


def _made_by(path: str, outs: dict[str, str]) -> bool:
    return any(path == out or path.startswith(f"{out}/") for out in outs)


def _floating(graph: nx.DiGraph) -> set[str]:
    """The stages whose bytes may differ between machines: those that declare `FLOATING`, and all after one."""
    first = [stage for stage in graph if any(FLOATING in dep.params for dep in stage.params)]
    return {stage.name for one in first for stage in {one, *nx.descendants(graph, one)}}


def _make(stage: Stage, made: Path, folder: Path, recorded: dict[str, Any]) -> list[Row]:
    """Run one stage in a workspace of its own and move its outs to `made`; a row an out."""
    name = stage.name
    before = _hashes(recorded.get(name, {}), "outs")
    outs = [_path_of(out) for out in stage.outs]
    workspace = folder / "workspace"
    _lay_out(workspace, made, stage, folder)
    print(f"verify: {name}", file=sys.stderr, flush=True)
    deps = _hashes_now(workspace, name)
    failure = _run(name, workspace, made, folder / f"{name}.log")
    if failure:
        rows = [Row(name, out, before.get(out, "none")[:12], "", NOT_MADE, failure) for out in outs]
    else:
        new, deps_after = (_hashes(_locked(workspace)[name], kind) for kind in ("outs", "deps"))
        rows = [_row(name, out, before.get(out, "none"), new.get(out, "none")) for out in outs]
        rows += [
            _row(name, path, deps[path], value, f"{path}: edited while {name} ran")
            for path, value in deps_after.items()
            if deps.get(path, value) != value
        ]
    for out in outs:
        _remove(made / out)
        if (workspace / out).exists():
            (made / out).parent.mkdir(parents=True, exist_ok=True)
            os.replace(workspace / out, made / out)
    shutil.rmtree(workspace)
    return rows


def _row(stage: str, path: str, recorded: str, made: str, note: str = "") -> Row:
    return Row(stage, path, recorded[:12], made[:12], SAME if recorded == made else DIFFERS, note)


def _lay_out(workspace: Path, made: Path, stage: Stage, folder: Path) -> None:
    """A DVC repository with nothing but the wiring, the parameters and what the stage declares; by hard links."""
    names = {"dvc.yaml", "params.yaml", ".dvc/config", ".dvcignore", *_wiring(made)}
    names |= {_path_of(dep) for dep in stage.deps}
    for name in names:
        source, target = made / name, workspace / name
        if Path(name).is_absolute() or not source.exists():
            continue
        if source.is_dir():
            shutil.copytree(source, target, copy_function=_link, dirs_exist_ok=True)
        else:
            _link(source, target)
    _keep_apart(workspace, folder)


def _link(source: str | Path, target: str | Path) -> None:
    """A hard link, where there is none yet: dependencies may overlap with each other and with the wiring."""
    Path(target).parent.mkdir(parents=True, exist_ok=True)
    if not Path(target).exists():
        os.link(source, target)


def _wiring(root: Path) -> set[str]:
    """The wiring that is there, and what of the package it imports as it is loaded."""
    found: set[str] = set()
    waiting = [name for name in ("src/pix2street/__init__.py", *WIRING, *FORMER_WIRING) if (root / name).is_file()]
    while waiting:
        name = waiting.pop()
        found.add(name)
        for node in ast.parse((root / name).read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ImportFrom) and f"{node.module}.".startswith("pix2street."):
                # What is imported may be a module itself.
                for name in (node.module, *(f"{node.module}.{alias.name}" for alias in node.names)):
                    module = "src/" + name.replace(".", "/")
                    files = (f"{module}.py", f"{module}/__init__.py")
                    waiting += [file for file in files if (root / file).is_file() and file not in found]
    return found


def _run(name: str, workspace: Path, made: Path, log: Path) -> str:
    """Run a stage by DVC; empty where it went well, else why it did not."""
    command = [sys.executable, "-m", "dvc", "repro", "--single-item", "--force", "--no-run-cache", "--no-commit", name]
    with log.open("w", encoding="utf-8") as file:
        environment = _environment(workspace, log.parent)
        code = subprocess.run(command, cwd=workspace, env=environment, stdout=file, stderr=file, check=False).returncode
    if not code:
        return ""
    text = log.read_text(encoding="utf-8", errors="replace")
    print(*text.splitlines()[-20:], sep="\n", file=sys.stderr)
    unlisted = _asked_for(text, workspace, made)
    if unlisted:
        return f"it asks for {unlisted}, an unlisted dependency; add it to deps of {name} in dvc.yaml"
    return "its command failed, see above"


def _environment(workspace: Path, folder: Path) -> dict[str, str]:
    """The caller's, with the code of the clone, and without the caller's experiment, cache and tracking store."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("DVC_", "MLFLOW_"))}
    return {
        **kept,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "PYTHONPATH": str(workspace / "src"),
        "MLFLOW_TRACKING_URI": f"sqlite:///{folder / 'mlflow.db'}",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "DVC_NO_ANALYTICS": "true",
    }


def _asked_for(text: str, workspace: Path, made: Path) -> str:
    """The file of the repository, absent from a workspace, that an error is about; empty where there is none."""
    files = _git(made, "ls-files", "-z").split("\0")
    outs = [path for stage in _locked(made).values() for path in _hashes(stage, "outs")]
    for path in sorted({*files, *outs} - {""}, key=len, reverse=True):
        if (workspace / path).exists():
            continue
        module = path.removeprefix("src/").removesuffix("/__init__.py").removesuffix(".py").replace("/", ".")
        here = rf"(?:{re.escape(str(workspace))}/|(?<![\w./-])){re.escape(path)}(?![\w.-])"
        if re.search(here, text) or (path.endswith(".py") and f"'{module}'" in text):
            return path
    return ""


def _tolerate(
    rows: list[Row],
    floating: set[str],
    before: dict[str, Any],
    after: dict[str, Any],
    tolerances: dict[str, float],
) -> list[Row]:
    """Judge what networks made by its scores: outs of other bytes are within tolerance where every score is."""
    differing = [row for row in rows if row.stage in floating and row.verdict == DIFFERS and not row.note]
    if not differing:
        return rows
    metrics = Layout(Path()).metrics.as_posix()
    stage = next((row.stage for row in rows if row.subject == metrics), differing[-1].stage)
    scores = _score_rows(stage, before, after, tolerances)
    verdict = TOLERATED if scores and all(row.good for row in scores) else DIFFERS
    return [replace(row, verdict=verdict) if row in differing else row for row in rows] + scores


def _score_rows(stage: str, before: dict[str, Any], after: dict[str, Any], tolerances: dict[str, float]) -> list[Row]:
    """A row for each score that has a tolerance, of generated and real photos and of the baselines."""
    rows = []
    for group in sorted({*_groups(before), *_groups(after)}):
        old, new = (_groups(scores).get(group, {}) for scores in (before, after))
        for score, tolerance in tolerances.items():
            if score not in old and score not in new:
                continue
            a, b = old.get(score), new.get(score)
            near = a == b if a is None or b is None else abs(a - b) <= tolerance
            numbers = ["none" if value is None else f"{value:.6g}" for value in (a, b)]
            rows.append(
                Row(stage, f"{group}.{score}", *numbers, TOLERATED if near else DIFFERS, f"tolerance {tolerance:g}")
            )
    return rows


def _groups(scores: dict[str, Any]) -> dict[str, dict[str, Any]]:
    named = {name: scores[name] for name in ("generated", "ceiling") if name in scores}
    return named | {f"baselines.{name}": values for name, values in scores.get("baselines", {}).items()}


def _bring_sources(checkout: Path, made: Path, stage: Stage, repo: Repo) -> None:
    """Copy into the clone what a stage reads that no stage makes and git does not hold: data that a parameter names.

    It is copied, so that a stage that edits what it reads does not reach the checkout.
    """
    outs = [_path_of(out) for other in repo.index.stages if other.cmd for out in other.outs]
    for path in (_path_of(dep) for dep in stage.deps if dep not in stage.params):
        if Path(path).is_absolute() or Path(path).parts[0] in (*CODE, "..") or _made_by(path, outs):
            continue
        for name in _git(checkout, "ls-files", "--others", "-z", "--", path).split("\0"):
            if name and not (made / name).exists() and not repo.dvcignore.is_ignored_file(str(made / name)):
                (made / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(checkout / name, made / name)


def _keep_apart(root: Path, folder: Path) -> None:
    """Give a DVC repository a cache and a state of its own, and no git."""
    lines = ["[core]", "no_scm = true", "autostage = false", f"site_cache_dir = {folder / 'state'}"]
    write_text(root / ".dvc/config.local", "\n".join([*lines, "[cache]", f"dir = {folder / 'cache'}", ""]))


def _hashes_now(root: Path, name: str) -> dict[str, str]:
    """Of a stage's dependencies that are files or folders, as DVC takes them."""
    with Repo(str(root)) as repo:
        stage = next(stage for stage in repo.index.stages if stage.name == name)
        return {_path_of(dep): dep.get_hash().value for dep in stage.deps if dep not in stage.params and dep.exists}


def _locked(root: Path) -> dict[str, Any]:
    """What `dvc.lock` records, by stage; nothing where there is none."""
    path = root / "dvc.lock"
    return (YAML(typ="safe").load(path.read_text(encoding="utf-8"))["stages"] or {}) if path.is_file() else {}


def _hashes(stage: dict[str, Any], kind: str) -> dict[str, str]:
    return {entry["path"]: str(entry.get("md5", "none")) for entry in stage.get(kind, [])}


def _path_of(thing: Any) -> str:
    """Of a dependency or an out, as `dvc.lock` writes it."""
    return Path(thing.def_path).as_posix()


def _read_json(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _git(folder: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=True)
    except FileNotFoundError as error:
        raise UserError("git: not installed; install it, a commit is verified from a clone") from error
    except subprocess.CalledProcessError as error:
        raise UserError(f"git {' '.join(arguments)}: {error.stderr.strip() or 'failed'}") from error
    return done.stdout
