"""The hashes of every dependency and out, as DVC takes them."""

import hashlib
import json
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

Stages = dict[str, dict[str, dict[str, str]]]


def read_hashes(root: Path, current: str) -> Stages:
    """`{stage: {"deps": {path: md5}, "outs": {path: md5}}}` of every stage of `dvc.yaml` that has run.

    DVC writes a stage into `dvc.lock` when it has ended: what stands there of `current`, the stage that runs, is of its
    last run. Its hashes are taken from the files instead; those of its dependencies that others made are in `dvc.lock`.
    """
    stages = _read(root / "dvc.yaml").get("stages", {})
    locked = {name: entry for name, entry in _read(root / "dvc.lock").get("stages", {}).items() if name in stages}
    hashes = {
        name: {kind: {item["path"]: item["md5"] for item in entry.get(kind, [])} for kind in ("deps", "outs")}
        for name, entry in locked.items()
        if name != current
    }
    made = {path: md5 for entry in hashes.values() for path, md5 in entry["outs"].items()}
    if current in stages:
        declared = stages[current]
        outs = [*declared.get("outs", []), *declared.get("metrics", [])]
        hashes[current] = {
            "deps": {path: made.get(path) or md5_of(root / path) for path in declared.get("deps", [])},
            "outs": {
                path: md5_of(root / path)
                for path in (next(iter(out)) if isinstance(out, dict) else out for out in outs)
            },
        }
    return {name: hashes[name] for name in stages if name in hashes}


def md5_of(path: Path) -> str:
    """What DVC calls a file or a folder: the MD5 of its content, or of the sorted list of its files'."""
    if path.is_file():
        with path.open("rb") as file:
            return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    files = sorted((file.relative_to(path).as_posix(), file) for file in path.rglob("*") if file.is_file())
    listed = [{"md5": md5_of(file), "relpath": name} for name, file in files]
    return hashlib.md5(json.dumps(listed, sort_keys=True).encode(), usedforsecurity=False).hexdigest() + ".dir"


def _read(path: Path) -> dict[str, Any]:
    return YAML(typ="safe").load(path.read_text(encoding="utf-8")) if path.exists() else {}
