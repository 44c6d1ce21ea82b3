"""The requests that the page's server accepts and refuses, sent without a browser."""

import io
import re
import socket

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image
from tiny_models import save_moved, tiny_card

from pix2street.cli import main
from pix2street.core.classes import cityscapes_classes
from pix2street.core.decoding import decode
from pix2street.core.errors import UserError
from pix2street.core.images import jpeg_bytes, png_bytes, resize_labels
from pix2street.demo import server
from pix2street.demo.server import NAME, is_known, is_loopback, serve
from pix2street.demo.turns import Full, Replaced, Turns
from pix2street.training import runtime
from pix2street.training.batches import InputEncoding

RAW = {"Content-Type": "application/octet-stream"}
PNG = {"Content-Type": "image/png"}
IDS = np.where(np.arange(32)[:, None] + np.arange(32) > 30, 7, 23).astype(np.uint8)


@pytest.fixture(scope="module")
def client(labels_app):
    return TestClient(labels_app, "http://127.0.0.1:7860")


def test_a_drawing_becomes_the_translators_photo(client, labels_translator):
    for query, seed in (("", None), ("?seed=9&page=a", 9)):
        answer = client.post(f"/translate{query}", content=IDS.tobytes(), headers=RAW)
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "image/png"
        assert (decode(answer.content, "") == labels_translator.translate(IDS, NAME, seed)).all()


def test_the_page_asks_nothing_of_anywhere_and_says_what_it_needs(client, road_and_sky):
    page = client.get("/")
    assert "<h1>Paint a street</h1>" in page.text
    assert page.headers["content-security-policy"].startswith("default-src 'self';")
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
    model = client.get("/model.json").json()
    assert (model["kind"], model["height_px"], model["seed"], model["variants"]) == ("classes", 32, 3, True)
    assert model["examples"] == ["p4", "p5"]
    assert client.get("/docs").status_code == client.get("/openapi.json").status_code == 404


def test_examples_are_asked_for_by_name_alone(client):
    assert len(client.get("/examples/p4").content) == 32 * 32
    for name in ("p0", "..%2F..%2Fmanifest.csv"):
        assert client.get(f"/examples/{name}").status_code == 404


@pytest.mark.parametrize(
    ("body", "headers", "query", "status", "message"),
    [
        (IDS.tobytes()[:-1], RAW, "", 400, "a drawing must have 32 x 32 bytes, 1024 in all; it has 1023"),
        (bytes(1025), RAW, "", 413, "the limit is 1,024 bytes"),
        (b"\x63" * 1024, RAW, "", 422, "the drawing: holds ids that no class of the generator has: [99]"),
        (IDS.tobytes(), {"Content-Type": "text/plain"}, "", 415, "'text/plain' must be application/octet-stream"),
        (IDS.tobytes(), {}, "", 415, "'none' must be"),
        (IDS.tobytes(), RAW, "?seed=-1", 422, "seed: Input should be greater than or equal to 0"),
        (IDS.tobytes(), {**RAW, "Host": "evil.example:7860"}, "", 400, "this server 'evil.example:7860'"),
        (IDS.tobytes(), {**RAW, "Host": "[::1"}, "", 400, "the request names this server"),
        (IDS.tobytes(), {**RAW, "Origin": "http://evil.example"}, "", 403, "only this server's page"),
        (IDS.tobytes(), {**RAW, "Origin": "null"}, "", 403, "only this server's page"),
        (IDS.tobytes(), {**RAW, "Origin": "http://127.0.0.1:80"}, "", 403, "only this server's page"),
        (IDS.tobytes(), {**RAW, "Sec-Fetch-Site": "cross-site"}, "", 403, "only this server's page"),
    ],
)
def test_what_is_no_drawing_of_the_page_is_refused_with_one_message(client, body, headers, query, status, message):
    answer = client.post(f"/translate{query}", content=body, headers=headers)
    assert answer.status_code == status
    assert message in answer.json()["detail"]


def test_names_that_a_name_server_could_make_up_are_not_known():
    assert all(
        is_known(name, "box") for name in ("localhost:1", "127.0.0.1", "[::1]:7860", "192.168.0.9:1", "BOX:7860")
    )
    assert not any(
        is_known(name, "box") for name in ("", "box.evil.example", "127.0.0.1.evil.example", "localhost.evil")
    )


def test_reading_under_another_name_is_refused_too(client):
    assert client.get("/model.json", headers={"Host": "evil.example"}).status_code == 400


