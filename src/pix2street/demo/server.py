"""The page's server: what it shows, takes and refuses."""

import asyncio
import ipaddress
import socket
import sys
import webbrowser
from collections.abc import Mapping
from dataclasses import dataclass
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

from pix2street.core.decoding import UPLOAD_TYPES, Stored, decode_upload
from pix2street.core.errors import UserError
from pix2street.core.images import png_bytes, resize_labels, resize_photo
from pix2street.core.styles import CHANNELS, seed_of, with_style
from pix2street.demo.drawings import brushes_of, shows_photo
from pix2street.demo.styles import MAX_FIXED, FixedColor, Wish, read_light
from pix2street.demo.turns import Full, Replaced, Turns
from pix2street.inference.card import GeneratorCard
from pix2street.inference.inputs import to_input
from pix2street.inference.translator import Translator

NAME = "drawing"
"""The name that sets the noise of every photo, as the pair_id does in `generate`."""

MAX_UPLOAD_BYTES = 16 << 20
MAX_UPLOAD_PX = 4096 * 4096
WAITING_PAGES = 8
"""The number of pages whose drawings may wait."""

RAW = "application/octet-stream"
HEADERS = {
    # The page loads nothing from elsewhere, and no other page may show this one in a frame.
    "Content-Security-Policy": "default-src 'self'; img-src 'self' blob: data:; object-src 'none'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",
}


@dataclass(frozen=True)
class Side:
    """What the page shows of one direction of a model.

    Args:
        examples: drawings or photos to start from, see `examples_of`; the page opens with the first.
    """

    translator: Translator
    examples: dict[str, np.ndarray]

    @property
    def card(self) -> GeneratorCard:
        return self.translator.card


class Sides(dict[str, Side]):
    """The directions that the page can show, by their names in `ways.WAYS`; it opens with the first."""

    def at(self, direction: str) -> Side:
        """Return a direction by its name, "" for the first; raise a UserError where there is none."""
        name = direction or next(iter(self))
        if name not in self:
            raise UserError(f"direction: must be one of {', '.join(self)}, is {direction[:40]!r}; leave it out")
        return self[name]


def create_app(sides: Mapping[str, Side], host: str = "127.0.0.1") -> FastAPI:
    """Return the application that serves the page and its requests; every refusal is JSON with one message, `detail`.

    Args:
        sides: what it shows of each direction, by the names of `ways.WAYS`; it opens with the first.
        host: a name of this server, beside `localhost` and any address in digits.
    """
    sides = Sides(sides)
    # FastAPI's own pages about an interface load scripts from elsewhere.
    app = FastAPI(title="pix2street", docs_url=None, redoc_url=None, openapi_url=None)
    _add_refusals(app, host)
    _add_descriptions(app, sides)
    _add_translation(app, sides)
    _add_upload(app, sides)
    app.mount("/", StaticFiles(directory=str(files("pix2street.demo") / "page"), html=True))
    return app


def _add_refusals(app: FastAPI, host: str) -> None:
    @app.middleware("http")
    async def guard(request: Request, call_next):
        refusal = refusal_of(request, host)
        answer = JSONResponse({"detail": refusal[1]}, refusal[0]) if refusal else await call_next(request)
        answer.headers.update(HEADERS)
        return answer

    @app.exception_handler(UserError)
    async def say_what_can_be_fixed(_: Request, error: UserError):
        # The page names its options in another way than the command line.
        return JSONResponse({"detail": str(error).replace("--domain:", "domain:")}, 422)

    @app.exception_handler(RequestValidationError)
    async def say_what_is_invalid(_: Request, error: RequestValidationError):
        first = error.errors()[0]
        return JSONResponse({"detail": f"{first['loc'][-1]}: {first['msg']}"}, 422)


