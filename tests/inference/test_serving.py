"""The MLflow model in this process, and behind a server that `mlflow models serve` started."""

import ast
import base64
import importlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import mlflow
import numpy as np
import pandas as pd
import pytest
import requests
from closure import import_closure
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import BAD_REQUEST, INTERNAL_ERROR
from PIL import Image
from tiny_models import save_moved, tiny_card, write_as_before_cards
from web import first_answer, free_port

from pix2street.core.classes import cityscapes_classes
from pix2street.core.decoding import decode
from pix2street.core.files import write_json
from pix2street.core.images import png_bytes
from pix2street.inference import serving
from pix2street.inference.serving import MAX_BYTES, MAX_WAITING, Refusal, ServedTranslator, _load_pyfunc
from pix2street.inference.translator import Translator
from pix2street.layers.networks import load_network, save_network
from pix2street.layout import Layout
from pix2street.tracking.run import Run
from pix2street.training.batches import InputEncoding

CLASSES = cityscapes_classes()
IDS = np.random.default_rng(0).choice([7, 23, 26], (20, 30)).astype(np.uint8)
NOISE = np.random.default_rng(0).integers(0, 256, (32, 64, 3)).astype(np.uint8)


def base64_of(pixels: np.ndarray, kind: str = "png") -> str:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind)
    return base64.b64encode(buffer.getvalue()).decode()


def pixels_of(text: str) -> np.ndarray:
    return decode(base64.b64decode(text), "the answer")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("project") / "models/generator"
    folder.mkdir(parents=True)
    save_moved(folder, tiny_card(InputEncoding("color", CLASSES), "left", 32, 32, "batch", True, 3), product_side_px=4)
    return folder


@pytest.fixture(scope="module")
def translator(folder):
    return Translator.read(folder)


@pytest.fixture(scope="module")
def served(translator):
    return ServedTranslator(translator)


def table(*images, **columns) -> pd.DataFrame:
    return pd.DataFrame({"image": list(images), **columns})


def test_an_image_gets_the_pixels_of_the_translator(served, translator):
    expected = translator.translate(IDS, "image")
    colors = base64_of(CLASSES.to_colors(IDS))
    broken_into_lines = "\n".join(colors[start : start + 76] for start in range(0, len(colors), 76))
    for text in (base64_of(IDS), colors, f"data:image/png;base64,{colors}", broken_into_lines):
        assert (pixels_of(served.predict(table(text))["image"][0]) == expected).all()


def test_a_model_from_before_cards_is_served_as_it_was(folder, translator, tmp_path):
    before = shutil.copytree(folder, tmp_path / "generator")
    write_as_before_cards(before, translator.card)
    (photo,) = _load_pyfunc(str(before)).predict(table(base64_of(IDS)))["image"]
    assert (pixels_of(photo) == translator.translate(IDS, "image")).all()


def test_a_jpeg_is_taken(served):
    even = np.full((16, 16, 3), CLASSES.colors[7], np.uint8)
    assert pixels_of(served.predict(table(base64_of(even, "jpeg")))["image"][0]).shape == (16, 16, 3)


def test_names_and_seed_set_the_noise(served, translator):
    text = base64_of(IDS)
    photos = served.predict(table(text, text, name=["p4", None]), {"seed": 5, "half": None})["image"]
    for photo, name in zip(photos, ("p4", "image"), strict=True):
        assert (pixels_of(photo) == translator.translate(IDS, name, 5)).all()


RGB = NOISE[:20, :30]


def domains_of(folder: Path, **others) -> Path:
    """Write a small generator of three domains, and return its folder."""
    encoding = InputEncoding("color", None, domains=("day", "dusk", "night"), domain=1)
    folder.mkdir()
    save_moved(folder, tiny_card(encoding, "none", family="stargan", multiple_px=4, noise="none", **others))
    return folder


