"""Limits on what an archive unpacks to, and the refusal of a member that could do harm."""

import io
import unicodedata
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import BinaryIO, NoReturn

from pix2street.core.errors import UserError

GIB = 1 << 30


@dataclass(frozen=True)
class Limits:
    """The limits on what an archive may unpack to: files, GiB in all, and how many times its own size."""

    max_files: int
    max_gib: float
    max_ratio: float

    def bytes_of(self, path: Path) -> int:
        """Return how many bytes the archive at `path` may unpack to."""
        return int(min(self.max_gib * GIB, max(self.max_ratio * path.stat().st_size, 1 << 20)))


class Guard:
    """A guard that admits the members of one archive one by one and refuses, by name, the first that breaks a rule."""

    def __init__(self, path: Path, limits: Limits):
        self._path, self._limits = path, limits
        self._bytes_left = limits.bytes_of(path)
        self._seen: dict[str, tuple[str, PurePosixPath]] = {}

    def admit(self, name: str, size: int, folder: bool, path: str) -> str:
        """Return the plain form of a member's `path`; `name` is the one that the archive stores.

        Raises:
            UserError: the path is absolute, leads out of the folder or is unusable; another member has the same one
                except for case; or the member exceeds a limit.
        """
        plain = PurePosixPath(path)
        if plain.is_absolute() or PureWindowsPath(name).anchor:
            self.refuse(name, "has an absolute path")
        if ".." in (*plain.parts, *PureWindowsPath(name).parts):
            self.refuse(name, "leads out of its folder")
        if "\0" in name or (not plain.parts and not folder):
            self.refuse(name, "has no usable name")
        if folder:
            return plain.as_posix()
        # Two such names are one file on the disks of macOS and Windows.
        key = unicodedata.normalize("NFC", plain.as_posix()).casefold()
        if key in self._seen:
            other, other_plain = self._seen[key]
            same = "is in it twice" if other == name else f"means the same file as {other!r}"
            self.refuse(name, same if other_plain == plain else f"differs from {other!r} only by case")
        self._seen[key] = name, plain
        if len(self._seen) > self._limits.max_files:
            self.refuse(
                name, f"is file {len(self._seen):,}, at most {self._limits.max_files:,} may be (download.max_files)"
            )
        self._bytes_left -= size
        if self._bytes_left < 0:
            self.refuse(name, too_large(self._path, self._limits))
        return plain.as_posix()

    def refuse(self, name: str, why: str) -> NoReturn:
        """Raise UserError about the member `name`."""
        raise refusal(self._path, f"member {name!r} {why}")


class Metered(io.RawIOBase):
    """A stream that refuses to be read past the limit, so that no header makes tarfile read a bomb."""

    def __init__(self, path: Path, stream: BinaryIO, limits: Limits):
        self._path, self._stream, self._limits = path, stream, limits
        self._left = limits.bytes_of(path)

    def read(self, size: int = -1) -> bytes:
        """Return up to `size` bytes; raise UserError once the limit is passed."""
        data = self._stream.read(min(size, self._left + 1) if size >= 0 else self._left + 1)
        self._left -= len(data)
        if self._left < 0:
            raise refusal(self._path, f"a member {too_large(self._path, self._limits)}")
        return data


def refusal(path: Path, why: str) -> UserError:
    """Return the error that refuses the archive at `path`."""
    return UserError(f"{path}: refused, nothing was unpacked: {why}")


def too_large(path: Path, limits: Limits) -> str:
    """Return the words for a member that takes the archive at `path` past its limit of bytes."""
    return (
        f"takes what it unpacks to past {limits.bytes_of(path):,} bytes (download.max_gib: {limits.max_gib:g}, "
        f"download.max_unpack_ratio: {limits.max_ratio:g} times its own {path.stat().st_size:,} bytes)"
    )