def _add_descriptions(app: FastAPI, sides: Sides) -> None:
    @app.get("/model.json")
    async def describe(direction: str = ""):
        side = sides.at(direction)
        card, domains = side.card, side.card.encoding.domains
        photo_height, photo_width = card.scale.applied(card.height_px, card.width_px)
        return {
            "directions": list(sides),
            "direction": card.way,
            "domains": domains,
            "domain": domains[card.encoding.domain] if domains else "",
            "photos": shows_photo(card, next(iter(side.examples.values()))),
            "kind": "classes" if card.encoding.classes else "colors",
            "grey": card.input_from == "grey",
            "height_px": card.height_px,
            "width_px": card.width_px,
            "photo_height_px": photo_height,
            "photo_width_px": photo_width,
            "seed": card.seed,
            "variants": card.seeded,
            "styles": side.translator.bank is not None,
            "fixes_colors": card.encoding.style == "palette",
            "brushes": brushes_of(card),
            "examples": list(side.examples),
            "upload_types": sorted(UPLOAD_TYPES),
        }

    @app.get("/examples/{name}")
    async def show_example(name: str, direction: str = ""):
        examples = sides.at(direction).examples
        if name not in examples:
            raise HTTPException(404, f"no example is named {name[:80]!r}; /model.json lists them")
        return Response(examples[name].tobytes(), media_type=RAW)


def _add_translation(app: FastAPI, sides: Sides) -> None:
    turns = Turns(WAITING_PAGES)

    @app.post("/translate")
    async def translate(
        request: Request,
        seed: Annotated[int | None, Query(ge=0, lt=2**31)] = None,
        page: Annotated[str, Query(max_length=64)] = "",
        light: str = "",
        fixed: Annotated[tuple[str, ...], Query(max_length=MAX_FIXED)] = (),
        domain: str = "",
        direction: str = "",
    ):
        """Return the photo of a raw drawing as a PNG; a drawing holds a byte per class id or three per colour.

        `light` and `fixed` are those of a `Wish`. The header `Style-Light` of the answer is the light that was used.
        Without a seed and a domain, the photo has those of the card.
        """
        check_type(request, {RAW})
        translator = sides.at(direction).translator
        translator = translator.towards(domain) if domain else translator
        card = translator.card
        seed, size = card.seed if seed is None else seed, (card.height_px, card.width_px)
        kind = card.encoding.style
        if kind == "none" and (light or fixed):
            raise UserError("light and fixed: this generator takes no styles; leave them out")
        if kind == "code" and fixed:
            raise UserError("fixed: this generator takes a code for the whole photo, and no colours; leave it out")
        colors = [FixedColor.read(text, *size) for text in fixed]
        wish = Wish(seed_of(NAME, seed), read_light(light, CHANNELS[kind]), colors)
        shape = size if card.encoding.classes else (*size, 3)
        expected = int(np.prod(shape))
        body = await read_body(request, expected)
        if len(body) != expected:
            raise HTTPException(
                400, f"a drawing must have {' x '.join(map(str, shape))} bytes, {expected} in all; it has {len(body)}"
            )
        drawing = Stored(np.frombuffer(body, np.uint8).reshape(shape))
        pixels = to_input(card, drawing, "the drawing", "whole")
        began = perf_counter()
        try:
            photo, headers = await turns.take(page, lambda: translated(translator, pixels, seed, wish))
        except Replaced:
            raise HTTPException(409, "a newer drawing of the same page is translated instead") from None
        except Full:
            raise HTTPException(
                503, f"the queue is full, {WAITING_PAGES} drawings wait; try again in a moment", {"Retry-After": "1"}
            ) from None
        took = {"Server-Timing": f"translate;dur={1000 * (perf_counter() - began):.1f}"}
        return Response(photo, media_type="image/png", headers=headers | took)


def translated(translator: Translator, pixels: np.ndarray, seed: int, wish: Wish) -> tuple[bytes, dict[str, str]]:
    """Return the photo of a drawing as a PNG, and the header that names its light where it has a style."""
    if translator.bank is None:
        return png_bytes(translator.translate(pixels, NAME, seed)), {}
    styled = with_style(pixels, wish.style_for(translator.bank, pixels))
    light = wish.light_for(translator.bank, pixels)
    return png_bytes(translator.translate(styled, NAME, seed)), {"Style-Light": light.tobytes().hex()}


