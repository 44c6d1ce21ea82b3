"""A visitor of the page, in a real headless Chromium, who paints, waits, and looks at the pixels of the photo."""

import socket
import threading
from contextlib import contextmanager

import numpy as np
import pytest
import uvicorn
from browser import CHROMIUM
from playwright.sync_api import sync_playwright

from pix2street.core.classes import cityscapes_classes
from pix2street.core.decoding import decode
from pix2street.core.images import png_bytes
from pix2street.core.styles import seed_of, with_style
from pix2street.demo.server import NAME

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
COLORS = cityscapes_classes().colors
ROAD, SIDEWALK, BUILDING, SKY = 7, 8, 11, 23


@contextmanager
def served(app):
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/"
    finally:
        server.should_exit = True
        thread.join()
        listening.close()


@pytest.fixture(scope="module")
def labels_address(labels_app):
    with served(labels_app) as address:
        yield address


@pytest.fixture(scope="module")
def browser():
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


class Visitor:
    """A person before the page, who remembers all that it asked for and complained about."""

    def __init__(self, context, address: str):
        self.page = context.new_page()
        self.page.set_default_timeout(3_600_000)
        self.complaints, self.requests, self.sent = [], [], []
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", self._remember)
        self.page.goto(address)
        self.wait()

    def _remember(self, request):
        self.requests.append(request.url)
        if "/translate?" in request.url:
            self.sent.append(request.post_data_buffer)

    def wait(self) -> None:
        """Wait until the street belongs to the drawing."""
        self.page.wait_for_selector("#street[aria-busy=false]")

    def ids(self) -> np.ndarray:
        """Return the drawing that the page sent last, after all answers; check that the canvas shows the same."""
        self.wait()
        ids = np.frombuffer(self.sent[-1], np.uint8).reshape(32, 32)
        assert (self.pixels("drawing") == COLORS[ids]).all()
        return ids

    def pixels(self, canvas: str) -> np.ndarray:
        height, width, values = self.page.evaluate(
            """id => { const { width, height } = document.getElementById(id);
              const copy = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
              copy.drawImage(document.getElementById(id), 0, 0);
              return [height, width, [...copy.getImageData(0, 0, width, height).data]]; }""",
            canvas,
        )
        return np.array(values, np.uint8).reshape(height, width, 4)[..., :3]

    def place(self, column: int, row: int) -> tuple[float, float]:
        """Return the middle of a cell on the screen."""
        box = self.page.locator("#drawing").bounding_box()
        height, width = self.page.evaluate("[drawing.height, drawing.width]")
        return box["x"] + (column + 0.5) * box["width"] / width, box["y"] + (row + 0.5) * box["height"] / height

    def choose(self, role: str, name: str) -> None:
        self.page.get_by_role(role, name=name, exact=True).check(force=True)

    def brush_size(self, size_px: int) -> None:
        self.page.get_by_label("Size").fill(str(size_px))

    def stroke(self, start: tuple[int, int], end: tuple[int, int]) -> None:
        mouse = self.page.mouse
        mouse.move(*self.place(*start))
        mouse.down()
        mouse.move(*self.place(*end), steps=5)
        mouse.up()


@pytest.fixture
def visit(browser):
    """Return a function that opens pages; check at the end what must be true of each of them."""
    visitors = []

    def open_page(address: str, **settings) -> Visitor:
        visitors.append((address, Visitor(browser.new_context(**settings), address)))
        return visitors[-1][1]

    yield open_page
    for address, visitor in visitors:
        assert visitor.complaints == []
        assert all(url.startswith((address, f"blob:{address}")) for url in visitor.requests)
        visitor.page.context.close()


def test_a_stroke_becomes_the_translators_street(visit, labels_address, labels_translator):
    visitor = visit(labels_address)
    before = visitor.ids()
    assert (visitor.pixels("street") == labels_translator.translate(before, NAME)).all()  # it opens with a street
    visitor.choose("radio", "sidewalk")
    visitor.brush_size(3)
    visitor.stroke((4, 20), (25, 20))
    after = visitor.ids()
    stroke = np.zeros((32, 32), bool)
    stroke[19:22, 3:27] = True
    assert (after == np.where(stroke, SIDEWALK, before)).all()
    street = visitor.pixels("street")
    assert (street == labels_translator.translate(after, NAME)).all()
    assert (street != labels_translator.translate(before, NAME)).any()
    assert visitor.page.locator("#status").text_content().startswith("painted in ")


