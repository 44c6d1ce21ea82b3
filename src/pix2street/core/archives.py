"""Read the files of a folder, a zip or a tar; a member that could do harm is refused before any file is read."""

import bz2
import errno
import gzip
import io
import lzma
import os
import re
import stat
import tarfile
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath

from pix2street.core.errors import UserError
from pix2street.core.formats import ARCHIVES, DANGLING, HEAD_BYTES, ZIP, format_of, has_image_ending, why_unwanted

GIB = 1 << 30
DECOMPRESSORS = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ\x00": lzma.open}
BROKEN = (tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, NotImplementedError)

READ_PACKINGS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
PACKINGS = {9: "Deflate64, as Windows does above 2 GB", 93: "Zstandard", 95: "XZ", 96: "JPEG", 98: "PPMd", 99: "AES"}
"""Names of a zip's methods of compression that are not read (APPNOTE.TXT, section 4.4.5)."""
ZIP_END_BYTES = (1 << 16) + 22
UNPACK = "unpack it and name its folder in download.path"


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

    `names` are the regular files, sorted, with `/` between folders. `left_out` are all others, each with its reason:
    hidden files and litter, dangling links, what is no regular file, folders that cannot be read. `read` yields
    (name, content) of the wanted ones, in the order in which they are stored. `head` returns a file's first bytes.
    `linked` are the links to folders that were followed.
    """

    path: Path
    names: list[str]
    left_out: dict[str, str]
    read: Callable[[Collection[str]], Iterator[tuple[str, bytes]]]
    head: Callable[[str], bytes]
    linked: Sequence[str] = ()


@contextmanager
def open_source(path: Path, limits: Limits) -> Iterator[Source]:
    """Open the files at `path`; members of an archive are checked before the first one is read.

    Raises:
        UserError: nothing there, no archive, a broken archive, one packed in a way that is not read, or a member with
            an absolute path, `..`, a link, a device, a password, a name that differs from another only by case, or past
            a limit; by the member's name.
    """
    try:
        if path.is_dir():
            yield _folder(path, limits)
        elif not path.exists():
            raise UserError(f"{path}: no such folder or archive; put it there or fix its path in params.yaml")
        elif not path.is_file():
            raise UserError(f"{path}: neither a folder nor a file; fix its path in params.yaml")
        elif _is_tar(path):
            yield _tar(path, limits)
        elif _is_whole_zip(path):
            with zipfile.ZipFile(path) as archive:
                yield _zip(path, archive, limits)
        else:
            raise UserError(f"{path}: {_what_it_is(path)}")
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: a member's name is no UTF-8 although it says so ({error}); pack it again") from error
    except (*BROKEN, OSError) as error:
        # bz2 and gzip report broken data as errors of the system, but without a number of its; zipfile seeks in vain.
        sought = isinstance(error, OSError) and error.errno == errno.EINVAL and error.filename is None
        if isinstance(error, OSError) and error.errno is not None and not sought:
            raise
        raise UserError(f"{path}: a broken archive ({error}); get it again") from error


def _what_it_is(path: Path) -> str:
    """Why a file is no source, and the way out; its ending says nothing, since it is what misled."""
    with path.open("rb") as file:
        found = format_of("", file.read(HEAD_BYTES))
    if found is ZIP and (path.suffix[1:].isdecimal() or re.fullmatch(r"\.z\d+", path.suffix, re.IGNORECASE)):
        return f"one part of a zip; join its parts (zip -s 0, or 7-Zip), or {UNPACK}"
    if found is ZIP:
        return "a zip that is cut short; get it again"
    if opener := _decompressor(path):
        with opener(path, "rb") as stream:
            inner = format_of("", stream.read(HEAD_BYTES))
            if inner is None:
                # Damage is often seen only at the end of a block, behind data that are wrong.
                any(not stream.read(1 << 20) for _ in range(256))
        return f"{found.name} with {inner.name if inner else 'no tar'} in it; {UNPACK}"
    if found in ARCHIVES:
        return f"{found.name}, which is not read; {UNPACK}"
    if found is not None and found.read_here:
        return f"{found.name}, neither a folder nor a zip nor a tar; name the folder it stands in"
    what = f" (it is {found.name})" if found else ""
    return f"neither a folder nor a zip nor a tar{what}; fix its path in params.yaml"


def _folder(path: Path, limits: Limits) -> Source:
    tree = walk(path, limits.max_files)

    def head(name: str) -> bytes:
        with (path / name).open("rb") as file:
            return file.read(HEAD_BYTES)

    def read(wanted: Collection[str]) -> Iterator[tuple[str, bytes]]:
        return ((name, (path / name).read_bytes()) for name in sorted(wanted))

    return Source(path, tree.names, tree.left_out, read, head, tree.linked)


@dataclass(frozen=True)
class Tree:
    """What stands below a folder: the regular files, all else with its reason, and the links to folders among it.

    A name that ends in `/` is a folder's.
    """

    names: list[str]
    left_out: dict[str, str]
    linked: list[str]


def walk(root: Path, max_linked: int) -> Tree:
    """List what stands below a folder, sorted by name.

    Links are followed. One that leads to a folder it stands in is named instead, so that the walk ends; hidden folders
    and litter are listed without following any.

    Args:
        max_linked: how many files and folders may be reached through links to folders.

    Raises:
        UserError: there are more.
    """
    names: list[str] = []
    left_out: dict[str, str] = {}
    links: list[str] = []
    linked = 0
    above = frozenset(_identity(folder) for folder in [root.resolve(), *root.resolve().parents])
    todo = [("", above, False)]
    while todo:
        place, above, through_link = todo.pop()
        for entry in _entries(root, place, left_out):
            name = place + entry.name
            linked += through_link
            if linked > max_linked:
                raise UserError(
                    f"{root}: links lead to more than {max_linked:,} files (download.max_files), the last in {place}; "
                    "remove those that lead back and forth"
                )
            unwanted, link = why_unwanted(name), entry.is_symlink()
            if link and not os.path.exists(entry.path):
                left_out[name] = unwanted or DANGLING
            elif unwanted and link:
                left_out[name] = unwanted
            elif entry.is_dir():
                here = _identity(entry.path)
                if here in above:
                    left_out[f"{name}/"] = "link to a folder that it stands in"
                else:
                    links += [name] if link else []
                    todo.append((f"{name}/", above | {here}, through_link or link))
            elif unwanted:
                left_out[name] = unwanted
            elif entry.is_file():
                names.append(name)
            else:
                left_out[name] = "no regular file"
    return Tree(sorted(names), dict(sorted(left_out.items())), sorted(links))


def _entries(root: Path, place: str, left_out: dict[str, str]) -> list[os.DirEntry]:
    """What stands in one folder; nothing, and a reason, where it cannot be read."""
    try:
        with os.scandir(root / place) as entries:
            return list(entries)
    except PermissionError:
        if not place:
            raise
        left_out[place] = "folder that you may not read"
        return []


def _identity(folder: Path | str) -> tuple[int, int]:
    found = os.stat(folder)
    return found.st_dev, found.st_ino


def _zip(path: Path, archive: zipfile.ZipFile, limits: Limits) -> Source:
    guard = _Guard(path, limits)
    files: dict[str, zipfile.ZipInfo] = {}
    for info in archive.infolist():
        mode = info.external_attr >> 16
        kind = stat.S_IFMT(mode)
        if kind == stat.S_IFLNK:
            guard.refuse(info.filename, "is a symbolic link; pack what it leads to (zip without -y)")
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            guard.refuse(info.filename, "is no regular file")
        if info.flag_bits & 1:
            guard.refuse(info.filename, f"is locked with a password; {UNPACK}")
        name = _zip_name(info, guard)
        folder = name.endswith("/")
        place = guard.admit(info.orig_filename, info.file_size, folder, name)
        if not folder:
            _refuse_packing(info, guard)
            files[place] = info

    def read(wanted: Collection[str]) -> Iterator[tuple[str, bytes]]:
        for name, info in files.items():
            if name in wanted:
                yield name, archive.read(info)

    def head(name: str) -> bytes:
        with archive.open(files[name]) as member:
            return member.read(HEAD_BYTES)

    return Source(path, *_wanted(files), read=read, head=head)


def _zip_name(info: zipfile.ZipInfo, guard: "_Guard | None" = None) -> str:
    """A member's name with `/` between folders; some programs of Windows write a backslash, which no zip may hold.

    Zipfile cuts names at a NUL, so the name as stored counts.
    """
    name = info.orig_filename
    # In a code page of East Asia a backslash may be the second half of a letter; which one it is, nothing tells.
    if guard and not info.flag_bits & 0x800 and re.search(r"[^\x00-\x7f]\\", name):
        guard.refuse(name, "has a backslash behind a letter of an unknown code page; pack it again with names in UTF-8")
    return name.replace("\\", "/")


def _refuse_packing(info: zipfile.ZipInfo, guard: "_Guard") -> None:
    if info.compress_type not in READ_PACKINGS:
        name = PACKINGS.get(info.compress_type, f"method {info.compress_type}")
        guard.refuse(
            info.filename, f"is packed with {name}, which is not read here; pack it again with Deflate, or {UNPACK}"
        )


def _tar(path: Path, limits: Limits) -> Source:
    guard = _Guard(path, limits)
    heads: dict[str, bytes] = {}
    with _tar_stream(path, limits) as archive:
        for member in archive:
            if member.issym() or member.islnk():
                link = "symbolic" if member.issym() else "hard"
                guard.refuse(member.name, f"is a {link} link; pack it again with tar --dereference --hard-dereference")
            if not member.isfile() and not member.isdir():
                guard.refuse(member.name, "is no regular file")
            place = guard.admit(member.name, member.size, member.isdir(), member.name)
            if member.isfile():
                # Whoever asks for the head of an image reads it whole anyway; the others' are small and few.
                known = has_image_ending(place)
                heads[place] = b"" if known else archive.extractfile(member).read(HEAD_BYTES)

    def read(wanted: Collection[str]) -> Iterator[tuple[str, bytes]]:
        with _tar_stream(path, limits) as archive:
            for member in archive:
                if (name := _place(member.name)) in wanted and member.isfile():
                    yield name, archive.extractfile(member).read()

    def head(name: str) -> bytes:
        return heads[name] if not has_image_ending(name) else next(read([name]))[1][:HEAD_BYTES]

    return Source(path, *_wanted(heads), read=read, head=head)


def _place(name: str) -> str:
    return PurePosixPath(name).as_posix()


class _Guard:
    """Admits members one by one and refuses, by name, the first that breaks a rule."""

    def __init__(self, path: Path, limits: Limits):
        self._path, self._limits = path, limits
        self._bytes_left = limits.bytes_of(path)
        self._seen: dict[str, tuple[str, PurePosixPath]] = {}

    def admit(self, name: str, size: int, folder: bool, path: str) -> str:
        """Return the place of a member, the plain form of its `path`; `name` is the one that is stored."""
        place = PurePosixPath(path)
        if place.is_absolute() or PureWindowsPath(name).anchor:
            self.refuse(name, "has an absolute path")
        if ".." in (*place.parts, *PureWindowsPath(name).parts):
            self.refuse(name, "leads out of its folder")
        if "\0" in name or (not place.parts and not folder):
            self.refuse(name, "has no usable name")
        if folder:
            return place.as_posix()
        # Two such names are one file on the disks of macOS and Windows.
        key = unicodedata.normalize("NFC", place.as_posix()).casefold()
        if key in self._seen:
            other, other_place = self._seen[key]
            same = "is there twice" if other == name else f"means the same file as {other!r}"
            self.refuse(name, same if other_place == place else f"differs from {other!r} only by case")
        self._seen[key] = name, place
        if len(self._seen) > self._limits.max_files:
            self.refuse(
                name, f"is file {len(self._seen):,}, at most {self._limits.max_files:,} may be (download.max_files)"
            )
        self._bytes_left -= size
        if self._bytes_left < 0:
            self.refuse(name, _too_large(self._path, self._limits))
        return place.as_posix()

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
    """Whether the file, unpacked, begins with a tar's header; tarfile.is_tarfile() reads as long a one as it says."""
    with (_decompressor(path) or open)(path, "rb") as stream:
        block = stream.read(tarfile.BLOCKSIZE)
    try:
        tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except tarfile.EOFHeaderError:
        return True  # an empty tar is zeros
    except tarfile.HeaderError:
        return False
    return True


def _is_whole_zip(path: Path) -> bool:
    """Whether there is a zip's directory, which stands at its end.

    Raises:
        UserError: it is the last part of several.
    """
    if not zipfile.is_zipfile(path):
        return False
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - ZIP_END_BYTES))
        end = file.read()
    end = end[end.rfind(b"PK\5\6") :]
    if int.from_bytes(end[4:6], "little") not in (0, 0xFFFF):
        raise UserError(f"{path}: the last part of a zip in several; join them (zip -s 0, or 7-Zip), or {UNPACK}")
    return True


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
    """Return what reads any file by name, in any order: of a folder or of a zip that `open_source` has admitted."""
    if path.is_dir():
        return lambda name: (path / name).read_bytes()
    archive = zipfile.ZipFile(path)
    members = {_place(_zip_name(info)): info for info in archive.infolist()}
    return lambda name: archive.read(members[name])


def _wanted(names: Iterable[str]) -> tuple[list[str], dict[str, str]]:
    """Those of an archive's files that count, sorted, and the others with their reasons."""
    left_out = {name: why for name in names if (why := why_unwanted(name))}
    return sorted(name for name in names if name not in left_out), left_out
