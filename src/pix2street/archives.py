"""Read the files of a folder, a zip or a tar; a member that could do harm is refused before any file is read."""

import bz2
import gzip
import io
import lzma
import stat
import tarfile
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath

from pix2street.errors import UserError

GIB = 1 << 30
DECOMPRESSORS = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ\x00": lzma.open}
BROKEN = (tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, NotImplementedError)


@dataclass(frozen=True)
class Limits:
    """What an archive may unpack to: files, GiB in all, and how many times its own size."""

    max_files: int
    max_gib: float
    max_ratio: float

    def bytes_of(self, path: Path) -> int:
        """How many bytes the archive at `path` may unpack to."""
        return int(min(self.max_gib * GIB, max(self.max_ratio * path.stat().st_size, 1 << 20)))


@dataclass(frozen=True)
class Source:
    """Named files in a folder or an archive.

    `names` are the regular files, sorted, with `/` between folders; hidden files and what macOS adds are left out.
    `read` yields (name, content) of the wanted ones, in the order in which they are stored.
    """

    path: Path
    names: list[str]
    read: Callable[[Collection[str]], Iterator[tuple[str, bytes]]]


@contextmanager
def open_source(path: Path, limits: Limits) -> Iterator[Source]:
    """The files at `path`; members of an archive are checked before the first one is read.

    Raises:
        UserError: nothing there, no archive, a broken archive, or a member with an absolute path, `..`, a link, a
            device, a password, a name that differs from another only by case, or past a limit; by the member's name.
    """
    try:
        if path.is_dir():
            yield _folder(path)
        elif not path.exists():
            raise UserError(f"{path}: no such folder or archive; put it there or mend its path in params.yaml")
        elif zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                yield _zip(path, archive, limits)
        elif _is_tar(path):
            yield _tar(path, limits)
        else:
            raise UserError(f"{path}: neither a folder nor a zip nor a tar; mend its path in params.yaml")
    except (*BROKEN, OSError) as error:
        # bz2 and gzip report broken data as errors of the system, but without a number of its.
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise UserError(f"{path}: a broken archive ({error}); get it again") from error


def _folder(path: Path) -> Source:
    names = [file.relative_to(path).as_posix() for file in path.rglob("*") if file.is_file()]
    return Source(path, _visible(names), lambda wanted: ((name, (path / name).read_bytes()) for name in sorted(wanted)))


def _zip(path: Path, archive: zipfile.ZipFile, limits: Limits) -> Source:
    guard = _Guard(path, limits)
    files = []
    for info in archive.infolist():
        mode = info.external_attr >> 16
        kind = stat.S_IFMT(mode)
        if kind == stat.S_IFLNK:
            guard.refuse(info.filename, "is a symbolic link")
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            guard.refuse(info.filename, "is no regular file")
        if info.flag_bits & 1:
            guard.refuse(info.filename, "is locked with a password")
        # zipfile cuts names at a NUL and turns the other system's separators round; the name as stored counts.
        guard.admit(info.orig_filename, info.file_size, info.is_dir())
        if not info.is_dir():
            files.append(info.filename)

    def read(wanted: Collection[str]) -> Iterator[tuple[str, bytes]]:
        for name in files:
            if name in wanted:
                yield name, archive.read(name)

    return Source(path, _visible(files), read)


def _tar(path: Path, limits: Limits) -> Source:
    guard = _Guard(path, limits)
    files = []
    with _tar_stream(path, limits) as archive:
        for member in archive:
            if member.issym() or member.islnk():
                guard.refuse(member.name, f"is a {'symbolic' if member.issym() else 'hard'} link")
            if not member.isfile() and not member.isdir():
                guard.refuse(member.name, "is no regular file")
            guard.admit(member.name, member.size, member.isdir())
            if member.isfile():
                files.append(member.name)

    def read(wanted: Collection[str]) -> Iterator[tuple[str, bytes]]:
        with _tar_stream(path, limits) as archive:
            for member in archive:
                if member.name in wanted:
                    yield member.name, archive.extractfile(member).read()

    return Source(path, _visible(files), read)


