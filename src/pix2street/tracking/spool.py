"""What a run still owes its store: entries in order, with copies of the files they name, in a folder for each run.

Whoever holds a folder's lock works on that run; the lock of a process that died is free. An entry is removed after it
was delivered, so one that was interrupted is delivered again: delivering twice must do no more than delivering once.
"""

import contextlib
import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Self

from pix2street.core.files import write_text


class Spool:
    """The folder of one run: `about.json`, entries `000001.json` with their files in `000001/`, and `lock`."""

    def __init__(self, path: Path, lock: IO):
        self.path = path
        self._lock = lock

    @classmethod
    def claim(cls, path: Path, about: dict[str, Any]) -> Self:
        """The run's folder, when no other process works on it any more.

        Args:
            about: what a new folder says of its run.
        """
        spool = cls(path, _locked(path, fcntl.LOCK_EX))
        if not (path / "about.json").exists():
            spool.about = about
        return spool

    @classmethod
    def unclaimed(cls, folder: Path) -> Iterator[Self]:
        """Each run's folder that no process works on, claimed; the oldest first. Close it before the next."""
        folders = [path for path in folder.glob("*") if path.is_dir()]
        for path in sorted(folders, key=lambda path: (path.stat().st_mtime_ns, path.name)):
            with contextlib.suppress(BlockingIOError, FileNotFoundError):
                spool = cls(path, _locked(path, fcntl.LOCK_EX | fcntl.LOCK_NB))
                if not (path / "about.json").exists():  # its process died before it said anything
                    spool.remove()
                    continue
                yield spool

    @property
    def about(self) -> dict[str, Any]:
        return json.loads((self.path / "about.json").read_text(encoding="utf-8"))

    @about.setter
    def about(self, value: dict[str, Any]) -> None:
        write_text(self.path / "about.json", json.dumps(value))

    def append(self, entry: dict[str, Any]) -> None:
        """Keep an entry; the file or folder at `entry["path"]` is copied."""
        name = f"{int((self._names() or ['0'])[-1]) + 1:06}"
        if "path" in entry:
            source = Path(entry["path"])
            (self.path / name).mkdir(exist_ok=True)
            copy = shutil.copytree if source.is_dir() else shutil.copyfile
            copy(source, self.path / name / source.name)
            entry = {**entry, "path": f"{name}/{source.name}"}
        # As JSON lines would, Python's reader takes the NaN of a loss that is none.
        write_text(self.path / f"{name}.json", json.dumps(entry))

    def entries(self) -> list[tuple[str, dict[str, Any]]]:
        """All that is owed, in order: names for `drop`, and entries with absolute paths."""
        kept = []
        for name in self._names():
            entry = json.loads((self.path / f"{name}.json").read_text(encoding="utf-8"))
            if "path" in entry:
                entry["path"] = str(self.path / entry["path"])
            kept.append((name, entry))
        return kept

    def drop(self, name: str) -> None:
        """Forget an entry that was delivered."""
        (self.path / f"{name}.json").unlink()
        shutil.rmtree(self.path / name, ignore_errors=True)

    def close(self) -> None:
        """Let other processes work on this run; a folder that owes nothing goes only by `remove`."""
        self._lock.close()

    def remove(self) -> None:
        """The folder is gone at once, before another process may claim one of this name."""
        with contextlib.suppress(OSError):
            self.path = self.path.rename(self.path.with_name(f"{self.path.name}.removed"))
        shutil.rmtree(self.path, ignore_errors=True)
        self.close()

    def _names(self) -> list[str]:
        return sorted(path.stem for path in self.path.glob("[0-9]*.json"))


def _locked(path: Path, how: int) -> IO:
    """`lock` in an existing or new folder `path`, locked."""
    while True:
        if not how & fcntl.LOCK_NB:
            path.mkdir(parents=True, exist_ok=True)
        try:
            lock = (path / "lock").open("w")
        except FileNotFoundError:
            if how & fcntl.LOCK_NB:
                raise
            continue
        try:
            fcntl.flock(lock, how)
            # Whoever held it before may have removed the folder, and another may have made it anew.
            if os.path.samestat(os.fstat(lock.fileno()), (path / "lock").stat()):
                return lock
        except FileNotFoundError:
            pass
        except OSError:
            lock.close()
            raise
        lock.close()
