"""Downloads over HTTP: a file is complete and checked, or absent; a partial download is kept for the next try."""

import fcntl
import hashlib
import os
import time
from pathlib import Path

import requests
from platformdirs import user_cache_path
from tqdm import tqdm
from urllib3.exceptions import HTTPError, InvalidHeader, MaxRetryError
from urllib3.util import Retry

from pix2street.core.errors import UserError
from pix2street.core.files import sha256_of

CHUNK_BYTES = 1 << 20
CONNECT_S = 15
PASSING_STATUS = frozenset({408, 425, 429, 500, 502, 503, 504})
"""HTTP statuses of a fault that may pass."""
MAX_WAIT_S = 300
"""The longest wait that a server may ask for."""


def cache_folder() -> Path:
    """Return the folder of fetched archives: outside the outputs, shared by all checkouts.

    PIX2STREET_CACHE names another folder.
    """
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
    """Fetch `url` into `path` and return `path`; a file that exists already is not fetched again.

    A broken download continues where it ended if the server still has the same file (`If-Range`). After a status of
    `PASSING_STATUS` the request is repeated when the server's `Retry-After` says so, else as urllib3's `Retry` does:
    at once, then after `back_off_s` doubled each time.

    Args:
        size_bytes: the length of the whole file; None accepts the length that the server names.
        checksum: `sha256:...` or `md5:...`; None checks only the length.
        attempts: the number of tries in a row that may bring no byte.
        silence_s: the longest time that the server may send nothing.

    Raises:
        UserError: the server refuses, sends a page instead of a file or stays silent, or the file has another length
            or checksum than the known one. A partial download is kept; a wrong one is removed.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_name(f".{path.name}.lock").open("w") as lock:
        # Two pipelines that need the same file fetch it once.
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            partial = _Partial(path)
            retry = Retry(attempts - 1, status_forcelist=PASSING_STATUS, backoff_factor=back_off_s)
            _fetch(url, partial, session or requests.Session(), size_bytes, silence_s, retry)
            _check(url, partial, checksum)
            partial.finish()
    return path


def fetched_sha256(path: Path) -> str:
    """Return the SHA-256 of a fetched file; it is computed once and kept beside the file."""
    note = path.with_name(f"{path.name}.sha256")
    if not note.exists() or note.stat().st_mtime_ns < path.stat().st_mtime_ns:
        note.write_text(f"{sha256_of(path)}  {path.name}\n", encoding="utf-8")
    return note.read_text(encoding="utf-8").split()[0]


class _Partial:
    """A partial download, and the mark by which the server can tell whether its file is still the same."""

    def __init__(self, path: Path):
        self.path = path
        self.data = path.with_name(f"{path.name}.partial")
        self._mark = path.with_name(f"{path.name}.partial.etag")

    @property
    def size(self) -> int:
        return self.data.stat().st_size if self.data.exists() else 0

    def range_headers(self) -> dict[str, str]:
        """Return the headers that ask for the rest; none where it could be the rest of another file."""
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


class _TryAgain(requests.RequestException):
    """A fault that may pass."""


def _fetch(
    url: str, partial: _Partial, session: requests.Session, size_bytes: int | None, silence_s: float, retry: Retry
) -> None:
    left = retry
    while True:
        before = partial.size
        try:
            _fetch_rest(url, partial, session, size_bytes, silence_s, retry)
            return
        except (requests.RequestException, HTTPError) as error:
            if partial.size > before:  # a download that breaks off but progresses is not at fault
                left = retry
                continue
            try:
                left = left.increment("GET", url, error=error)
            except MaxRetryError:
                raise UserError(
                    f"{url}: given up after {retry.total + 1} tries in a row without a byte ({_reason(error)}); "
                    f"{partial.size:,} bytes are kept, run again to go on from there"
                ) from error
            time.sleep(_wait_s(left, getattr(error, "response", None)))


def _wait_s(retry: Retry, response: requests.Response | None) -> float:
    """Return how long the server asks to wait, else how long `retry` waits after so many failures."""
    try:
        asked_s = None if response is None else retry.get_retry_after(response.raw)
    except InvalidHeader:
        asked_s = None
    return retry.get_backoff_time() if asked_s is None else min(asked_s, MAX_WAIT_S)


def _fetch_rest(
    url: str, partial: _Partial, session: requests.Session, size_bytes: int | None, silence_s: float, retry: Retry
) -> None:
    headers = {"Accept-Encoding": "identity", **partial.range_headers()}
    with session.get(url, headers=headers, stream=True, timeout=(CONNECT_S, silence_s)) as response:
        resumed = response.status_code == 206 and "Range" in headers
        if response.status_code == 416:
            # An earlier run may have fetched all bytes and ended before it renamed the file.
            if response.headers.get("Content-Range") == f"bytes */{partial.size}":
                return
            partial.remove()
            raise _TryAgain("the server has no rest of the partial download")
        if retry.is_retry("GET", response.status_code, "Retry-After" in response.headers):
            raise _TryAgain(f"HTTP {response.status_code}", response=response)
        if response.status_code != 200 and not resumed:
            raise UserError(
                f"{url}: the server answers {response.status_code} {response.reason}; fix the address or log in"
            )
        if url.startswith("https:") and not response.url.startswith("https:"):
            raise UserError(
                f"{url}: redirects to {response.url}, which is not encrypted; nothing was fetched, fix the address"
            )
        if "text/html" in response.headers.get("Content-Type", ""):
            raise UserError(f"{url}: the server sent a page, not the archive (login refused?); check address and login")
        begin, total = _range_of(response) if resumed else (0, _length(response))
        if resumed and begin != partial.size:
            raise _TryAgain(f"the server sends from byte {begin:,} for {partial.size:,}")
        expected = size_bytes or total
        if size_bytes and total and total != size_bytes:
            raise UserError(
                f"{url}: {total:,} bytes long, expected {size_bytes:,}; the server has another file, check the address"
            )
        partial.remember(response)
        with (
            partial.data.open("ab" if resumed else "wb") as file,
            tqdm(desc=partial.path.name, initial=begin, total=expected, unit="B", unit_scale=True) as bar,
        ):
            # iter_content() would lose the first part of a chunk when the connection breaks.
            while chunk := response.raw.read1(CHUNK_BYTES):
                file.write(chunk)
                bar.update(len(chunk))
        if expected and partial.size < expected:
            raise _TryAgain(f"the connection ended after {partial.size:,} of {expected:,} bytes")
        if expected and partial.size > expected:
            came = partial.size
            partial.remove()
            raise UserError(f"{url}: {came:,} bytes came, expected {expected:,}; removed, run again")


def _check(url: str, partial: _Partial, checksum: str | None) -> None:
    with partial.data.open("rb") as file:
        if file.read(64).lstrip().lower().startswith((b"<!doctype html", b"<html")):
            problem = "the server sent a page, not the archive (login refused?); check address and login"
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


def _range_of(response: requests.Response) -> tuple[int, int | None]:
    """Return the first byte and the whole length that `Content-Range: bytes 5-9/10` names."""
    span, _, total = response.headers.get("Content-Range", "").removeprefix("bytes ").partition("/")
    first = span.partition("-")[0]
    return int(first) if first.isdigit() else -1, int(total) if total.isdigit() else None


def _reason(error: Exception) -> str:
    if "timed out" in str(error):
        return "the server is silent"
    return str(error).splitlines()[0]
