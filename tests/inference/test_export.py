import json
import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import keras
import numpy as np
import onnxruntime
import pytest
import tensorflow as tf
from tiny_models import build_unet, save_moved, tiny_card

from pix2street import cli
from pix2street.core.classes import cityscapes_classes
from pix2street.core.errors import UserError
from pix2street.core.files import write_json
from pix2street.core.images import grey, write_png
from pix2street.core.pairs import Dataset, write_manifest
from pix2street.core.scales import Scale
from pix2street.core.styles import with_style
from pix2street.inference.card import GeneratorCard
from pix2street.inference.export import generator, graph
from pix2street.inference.export.formats import FORMATS, feeds_of
from pix2street.inference.export.generator import export_generator
from pix2street.inference.export.parity import compare
from pix2street.inference.export.rows import Row, as_text
from pix2street.inference.translator import Translator
from pix2street.judges.jury import judge_folder
from pix2street.judges.network import build_segmenter
from pix2street.judges.segmenter import TRAINED, Card
from pix2street.layers.networks import load_network, save_network
from pix2street.training.batches import InputEncoding

ROOT = Path(__file__).parents[2]
CLASSES = cityscapes_classes()
COLOR = tiny_card(InputEncoding("color", CLASSES), "left", 32, 32, "batch", True, 3)
CARDS = {
    "color": COLOR,
    "onehot": tiny_card(InputEncoding("onehot", CLASSES), "left", 32, 32, "moving", False, 0),
    "grey": tiny_card(InputEncoding("color", None), "grey", 32, 32, "batch", True, 0),
    "palette": tiny_card(
        InputEncoding("onehot", CLASSES, "palette"),
        "left",
        32,
        32,
        "batch",
        True,
        3,
        family="oasis",
        multiple_px=16,
        noise="latent",
    ),
    "code": tiny_card(InputEncoding("color", None, "code"), "grey", 32, 32, "batch", True, 0),
    "edges": tiny_card(
        InputEncoding("onehot", CLASSES),
        "left",
        32,
        32,
        "batch",
        True,
        3,
        family="pix2pixhd",
        multiple_px=16,
        noise="none",
    ),
    "back": tiny_card(
        InputEncoding("color", None),
        "file",
        32,
        32,
        "batch",
        True,
        3,
        family="cyclegan",
        multiple_px=8,
        noise="none",
        way="back",
    ),
    "domains": tiny_card(
        InputEncoding("color", None, domains=("day", "dusk", "night"), domain=1),
        "grey",
        32,
        32,
        "batch",
        True,
        3,
        family="stargan",
        multiple_px=4,
        noise="none",
    ),
}
SIZES = [(32, 32), (33, 64), (7, 90)]


@pytest.fixture(scope="module")
def photos_of_grey(tmp_path_factory):
    folder = tmp_path_factory.mktemp("grey")
    rng, rows = np.random.default_rng(0), []
    for index in range(3):
        photo = rng.integers(0, 256, (32, 32, 3)).astype(np.uint8)
        row = {"pair_id": f"p{index}", "split": "test", "group": "g"}
        for kind, pixels in {"input": grey(photo), "target": photo}.items():
            row[f"{kind}_path"] = f"test/{kind}s/p{index}.png"
            (folder / row[f"{kind}_path"]).parent.mkdir(parents=True, exist_ok=True)
            write_png(folder / row[f"{kind}_path"], pixels)
        rows.append(row)
    write_manifest(folder, rows)
    Dataset("g", "Greys", "grey to colour", "CC0", "", "grey").write(folder)
    return folder


@pytest.fixture(scope="module")
def judge(tmp_path_factory):
    folder = tmp_path_factory.mktemp("judge")
    names = CLASSES.evaluated_names
    network = build_segmenter(32, 32, len(names), 4, 0)
    Card(TRAINED, names, 32, 32).write(judge_folder(folder, 0), network)
    write_json(folder / "score.json", {"judges": 1, "not_judged": {}})
    return folder


