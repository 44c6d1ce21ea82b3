"""Files and folders that are complete or absent; one message says where a file is not as it was written."""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from pix2street.core.errors import UserError

MAX_NAME_BYTES = 255
"""The longest name that the usual file systems take."""

REMAKE = "run `dvc repro`, which makes it"
"""The way out where an output of the pipeline is missing or damaged."""

T = TypeVar("T")


@contextmanager
def fresh_folder(path: Path) -> Iterator[Path]:
    """Yield an empty folder that becomes `path` when the block ends well; on any error it is removed.

    Only then is the former content of `path` replaced.

    Raises:
        UserError: before the block begins, if `path` is a link or a file: a link cannot be replaced by a folder without
            losing either the link or the content behind it.
    """
    if path.is_symlink():
        raise UserError(
            f"{path}: must be a folder that can be replaced, but is a link to {os.readlink(path)}; remove the link, "
            "what is behind it stays. To keep data on another disk, put the whole project or DVC's cache "
            "(`dvc cache dir`) there"
        )
    if path.exists() and not path.is_dir():
        raise UserError(f"{path}: must be a folder that can be replaced, but is a file; move it away")
    partial = _partial_of(path)
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        yield partial
        if path.exists():
            shutil.rmtree(path)
        os.replace(partial, path)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def write_text(path: Path, text: str) -> None:
    """Write `text` to `path` as UTF-8, as `write_bytes` does."""
    write_bytes(path, text.encode())


def write_bytes(path: Path, data: bytes) -> None:
    """Write `data` to `path`, creating its folder; a reader never sees half of it."""
    write_parts(path, [data])


def write_parts(path: Path, parts: Iterable[bytes]) -> None:
    """Write the parts one after the other to `path`, as they come, as `write_bytes` does."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = _partial_of(path)
    try:
        with partial.open("wb") as stream:
            stream.writelines(parts)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def _partial_of(path: Path) -> Path:
    """Return the path for the unfinished `path`: a hidden name beside it, of limited length."""
    name = f".{path.name}.partial"
    if len(os.fsencode(name)) > MAX_NAME_BYTES:
        name = f".{hashlib.sha256(os.fsencode(path.name)).hexdigest()[:32]}.partial"
    return path.with_name(name)


def user_path(text: str) -> Path:
    """Return the path that a user wrote: `~` at its beginning is a home folder."""
    return Path(os.path.expanduser(text))


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented JSON with a last newline; raise ValueError for NaN and infinities, which JSON lacks."""
    write_text(path, json.dumps(value, indent=2, allow_nan=False) + "\n")


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file as 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_text(path: Path, way_out: str = REMAKE) -> str:
    """Return the text of a file that `write_text` wrote; no line end is changed.

    Raises:
        UserError: the file is missing or is no UTF-8; `way_out` says what the user can do.
    """
    return "".join(read_lines(path, way_out))


def read_lines(path: Path, way_out: str = REMAKE) -> Iterator[str]:
    """Yield the lines of a file, each with the line feed that ends it; raise UserError as `read_text` does."""
    start = 0
    try:
        with path.open("rb") as stream:
            for line in stream:
                yield line.decode()
                start += len(line)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise UserError(f"{path}: no such file; {way_out}") from error
    except IsADirectoryError as error:
        raise UserError(f"{path}: must be a file, but is a folder; {way_out}") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: must be UTF-8 text, byte {start + error.start} is none; {way_out}") from error


def read_json(path: Path, parse: Callable[[Any], T], way_out: str = REMAKE) -> T:
    """Return the result of `parse` on the JSON in a file that `write_json` wrote.

    Raises:
        UserError: `read_text` fails, or the file is not complete JSON or lacks what `parse` needs.
    """
    text = read_text(path, way_out)
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: must be complete JSON, but is not ({error}); {way_out}") from error
    try:
        return parse(value)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        fault = f"{type(error).__name__}: {error}"
        raise UserError(f"{path}: is not as this version writes it ({fault}); {way_out}") from error


def with_keys(*keys: str) -> Callable[[Any], dict[str, Any]]:
    """Return a `parse` for `read_json` that returns the JSON itself, which must be an object with these keys."""

    def parse(value: Any) -> dict[str, Any]:
        for key in keys:
            value[key]
        return dict(value)

    return parse