def test_the_domain_of_the_photos_is_told(tmp_path):
    folder = domains_of(tmp_path / "hours")
    params = {param.name: param.default for param in serving.signature_of(folder).params}
    assert params == {"seed": None, "half": None, "domain": "dusk", "direction": "forth", "truncation": None}
    served, photos = _load_pyfunc(str(folder)), {}
    for domain in ("day", "dusk", "night", None):
        (photo,) = served.predict(table(base64_of(RGB)), {"domain": domain})["image"]
        photos[domain] = pixels_of(photo)
        assert (photos[domain] == Translator.read(folder, domain=domain).translate(RGB, "image")).all()
    assert (photos[None] == photos["dusk"]).all()
    assert (photos["day"] != photos["night"]).any()
    with pytest.raises(
        Refusal, match=r"^domain: rain, but the generator has the domains day, dusk, night; name one"
    ) as no:
        served.predict(table(base64_of(RGB)), {"domain": "rain"})
    assert no.value.get_http_status_code() == 400


def test_a_model_that_learned_both_ways_goes_either(tmp_path):
    cards = {"": {}, "back": {"way": "back"}}
    for name, way in cards.items():
        (tmp_path / name).mkdir(exist_ok=True)
        card = tiny_card(InputEncoding("color", None), "none", family="cyclegan", multiple_px=4, noise="none", **way)
        save_moved(tmp_path / name, card)
    network = load_network(tmp_path / "back", "generator")
    network.set_weights([0.5 * weight for weight in network.get_weights()])
    save_network(network, tmp_path / "back", "generator")
    served = _load_pyfunc(str(tmp_path))
    served.warm_up()
    photos = [
        pixels_of(served.predict(table(base64_of(RGB)), {"direction": way})["image"][0]) for way in (None, "back")
    ]
    for photo, folder in zip(photos, (tmp_path, tmp_path / "back"), strict=True):
        assert (photo == Translator.read(folder).translate(RGB, "image")).all()
    assert (photos[0] != photos[1]).any()


def test_a_model_without_inputs_takes_names_alone(tmp_path):
    encoding = InputEncoding("color", None, latent=(4, 5))
    save_moved(tmp_path, tiny_card(encoding, "none", 32, 32, family="stylegan", multiple_px=1, noise="latent"))
    assert serving.signature_of(tmp_path).inputs.input_names() == ["name"]
    served, translator = _load_pyfunc(str(tmp_path)), Translator.read(tmp_path)
    served.warm_up()
    names = pd.DataFrame({"name": ["p1", "p2"]})
    for params in ({}, {"seed": 4}, {"seed": 4, "truncation": 0.5}):
        photos = [pixels_of(photo) for photo in served.predict(names, params)["image"]]
        expected = translator.photograph(["p1", "p2"], params.get("seed"), params.get("truncation", 1.0))
        np.testing.assert_array_equal(photos, expected)
        assert (photos[0] != photos[1]).any()
    for rows, params, fault in (
        (names, {"truncation": 2.0}, "truncation: must be from 0 to 1, is 2.0"),
        (names[:0], {}, "the request holds no name"),
        (pd.DataFrame({"name": ["p"] * 4097}), {}, "asks for 4097 photos"),
    ):
        with pytest.raises(Refusal, match=fault):
            served.predict(rows, params)


def test_the_half_of_a_pair_is_told(served, translator):
    pair = NOISE.copy()
    pair[:, :32] = CLASSES.to_colors(np.tile(IDS, (2, 2))[:32, :32])
    with pytest.raises(Refusal, match=r"image: is 64x32 px.*say half=left or half=right"):
        served.predict(table(base64_of(pair)))
    photo = served.predict(table(base64_of(pair)), {"half": "left"})["image"][0]
    assert (pixels_of(photo) == translator.translate(np.tile(IDS, (2, 2))[:32, :32], "image")).all()


def test_an_image_that_is_stored_turned_is_answered_upright(served, translator):
    exif, buffer = Image.Exif(), io.BytesIO()
    exif[0x0112] = 6
    Image.fromarray(IDS).transpose(Image.Transpose.ROTATE_90).save(buffer, "png", exif=exif)
    photo = pixels_of(served.predict(table(base64.b64encode(buffer.getvalue()).decode()))["image"][0])
    assert (photo == translator.translate(IDS, "image")).all()


def test_a_transparent_drawing_is_refused(served):
    buffer = io.BytesIO()
    Image.fromarray(IDS).save(buffer, "png", transparency=23)
    with pytest.raises(Refusal, match="a transparent pixel has no class"):
        served.predict(table(base64.b64encode(buffer.getvalue()).decode()))