@pytest.fixture(scope="module", params=CARDS)
def exported(request, road_and_sky, photos_of_grey, judge, tmp_path_factory):
    """Return the folder of a generator, the folder of its export, and the summary."""
    folder = tmp_path_factory.mktemp(request.param)
    (folder / "model").mkdir()
    upsample = "resize" if request.param == "onehot" else "transpose"
    save_moved(folder / "model", CARDS[request.param], product_side_px=4, upsample=upsample)
    data = road_and_sky if CARDS[request.param].encoding.classes or request.param == "back" else photos_of_grey
    formats = FORMATS if request.param == "color" else ("savedmodel", "onnx")
    translate = Translator.translate_unrounded

    def alone(self, images, names, seed=None):
        assert self.card.noisy or len(images) == 1, "a file is held to what predict makes of one image at a time"
        return translate(self, images, names, seed)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Translator, "translate_unrounded", alone)
        summary = export_generator(folder / "model", data, folder / "out", judge, formats, rounds=1)
    return folder / "model", folder / "out", summary


def draw(card, count, size):
    rng = np.random.default_rng(size[0])
    if card.encoding.classes:
        ids = rng.choice([7, 23, 26], (count, *size)).astype(np.uint8)
        palette = rng.integers(0, 256, (count, *size, 3)).astype(np.uint8)
        return np.stack(list(map(with_style, ids, palette))) if card.encoding.style == "palette" else ids
    rgb = rng.integers(0, 256, (count, *size, 3)).astype(np.uint8)
    codes = rng.integers(0, 256, (count, 8)).astype(np.uint8)
    return np.stack(list(map(with_style, rgb, codes))) if card.encoding.style == "code" else rgb


def as_predict_sees(card, inputs):
    """Return inputs as `predict` has them before it translates: it makes colour photos grey, as a file does itself."""
    if card.input_from != "grey":
        return inputs
    return [np.concatenate([grey(image[..., :3]), image[..., 3:]], axis=-1) for image in inputs]


@cache
def open_files(out):
    session = onnxruntime.InferenceSession(out / "generator.onnx")
    loaded = tf.saved_model.load(str(out / "savedmodel"))
    serve = loaded.signatures["serving_default"]
    return {
        "onnx": lambda pixels: session.run(["photo", "unit"], inputs_of(pixels)),
        "savedmodel": lambda pixels, loaded=loaded: [
            serve(**inputs_of(pixels))[name].numpy() for name in ("photo", "unit")
        ],
    }


def inputs_of(pixels):
    """Return what a file takes; class ids may have their palettes behind them, and colours their codes."""
    if pixels.shape[3:] == (11,):
        return {"pixels": pixels[..., :3].copy(), "code": pixels[:, 0, 0, 3:].copy()}
    if pixels.shape[3:] == (4,):
        return {"pixels": pixels[..., 0].copy(), "palette": pixels[..., 1:].copy()}
    return {"pixels": pixels}


def test_files_give_the_photos_of_predict_at_every_batch_and_size(exported):
    model, out, summary = exported
    predicted = Translator.read(model, noise=False)
    files = open_files(out)
    for count, size in enumerate(SIZES, 1):
        inputs = draw(summary.card, count, size)
        shown = as_predict_sees(summary.card, inputs)
        expected = np.stack(predicted.translate_unrounded(shown, ["x"] * count))
        for run in files.values():
            photo, unit = run(inputs)
            assert photo.dtype == np.uint8
            np.testing.assert_allclose(unit, expected, rtol=0, atol=1e-4)
            assert np.abs(photo - np.rint((expected + 1) * 127.5)).max() <= 1


def test_a_photo_does_not_depend_on_its_companions(exported):
    _, out, summary = exported
    inputs = draw(summary.card, 5, (32, 32))
    inputs[3] = inputs[3].max()
    for run in open_files(out).values():
        together = run(inputs)[1]
        for place in range(5):
            np.testing.assert_allclose(together[place], run(inputs[place : place + 1])[1][0], rtol=0, atol=1e-5)


