"""Workspaces: DVC repositories in which a stage runs with what it declares and nothing else of the project.

A dependency that `dvc.yaml` does not name is missing in a workspace for every reader: Python, TensorFlow's own readers,
or a program. A stage that reads it either ends in an error, which names it, or makes other bytes, which the comparison
shows; where neither happens, the file has no influence. (Watching Python's `open` would not see TensorFlow read.)
Parameters are the exception: every stage checks the whole of `params.yaml`, so it can read a key that it does not
declare.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from dvc.repo import Repo
from dvc.stage import Stage

from pix2street.core.files import write_text
from pix2street.verification.dvc_hashes import path_of, read_lock, recorded_hashes
from pix2street.verification.git import git
from pix2street.verification.lock_check import is_made
from pix2street.verification.wiring import loaded_with_wiring

CODE = ("src", "pipeline")
"""Folders of code: a file below them that is not in the commit is never taken from the checkout, since the commit would
be incomplete."""


def keep_apart(root: Path, folder: Path) -> None:
    """Give the DVC repository at `root` its own cache and state, below `folder`, and no git."""
    lines = ["[core]", "no_scm = true", "autostage = false", f"site_cache_dir = {folder / 'state'}"]
    write_text(root / ".dvc/config.local", "\n".join([*lines, "[cache]", f"dir = {folder / 'cache'}", ""]))


def bring_sources(checkout: Path, made: Path, stage: Stage, repo: Repo) -> None:
    """Copy into the clone the data that a parameter names, if no stage makes them and git does not hold them.

    It is copied, so that a stage that edits what it reads does not reach the checkout.
    """
    outs = [path_of(out) for other in repo.index.stages if other.cmd for out in other.outs]
    for path in (path_of(dep) for dep in stage.deps if dep not in stage.params):
        if Path(path).is_absolute() or Path(path).parts[0] in (*CODE, "..") or is_made(path, outs):
            continue
        for name in git(checkout, "ls-files", "--others", "-z", "--", path).split("\0"):
            if name and not (made / name).exists() and not repo.dvcignore.is_ignored_file(str(made / name)):
                (made / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(checkout / name, made / name)


def lay_out(workspace: Path, made: Path, stage: Stage, folder: Path) -> None:
    """Make a DVC repository of the wiring, the parameters and what the stage declares, by hard links into `made`."""
    names = {"dvc.yaml", "params.yaml", ".dvc/config", ".dvcignore", *loaded_with_wiring(made)}
    names |= {path_of(dep) for dep in stage.deps}
    for name in names:
        source, target = made / name, workspace / name
        if Path(name).is_absolute() or not source.exists():
            continue
        if source.is_dir():
            shutil.copytree(source, target, copy_function=_link, dirs_exist_ok=True)
        else:
            _link(source, target)
    keep_apart(workspace, folder)


def _link(source: str | Path, target: str | Path) -> None:
    """Link a file where nothing is linked yet: dependencies may overlap with each other and with the wiring."""
    Path(target).parent.mkdir(parents=True, exist_ok=True)
    if not Path(target).exists():
        os.link(source, target)


def run_stage(name: str, workspace: Path, made: Path, log: Path) -> str:
    """Run a stage by DVC in its workspace; return why it failed, or an empty text.

    Args:
        made: the clone, which knows the files that a workspace lacks.
        log: the file that gets what the stage prints.
    """
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
    """Return the caller's environment with the code of the workspace and a store and settings of our choice.

    The caller's experiment, cache and tracking store are left out.
    """
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
    """Return the file of the repository, missing in a workspace, that an error names; empty where it names none."""
    files = git(made, "ls-files", "-z").split("\0")
    outs = [path for entry in read_lock(made).values() for path in recorded_hashes(entry, "outs")]
    for path in sorted({*files, *outs} - {""}, key=len, reverse=True):
        if (workspace / path).exists():
            continue
        module = path.removeprefix("src/").removesuffix("/__init__.py").removesuffix(".py").replace("/", ".")
        here = rf"(?:{re.escape(str(workspace))}/|(?<![\w./-])){re.escape(path)}(?![\w.-])"
        if re.search(here, text) or (path.endswith(".py") and f"'{module}'" in text):
            return path
    return ""