def test_a_label_map_in_colours_or_ids_becomes_a_drawing(client):
    large = IDS.repeat(3, axis=0).repeat(2, axis=1)
    colors = cityscapes_classes().to_colors(large)
    for content, kind in ((png_bytes(large), "png"), (png_bytes(colors), "png"), (jpeg_bytes(colors), "jpeg")):
        answer = client.post("/upload", content=content, headers={"Content-Type": f"image/{kind}"})
        assert answer.status_code == 200
        found = np.frombuffer(answer.content, np.uint8).reshape(32, 32)
        assert (found == resize_labels(large, 32, 32)).mean() > (0.99 if kind == "png" else 0.9)


def test_a_palettes_indices_are_no_ids(client, tmp_path):
    Image.fromarray(cityscapes_classes().to_colors(IDS)).quantize(4).save(tmp_path / "p.png")
    answer = client.post("/upload", content=(tmp_path / "p.png").read_bytes(), headers=PNG)
    assert (np.frombuffer(answer.content, np.uint8).reshape(32, 32) == IDS).all()


def test_of_a_pair_the_half_must_be_told(client):
    noise = np.random.default_rng(0).integers(0, 256, (32, 32, 3)).astype(np.uint8)
    pair = png_bytes(np.concatenate([noise, cityscapes_classes().to_colors(IDS)], axis=1))
    refused = client.post("/upload", content=pair, headers=PNG)
    assert refused.status_code == 422
    assert "say Half: left or Half: right" in refused.json()["detail"]
    taken = client.post("/upload?half=right", content=pair, headers=PNG)
    assert taken.content == IDS.tobytes()


def test_an_upload_that_is_stored_turned_is_shown_upright(client):
    upright = client.post("/upload", content=png_bytes(IDS), headers=PNG)
    exif, buffer = Image.Exif(), io.BytesIO()
    exif[0x0112] = 6
    Image.fromarray(IDS).transpose(Image.Transpose.ROTATE_90).save(buffer, "png", exif=exif)
    turned = client.post("/upload", content=buffer.getvalue(), headers=PNG)
    assert (turned.status_code, turned.content) == (200, upright.content)


def test_uploads_are_held_to_type_size_and_pixels(client, monkeypatch):
    def refusal(content, kind="image/png"):
        answer = client.post("/upload", content=content, headers={"Content-Type": kind})
        return answer.status_code, answer.json()["detail"]

    assert refusal(b"<svg/>", "image/svg+xml")[0] == 415
    assert refusal(b"%PDF-1.7")[0] == 422
    assert refusal(png_bytes(IDS)[:-40])[1].startswith("the upload: not a readable image")
    gif = b"GIF89a\x01\x00\x01\x00\x00\x00\x00,\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;"
    assert refusal(gif)[0] == 422  # readable, but not of the formats that are taken
    assert refusal(png_bytes(np.zeros((4097, 4096), np.uint8)))[1].startswith("the upload: is 4096x4097 px, at most")
    assert refusal(png_bytes(np.full((9, 9, 3), (10, 250, 10), np.uint8)))[1].startswith(
        "the upload: 100% of its pixels"
    )
    monkeypatch.setattr(server, "MAX_UPLOAD_BYTES", 10)
    assert refusal(png_bytes(IDS)) == (413, "the limit is 10 bytes; send less")


@pytest.mark.parametrize(("reason", "status"), [(Full, 503), (Replaced, 409)])
def test_no_turn_is_said(client, monkeypatch, reason, status):
    async def refuse(self, page, work):
        raise reason

    monkeypatch.setattr(Turns, "take", refuse)
    answer = client.post("/translate", content=IDS.tobytes(), headers=RAW)
    assert answer.status_code == status
    assert answer.json()["detail"]


def test_a_photo_becomes_the_input_of_a_generator_without_classes(colors_app, colors_translator):
    client = TestClient(colors_app, "http://localhost:7860")
    photo = np.random.default_rng(0).integers(0, 256, (32, 48, 3)).astype(np.uint8)
    taken = client.post("/upload", content=png_bytes(photo), headers=PNG).content
    assert taken == photo.tobytes()
    answer = client.post("/translate", content=taken, headers=RAW)
    assert (decode(answer.content, "") == colors_translator.translate(photo, NAME)).all()


def test_the_domain_of_the_photo_is_told(hours_app, hours_translator):
    client = TestClient(hours_app, "http://localhost:7860")
    model = client.get("/model.json").json()
    assert (model["domains"], model["domain"], model["photos"]) == (["day", "dusk", "night"], "dusk", True)
    photo = np.random.default_rng(1).integers(0, 256, (32, 32, 3)).astype(np.uint8)

    def translate(query):
        return client.post(f"/translate{query}", content=photo.tobytes(), headers=RAW)

    made = {domain: decode(translate(f"?domain={domain}").content, "") for domain in ("day", "dusk", "night", "")}
    assert (made[""] == made["dusk"]).all()
    for domain in model["domains"]:
        assert (made[domain] == hours_translator.towards(domain).translate(photo, NAME)).all()
    assert (made["day"] != made["night"]).any()
    refused = translate("?domain=rain")
    assert refused.status_code == 422
    assert refused.json()["detail"].startswith("domain: rain, but the generator has the domains day, dusk, night;")