def test_classes_size_and_licence_travel_with_the_files(exported):
    model, out, summary = exported
    meta = onnxruntime.InferenceSession(out / "generator.onnx").get_modelmeta().custom_metadata_map
    fields = json.loads(meta["pix2street.card"])
    assert InputEncoding.from_json(fields["encoding"]) == summary.card.encoding
    assert fields["height_px"] == 32
    assert json.loads(meta["pix2street.dataset"])["licence"] == ("CC0" if "grey" in fields["input_from"] else "")
    assert json.loads(meta["pix2street.dropout"]) is False
    assert GeneratorCard.read(out) == GeneratorCard.read(out / "savedmodel/assets.extra") == GeneratorCard.read(model)
    description = json.loads((out / "export.json").read_text())
    assert description["weights_sha256"] == meta["pix2street.weights_sha256"]
    assert description["checked_images"] == (3 if summary.card.input_from == "grey" else 2)
    assert set(description["formats"]) == {row.name for row in summary.rows} - {"Keras"}


def test_the_graph_of_a_generator_of_larger_photos_gives_those_of_predict():
    card = tiny_card(InputEncoding("color", None), noise="none", multiple_px=8, scale=Scale(2, 2))
    inputs = keras.Input((32, 32, 3), name="input")
    network = keras.Model(inputs, keras.layers.UpSampling2D(2)(inputs))
    pixels = draw(card, 2, (33, 20))
    photo = graph.serving_function(graph.for_any_size(network, card), card)(pixels)["photo"].numpy()
    assert photo.shape == (2, 66, 40, 3)
    assert (photo == np.stack(Translator(network, card).translate_all(pixels, ["x", "y"]))).all()


@pytest.mark.parametrize("exported", ["palette"], indirect=True)
def test_files_of_a_generator_with_palettes_take_them_beside_the_class_ids(exported):
    _, out, summary = exported
    inputs = onnxruntime.InferenceSession(out / "generator.onnx").get_inputs()
    assert [(one.name, one.type, one.shape) for one in inputs] == [
        ("pixels", "tensor(uint8)", ["N", "H", "W"]),
        ("palette", "tensor(uint8)", ["N", "H", "W", 3]),
    ]
    description = json.loads((out / "export.json").read_text())
    assert description["input"].keys() == {"pixels", "palette"}
    text = as_text(summary)
    assert "\nThe files take a palette beside the class ids, the colour of each region; `predict` draws it from" in text


@pytest.mark.parametrize("exported", ["domains"], indirect=True)
def test_files_of_a_generator_of_domains_may_be_told_one(exported):
    model, out, summary = exported
    inputs = draw(summary.card, 2, (33, 64))
    session = onnxruntime.InferenceSession(out / "generator.onnx")
    assert [(one.name, one.type, one.shape) for one in session.get_overridable_initializers()] == [
        ("domain", "tensor(int32)", ["N"])
    ]
    loaded = tf.saved_model.load(str(out / "savedmodel"))
    for numbers in ([0], [2], [2, 0]):
        feeds = {"pixels": inputs, "domain": np.array(numbers, np.int32)}
        names = [("day", "dusk", "night")[number] for number in numbers] * (3 - len(numbers))
        shown = as_predict_sees(summary.card, inputs)
        expected = [
            Translator.read(model, domain=domain).translate_unrounded([image], ["x"])[0]
            for image, domain in zip(shown, names, strict=False)
        ]
        units = session.run(["unit"], feeds)[0], loaded.signatures["with_domain"](**feeds)["unit"]
        for unit in units:
            np.testing.assert_allclose(unit, np.stack(expected), rtol=0, atol=1e-4)
    told = json.loads((out / "export.json").read_text())["input"]["domain"]
    assert "[1] int32: 0 day, 1 dusk, 2 night; it may be left out for dusk" in told
    assert "(day, dusk, night) beside the pixels; without it they translate to dusk" in as_text(summary)


def test_a_file_that_is_wrong_for_one_domain_is_refused(photos_of_grey, tmp_path, monkeypatch):
    (tmp_path / "model").mkdir()
    save_moved(tmp_path / "model", CARDS["domains"])
    encode = InputEncoding.encode

    def confused(self, pixels, domains=None):
        return encode(self, pixels, None if domains is None else tf.where(domains == 2, 0, domains))

    monkeypatch.setattr(InputEncoding, "encode", confused)
    with pytest.raises(UserError, match=r"^savedmodel: p\d: differs"):
        export_generator(tmp_path / "model", photos_of_grey, tmp_path / "out", tmp_path, ["savedmodel"], rounds=1)