def test_the_pinned_libraries_are_all_that_is_imported():
    root = Path(serving.__file__).parents[2]
    files = {Path(serving.__file__), *import_closure(Path(serving.__file__), root)}
    trees = [ast.parse(file.read_text(encoding="utf-8")) for file in files if file.suffix == ".py"]
    # Imports inside functions do not count, except those of the functions that load the generator.
    nodes = [node for tree in trees for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module for node in nodes if isinstance(node, ast.ImportFrom)}
    libraries = {name.split(".")[0] for name in names} - sys.stdlib_module_names - {"pix2street"}
    # A palette's regions are found by scikit-image, which is imported where they are first drawn.
    libraries |= {"scikit-image"}
    assert {"pillow" if name == "PIL" else name for name in libraries} == {*serving.LIBRARIES, "mlflow"}


GIF = base64_of(IDS, "gif")
TRUNCATED = base64.b64encode(png_bytes(NOISE)[:-200]).decode()
BAD_IMAGES = [
    ("!", "image: is not base64"),
    ("aGVsbG8=", "image: not a readable image"),
    (GIF, "image: not a readable image .*; send a whole PNG, JPEG, WEBP, BMP"),
    (TRUNCATED, "image: not a readable image .*truncated"),
    ("", "image: must be a PNG or JPEG in base64, is ''"),
    (None, "image: must be a PNG or JPEG in base64"),
    ("data:image/png,abc", "a data URI must begin with"),
    (base64_of(np.zeros((2049, 2048), np.uint8)), "is 2048x2049 px, at most 4,194,304"),
    (base64_of(np.full((4, 4), 99, np.uint8)), r"no class of the generator has: \[99\]"),
    (base64_of(np.full((4, 4, 3), (10, 250, 10), np.uint8)), "give a label map"),
]


@pytest.mark.parametrize(("image", "fault"), BAD_IMAGES)
def test_a_bad_image_is_refused_by_its_fault(served, image, fault):
    with pytest.raises(Refusal, match=fault) as refused:
        served.predict(table(image))
    assert refused.value.get_http_status_code() == 400


def test_an_image_of_several_is_named_and_all_of_them_are_bounded(served, monkeypatch):
    with pytest.raises(Refusal, match="image 1: is not base64"):
        served.predict(table(base64_of(IDS), "!"))
    monkeypatch.setattr(serving, "MAX_PX", 2 * IDS.size - 1)
    with pytest.raises(Refusal, match="image 1: is 30x20 px, at most 599 pixels may be"):
        served.predict(table(base64_of(IDS), base64_of(IDS)))
    with pytest.raises(Refusal, match="holds no image"):
        served.predict(table())


@pytest.mark.parametrize("params", [{"half": "up"}, {"seed": -1}, {"direction": "up"}])
def test_bad_parameters_are_refused(served, params):
    with pytest.raises(Refusal, match=f"{next(iter(params))}: must be"):
        served.predict(table(base64_of(IDS)), params)
    with pytest.raises(Refusal, match="name: must be text, is 5"):
        served.predict(table(base64_of(IDS), name=[5]))


def test_what_a_model_has_not_is_refused(served):
    with pytest.raises(Refusal, match=r"^domain: night, but the generator has no domains; leave the option out"):
        served.predict(table(base64_of(IDS)), {"domain": "night"})
    with pytest.raises(Refusal, match=r"^direction: back, but this model learned only the way forth; leave it out"):
        served.predict(table(base64_of(IDS)), {"direction": "back"})


def test_a_refusal_says_its_message_alone_whatever_the_server_adds():
    refusal = Refusal("too much", BAD_REQUEST)
    refusal.message = "Failed to predict data 'all of it'. Error: too much"
    assert json.loads(refusal.serialize_as_json())["message"] == "too much"


class Slow:
    """A translator that works until it is told to end; then it fails."""

    def __init__(self):
        self.card = tiny_card(InputEncoding("color", CLASSES), "left", 32, 32, "batch", True, 3)
        self.at_work, self.end = threading.Event(), threading.Event()

    def translate_all(self, *_):
        self.at_work.set()
        self.end.wait()
        raise RuntimeError("no memory")