def test_each_direction_has_its_own_inputs(both_app, both_translators):
    client = TestClient(both_app, "http://localhost:7860")
    forth, back = (client.get(f"/model.json{query}").json() for query in ("", "?direction=back"))
    assert forth["directions"] == back["directions"] == ["forth", "back"]
    assert [(model["direction"], model["kind"], model["photos"]) for model in (forth, back)] == [
        ("forth", "classes", False),
        ("back", "colors", True),
    ]
    assert len(client.get("/examples/p0?direction=back").content) == 3 * 32 * 32
    photo = np.random.default_rng(1).integers(0, 256, (32, 32, 3)).astype(np.uint8)
    taken = client.post("/upload?direction=back", content=png_bytes(photo), headers=PNG).content
    assert taken == photo.tobytes()
    answer = client.post("/translate?direction=back", content=taken, headers=RAW)
    assert (decode(answer.content, "") == both_translators["back"].translate(photo, NAME)).all()
    answer = client.post("/translate", content=IDS.tobytes(), headers=RAW)
    assert (decode(answer.content, "") == both_translators["forth"].translate(IDS, NAME)).all()


def test_a_direction_or_domain_that_is_not_there_is_refused(client):
    for query, message in {
        "direction=back": "direction: must be one of forth, is 'back'; leave it out",
        "domain=night": "domain: night, but the generator has no domains; leave the option out",
    }.items():
        answer = client.post(f"/translate?{query}", content=IDS.tobytes(), headers=RAW)
        assert (answer.status_code, answer.json()["detail"]) == (422, message)
    model = client.get("/model.json").json()
    assert (model["directions"], model["domains"], model["domain"]) == (["forth"], [], "")


def test_a_port_that_is_taken_and_a_missing_model_are_one_clear_message(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match=r"pix2street demo: .*models/generator: no such folder; run `dvc repro`"):
        main(["demo"])
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        pytest.raises(UserError, match=r"the server cannot listen here .*name another --port"),
    ):
        serve(None, "127.0.0.1", taken.getsockname()[1], False)
    with pytest.raises(UserError, match=r"no\.host\.invalid:1: the server cannot listen here"):
        serve(None, "no.host.invalid", 1, False)


def test_the_command_serves_the_model_that_is_named(tmp_path, monkeypatch, capsys):
    (tmp_path / "model").mkdir()
    save_moved(
        tmp_path / "model", tiny_card(InputEncoding("color", cityscapes_classes()), "left", 32, 32, "batch", True, 3)
    )
    answers = []

    def ask(running, sockets):
        answers.append(TestClient(running.config.app, "http://localhost:7860").get("/"))
        sockets[0].close()

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(runtime, "prepare", lambda *_, **__: None)
    monkeypatch.setattr(server.uvicorn.Server, "run", ask)
    main(["demo", "--model", "model", "--port", "0"])
    assert [answer.status_code for answer in answers] == [200]
    assert re.fullmatch(r"paint on http://127\.0\.0\.1:\d+ \(Ctrl\+C ends it\)\n", capsys.readouterr().out)


def test_the_command_serves_both_ways_or_one(tmp_path, monkeypatch):
    form = {"family": "cyclegan", "multiple_px": 4, "noise": "none"}
    for folder, way in (("models/generator", {}), ("models/generator/back", {"way": "back"})):
        (tmp_path / folder).mkdir(parents=True)
        save_moved(tmp_path / folder, tiny_card(InputEncoding("color", None), "none", **form, **way))
    answers = []

    def ask(running, sockets):
        answers.append(TestClient(running.config.app, "http://localhost:7860").get("/model.json").json())
        sockets[0].close()

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(runtime, "prepare", lambda *_, **__: None)
    monkeypatch.setattr(server.uvicorn.Server, "run", ask)
    main(["demo", "--port", "0"])
    main(["demo", "--port", "0", "--direction", "back"])
    shown = [(answer["direction"], answer["directions"]) for answer in answers]
    assert shown == [("forth", ["forth", "back"]), ("back", ["back"])]


def test_only_the_loopback_is_served_without_a_warning(monkeypatch, capsys):
    monkeypatch.setattr(server.uvicorn.Server, "run", lambda self, sockets: [each.close() for each in sockets])
    serve(None, "127.0.0.1", 0, False)
    assert capsys.readouterr().err == ""
    serve(None, "0.0.0.0", 0, False)
    assert capsys.readouterr().err == (
        "warning: --host 0.0.0.0 lets everybody on the network use this page; there is no password\n"
    )
    assert is_loopback("::1")
    assert not is_loopback("192.168.0.1")
