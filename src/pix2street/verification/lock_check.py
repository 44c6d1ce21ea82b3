"""Whether `dvc.lock` belongs to its commit, and the checkout's outputs to its lock; nothing is run for it."""

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from dvc.repo import Repo
from dvc.stage import Stage

from pix2street.verification.dvc_hashes import path_of, read_lock, recorded_hashes
from pix2street.verification.table import DIFFERS, SAME, Row


def changed_by_hand(checkout: Path, stages: list[Stage]) -> list[Row]:
    """Return a row for each output of the checkout that is not what the checkout's own lock records.

    A missing output is none of them.
    """
    known = {stage.name for stage in stages} & read_lock(checkout).keys()
    rows = []
    with Repo(str(checkout)) as repo, repo.lock:
        status = {stage.name: _status_of(stage) for stage in repo.index.stages if stage.name in known}
    for name, entries in status.items():
        for out, kind in _merged(entries, "changed outs").items():
            if kind == "modified":
                rows.append(Row(name, out, "", "", DIFFERS, f"changed by hand: {out}; `dvc repro` makes it again"))
    return rows or [Row("checkout", "outs", "", "", SAME, "none was changed by hand")]


def lock_rows(stages: list[Stage], recorded: dict[str, Any]) -> list[Row]:
    """Return a row for each stage whose entry in the lock does not belong to code, data and parameters of the commit.

    Args:
        stages: the stages of `dvc.yaml`, in a repository of the commit.
        recorded: the entries of `dvc.lock`, by stage.
    """
    makers = {path_of(out): stage.name for stage in stages for out in stage.outs}
    rows = []
    for stage in stages:
        if stage.name not in recorded:
            rows.append(_lock_row(stage.name, "dvc.lock does not know this stage"))
        elif faults := _faults_of(stage, recorded, makers):
            rows.append(_lock_row(stage.name, "; ".join(faults)))
    known = {stage.name for stage in stages}
    rows += [
        _lock_row(name, "dvc.yaml has no such stage; remove it from dvc.lock") for name in recorded if name not in known
    ]
    return rows or [Row("lock", "dvc.lock", "", "", SAME, "belongs to code, data and parameters")]


def is_made(path: str, outs: Collection[str]) -> bool:
    """Return whether a path is one of the outputs or lies below one."""
    return any(path == out or path.startswith(f"{out}/") for out in outs)


def _faults_of(stage: Stage, recorded: dict[str, Any], makers: dict[str, str]) -> list[str]:
    """List the differences between one stage's entry in the lock and the commit.

    Args:
        makers: the stage that makes each output, by its path.
    """
    entry, entries = recorded[stage.name], _status_of(stage)
    faults = [
        f"{what} is {kind}" for what, kind in _changed_deps(entries) if kind != "deleted" or not is_made(what, makers)
    ]
    if stage.cmd_changed:
        faults.append("its command is another")
    changed = _merged(entries, "changed outs").items()
    faults += [f"{out} is in the commit with other content" for out, kind in changed if kind == "modified"]
    for path, value in recorded_hashes(entry, "deps").items():
        maker = makers.get(path)
        if maker in recorded and value != recorded_hashes(recorded[maker], "outs").get(path):
            faults.append(f"it was made from another {path} than {maker} is recorded to have made")
    return faults


def _lock_row(stage: str, fault: str) -> Row:
    return Row(stage, "dvc.lock", "", "", DIFFERS, f"does not belong to the commit: {fault}")


def _status_of(stage: Stage) -> list:
    """Return what DVC reports as changed about a stage: words, and dicts that name what changed and how."""
    # DVC names the stage by a path that depends on the working directory.
    return [entry for entries in stage.status().values() for entry in entries]


def _changed_deps(entries: list) -> Iterator[tuple[str, str]]:
    for path, kind in _merged(entries, "changed deps").items():
        if isinstance(kind, dict):  # A file of parameters is compared key by key.
            yield from ((f"{path}:{key}", str(change)) for key, change in kind.items())
        else:
            yield path, str(kind)


def _merged(entries: list, key: str) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for entry in entries:
        if isinstance(entry, dict) and isinstance(entry.get(key), dict):
            merged |= entry[key]
    return merged
