"""The hashes of dependencies and outputs: those that `dvc.lock` records, and those that DVC takes of the files now."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dvc.exceptions import DvcException
from dvc.repo import Repo
from ruamel.yaml import YAML

Stages = dict[str, dict[str, dict[str, str]]]


def read_hashes(root: Path, current: str) -> Stages:
    """Return `{stage: {"deps": {path: md5}, "outs": {path: md5}}}` of every stage of `dvc.yaml` that has run.

    DVC writes a stage into `dvc.lock` when it has ended, so the entry of `current`, the stage that runs, is that of its
    last run. Its hashes are taken from the files instead; those of its dependencies that others made are in `dvc.lock`.

    Raises:
        OSError: a dependency or an output of `current` is missing, or DVC cannot read the repository.
        KeyError: `dvc.lock` is damaged.
    """
    stages = _read(root / "dvc.yaml").get("stages", {})
    hashes = {
        name: {kind: {item["path"]: item["md5"] for item in entry.get(kind, [])} for kind in ("deps", "outs")}
        for name, entry in read_lock(root).items()
        if name in stages and name != current
    }
    if current in stages:
        made = {path: md5 for entry in hashes.values() for path, md5 in entry["outs"].items()}
        hashes[current] = _hashes_of_running(root, current, made)
    return {name: hashes[name] for name in stages if name in hashes}


def _hashes_of_running(root: Path, name: str, made: Mapping[str, str]) -> dict[str, dict[str, str]]:
    try:
        hashes = hashes_now(root, name, made)
    except DvcException as error:
        raise OSError(f"dvc: {error}") from error
    missing = [path for paths in hashes.values() for path, md5 in paths.items() if md5 is None]
    if missing:
        raise FileNotFoundError(f"{', '.join(missing)}: no such file")
    return hashes


def hashes_now(root: Path, name: str, known: Mapping[str, str] | None = None) -> dict[str, dict[str, str | None]]:
    """Return the hashes of a stage's dependencies and outputs, `{"deps": {path: md5}, "outs": {path: md5}}`, now.

    DVC takes them, so they leave out what `.dvcignore` names. The hash of a missing file is None; parameters are not
    among the dependencies.

    Args:
        name: of the stage.
        known: hashes of dependencies that need not be taken, by their paths.

    Raises:
        DvcException: DVC cannot read the repository.
    """
    known = known or {}
    with Repo(str(root)) as repo:
        stage = next(stage for stage in repo.index.stages if stage.name == name)
        deps = [dep for dep in stage.deps if dep not in stage.params]
        return {
            "deps": {path_of(dep): known.get(path_of(dep)) or _hash_of(dep) for dep in deps},
            "outs": {path_of(out): _hash_of(out) for out in stage.outs},
        }


def _hash_of(thing: Any) -> str | None:
    return thing.get_hash().value if thing.exists else None


def read_lock(root: Path) -> dict[str, Any]:
    """Return the entries of `dvc.lock` by stage; none where there is no such file."""
    return _read(root / "dvc.lock").get("stages") or {}


def path_of(thing: Any) -> str:
    """Return the path of one of DVC's dependencies or outputs as `dvc.lock` writes it."""
    return Path(thing.def_path).as_posix()


def _read(path: Path) -> dict[str, Any]:
    return YAML(typ="safe").load(path.read_text(encoding="utf-8")) if path.exists() else {}
