"""Records that are not delivered yet: in order, with copies of their files, in a folder for each run.

The process that holds a folder's lock works on that run; the lock of a process that died is free. A record is removed
after it was delivered, so an interrupted delivery is repeated: delivering twice must do no more than delivering once.
"""

import contextlib
import dataclasses
import fcntl
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, Self, TypeVar

from pydantic import ValidationError

from pix2street.core.files import read_json, write_text
from pix2street.tracking.description import RunDescription, description_from
from pix2street.tracking.records import FileRecord, Record, record_from

DESCRIPTION = "about.json"
GIVE_UP = "record it with the version that wrote it, or remove its folder to give it up"

T = TypeVar("T")


class Spool:
    """The folder of one run: `about.json`, records `000001.json` with their files in `000001/`, and `lock`."""

    keeps = True

    def __init__(self, path: Path, lock: IO | None):
        self.path = path
        self._lock = lock
        self._description: RunDescription | None = None

    @classmethod
    def claim(cls, path: Path, description: RunDescription) -> Self:
        """Return the run's folder as soon as no other process works on it.

        Args:
            description: the run; an existing folder has a description of it already, which holds.

        Raises:
            OSError: the disk is full or read-only.
            UserError: the folder's description cannot be read.
        """
        spool = cls(path, _locked(path, fcntl.LOCK_EX))
        if not (path / DESCRIPTION).exists():
            spool._describe(description)
        return spool

    @classmethod
    def unclaimed(cls, folder: Path) -> Iterator[Self]:
        """Yield each run's folder that no process works on, claimed; the oldest first. Close it before the next."""
        folders = [path for path in folder.glob("*") if path.is_dir()]
        for path in sorted(folders, key=lambda path: (path.stat().st_mtime_ns, path.name)):
            with contextlib.suppress(BlockingIOError, FileNotFoundError):
                spool = cls(path, _locked(path, fcntl.LOCK_EX | fcntl.LOCK_NB))
                if not (path / DESCRIPTION).exists():  # its process died before it wrote anything
                    spool.remove()
                    continue
                yield spool

    @property
    def description(self) -> RunDescription:
        """The run, and how far its recording is."""
        if self._description is None:
            self._description = _read(self.path / DESCRIPTION, description_from)
        return self._description

    def note(self, **changes: Any) -> None:
        """Change the description."""
        self._describe(dataclasses.replace(self.description, **changes))

    def _describe(self, description: RunDescription) -> None:
        self._description = description
        write_text(self.path / DESCRIPTION, json.dumps(dataclasses.asdict(description)))

    def append(self, record: Record) -> None:
        """Keep a record, with a copy of its file or folder."""
        name = f"{int((self._names() or ['0'])[-1]) + 1:06}"
        if isinstance(record, FileRecord):
            (self.path / name).mkdir(exist_ok=True)
            copy = shutil.copytree if record.path.is_dir() else shutil.copyfile
            copy(record.path, self.path / name / record.path.name)
            record = dataclasses.replace(record, path=Path(name) / record.path.name)
        # The NaN of a diverged loss is no JSON, but Python writes and reads it.
        write_text(self.path / f"{name}.json", json.dumps(dataclasses.asdict(record), default=os.fspath))

    def owed(self) -> list[tuple[str, Record]]:
        """Return all kept records in order: their names for `drop`, and the records with absolute paths.

        Raises:
            UserError: a record cannot be read.
        """
        return [(name, self._record(name)) for name in self._names()]

    def is_empty(self) -> bool:
        """Return whether no record is kept."""
        return not self._names()

    def drop(self, name: str) -> None:
        """Forget a record that was delivered."""
        (self.path / f"{name}.json").unlink()
        shutil.rmtree(self.path / name, ignore_errors=True)

    def close(self) -> None:
        """Let other processes work on this run; the folder remains, even if it keeps no record."""
        self._lock.close()

    def remove(self) -> None:
        """Remove the folder at once, before another process can claim one of this name."""
        with contextlib.suppress(OSError):
            self.path = self.path.rename(self.path.with_name(f"{self.path.name}.removed"))
        shutil.rmtree(self.path, ignore_errors=True)
        self.close()

    def _record(self, name: str) -> Record:
        record = _read(self.path / f"{name}.json", record_from)
        return dataclasses.replace(record, path=self.path / record.path) if isinstance(record, FileRecord) else record

    def _names(self) -> list[str]:
        return sorted(path.stem for path in self.path.glob("[0-9]*.json"))


class NoSpool:
    """A run's spool where the disk takes none: it holds the run's description and keeps no record."""

    keeps = False

    def __init__(self, description: RunDescription, reason: str):
        self.description = description
        self._reason = reason

    def note(self, **changes: Any) -> None:
        self.description = dataclasses.replace(self.description, **changes)

    def append(self, record: Record) -> None:
        raise OSError(self._reason)

    def owed(self) -> list[tuple[str, Record]]:
        return []

    def is_empty(self) -> bool:
        return True

    def remove(self) -> None:
        pass


def _read(path: Path, read: Callable[[Any], T]) -> T:
    """Return what `read` makes of a JSON file.

    Raises:
        UserError: the file is damaged, or another version wrote it in another form.
    """

    def parse(value: Any) -> T:
        try:
            return read(value)
        except ValidationError as error:
            fault = error.errors(include_url=False)[0]
            raise ValueError(": ".join([*map(str, fault["loc"]), fault["msg"]])) from error

    return read_json(path, parse, GIVE_UP)


def _locked(path: Path, how: int) -> IO:
    """Return `lock` in an existing or new folder `path`, locked."""
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
            # The process that held it before may have removed the folder, and another may have created it anew.
            if os.path.samestat(os.fstat(lock.fileno()), (path / "lock").stat()):
                return lock
        except FileNotFoundError:
            pass
        except OSError:
            lock.close()
            raise
        lock.close()
