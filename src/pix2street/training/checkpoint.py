"""Checkpoints of a training: all that its future depends on, in files that are whole or not there at all."""

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
    """How far a training has come.

    Args:
        epoch, step: the epoch it is in, from 0, and how many of that epoch's batches are done.
        sums: of that epoch's terms so far by name, weighted with the images of each batch.
        history: a row for every epoch before.
        variables: of all networks, then of all optimizers, then the family's own.
        best: the weights to keep so far, where not the last ones are kept.
    """

    epoch: int
    step: int
    sums: dict[str, float]
    history: list[dict[str, float]]
    variables: list[np.ndarray]
    best: list[np.ndarray]


def training_key(settings: dict[str, Any], data_sha256: str, family: str) -> str:
    """Return 64 hexadecimal digits that follow from settings, data, versions and every loaded module of this package.

    Args:
        family: the module of the chosen family; those of the others, loaded or not, change no training.
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
    """The checkpoints of the training named by `key`, in a folder of its own below `root`.

    A file's name holds epoch, step and the SHA-256 of its content: what a kill, a full disk or a bad disk left of it is
    seen and passed over. The newest two are kept. Used in a `with` block, by one process at a time.

    Args:
        root: created where it is missing.
        max_gib: what all trainings' checkpoints below `root` may take; the oldest of trainings that are not running go.
    """

    def __init__(self, root: Path, key: str, max_gib: float):
        self._root = root
        self.key = key[:16]
        self._folder = root / self.key
        self._max_gib = max_gib

    @property
    def samples(self) -> Path:
        """Where contact sheets wait until the training is done."""
        return self._folder / "samples"

    def __enter__(self) -> Self:
        self.samples.mkdir(parents=True, exist_ok=True)
        self._lock = (self._folder / "lock").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._lock.close()
            raise UserError(
                f"{self._folder}: the same training runs already (where DVC alone was killed, its stage lives on); "
                "wait for it or stop it"
            ) from error
        for partial in self._folder.glob("*.partial"):
            partial.unlink()
        self._make_room()
        return self

    def __exit__(self, *_) -> None:
        self._lock.close()

    def newest(self, not_after: tuple[int, int] | None = None) -> State | None:
        """The newest state whose file is sound, up to an epoch and step; None for a training that begins."""
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
                print(f"{path}: a broken checkpoint ({error}); removed, the one before is tried")
                path.unlink()
        return None

    def save(self, state: State) -> None:
        """Write `state` down. Where the disk is full the training goes on, and would begin further back if killed."""
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
            place = f"epoch {state.epoch}, step {state.step}"
            print(f"{self._folder}: no checkpoint after {place} ({error}); training goes on")
            return
        for old in self._files()[:-KEPT]:
            old.unlink()

    def remove(self) -> None:
        """Forget all of it: the training is done and its outs are in place."""
        shutil.rmtree(self._folder)

    def _files(self) -> list[Path]:
        return sorted(self._folder.glob("*.npz"))

    def _make_room(self) -> None:
        others = [folder for folder in self._root.iterdir() if folder.is_dir() and folder != self._folder]
        if not self._files() and any(list(folder.glob("*.npz")) for folder in others):
            print(
                f"{self._root}: checkpoints of {len(others)} trainings with other parameters, data or code are there; "
                "they are not used"
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
                    f"{folder}: checkpoints removed, all may take {self._max_gib:g} GiB (train.run.max_checkpoint_gib)"
                )
