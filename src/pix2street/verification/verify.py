"""Verification that a commit makes the outputs in its `dvc.lock`.

The commit is cloned into an empty folder with a separate DVC cache and tracking store, so that no earlier result is
used and nothing is recorded. Then `dvc repro` runs every stage, one after the other, each in a
workspace (`workspaces`).

DVC takes the hash of a dependency after the command (iterative/dvc#11058). If a file is edited meanwhile, its new hash
is recorded with outputs of its former content. Hashes are therefore also taken before the run.
"""

import json
import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import networkx as nx
from dvc.exceptions import DvcException
from dvc.repo import Repo
from dvc.stage import Stage

from pix2street.core.errors import UserError
from pix2street.layout import Layout
from pix2street.verification.dvc_hashes import hashes_now, path_of, read_lock, recorded_hashes
from pix2street.verification.git import commit_of, git
from pix2street.verification.lock_check import changed_by_hand, lock_rows
from pix2street.verification.table import DIFFERS, NOT_MADE, SAME, Row
from pix2street.verification.tolerances import tolerate
from pix2street.verification.workspaces import bring_sources, keep_apart, lay_out, run_stage

FLOATING = "compute"
"""The section of `params.yaml` that decides the bits of networks: a stage that declares it may differ elsewhere."""


def verify(checkout: Path, revision: str, folder: Path, tolerances: Mapping[str, float] | None = None) -> list[Row]:
    """Make all outputs of a commit again; return a row for each output, in the stages' order.

    Progress is printed to standard error. `folder/made` ends as the clone with all that was made in it,
    `folder/<stage>.log` holds what a stage printed.

    Args:
        checkout: the root of a git and DVC repository; only read.
        revision: any name that git knows for a commit.
        folder: an empty folder.
        tolerances: how far each score may move where bytes depend on floating point; None: all bytes must be equal.

    Raises:
        UserError: the checkout is no such repository, or has no such revision, or no `dvc.lock`.
    """
    commit = commit_of(checkout, revision)
    made = folder / "made"
    git(folder, "clone", "--quiet", "--no-checkout", str(checkout), str(made))
    git(made, "checkout", "--quiet", "--detach", commit)
    for name in ("dvc.yaml", "dvc.lock"):
        if not (made / name).is_file():
            raise UserError(f"{name}: not in {revision} ({commit[:8]}); run `dvc repro` and commit it")
    keep_apart(made, folder)
    recorded = read_lock(made)
    try:
        with Repo(str(made)) as repo, repo.lock:
            stages = [stage for stage in nx.topological_sort(repo.index.graph.reverse()) if stage.cmd]
            for stage in stages:
                bring_sources(checkout, made, stage, repo)
            rows = [*changed_by_hand(checkout, stages), *lock_rows(stages, recorded)]
            floating = _floating(repo.index.graph.reverse())
    except DvcException as error:
        raise UserError(f"dvc: {error}; fix what it names, and verify again") from error
    scores_before = _read_json(Layout(made).metrics)
    for stage in stages:
        rows += _make(stage, made, folder, recorded)
    if tolerances is not None:
        rows = tolerate(rows, floating, scores_before, _read_json(Layout(made).metrics), tolerances)
    order = {stage.name: number for number, stage in enumerate(stages)}
    return sorted(rows, key=lambda row: order.get(row.stage, -1))


def _floating(graph: nx.DiGraph) -> set[str]:
    """Return the stages whose bytes may differ between machines: those that declare `FLOATING`, and all after one."""
    first = [stage for stage in graph if any(FLOATING in dep.params for dep in stage.params)]
    return {stage.name for one in first for stage in {one, *nx.descendants(graph, one)}}


def _make(stage: Stage, made: Path, folder: Path, recorded: dict[str, Any]) -> list[Row]:
    """Run one stage in its own workspace and move its outputs to `made`; return a row for each output."""
    name = stage.name
    before = recorded_hashes(recorded.get(name, {}), "outs")
    outs = [path_of(out) for out in stage.outs]
    workspace = folder / "workspace"
    lay_out(workspace, made, stage, folder)
    print(f"verify: {name}", file=sys.stderr, flush=True)
    deps = hashes_now(workspace, name)
    failure = run_stage(name, workspace, made, folder / f"{name}.log")
    if failure:
        rows = [Row(name, out, before.get(out, "none")[:12], "", NOT_MADE, failure) for out in outs]
    else:
        new, deps_after = (recorded_hashes(read_lock(workspace)[name], kind) for kind in ("outs", "deps"))
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


def _read_json(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