def test_fill_goes_from_edge_to_edge_and_no_further(visit, labels_address):
    visitor = visit(labels_address)
    visitor.choose("radio", "building")
    visitor.brush_size(1)
    visitor.stroke((20, 0), (20, 11))
    before = visitor.ids()
    visitor.choose("radio", "Fill")
    visitor.choose("radio", "sidewalk")
    visitor.page.mouse.click(*visitor.place(25, 3))
    right = np.arange(32) > 20
    assert (visitor.ids() == np.where((before == SKY) & right, SIDEWALK, before)).all()


def test_fill_is_taken_back_and_made_again(visit, labels_address):
    visitor = visit(labels_address)
    before, page = visitor.ids(), visitor.page
    assert page.get_by_role("button", name="Undo").is_disabled()
    visitor.choose("radio", "Fill")
    visitor.choose("radio", "building")
    page.mouse.click(*visitor.place(3, 3))
    filled = visitor.ids()
    assert (filled == np.where(before == SKY, BUILDING, before)).all()
    page.keyboard.press("Control+z")
    assert (visitor.ids() == before).all()
    page.keyboard.press("Control+Shift+Z")
    assert (visitor.ids() == filled).all()
    page.get_by_role("button", name="Clear to building").click()
    assert (visitor.ids() == BUILDING).all()
    page.get_by_role("button", name="Undo").click()
    page.get_by_role("button", name="Undo").click()
    assert (visitor.ids() == before).all()
    assert page.get_by_role("button", name="Undo").is_disabled()
    visitor.choose("radio", "Pick")
    page.mouse.click(*visitor.place(30, 30))
    assert page.get_by_role("radio", name="road").is_checked()


def test_all_of_it_is_done_without_a_mouse(visit, labels_address):
    visitor = visit(labels_address)
    before, page = visitor.ids(), visitor.page
    reached = set()
    for _ in range(24):
        page.keyboard.press("Tab")
        focused = page.evaluate("document.activeElement.id || document.activeElement.name")
        if focused == "drawing":
            assert page.evaluate("getComputedStyle(drawing.parentElement).outlineStyle") == "solid"
        elif focused not in (None, "tool", "paint"):  # a radio's label shows it
            assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
        reached.add(focused)
    assert {
        "drawing",
        "tool",
        "size",
        "clear",
        "paint",
        "variant",
        "save-street",
        "upload",
        "half",
        "save-drawing",
    } <= reached
    page.locator("#drawing").focus()
    page.keyboard.press("2")
    for _ in range(32):
        page.keyboard.press("[")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Shift+ArrowUp")
    page.keyboard.down(" ")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowUp")
    page.keyboard.up(" ")
    expected = before.copy()
    expected[13:16, 15] = SIDEWALK
    assert (visitor.ids() == expected).all()
    assert page.locator("#where").text_content() == "sidewalk at 15, 13"
    page.keyboard.press("Control+z")
    page.keyboard.press("f")
    page.keyboard.press(" ")
    assert (visitor.ids() == np.where(before == before[13, 15], SIDEWALK, before)).all()


def test_a_phone_has_everything_below_each_other_and_takes_fingers(visit, labels_address):
    visitor = visit(labels_address, viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True)
    before, page = visitor.ids(), visitor.page
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    drawing, street = (page.locator(name).bounding_box() for name in ("#drawing", "#street"))
    assert street["y"] > drawing["y"] + drawing["height"]
    visitor.choose("radio", "sidewalk")
    visitor.brush_size(1)
    page.evaluate("scrollTo(0, 0)")
    page.touchscreen.tap(*visitor.place(8, 5))
    after = visitor.ids()
    assert np.argwhere(after != before).tolist() == [[5, 8]]
    page.get_by_text("More", exact=True).click()
    assert page.evaluate("document.documentElement.scrollWidth") == 360


def test_while_one_is_translated_only_the_newest_drawing_waits(visit, labels_address):
    visitor = visit(labels_address)
    before, page = visitor.ids(), visitor.page
    held = []
    page.route("**/translate?*", lambda route: route.continue_() if held else held.append(route))
    visitor.choose("radio", "sidewalk")
    visitor.brush_size(1)
    with page.expect_request("**/translate?*"):
        visitor.stroke((0, 0), (5, 0))
    for row in (2, 4, 6):
        visitor.stroke((0, row), (5, row))
    count = len(visitor.sent)
    held[0].continue_()
    after = visitor.ids()
    assert len(visitor.sent) == count + 1
    assert np.unique(np.argwhere(after != before)[:, 0]).tolist() == [0, 2, 4, 6]


