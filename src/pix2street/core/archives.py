"""Read the files of a folder, a zip or a tar; a member that could do harm is refused before any file is read."""

import bz2
import errno
import gzip
import lzma
import re
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pix2street.core.errors import UserError
from pix2street.core.folders import walk
from pix2street.core.formats import ARCHIVES, HEAD_BYTES, ZIP, format_of, has_image_ending, why_unwanted
from pix2street.core.limits import Guard, Limits, Metered

DECOMPRESSORS = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ\x00": lzma.open}
BROKEN = (tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, NotImplementedError)

READ_PACKINGS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
PACKINGS = {9: "Deflate64, as Windows does above 2 GB", 93: "Zstandard", 95: "XZ", 96: "JPEG", 98: "PPMd", 99: "AES"}
"""Names of a zip's methods of compression that are not read (APPNOTE.TXT, section 4.4.5)."""
ZIP_END_BYTES = (1 << 16) + 22
UNPACK = "unpack it and name its folder in download.path"


@dataclass(frozen=True)
class Source:
    """Named files in a folder or an archive.

    Args:
        names: the regular files, sorted, with `/` between folders.
        left_out: all others, each with its reason: hidden files and litter, dangling links, files that are not regular,
            folders that cannot be read.
        read: yields (name, content) of the wanted files, in the order in which they are stored.
        head: returns a file's first bytes.
        linked: the links to folders that were followed.
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
        UserError: nothing is at `path`, or no archive, a broken archive, or one packed in a way that is not read; or a
            member, which it names, has an absolute path, `..`, a link, a device, a password, a name that differs from
            another only by case, or passes a limit.
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
        # bz2 and gzip report broken data as an OSError without an errno; zipfile seeks in vain.
        sought = isinstance(error, OSError) and error.errno == errno.EINVAL and error.filename is None
        if isinstance(error, OSError) and error.errno is not None and not sought:
            raise
        raise UserError(f"{path}: a broken archive ({error}); get it again") from error


def random_reader(path: Path) -> Callable[[str], bytes]:
    """Return a function that reads the files of a folder or of an admitted zip by name, in any order."""
    if path.is_dir():
        return lambda name: (path / name).read_bytes()
    archive = zipfile.ZipFile(path)
    members = {_plain(_zip_name(info)): info for info in archive.infolist()}
    return lambda name: archive.read(members[name])


def _what_it_is(path: Path) -> str:
    """Return why a file is no source, and the way out; its misleading ending is ignored."""
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
        return f"{found.name}, neither a folder nor a zip nor a tar; name the folder that holds it"
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


def _zip(path: Path, archive: zipfile.ZipFile, limits: Limits) -> Source:
    guard = Guard(path, limits)
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
        plain = guard.admit(info.orig_filename, info.file_size, folder, name)
        if not folder:
            _refuse_packing(info, guard)
            files[plain] = info

    def read(wanted: Collection[str]) -> Iterator[tuple[str, bytes]]:
        for name, info in files.items():
            if name in wanted:
                yield name, archive.read(info)

    def head(name: str) -> bytes:
        with archive.open(files[name]) as member:
            return member.read(HEAD_BYTES)

    return Source(path, *_wanted(files), read=read, head=head)


def _zip_name(info: zipfile.ZipInfo, guard: Guard | None = None) -> str:
    """Return a member's name with `/` between folders; some Windows programs write a backslash, against the format.

    Zipfile cuts names at a NUL, so the name as stored counts.
    """
    name = info.orig_filename
    # In an East Asian code page a backslash may be the second half of a letter, and nothing tells which page it is.
    if guard and not info.flag_bits & 0x800 and re.search(r"[^\x00-\x7f]\\", name):
        guard.refuse(name, "has a backslash behind a letter of an unknown code page; pack it again with names in UTF-8")
    return name.replace("\\", "/")


def _refuse_packing(info: zipfile.ZipInfo, guard: Guard) -> None:
    if info.compress_type not in READ_PACKINGS:
        name = PACKINGS.get(info.compress_type, f"method {info.compress_type}")
        guard.refuse(
            info.filename, f"is packed with {name}, which is not read here; pack it again with Deflate, or {UNPACK}"
        )


def _is_whole_zip(path: Path) -> bool:
    """Return whether the file ends with a zip's directory.

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


def _tar(path: Path, limits: Limits) -> Source:
    guard = Guard(path, limits)
    heads: dict[str, bytes] = {}
    with _tar_stream(path, limits) as archive:
        for member in archive:
            if member.issym() or member.islnk():
                link = "symbolic" if member.issym() else "hard"
                guard.refuse(member.name, f"is a {link} link; pack it again with tar --dereference --hard-dereference")
            if not member.isfile() and not member.isdir():
                guard.refuse(member.name, "is no regular file")
            plain = guard.admit(member.name, member.size, member.isdir(), member.name)
            if member.isfile():
                # A caller that asks for the head of an image reads all of it anyway; other files are small and few.
                known = has_image_ending(plain)
                heads[plain] = b"" if known else archive.extractfile(member).read(HEAD_BYTES)

    def read(wanted: Collection[str]) -> Iterator[tuple[str, bytes]]:
        with _tar_stream(path, limits) as archive:
            for member in archive:
                if (name := _plain(member.name)) in wanted and member.isfile():
                    yield name, archive.extractfile(member).read()

    def head(name: str) -> bytes:
        return heads[name] if not has_image_ending(name) else next(read([name]))[1][:HEAD_BYTES]

    return Source(path, *_wanted(heads), read=read, head=head)


@contextmanager
def _tar_stream(path: Path, limits: Limits) -> Iterator[tarfile.TarFile]:
    """Open the tar at `path`, of any compression, to be read once from its beginning."""
    opener = _decompressor(path) or open
    with opener(path, "rb") as stream, tarfile.open(fileobj=Metered(path, stream, limits), mode="r|") as tar:
        yield tar


def _is_tar(path: Path) -> bool:
    """Return whether the file, unpacked, begins with a tar's header.

    `tarfile.is_tarfile` would read a header as long as the file says.
    """
    with (_decompressor(path) or open)(path, "rb") as stream:
        block = stream.read(tarfile.BLOCKSIZE)
    try:
        tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except tarfile.EOFHeaderError:
        return True  # An empty tar is zeros.
    except tarfile.HeaderError:
        return False
    return True


def _decompressor(path: Path) -> Callable | None:
    with path.open("rb") as file:
        start = file.read(6)
    return next((opener for magic, opener in DECOMPRESSORS.items() if start.startswith(magic)), None)


def _plain(name: str) -> str:
    return PurePosixPath(name).as_posix()


def _wanted(names: Iterable[str]) -> tuple[list[str], dict[str, str]]:
    """Return those of an archive's files that count, sorted, and the others with their reasons."""
    left_out = {name: why for name in names if (why := why_unwanted(name))}
    return sorted(name for name in names if name not in left_out), left_out