def test_more_requests_than_may_wait_are_refused_at_once_and_a_failure_frees_its_place():
    slow = Slow()
    served, answers = ServedTranslator(slow), []

    def ask():
        try:
            served.predict(table(base64_of(IDS)))
        except Refusal as refusal:
            answers.append((refusal.get_http_status_code(), str(refusal)))

    threads = [threading.Thread(target=ask, daemon=True) for _ in range(2 + MAX_WAITING)]
    for thread in threads:
        thread.start()
    # Only one request finds the queue full, and no other ends before it: the first answer is a refusal.
    while not answers:
        slow.at_work.wait()
        threads[-1].join(0.01)
    assert answers == [(429, answers[0][1])]
    with pytest.raises(Refusal, match="4 requests are being answered"):
        guarded(pytest.fail, served.check_room)(b"{}")
    slow.end.set()
    for thread in threads:
        thread.join()
    assert answers[1:] == [(500, "the translation failed; see the server's log")] * (1 + MAX_WAITING)
    ask()
    assert answers[-1][0] == 500
    served.check_room()


def guarded(invocations, check_room=lambda: None):
    server = SimpleNamespace(
        invocations=invocations, InvocationsResponse=lambda response, status, mimetype: (json.loads(response), status)
    )
    serving.guard(server, check_room)
    return lambda data, kind="application/json": server.invocations(data, kind, None, None)


def test_what_the_server_cannot_read_is_answered_without_what_it_held():
    def fails(*_):
        raise MlflowException("Failed to predict data 'secret'. \nError: no such column.", BAD_REQUEST, stack_trace="T")

    answer, status = guarded(fails)(b'{"inputs": []}')
    assert status == 400
    assert answer["message"] == f"no such column; {serving.FORM}"
    assert set(answer) == {"error_code", "message"}
    answer, status = guarded(lambda *_: 1 / 0)(b'{"inputs": []}')
    assert (status, "ZeroDivisionError" in answer["message"]) == (400, True)

    def broken(*_):
        raise MlflowException("all is lost", INTERNAL_ERROR)

    assert guarded(broken)(b'{"inputs": []}')[1] == 500


def test_a_large_request_never_reaches_the_model():
    assert guarded(pytest.fail)(b" " * (MAX_BYTES + 1))[1] == 413


@pytest.fixture(scope="module")
def server(folder):
    """Yield the address of the champion, served as docs/serving.md says."""
    layout = Layout(folder.parents[1])
    write_json(layout.verdict, {"success": True})
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        patch.delenv("DVC_ROOT", raising=False)
        patch.setenv("MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING", "false")
        with Run.start(layout, {"generate": {"dropout": True}}, "key") as run:
            run.record_training(folder)
        client = mlflow.MlflowClient()
        (model,) = client.search_logged_models([client.get_experiment_by_name("pix2street").experiment_id])
        mlflow.register_model(f"models:/{model.model_id}", "pix2street")
        client.set_registered_model_alias("pix2street", "champion", "1")
        mlflow.set_tracking_uri(None)
    port = free_port()
    command = ["mlflow", "models", "serve", "--env-manager", "local", "-m", "models:/pix2street@champion"]
    environment = {**os.environ, "MLFLOW_TRACKING_URI": "sqlite:///mlflow.db", "MLFLOW_DISABLE_TELEMETRY": "true"}
    with (layout.root / "log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", *command, "--port", str(port)],
            cwd=layout.root,
            env={**environment, "PATH": f"{os.path.dirname(sys.executable)}:{os.environ['PATH']}"},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    address = f"http://127.0.0.1:{port}"
    answer = first_answer(f"{address}/ping", process)
    assert answer is not None, (layout.root / "log").read_text()
    assert answer.ok
    yield address
    os.killpg(process.pid, 9)
    process.wait()
    assert "Traceback" not in (layout.root / "log").read_text()


def test_a_served_image_is_the_translators(server, translator):
    row = {"image": base64_of(IDS), "name": "p4"}
    for request in (
        {"dataframe_records": [row], "params": {"seed": 5}},
        {"inputs": [row], "params": {"seed": 5}},
        {"dataframe_split": {"columns": list(row), "data": [list(row.values())]}, "params": {"seed": 5}},
    ):
        answer = requests.post(f"{server}/invocations", json=request)
        assert answer.ok, answer.text
        (photo,) = answer.json()["predictions"]
        assert (pixels_of(photo["image"]) == translator.translate(IDS, "p4", 5)).all()