def test_examples_uploads_variants_and_downloads(visit, labels_address, labels_translator, tmp_path):
    visitor = visit(labels_address)
    before, page = visitor.ids(), visitor.page
    page.get_by_role("button", name="Start from p5").click()
    example = visitor.ids()
    assert (example != before).any()
    own = np.full((64, 64), ROAD, np.uint8)
    own[:20] = SKY
    page.locator("#file").set_input_files({"name": "own.png", "mimeType": "image/png", "buffer": png_bytes(own)})
    page.wait_for_selector("#drawing[aria-busy=false]")
    page.get_by_role("button", name="Another variant").click()
    with page.expect_download() as saved:
        visitor.wait()
        page.get_by_role("button", name="Download street").click()
    saved.value.save_as(tmp_path / "street.png")
    assert (visitor.ids() == own[::2, ::2]).all()
    expected = labels_translator.translate(own[::2, ::2], NAME, labels_translator.card.seed + 1)
    assert (visitor.pixels("street") == expected).all()
    assert (decode((tmp_path / "street.png").read_bytes(), "") == expected).all()
    with page.expect_download() as saved:
        page.get_by_role("button", name="Download drawing").click()
    saved.value.save_as(tmp_path / "drawing.png")
    assert (decode((tmp_path / "drawing.png").read_bytes(), "")[..., :3] == COLORS[own[::2, ::2]]).all()


@pytest.fixture(scope="module")
def styled_address(styled_app):
    with served(styled_app) as address:
        yield address


def test_styles_are_shown_and_the_chosen_one_stays_while_one_paints(visit, styled_address, styled_translator):
    visitor = visit(styled_address)
    before, page = visitor.ids(), visitor.page
    seed, bank = styled_translator.card.seed, styled_translator.bank
    first = styled_translator.translate(before, NAME)
    assert (visitor.pixels("street") == first).all()
    assert page.locator("#styles button").count() == 6
    chosen = page.get_by_role("button", name=f"Style {seed + 2}", exact=True)
    page.wait_for_selector("#styles:not(:has([aria-busy=true]))")
    chosen.click()
    assert chosen.get_attribute("aria-pressed") == "true"
    assert page.locator("#styles [aria-pressed=true]").count() == 1
    visitor.wait()
    assert (visitor.pixels("street") == styled_translator.translate(before, NAME, seed + 2)).all()
    visitor.choose("radio", "Fill")
    visitor.choose("radio", "building")
    page.mouse.click(*visitor.place(3, 3))
    after = visitor.ids()
    assert (after == np.where(before == SKY, BUILDING, before)).all()
    draw_seed = seed_of(NAME, seed + 2)
    palette = bank.draw(after, draw_seed, bank.light(before, draw_seed))
    kept = styled_translator.translate(with_style(after, palette), NAME, seed + 2)
    assert (visitor.pixels("street") == kept).all()
    page.get_by_role("button", name="Another style").click()
    visitor.wait()
    assert page.locator("#styles button").first.get_attribute("aria-label") == f"Style {seed + 6}"
    assert page.locator("#styles button").count() == 6
    assert (visitor.pixels("street") == styled_translator.translate(after, NAME, seed + 6)).all()


def test_a_region_gets_a_colour_that_can_be_taken_away(visit, styled_address, styled_translator):
    visitor = visit(styled_address)
    before, page = visitor.ids(), visitor.page
    plain = visitor.pixels("street")
    page.locator("#region-color").fill("#c80000")
    page.mouse.click(*visitor.place(3, 3))
    assert (visitor.ids() == before).all()
    palette = styled_translator.bank.draw(before, seed_of(NAME, styled_translator.card.seed))
    palette[before == SKY] = 200, 0, 0
    colored = styled_translator.translate(with_style(before, palette), NAME)
    assert (visitor.pixels("street") == colored).all()
    page.locator("#region-color").fill("#00c800")
    page.mouse.click(*visitor.place(9, 4))
    visitor.wait()
    assert page.locator("#fixed button").count() == page.locator("#marks i").count() == 1
    page.get_by_role("button", name="Remove #00c800 of sky").click()
    visitor.wait()
    assert (visitor.pixels("street") == plain).all()
    assert page.locator("#fixed").is_hidden()


def test_a_colour_rests_while_its_pixel_has_another_class(visit, styled_address, styled_translator):
    visitor = visit(styled_address)
    before, page = visitor.ids(), visitor.page
    page.keyboard.press("c")
    page.locator("#region-color").fill("#c80000")
    page.mouse.click(*visitor.place(3, 3))
    visitor.wait()
    colored = visitor.pixels("street")
    visitor.choose("radio", "Fill")
    visitor.choose("radio", "building")
    page.mouse.click(*visitor.place(3, 3))
    visitor.wait()
    assert page.locator("#fixed .resting").count() == 1
    assert page.locator("#marks i").count() == 0
    assert "fixed=" not in [url for url in visitor.requests if "/translate?" in url][-1]
    page.keyboard.press("Control+z")
    assert (visitor.ids() == before).all()
    assert (visitor.pixels("street") == colored).all()


