"""Fetch a file over HTTP so that it is there whole and right, or not at all; what has come is kept for the next try."""

import contextlib
import fcntl
import hashlib
import os
import time
from pathlib import Path

import requests
import urllib3
from platformdirs import user_cache_path
from tqdm import tqdm

from pix2street.core.errors import UserError
from pix2street.core.files import sha256_of

CHUNK_BYTES = 1 << 20
CONNECT_S = 15
PASSING_STATUS = {408, 425, 429, 500, 502, 503, 504}


def cache_folder() -> Path:
    """Where fetched archives are kept: outside the outs, shared by all checkouts. PIX2STREET_CACHE names another."""
    return Path(os.environ.get("PIX2STREET_CACHE") or user_cache_path("pix2street", appauthor=False))


def fetch_file(
    url: str,
    path: Path,
    *,
    session: requests.Session | None = None,
    size_bytes: int | None = None,
    checksum: str | None = None,
    attempts: int = 6,
    silence_s: float = 60.0,
    back_off_s: float = 2.0,
) -> Path:
    """Make `path` hold what `url` serves, and return it; a file that is there already is not fetched again.

    A broken connection is taken up where it ended, as long as the server still has the same file (`If-Range`). 408,
    425, 429 and 5xx are tried again after the server's `Retry-After`, else after `back_off_s` doubled each time.

    Args:
        size_bytes: of the whole file; None takes the server's word.
        checksum: `sha256:...` or `md5:...`; None checks the length alone.
        attempts: how many times in a row nothing may come before it is given up.
        silence_s: how long the server may send nothing.

    Raises:
        UserError: the server refuses, sends a page instead of a file, stays silent, or what came has not the known
            length or checksum. What came is kept when the connection broke, removed when it is wrong.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_name(f".{path.name}.lock").open("w") as lock:
        # Two pipelines that want one file fetch it once.
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            partial = _Partial(path)
            _fetch(url, partial, session or requests.Session(), size_bytes, attempts, silence_s, back_off_s)
            _check(url, partial, checksum)
            partial.finish()
    return path


def fetched_sha256(path: Path) -> str:
    """The SHA-256 of a fetched file, computed once and kept beside it."""
    note = path.with_name(f"{path.name}.sha256")
    if not note.exists() or note.stat().st_mtime_ns < path.stat().st_mtime_ns:
        note.write_text(f"{sha256_of(path)}  {path.name}\n", encoding="utf-8")
    return note.read_text(encoding="utf-8").split()[0]


class _Partial:
    """What has come so far, and the mark by which the server knows that its file is still the same."""

    def __init__(self, path: Path):
        self.path = path
        self.data = path.with_name(f"{path.name}.partial")
        self._mark = path.with_name(f"{path.name}.partial.etag")

    @property
    def size(self) -> int:
        return self.data.stat().st_size if self.data.exists() else 0

    def range_headers(self) -> dict[str, str]:
        """What asks for the rest alone; empty where it could be the rest of another file."""
        if not self.size or not self._mark.exists():
            return {}
        return {"Range": f"bytes={self.size}-", "If-Range": self._mark.read_text(encoding="utf-8")}

    def remember(self, response: requests.Response) -> None:
        mark = response.headers.get("ETag") or response.headers.get("Last-Modified")
        # A weak mark does not promise the same bytes.
        if mark and not mark.startswith("W/"):
            self._mark.write_text(mark, encoding="utf-8")
        else:
            self._mark.unlink(missing_ok=True)

    def remove(self) -> None:
        self.data.unlink(missing_ok=True)
        self._mark.unlink(missing_ok=True)

    def finish(self) -> None:
        self._mark.unlink(missing_ok=True)
        os.replace(self.data, self.path)


class _TryAgain(Exception):
    """A passing trouble, and how long the server asks to wait."""

    def __init__(self, reason: str, wait_s: float | None = None):
        super().__init__(reason)
        self.wait_s = wait_s


def _fetch(
    url: str,
    partial: _Partial,
    session: requests.Session,
    size_bytes: int | None,
    attempts: int,
    silence_s: float,
    back_off_s: float,
) -> None:
    failed = 0
    while True:
        before = partial.size
        try:
            _fetch_rest(url, partial, session, size_bytes, silence_s)
            return
        except (_TryAgain, requests.RequestException, urllib3.exceptions.HTTPError) as error:
            # Whoever breaks off but gets on is no failure.
            failed = 0 if partial.size > before else failed + 1
            if failed >= attempts:
                raise UserError(
                    f"{url}: given up after {attempts} tries in a row without a byte ({_reason(error)}); "
                    f"{partial.size:,} bytes are kept, run again to go on from there"
                ) from error
            if failed:
                wanted_s = error.wait_s if isinstance(error, _TryAgain) else None
                time.sleep(back_off_s * 2 ** (failed - 1) if wanted_s is None else wanted_s)


def _fetch_rest(
    url: str, partial: _Partial, session: requests.Session, size_bytes: int | None, silence_s: float
) -> None:
    headers = {"Accept-Encoding": "identity", **partial.range_headers()}
    with session.get(url, headers=headers, stream=True, timeout=(CONNECT_S, silence_s)) as response:
        resumed = response.status_code == 206 and "Range" in headers
        if response.status_code == 416:
            # An earlier run may have got all of it and ended before it could say so.
            if response.headers.get("Content-Range") == f"bytes */{partial.size}":
                return
            partial.remove()
            raise _TryAgain("the server does not have the rest of what came before")
        if response.status_code in PASSING_STATUS:
            raise _TryAgain(f"HTTP {response.status_code}", _retry_after_s(response))
        if response.status_code != 200 and not resumed:
            raise UserError(
                f"{url}: the server answers {response.status_code} {response.reason}; mend the address or log in"
            )
        if url.startswith("https:") and not response.url.startswith("https:"):
            raise UserError(f"{url}: leads to {response.url}, which is not encrypted; nothing was fetched from there")
        if "text/html" in response.headers.get("Content-Type", ""):
            raise UserError(f"{url}: the server sent a page, not the archive (login refused?)")
        begin, total = _place(response) if resumed else (0, _length(response))
        if resumed and begin != partial.size:
            raise _TryAgain(f"the server sends from byte {begin:,} for {partial.size:,}")
        expected = size_bytes or total
        if size_bytes and total and total != size_bytes:
            raise UserError(f"{url}: {total:,} bytes long, expected {size_bytes:,}; the file there is another one")
        partial.remember(response)
        with (
            partial.data.open("ab" if resumed else "wb") as file,
            tqdm(desc=partial.path.name, initial=begin, total=expected, unit="B", unit_scale=True) as bar,
        ):
            # iter_content() would lose what came of a chunk whose rest did not.
            while chunk := response.raw.read1(CHUNK_BYTES):
                file.write(chunk)
                bar.update(len(chunk))
        if expected and partial.size < expected:
            raise _TryAgain(f"the connection ended after {partial.size:,} of {expected:,} bytes")
        if expected and partial.size > expected:
            came = partial.size
            partial.remove()
            raise UserError(f"{url}: {came:,} bytes came, expected {expected:,}; removed")


def _check(url: str, partial: _Partial, checksum: str | None) -> None:
    with partial.data.open("rb") as file:
        if file.read(64).lstrip().lower().startswith((b"<!doctype html", b"<html")):
            problem = "the server sent a page, not the archive (login refused?)"
        elif checksum is None:
            return
        else:
            file.seek(0)
            algorithm, _, expected = checksum.partition(":")
            found = hashlib.file_digest(file, algorithm).hexdigest()
            if found == expected:
                return
            problem = f"{algorithm} is {found}, expected {expected}; removed, run again"
    partial.remove()
    raise UserError(f"{url}: {problem}")


def _length(response: requests.Response) -> int | None:
    length = response.headers.get("Content-Length", "")
    return int(length) if length.isdigit() else None


def _place(response: requests.Response) -> tuple[int, int | None]:
    """The first byte and the whole length that `Content-Range: bytes 5-9/10` names."""
    span, _, total = response.headers.get("Content-Range", "").removeprefix("bytes ").partition("/")
    first = span.partition("-")[0]
    return int(first) if first.isdigit() else -1, int(total) if total.isdigit() else None


def _retry_after_s(response: requests.Response) -> float | None:
    with contextlib.suppress(ValueError):
        return min(float(response.headers.get("Retry-After", "")), 300.0)
    return None


def _reason(error: Exception) -> str:
    if "timed out" in str(error):
        return "the server is silent"
    return str(error).splitlines()[0]
