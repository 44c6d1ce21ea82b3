"""Real HTTP servers on the loopback, for tests."""

import contextlib
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry


class Handler(BaseHTTPRequestHandler):
    """A handler without a log that can send a file or a part of it."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def send(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def send_file(self, content: bytes, break_after: int | None = None, etag: str = '"1"') -> None:
        """Serve `content` or the range asked for; `break_after` closes the connection after so many bytes of it."""
        begin = 0
        wanted = self.headers.get("Range")
        if wanted and self.headers.get("If-Range") in (None, etag):
            begin = int(wanted.removeprefix("bytes=").split("-")[0])
        if begin and begin >= len(content):
            self.send(416, Content_Range=f"bytes */{len(content)}")
            return
        rest = content[begin:]
        self.send_response(206 if begin else 200)
        self.send_header("Content-Length", str(len(rest)))
        self.send_header("ETag", etag)
        if begin:
            self.send_header("Content-Range", f"bytes {begin}-{len(content) - 1}/{len(content)}")
        self.end_headers()
        self.wfile.write(rest if break_after is None else rest[:break_after])
        self.close_connection = break_after is not None


def free_port() -> int:
    """Return a port of the loopback on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return taken.getsockname()[1]


def first_answer(address: str, process: subprocess.Popen) -> requests.Response | None:
    """Return the answer of a server when it has started, however long that takes; None if its process has ended."""
    with requests.Session() as session:
        patience = Retry(total=10, connect=10, backoff_factor=0.1, backoff_max=1)
        session.mount("http://", HTTPAdapter(max_retries=patience))
        while process.poll() is None:
            with contextlib.suppress(requests.ConnectionError):
                return session.get(address)
    return None


@contextmanager
def serving(answer: Callable[[Handler], None]) -> Iterator[str]:
    """Yield the address of a server that lets `answer` handle every GET and POST."""

    class Answering(Handler):
        def do_GET(self):
            answer(self)

        do_POST = do_GET

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
