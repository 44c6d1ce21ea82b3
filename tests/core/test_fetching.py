import hashlib
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from web import serving

from pix2street.core.errors import UserError
from pix2street.core.fetching import cache_folder, fetch_file, fetched_sha256

CONTENT = bytes(range(256)) * 20
SHA256 = f"sha256:{hashlib.sha256(CONTENT).hexdigest()}"


def fetch(url: str, path, **settings):
    return fetch_file(f"{url}/set.zip", path, **{"back_off_s": 0, "silence_s": 3600, "attempts": 3, **settings})


def refusal(answer: Callable, path, **settings) -> str:
    with serving(answer) as url, pytest.raises(UserError) as refused:
        fetch(url, path, **settings)
    return str(refused.value)


def left_over(path) -> list[str]:
    return sorted(file.name for file in path.parent.iterdir() if not file.name.endswith(".lock"))


def test_a_file_comes_whole_and_only_once(tmp_path):
    asked = []

    def answer(request):
        asked.append(request.path)
        request.send_file(CONTENT)

    with serving(answer) as url:
        for _ in range(2):
            path = fetch(url, tmp_path / "cache/set.zip", size_bytes=len(CONTENT), checksum=SHA256)
    assert path.read_bytes() == CONTENT
    assert asked == ["/set.zip"]
    assert left_over(path) == ["set.zip"]


@pytest.mark.parametrize("step", [1, 7, 1000, len(CONTENT) - 1])
def test_a_connection_that_breaks_at_any_offset_is_taken_up_there(tmp_path, step):
    content = CONTENT[:40] if step < 10 else CONTENT
    begins = []

    def answer(request):
        begins.append(request.headers.get("Range", "bytes=0-"))
        request.send_file(content, break_after=step)

    with serving(answer) as url:
        path = fetch(url, tmp_path / "set.zip")
    assert path.read_bytes() == content
    assert begins == [f"bytes={offset}-" for offset in range(0, len(content), step)]


def test_a_later_run_goes_on_where_an_earlier_one_gave_up(tmp_path):
    path = tmp_path / "set.zip"
    first = iter([True])
    message = refusal(
        lambda request: request.send_file(CONTENT, break_after=1234) if next(first, False) else request.send(503), path
    )
    assert "1,234 bytes are kept, run again to go on" in message
    assert "HTTP 503" in message
    ranges = []

    def answer(request):
        ranges.append(request.headers.get("Range"))
        request.send_file(CONTENT)

    with serving(answer) as url:
        assert fetch(url, path, checksum=SHA256).read_bytes() == CONTENT
    assert ranges == ["bytes=1234-"]


def test_a_file_that_had_come_whole_is_not_fetched_again(tmp_path):
    path = tmp_path / "set.zip"
    (tmp_path / "set.zip.partial").write_bytes(CONTENT)
    (tmp_path / "set.zip.partial.etag").write_text('"1"')
    sent = []

    def answer(request):
        sent.append(request.headers["Range"])
        request.send_file(CONTENT)

    with serving(answer) as url:
        assert fetch(url, path, checksum=SHA256).read_bytes() == CONTENT
    assert sent == [f"bytes={len(CONTENT)}-"]


def test_a_file_that_changed_on_the_server_is_begun_again(tmp_path):
    versions = iter([(b"old" * 2000, '"1"', 1234), (CONTENT, '"2"', None)])

    def answer(request):
        content, etag, break_after = next(versions)
        request.send_file(content, break_after, etag)

    with serving(answer) as url:
        assert fetch(url, tmp_path / "set.zip").read_bytes() == CONTENT


def test_a_server_without_marks_or_ranges_is_begun_again(tmp_path):
    breaks = iter([1000, None])

    def answer(request):
        request.send_response(200)
        request.send_header("Content-Length", str(len(CONTENT)))
        request.end_headers()
        request.wfile.write(CONTENT[: next(breaks)])
        request.close_connection = True

    with serving(answer) as url:
        assert fetch(url, tmp_path / "set.zip").read_bytes() == CONTENT


def test_a_stalled_server_is_left_and_asked_again(tmp_path):
    stall = threading.Event()
    first = iter([True])

    def answer(request):
        if not next(first, False):
            return request.send_file(CONTENT)
        request.send_response(200)
        for name, value in {"Content-Length": len(CONTENT), "ETag": '"1"'}.items():
            request.send_header(name, str(value))
        request.end_headers()
        request.wfile.write(CONTENT[:100])
        request.wfile.flush()
        stall.wait()

    with serving(answer) as url:
        # An answer that a busy machine gives too late makes one try more.
        assert fetch(url, tmp_path / "set.zip", silence_s=0.2, attempts=1000).read_bytes() == CONTENT
        stall.set()


