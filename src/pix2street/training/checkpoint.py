"""Checkpoints of a training: all that is needed to continue it, in files that are complete or absent."""

import fcntl
import hashlib
import json
import os
import shutil
import sys
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Self

import numpy as np

from pix2street.core.errors import UserError
from pix2street.core.files import sha256_of
from pix2street.models import MODELS

KEPT = 2
GIB = 1 << 30
BROKEN = (OSError, ValueError, KeyError, EOFError)


@dataclass
class State:
    """The state of a training between two steps.

    Args:
        epoch, step: the current epoch, from 0, and the number of its steps that are done.
        sums: each term's sum over the images of this epoch so far, by name.
        history: a row for each finished epoch.
        variables: the variables of all networks, then of all optimizers, then the family's own.
        best: the weights of the best epoch so far under `run.keep: best`; else empty.
    """

    epoch: int
    step: int
    sums: dict[str, float]
    history: list[dict[str, float]]
    variables: list[np.ndarray]
    best: list[np.ndarray]


def training_key(settings: dict[str, Any], data_sha256: str, family: str) -> str:
    """Return the SHA-256 of settings, data, versions and all loaded modules of this package, in hexadecimal digits.

    Args:
        family: the module of the chosen family; the modules of other families do not count.
    """
    others = {name for name in MODELS.values() if name != family}
    modules = {
        name: module.__file__
        for name, module in sys.modules.items()
        if name.startswith("pix2street") and name not in others
    }
    values = {
        "settings": settings,
        "data": data_sha256,
        "code": {name: sha256_of(Path(file)) for name, file in sorted(modules.items()) if file},
        "versions": {name: version(name) for name in ("keras", "tensorflow", "numpy")},
    }
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


class Checkpoints:
    """The checkpoints of the training with this `key`, in a separate folder below `root`.

    A file's name holds epoch, step and the SHA-256 of its content, so that a file damaged by a kill or a disk is
    recognised and skipped. The newest two are kept. Use the object in a `with` block, in one process at a time.

    Args:
        root: the folder of all trainings; it is created if it is missing.
        max_gib: the limit for the checkpoints of all trainings; the oldest that are not in use are removed.
    """

    def __init__(self, root: Path, key: str, max_gib: float):
        self._root = root
        self.key = key[:16]
        self._folder = root / self.key
        self._max_gib = max_gib

    @property
    def samples(self) -> Path:
        """The folder of the contact sheets until the training is done."""
        return self._folder / "samples"

    @property
    def phases(self) -> Path:
        """The folder of the generators of earlier phases until the training is done."""
        return self._folder / "phases"

    def __enter__(self) -> Self:
        self.samples.mkdir(parents=True, exist_ok=True)
        self._lock = (self._folder / "lock").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._lock.close()
            raise UserError(
                f"{self._folder}: the same training runs already (a stage continues if only DVC was killed); wait for "
                "it or stop it"
            ) from error
        for partial in self._folder.glob("*.partial"):
            partial.unlink()
        self._make_room()
        return self

    def __exit__(self, *_) -> None:
        self._lock.close()

    def newest(self, not_after: tuple[int, int] | None = None) -> State | None:
        """Return the newest state with a sound file, at most at this (epoch, step); None if no file has one."""
        for path in reversed(self._files()):
            if not_after and tuple(map(int, path.stem.split("_")[:2])) > not_after:
                continue
            try:
                if sha256_of(path)[:16] != path.stem.split("_")[2]:
                    raise ValueError("its content does not match its name")
                with np.load(path) as arrays:
                    head = json.loads(str(arrays["head"]))
                    lists = {
                        name: [arrays[f"{name}_{i}"] for i in range(count)]
                        for name, count in head.pop("counts").items()
                    }
                    return State(**head, **lists)
            except BROKEN as error:
                print(f"{path}: a broken checkpoint ({error}); removed, the one before it is tried")
                path.unlink()
        return None

    def save(self, state: State) -> None:
        """Write `state`. If that fails, e.g. on a full disk, print the reason and let the training go on."""
        partial = self._folder / "newest.partial"
        lists = {"variables": state.variables, "best": state.best}
        counts = {name: len(values) for name, values in lists.items()}
        head = {"epoch": state.epoch, "step": state.step, "sums": state.sums, "history": state.history}
        head["counts"] = counts
        arrays = {f"{name}_{i}": value for name, values in lists.items() for i, value in enumerate(values)}
        try:
            with partial.open("wb") as file:
                np.savez(file, head=np.array(json.dumps(head)), **arrays)
                file.flush()
                os.fsync(file.fileno())
            name = f"{state.epoch:06d}_{state.step:09d}_{sha256_of(partial)[:16]}.npz"
            os.replace(partial, self._folder / name)
        except OSError as error:
            partial.unlink(missing_ok=True)
            after = f"epoch {state.epoch}, step {state.step}"
            print(f"{self._folder}: no checkpoint after {after} ({error}); training goes on")
            return
        for old in self._files()[:-KEPT]:
            old.unlink()

    def remove(self) -> None:
        """Remove the whole folder, once the training is done and its outputs are written."""
        shutil.rmtree(self._folder)

    def _files(self) -> list[Path]:
        return sorted(self._folder.glob("*.npz"))

    def _make_room(self) -> None:
        others = [folder for folder in self._root.iterdir() if folder.is_dir() and folder != self._folder]
        if not self._files() and any(list(folder.glob("*.npz")) for folder in others):
            print(
                f"{self._root}: holds checkpoints of {len(others)} trainings with other parameters, data or code, "
                "which are not used"
            )
        sizes = {folder: sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) for folder in others}
        for folder in sorted(others, key=lambda folder: folder.stat().st_mtime):
            if sum(sizes.values()) <= self._max_gib * GIB:
                return
            with suppress(BlockingIOError, FileNotFoundError), (folder / "lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder)
                sizes.pop(folder)
                print(
                    f"{folder}: checkpoints removed; all may take {self._max_gib:g} GiB (train.run.max_checkpoint_gib)"
                )