def _add_upload(app: FastAPI, sides: Sides) -> None:
    decoding = asyncio.Lock()

    @app.post("/upload")
    async def take_upload(request: Request, half: Literal["left", "right", "whole"] | None = None, direction: str = ""):
        """Return an image file as a raw drawing of the working size, which `/translate` takes."""
        check_type(request, UPLOAD_TYPES)
        card = sides.at(direction).card
        classes = card.encoding.classes
        body = await read_body(request, MAX_UPLOAD_BYTES)

        def decoded():
            stored = decode_upload(body, "the upload", bool(classes), MAX_UPLOAD_PX)
            try:
                pixels = to_input(card, stored, "the upload", half)
            except UserError as error:
                # The page names this choice in another way than the command line.
                raise UserError(str(error).replace("--half ", "Half: ")) from error
            return (resize_labels if classes else resize_photo)(pixels, card.height_px, card.width_px)

        async with decoding:  # one at a time, since a large image takes some hundred MiB
            return Response((await asyncio.to_thread(decoded)).tobytes(), media_type=RAW)


def refusal_of(request: Request, host: str) -> tuple[int, str] | None:
    """Return status and reason where a request does not come from this page, None where it does.

    A page from elsewhere can reach a server on this machine through the browser: under a name that it lets point here,
    which the `Host` header shows, or with a request across sites, which `Origin` and `Sec-Fetch-Site` show.
    """
    named = request.headers.get("host", "")
    if not is_known(named, host):
        return 400, f"the request names this server {named[:80]!r}; use its address in digits, localhost or {host}"
    if request.method in ("GET", "HEAD"):
        return None
    origin = request.headers.get("origin")
    across = origin is not None and urlsplit(origin).netloc != named
    if across or request.headers.get("sec-fetch-site", "none") not in ("same-origin", "none"):
        return 403, "only this server's page may send requests to it; open the page itself"
    return None


def is_known(named: str, host: str) -> bool:
    """Return whether a `Host` header holds localhost, `host`, or an address in digits, which needs no name server."""
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
    """Raise an HTTPException where a request has another content type."""
    declared = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if declared not in types:
        raise HTTPException(415, f"content type {declared[:80] or 'none'!r} must be {' or '.join(sorted(types))}")


async def read_body(request: Request, max_bytes: int) -> bytes:
    """Return a request's body; reading ends as soon as there is more than `max_bytes`."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > max_bytes:
            raise HTTPException(413, f"the limit is {max_bytes:,} bytes; send less")
    return bytes(body)


def serve(app: FastAPI, host: str, port: int, open_page: bool) -> None:
    """Print the address and serve until interrupted.

    Raises:
        UserError: the server cannot listen on this host and port.
    """
    try:
        listening = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        raise UserError(
            f"{host}:{port}: the server cannot listen here ({error.strerror or error}); name another --port or --host"
        ) from error
    if not is_loopback(listening.getsockname()[0]):
        print(
            f"warning: --host {host} lets everybody on the network use this page; there is no password", file=sys.stderr
        )
    address = f"http://{f'[{host}]' if ':' in host else host}:{listening.getsockname()[1]}"
    print(f"paint on {address} (Ctrl+C ends it)", flush=True)
    if open_page:
        webbrowser.open(address)  # a connection before the server runs waits in the socket's queue
    config = uvicorn.Config(app, log_config=None, access_log=False, server_header=False, lifespan="off")
    try:
        uvicorn.Server(config).run(sockets=[listening])
    except KeyboardInterrupt:
        print("ended")


def is_loopback(address: str) -> bool:
    """Return whether an address reaches this machine only."""
    return ipaddress.ip_address(address).is_loopback
