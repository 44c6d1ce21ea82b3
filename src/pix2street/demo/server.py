"""The page's server: what it shows, what it takes and what it refuses."""

import asyncio
import ipaddress
import socket
import sys
import webbrowser
from importlib.resources import files
from time import perf_counter
from typing import Annotated, Literal
from urllib.parse import urlsplit

import numpy as np
import uvicorn
from fastapi import FastAPI, HTTPException, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.staticfiles import StaticFiles

from pix2street.core.errors import UserError
from pix2street.core.images import UPLOAD_TYPES, Stored, decode_upload, png_bytes, resize_labels, resize_photo
from pix2street.demo.drawings import palette_of
from pix2street.demo.turns import Full, Replaced, Turns
from pix2street.inference.inputs import to_input
from pix2street.inference.translator import Translator

NAME = "drawing"
"""What the noise of every photo is drawn for, as the pair_id is in `generate`."""

MAX_UPLOAD_BYTES = 16 << 20
MAX_UPLOAD_PX = 4096 * 4096
WAITING_PAGES = 8

RAW = "application/octet-stream"
HEADERS = {
    # Nothing is asked of anywhere else, and no other page may show this one in a frame.
    "Content-Security-Policy": "default-src 'self'; img-src 'self' blob: data:; object-src 'none'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",
}


def create_app(translator: Translator, examples: dict[str, np.ndarray], host: str = "127.0.0.1") -> FastAPI:
    """The page and what it asks for; every refusal is JSON with one message, `detail`.

    Args:
        examples: drawings to start from, see `examples_of`; the page opens with the first.
        host: a name the server goes by, beside `localhost` and any address in digits.
    """
    card, turns, decoding = translator.card, Turns(WAITING_PAGES), asyncio.Lock()
    classes, size = card.encoding.classes, (card.height_px, card.width_px)
    shape = size if classes else (*size, 3)
    # The library's own pages about an interface load scripts from elsewhere.
    app = FastAPI(title="pix2street", docs_url=None, redoc_url=None, openapi_url=None)

    @app.middleware("http")
    async def guard(request: Request, call_next):
        refusal = refusal_of(request, host)
        answer = JSONResponse({"detail": refusal[1]}, refusal[0]) if refusal else await call_next(request)
        answer.headers.update(HEADERS)
        return answer

    @app.exception_handler(UserError)
    async def say_what_can_be_mended(_: Request, error: UserError):
        return JSONResponse({"detail": str(error)}, 422)

    @app.exception_handler(RequestValidationError)
    async def say_what_is_invalid(_: Request, error: RequestValidationError):
        first = error.errors()[0]
        return JSONResponse({"detail": f"{first['loc'][-1]}: {first['msg']}"}, 422)

    @app.get("/model.json")
    async def describe():
        return {
            "kind": "classes" if classes else "colors",
            "grey": card.input_from == "grey",
            "height_px": card.height_px,
            "width_px": card.width_px,
            "scale": card.scale,
            "seed": card.seed,
            "variants": card.noisy,
            "palette": palette_of(card),
            "examples": list(examples),
            "upload_types": sorted(UPLOAD_TYPES),
        }

    @app.get("/examples/{name}")
    async def show_example(name: str):
        if name not in examples:
            raise HTTPException(404, f"no example is named {name[:80]!r}; /model.json lists them")
        return Response(examples[name].tobytes(), media_type=RAW)

    @app.post("/translate")
    async def translate(
        request: Request,
        seed: Annotated[int, Query(ge=0, lt=2**31)] = card.seed,
        page: Annotated[str, Query(max_length=64)] = "",
    ):
        """A raw drawing, a byte a class id or three a colour, row by row -> its photo as a PNG."""
        check_type(request, {RAW})
        expected = int(np.prod(shape))
        body = await read_body(request, expected)
        if len(body) != expected:
            raise HTTPException(
                400, f"a drawing is {' x '.join(map(str, shape))} bytes, {expected} in all; it is {len(body)}"
            )
        drawing = Stored(np.frombuffer(body, np.uint8).reshape(shape))
        pixels = to_input(card, drawing, "the drawing", "whole")
        began = perf_counter()
        try:
            photo = await turns.take(page, lambda: png_bytes(translator.translate(pixels, NAME, seed)))
        except Replaced:
            raise HTTPException(409, "a newer drawing of the same page is translated instead") from None
        except Full:
            raise HTTPException(
                503, f"{WAITING_PAGES} drawings wait already; try again in a moment", {"Retry-After": "1"}
            ) from None
        return Response(
            photo,
            media_type="image/png",
            headers={"Server-Timing": f"translate;dur={1000 * (perf_counter() - began):.1f}"},
        )

    @app.post("/upload")
    async def take_upload(request: Request, half: Literal["left", "right", "whole"] | None = None):
        """An image file -> a raw drawing of the working size, as `/translate` takes it."""
        check_type(request, UPLOAD_TYPES)
        body = await read_body(request, MAX_UPLOAD_BYTES)

        def decoded():
            stored = decode_upload(body, "the upload", bool(classes), MAX_UPLOAD_PX)
            try:
                pixels = to_input(card, stored, "the upload", half)
            except UserError as error:
                # The page's words for the same choice.
                raise UserError(str(error).replace("--half ", "Half: ")) from error
            return (resize_labels if classes else resize_photo)(pixels, *size)

        async with decoding:  # one at a time: a large one takes some hundred MiB
            return Response((await asyncio.to_thread(decoded)).tobytes(), media_type=RAW)

    app.mount("/", StaticFiles(directory=str(files("pix2street.demo") / "page"), html=True))
    return app