class _Guard:
    """Admits members one by one and refuses, by name, the first that breaks a rule."""

    def __init__(self, path: Path, limits: Limits):
        self._path, self._limits = path, limits
        self._bytes_left = limits.bytes_of(path)
        self._seen: dict[str, str] = {}

    def admit(self, name: str, size: int, folder: bool) -> None:
        place = PurePosixPath(name)
        if place.is_absolute() or PureWindowsPath(name).anchor:
            self.refuse(name, "has an absolute path")
        if ".." in (*place.parts, *PureWindowsPath(name).parts):
            self.refuse(name, "leads out of its folder")
        if "\0" in name or (not place.parts and not folder):
            self.refuse(name, "has no usable name")
        if folder:
            return
        # Two such names are one file on the disks of macOS and Windows.
        key = unicodedata.normalize("NFC", place.as_posix()).casefold()
        if key in self._seen:
            self.refuse(
                name, f"differs from {self._seen[key]!r} only by case" if self._seen[key] != name else "is there twice"
            )
        self._seen[key] = name
        if len(self._seen) > self._limits.max_files:
            self.refuse(
                name, f"is file {len(self._seen):,}, at most {self._limits.max_files:,} may be (download.max_files)"
            )
        self._bytes_left -= size
        if self._bytes_left < 0:
            self.refuse(name, _too_large(self._path, self._limits))

    def refuse(self, name: str, why: str) -> None:
        raise UserError(f"{self._path}: refused, nothing was unpacked: member {name!r} {why}")


def _too_large(path: Path, limits: Limits) -> str:
    return (
        f"takes what it unpacks to past {limits.bytes_of(path):,} bytes (download.max_gib: {limits.max_gib:g}, "
        f"download.max_unpack_ratio: {limits.max_ratio:g} times its own {path.stat().st_size:,} bytes)"
    )


@contextmanager
def _tar_stream(path: Path, limits: Limits) -> Iterator[tarfile.TarFile]:
    """The tar at `path`, read once from its beginning, whatever its compression."""
    opener = _decompressor(path) or open
    with opener(path, "rb") as stream, tarfile.open(fileobj=_Metered(path, stream, limits), mode="r|") as tar:
        yield tar


def _is_tar(path: Path) -> bool:
    # tarfile.is_tarfile() reads a whole first header, however long it says it is.
    with path.open("rb") as file:
        return _decompressor(path) is not None or file.read(262).endswith(b"ustar")


def _decompressor(path: Path) -> Callable | None:
    with path.open("rb") as file:
        start = file.read(6)
    return next((opener for magic, opener in DECOMPRESSORS.items() if start.startswith(magic)), None)


class _Metered(io.RawIOBase):
    """A stream that is refused past the limit, so that no header makes tarfile read a bomb."""

    def __init__(self, path: Path, stream, limits: Limits):
        self._path, self._stream, self._limits = path, stream, limits
        self._left = limits.bytes_of(path)

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(min(size, self._left + 1) if size >= 0 else self._left + 1)
        self._left -= len(data)
        if self._left < 0:
            raise UserError(
                f"{self._path}: refused, nothing was unpacked: a member {_too_large(self._path, self._limits)}"
            )
        return data


def random_reader(path: Path) -> Callable[[str], bytes]:
    """Reads any file by name, in any order: of a folder or of a zip that `open_source` has admitted."""
    return (lambda name: (path / name).read_bytes()) if path.is_dir() else zipfile.ZipFile(path).read


def _visible(names: list[str]) -> list[str]:
    return sorted(name for name in names if not any(_hidden(part) for part in PurePosixPath(name).parts))


def _hidden(part: str) -> bool:
    return part.startswith(".") or part == "__MACOSX"