def records(**row) -> bytes:
    return json.dumps({"dataframe_records": [row]}).encode()


GOOD = base64_of(IDS)
BAD_REQUESTS = [
    *((records(image=image), "application/json", 400, fault) for image, fault in BAD_IMAGES),
    (b"", "application/json", 400, "the request is not JSON"),
    (b"\xff\xfe{", "application/json", 400, "the request is not JSON"),
    (b"[" * 100_000, "application/json", 400, "the request is not JSON"),
    (b"[1]", "application/json", 400, "must have one of dataframe_records, dataframe_split, inputs, instances"),
    (b'{"image": "x"}', "application/json", 400, "must have one of .* it has image"),
    (b'{"inputs": 5}', "application/json", 400, "missing inputs"),
    (b'{"dataframe_records": "x"}', "application/json", 400, "must be a list of records"),
    (b'{"dataframe_records": []}', "application/json", 400, "missing inputs"),
    (records(picture=GOOD), "application/json", 400, "missing inputs .*'picture'"),
    (
        records(image=GOOD)[:-1] + b', "params": {"sed": 1}}',
        "application/json",
        400,
        "params: may hold direction, domain, half, seed, truncation",
    ),
    (records(image=GOOD)[:-1] + b', "params": {"domain": "night"}}', "application/json", 400, "has no domains"),
    (records(image=GOOD)[:-1] + b', "params": {"direction": "back"}}', "application/json", 400, "only the way forth"),
    (records(image=GOOD)[:-1] + b', "params": {"seed": "x"}}', "application/json", 400, "Invalid parameters"),
    (records(image=GOOD), None, 415, "Content-Type: must be application/json, is missing"),
    (b'image\n"a', "text/csv", 415, "is text/csv"),
    (b"x", "application/vnd.apache.parquet", 415, "must be application/json"),
]


@pytest.mark.parametrize(("body", "kind", "status", "fault"), BAD_REQUESTS, ids=range(len(BAD_REQUESTS)))
def test_a_bad_request_is_one_message_with_its_status(server, body, kind, status, fault):
    answer = requests.post(f"{server}/invocations", data=body, headers={"Content-Type": kind} if kind else {})
    assert answer.status_code == status
    message = answer.json()["message"]
    assert re.search(fault, message), message
    assert "Traceback" not in answer.text
    assert GOOD not in answer.text
    assert len(answer.text) < 2000


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl here: apt-get install curl")
def test_the_documented_command_line_makes_a_photo(server, translator, tmp_path):
    page = (Path(__file__).parents[2] / "docs/serving.md").read_text()
    (command,) = re.findall(r"```sh\n(printf .*?)```", page, re.S)
    (tmp_path / "input.png").write_bytes(png_bytes(IDS))
    command = command.replace("http://127.0.0.1:5001", server)
    done = subprocess.run(["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True, timeout=3600)
    assert done.returncode == 0, done.stderr
    photo = decode((tmp_path / "photo.png").read_bytes(), "photo.png")
    assert (photo == translator.translate(IDS, "image")).all()


def test_the_load_test_measures_every_part(server, monkeypatch, capsys):
    monkeypatch.syspath_prepend(Path(__file__).parents[2] / "benchmarks")
    monkeypatch.delitem(sys.modules, "serving", raising=False)
    measure = importlib.import_module("serving").measure
    measure(f"{server}/invocations", records(image=GOOD), 0.2)
    said = capsys.readouterr().out
    rows = json.loads(said[said.index("{") :])["rows"]
    assert [row["part"].split(":")[0] for row in rows] == [
        "1 at a time", "2 at a time", "4 at a time", "0.5 times that", "2 times that", "1 at a time, right after that",
    ]  # fmt: skip
    for row in rows:
        assert row["answered_per_s"] > 0
        assert row["p50_ms"] <= row["p95_ms"] <= row["p99_ms"] <= row["max_ms"]
        assert set(row["others"]) <= {"429"}