def test_a_generator_with_codes_has_styles_and_no_colours_of_regions(visit, coded_app, coded_translator):
    with served(coded_app) as address:
        visitor = visit(address)
        page = visitor.page
        assert (visitor.pixels("street") == coded_translator.translate(visitor.ids(), NAME)).all()
        assert page.locator("#styles button").count() == 6
        assert page.get_by_role("button", name="Another style").is_visible()
        for hidden in ("#region-color", "#fixed", "input[value=color]"):
            assert page.locator(hidden).is_hidden()
        page.keyboard.press("c")
        assert page.locator("input[name=tool][value=brush]").is_checked()
        page.wait_for_selector("#styles:not(:has([aria-busy=true]))")


def test_a_generator_without_styles_has_none(visit, labels_address):
    page = visit(labels_address).page
    assert page.get_by_role("button", name="Another variant").is_visible()
    for hidden in ("#styles", "#region-color", "#fixed", "input[value=color]", "#domain", "#direction", "#of-photos"):
        assert page.locator(hidden).is_hidden()


def test_a_photo_is_translated_to_the_chosen_domain(visit, hours_app, hours_translator):
    with served(hours_app) as address:
        visitor = visit(address)
        page = visitor.page
        assert page.locator("h1").text_content() == "Translate a photo"
        assert page.locator("#direction").is_hidden()
        assert page.locator("#domain").input_value() == "dusk"
        own = np.random.default_rng(3).integers(0, 256, (32, 32, 3)).astype(np.uint8)
        page.locator("#file").set_input_files({"name": "own.png", "mimeType": "image/png", "buffer": png_bytes(own)})
        page.wait_for_selector("#drawing[aria-busy=false]")
        for domain in ("dusk", "night", "day"):
            page.get_by_label("Domain").select_option(domain)
            visitor.wait()
            assert (visitor.pixels("drawing") == own).all()
            assert (visitor.pixels("street") == hours_translator.towards(domain).translate(own, NAME)).all()
        button, drawing = page.get_by_role("button", name="Load a photo …"), page.locator("#drawing-panel")
        assert button.bounding_box()["y"] < drawing.bounding_box()["y"] + drawing.bounding_box()["height"]
        visitor.page.context.close()


def test_a_model_of_both_directions_shows_either(visit, both_app, both_translators):
    with served(both_app) as address:
        visitor = visit(address)
        page, forth = visitor.page, both_translators["forth"]
        assert page.locator("#domain").is_hidden()
        assert (visitor.pixels("street") == forth.translate(visitor.ids(), NAME)).all()
        with page.expect_navigation():
            page.get_by_label("Direction").select_option("targets to inputs")
        visitor.wait()
        assert page.locator("h1").text_content() == "Translate a photo"
        photo = visitor.pixels("drawing")
        assert (visitor.pixels("street") == both_translators["back"].translate(photo, NAME)).all()
        with page.expect_navigation():
            page.get_by_label("Direction").select_option("inputs to targets")
        visitor.wait()
        assert (visitor.pixels("street") == forth.translate(visitor.ids(), NAME)).all()
        visitor.page.context.close()


def test_a_refusal_is_said_on_the_page_and_changes_nothing(visit, labels_address):
    visitor = visit(labels_address)
    before, page = visitor.ids(), visitor.page
    page.locator("#file").set_input_files({"name": "notes.png", "mimeType": "image/png", "buffer": b"no image"})
    page.wait_for_selector("#status.bad")
    assert page.locator("#status").text_content().startswith("notes.png: the upload: not a readable image")
    assert (visitor.ids() == before).all()
    # The browser itself notes the refused request.
    assert [text for text in visitor.complaints if "422" not in text] == []
    visitor.complaints.clear()


def test_colours_are_painted_where_the_generator_has_no_classes(visit, colors_app, colors_translator):
    with served(colors_app) as address:
        visitor = visit(address)
        visitor.choose("radio", "black")
        visitor.brush_size(1)
        visitor.stroke((10, 5), (30, 5))
        visitor.wait()
        expected = np.full((32, 48, 3), 255, np.uint8)
        expected[5, 10:31] = 0
        assert (visitor.pixels("drawing") == expected).all()
        assert (visitor.pixels("street") == colors_translator.translate(expected, NAME)).all()
        assert visitor.page.get_by_role("button", name="Another variant").count() == 0
        visitor.page.context.close()