def refusal_of(request: Request, host: str) -> tuple[int, str] | None:
    """Status and reason where a request is none of this page's own.

    A page from elsewhere can reach a server on this machine through the browser: under a name of its own that it lets
    point here, which the `Host` header shows, or with a request across sites, which `Origin` and `Sec-Fetch-Site` show.
    """
    named = request.headers.get("host", "")
    if not is_known(named, host):
        return 400, f"this server is asked for as {named[:80]!r}, it goes by its address, localhost or {host}"
    if request.method in ("GET", "HEAD"):
        return None
    origin = request.headers.get("origin")
    across = origin is not None and urlsplit(origin).netloc != named
    if across or request.headers.get("sec-fetch-site", "none") not in ("same-origin", "none"):
        return 403, "only this server's own page may send it anything"
    return None


def is_known(named: str, host: str) -> bool:
    """Whether a `Host` header holds localhost, `host` or an address in digits, which no name server can make up."""
    try:
        name = urlsplit(f"//{named}").hostname or ""
    except ValueError:
        return False
    return name in ("localhost", host.lower()) or _is_address(name)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def check_type(request: Request, types: set[str]) -> None:
    declared = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if declared not in types:
        raise HTTPException(415, f"content type {declared[:80] or 'none'!r} must be {' or '.join(sorted(types))}")


async def read_body(request: Request, max_bytes: int) -> bytes:
    """All that was sent, of which no more than `max_bytes` is ever held."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > max_bytes:
            raise HTTPException(413, f"at most {max_bytes:,} bytes may be sent here; send less")
    return bytes(body)


def serve(app: FastAPI, host: str, port: int, open_page: bool) -> None:
    """Serve until interrupted; says where.

    Raises:
        UserError: it cannot listen there.
    """
    try:
        listening = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        raise UserError(
            f"{host}:{port} cannot be listened on ({error.strerror or error}); name another --port or --host"
        ) from error
    if not is_loopback(listening.getsockname()[0]):
        print(
            f"warning: --host {host} lets everybody on the network use this page; there is no password", file=sys.stderr
        )
    address = f"http://{f'[{host}]' if ':' in host else host}:{listening.getsockname()[1]}"
    print(f"paint on {address} (Ctrl+C ends it)", flush=True)
    if open_page:
        webbrowser.open(address)  # who connects before the server runs waits in the socket's queue
    config = uvicorn.Config(app, log_config=None, access_log=False, server_header=False, lifespan="off")
    try:
        uvicorn.Server(config).run(sockets=[listening])
    except KeyboardInterrupt:
        print("ended")


def is_loopback(address: str) -> bool:
    return ipaddress.ip_address(address).is_loopback