def test_a_server_that_never_speaks_is_given_up(tmp_path):
    stall = threading.Event()
    with serving(lambda request: stall.wait()) as url:
        with pytest.raises(UserError, match=r"given up after 2 tries in a row without a byte \(the server is silent\)"):
            fetch(url, tmp_path / "set.zip", silence_s=0.1, attempts=2)
        stall.set()


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_passing_trouble_is_tried_again(tmp_path, status):
    answers = iter([status, status, 200])

    def answer(request):
        status = next(answers)
        if status == 200:
            request.send_file(CONTENT)
        else:
            request.send(status, Retry_After="0")

    with serving(answer) as url:
        assert fetch(url, tmp_path / "set.zip", back_off_s=3600).read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("asked", "waits"), [("7", [7, 7, 7]), ("Thu, 01 Jan 1970 00:00:00 GMT", [0, 0, 0]), ("soon", [0, 6, 12])]
)
def test_the_server_says_how_long_to_wait_else_each_wait_is_twice_the_last(tmp_path, monkeypatch, asked, waits):
    waited = []
    monkeypatch.setattr("pix2street.core.fetching.time.sleep", waited.append)
    refusal(lambda request: request.send(503, Retry_After=asked), tmp_path / "set.zip", back_off_s=3, attempts=4)
    assert waited == waits


def test_a_server_that_asks_for_a_day_is_not_waited_for_so_long(tmp_path, monkeypatch):
    waited = []
    monkeypatch.setattr("pix2street.core.fetching.time.sleep", waited.append)
    refusal(lambda request: request.send(429, Retry_After="86400"), tmp_path / "set.zip", attempts=2)
    assert waited == [300]


def test_redirects_are_followed(tmp_path):
    def answer(request):
        if request.path == "/set.zip":
            request.send(302, Location="/elsewhere")
        else:
            request.send_file(CONTENT)

    with serving(answer) as url:
        assert fetch(url, tmp_path / "set.zip").read_bytes() == CONTENT


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_refusal_is_said_at_once(tmp_path, status):
    message = refusal(lambda request: request.send(status), tmp_path / "set.zip")
    assert f"the server answers {status}" in message
    assert left_over(tmp_path / "set.zip") == []


def test_another_length_than_the_known_one_is_refused(tmp_path):
    message = refusal(lambda request: request.send_file(CONTENT), tmp_path / "set.zip", size_bytes=99)
    assert "5,120 bytes long, expected 99" in message
    assert left_over(tmp_path / "set.zip") == []


def test_a_wrong_checksum_is_refused_and_removed(tmp_path):
    message = refusal(lambda request: request.send_file(CONTENT), tmp_path / "set.zip", checksum="md5:" + "0" * 32)
    assert f"md5 is {hashlib.md5(CONTENT).hexdigest()}, expected 0000" in message
    assert left_over(tmp_path / "set.zip") == []


@pytest.mark.parametrize("kind", ["text/html; charset=utf-8", "application/zip"])
def test_a_page_instead_of_an_archive_is_said(tmp_path, kind):
    page = b"\n<!DOCTYPE html><html>Please log in</html>"
    message = refusal(lambda request: request.send(200, page, Content_Type=kind), tmp_path / "set.zip")
    assert "the server sent a page, not the archive (login refused?)" in message
    assert left_over(tmp_path / "set.zip") == []


def test_nobody_listening_is_said(tmp_path):
    with serving(lambda request: None) as url:
        pass
    with pytest.raises(UserError, match="given up after 3 tries"):
        fetch(url, tmp_path / "set.zip")


def test_two_at_the_same_time_fetch_once(tmp_path):
    asked = []

    def answer(request):
        asked.append(request.path)
        request.send_file(CONTENT)

    with serving(answer) as url, ThreadPoolExecutor(4) as pool:
        paths = list(pool.map(lambda _: fetch(url, tmp_path / "set.zip"), range(4)))
    assert {path.read_bytes() for path in paths} == {CONTENT}
    assert len(asked) == 1


def test_the_hash_of_a_fetched_file_is_kept_and_renewed(tmp_path):
    path = tmp_path / "set.zip"
    path.write_bytes(CONTENT)
    assert f"sha256:{fetched_sha256(path)}" == SHA256
    assert fetched_sha256(path) == (tmp_path / "set.zip.sha256").read_text().split()[0]


def test_the_cache_is_where_the_environment_says(monkeypatch, tmp_path):
    monkeypatch.setenv("PIX2STREET_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path