@pytest.mark.parametrize("exported", ["code"], indirect=True)
def test_files_of_a_generator_with_codes_take_them_beside_the_pixels(exported):
    _, out, summary = exported
    inputs = onnxruntime.InferenceSession(out / "generator.onnx").get_inputs()
    assert [(one.name, one.type, one.shape) for one in inputs] == [
        ("pixels", "tensor(uint8)", ["N", "H", "W", 3]),
        ("code", "tensor(uint8)", ["N", 8]),
    ]
    description = json.loads((out / "export.json").read_text())
    assert description["input"].keys() == {"pixels", "code"}
    assert "\nThe files take a code beside the pixels; `predict` draws it from codes.npz beside" in as_text(summary)


def test_a_graph_of_class_ids_takes_codes_too(tmp_path):
    card = tiny_card(InputEncoding("onehot", CLASSES, "code"), noise="none")
    save_moved(tmp_path, card)
    predicted = Translator.read(tmp_path)
    serve = graph.serving_function(graph.for_any_size(load_network(tmp_path, "generator"), card), card)
    ids = np.random.default_rng(0).choice([7, 23], (2, 40, 37)).astype(np.uint8)
    stored = np.stack([predicted.styled(one, name) for one, name in zip(ids, "ab", strict=True)])
    expected = np.stack(predicted.translate_unrounded(list(ids), ["a", "b"]))
    unit = serve(*feeds_of(stored, card).values())["unit"]
    np.testing.assert_allclose(unit, expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize("exported", ["color"], indirect=True)
def test_narrow_kernels_cost_little_and_are_smaller(exported):
    model, _, summary = exported
    assert list(summary.costs) == ["predict", "predict --no-dropout", "onnx-float16", "onnx-int8"]
    full_l1, full_iou = summary.costs["predict --no-dropout"]
    assert 0 <= full_iou <= 1
    sizes_mib = {row.name: row.size_mib for row in summary.rows}
    kernels = sum(weight.size for weight in Translator.read(model)._generator.get_weights() if weight.ndim == 4)
    for name, bytes_less, most in (("onnx-float16", 2, 0.001), ("onnx-int8", 3, 0.05)):
        l1, iou = summary.costs[name]
        assert abs(l1 - full_l1) < most
        assert 0 <= iou <= 1
        # Scales and names take some bytes in return, which count in a network as small as this.
        assert (sizes_mib["onnx"] - sizes_mib[name]) * 2**20 > 0.8 * bytes_less * kernels
    text = as_text(summary)
    assert "\nThe noise (dropout) is off in the files: it follows an input's name, which they do not see." in text
    l1, iou = summary.costs["onnx-int8"]
    assert re.search(rf"^onnx-int8 +{l1:.4f} +{iou:.4f}$", text, re.M)


@pytest.fixture
def plain(tmp_path):
    (tmp_path / "model").mkdir()
    save_moved(tmp_path / "model", COLOR)
    return tmp_path / "model"


def test_a_wrong_file_is_refused_and_nothing_of_it_stays(plain, road_and_sky, tmp_path, monkeypatch):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/export.json").write_text("earlier")
    true = graph.as_inference
    monkeypatch.setattr(graph, "as_inference", lambda network, norm, **rest: true(network, "moving", **rest))
    for name in ("savedmodel", "onnx"):
        with pytest.raises(UserError, match=rf"^{name}: p4: differs from `predict --no-dropout` by .*, at most .* may"):
            export_generator(plain, road_and_sky, tmp_path / "out", tmp_path, [name], rounds=1)
        assert {path.name for path in tmp_path.iterdir()} == {"model", "out"}
        assert [path.name for path in (tmp_path / "out").iterdir()] == ["export.json"]


def test_no_photo_at_all_is_refused_in_every_format():
    row, expected = Row("onnx-int8", 1.0, 1.0), np.zeros((1, 2, 2, 3), "float32")
    found = {"photo": np.full((1, 2, 2, 3), 128, np.uint8), "unit": expected + np.float32("nan")}
    with pytest.raises(UserError, match=r"onnx-int8: x: differs .* by nan before rounding"):
        compare(row, found, expected, ["x"])
    with pytest.raises(UserError, match=r"photo must be uint8 \(1, 2, 2, 3\), but is uint8 \(1, 2, 2\)"):
        compare(row, {**found, "photo": found["photo"][..., 0]}, expected, ["x"])


def test_what_was_trained_in_mixed_precision_is_exported_in_float32(road_and_sky, tmp_path):
    (tmp_path / "model").mkdir()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        network = build_unet((32, 32, 3), 3, 4, 0)
    finally:
        keras.config.set_dtype_policy("float32")
    save_network(network, tmp_path / "model", "generator")
    COLOR.write(tmp_path / "model")
    summary = export_generator(tmp_path / "model", road_and_sky, tmp_path / "out", tmp_path, ["onnx"], rounds=1)
    assert summary.rows[1].unit_difference <= 1e-4 < summary.rows[0].unit_difference
    assert "\nThe generator was trained in mixed precision. The files compute in float32" in as_text(summary)


def test_what_cannot_be_exported_is_refused_first(plain, road_and_sky, photos_of_grey, tmp_path, monkeypatch):
    def refused(match, data=road_and_sky, out=tmp_path / "new"):
        with pytest.raises(UserError, match=match):
            export_generator(plain, data, out, tmp_path)

    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/thesis.txt").write_text("years of work")
    refused("--out: .*mine must be new, empty or an earlier export", out=tmp_path / "mine")
    refused("--data: .*nowhere must hold manifest.csv", data=tmp_path / "nowhere")
    refused("--data: .* is g, whose classes are not those", data=photos_of_grey)
    empty = shutil.copytree(road_and_sky, tmp_path / "empty")
    write_manifest(empty, [])
    refused("--data: .*empty has no held-out pairs", data=empty)
    monkeypatch.setattr(generator.importlib.util, "find_spec", lambda name: None if name == "tf2onnx" else name)
    refused(r"ONNX needs tf2onnx; install with `pip install -e '.\[export\]'`, or choose --format savedmodel")
    assert not (tmp_path / "new").exists()


def test_the_command_says_what_can_be_mended(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("pix2street.training.runtime.prepare", lambda *args, **kwargs: None)
    with pytest.raises(SystemExit, match=r"^pix2street export: models/generator: no such folder"):
        cli.main(["export"])


@pytest.mark.parametrize("exported", ["color"], indirect=True)
def test_int8_arithmetic_can_be_measured(exported, road_and_sky):
    options = ["--export", exported[1], "--data", road_and_sky, "--rounds", "1"]
    command = [sys.executable, ROOT / "benchmarks/quantization.py", *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=3600, check=True)
    rows = {line[:32].strip(): line[32:].split() for line in done.stdout.splitlines()[1:-1]}
    assert {"generator", "generator_int8", "dynamic int8", "static int8"} < set(rows)
    assert all(float(speed) > 0 for row in rows.values() for speed in row[1:3])


@pytest.mark.parametrize("exported", ["color"], indirect=True)
def test_tensorflow_and_onnx_runtime_are_timed_on_the_same_photos(exported, road_and_sky):
    model, out, _ = exported
    options = ["--engines", out, "--generator", model, "--image", road_and_sky / "val/inputs/p4.png", "--rounds", "1"]
    command = [sys.executable, ROOT / "benchmarks/serving.py", *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=3600, check=True)
    head, *rows = done.stdout.splitlines()
    assert head.split()[:5] == ["TensorFlow", "ONNX", "ratio", "difference", "request"]
    assert [row.split()[:2] for row in rows] == [["batch", str(batch)] for batch in (1, 2, 4, 8)]
    for row in rows:
        *times, difference, request = map(float, row.split()[2:])
        assert min(*times, request) > 0
        assert difference <= 1
