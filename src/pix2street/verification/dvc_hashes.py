"""The hashes of a stage's dependencies and outputs: those that `dvc.lock` records, and those that DVC takes now."""

from pathlib import Path
from typing import Any

from dvc.repo import Repo
from ruamel.yaml import YAML


def read_lock(root: Path) -> dict[str, Any]:
    """Return the entries of `dvc.lock` by stage; none where there is no such file."""
    path = root / "dvc.lock"
    return (YAML(typ="safe").load(path.read_text(encoding="utf-8"))["stages"] or {}) if path.is_file() else {}


def recorded_hashes(entry: dict[str, Any], kind: str) -> dict[str, str]:
    """Return the hashes that a stage's entry in `dvc.lock` has for its `deps` or `outs`, by path."""
    return {item["path"]: str(item.get("md5", "none")) for item in entry.get(kind, [])}


def hashes_now(root: Path, name: str) -> dict[str, str]:
    """Return the hashes of those dependencies of a stage that are files or folders, by path, as DVC takes them now."""
    with Repo(str(root)) as repo:
        stage = next(stage for stage in repo.index.stages if stage.name == name)
        return {path_of(dep): dep.get_hash().value for dep in stage.deps if dep not in stage.params and dep.exists}


def path_of(thing: Any) -> str:
    """Return the path of one of DVC's dependencies or outputs as `dvc.lock` writes it."""
    return Path(thing.def_path).as_posix()
