"""Grey targets from `split` to an exported file have one channel everywhere, and every reader sees the same photo."""

import base64
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime
import pandas as pd
import pytest
import tensorflow as tf
from fastapi.testclient import TestClient
from inception_graph import write_graph
from PIL import Image
from shipped import PARAMS, changed

from pix2street.core.classes import cityscapes_classes
from pix2street.core.decoding import decode
from pix2street.core.domains import PhotoFolders
from pix2street.core.errors import UserError
from pix2street.core.images import luma, read_ids, read_photo, read_rgb, write_png
from pix2street.core.pairs import Dataset, read_manifest, read_pairs
from pix2street.datasets.synthetic_streets.scene import draw_scene
from pix2street.demo.server import NAME, Side, create_app
from pix2street.inference.export.generator import export_generator
from pix2street.inference.jobs import Job
from pix2street.inference.photo_files import translate_files
from pix2street.inference.serving import ServedTranslator
from pix2street.inference.translator import Translator
from pix2street.judges.inception import Inception
from pix2street.judges.jury import judge_folder
from pix2street.judges.segmenter import Segmenter
from pix2street.layers.networks import load_network
from pix2street.reporting.evidence import Evidence
from pix2street.reporting.examples import Folders, read_examples, read_extremes
from pix2street.reporting.model_card import as_model_card
from pix2street.steps.evaluate import evaluate_photos
from pix2street.steps.generate import generate_photos
from pix2street.steps.report import render_report
from pix2street.steps.segment import make_jury
from pix2street.steps.split import split_pairs
from pix2street.steps.train import train_model
from pix2street.steps.validate import refuse_failures, validate_split
from pix2street.training.runtime import STRATEGIES

ROOT = Path(__file__).parents[1]
CLASSES = cityscapes_classes()
SIDE = 64


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> dict:
    """Take twelve pairs, a grey photo beside its coloured drawing, through every stage up to `evaluate`."""
    root = tmp_path_factory.mktemp("grey")
    for index in range(12):
        photo, ids = draw_scene(0, index, SIDE, SIDE)
        grey = np.repeat(luma(photo)[..., None], 3, axis=2)
        place = root / "downloaded" / ("train" if index < 8 else "val")
        place.mkdir(parents=True, exist_ok=True)
        write_png(place / f"a_{index:02}.png", np.concatenate([grey, CLASSES.to_colors(ids)], axis=1))
    Dataset("x", "Rays", "labels to X-ray", "own", "", "right", None, CLASSES).write(root / "downloaded")
    for name in ("split", "judge", "generator", "samples", "photos", "baselines", "judged"):
        (root / name).mkdir()

    working = changed(PARAMS.split, height_px=SIDE, width_px=SIDE, target_mode="grey")
    assert split_pairs(root / "downloaded", root / "split", working) == (12, 0)
    few = changed(PARAMS.validate_, min_train_pairs=8, max_class_distance=0.5)
    verdict, table = validate_split(root / "split", (SIDE, SIDE), few)
    refuse_failures(verdict, table)
    segment = changed(PARAMS.segment, filters=4, epochs=1, batch=4, learning_rate=0.01)
    make_jury(root / "split", root / "judge", root, segment)
    train = changed(
        PARAMS.train,
        run={"epochs": 1, "sample_pairs": 1},
        data={"holdout_pairs": 2},
        pix2pix={"generator_filters": 4, "discriminator_filters": 4},
    )
    history = train_model(
        root / "split",
        root / "generator",
        root / "samples",
        lambda *_: None,
        train=train,
        generate=PARAMS.generate,
        compute=PARAMS.compute,
        strategy=STRATEGIES["one_device"](),
    )
    mode = {"seed": 0, "norm": "batch", "dropout": True}
    generate_photos(root / "split", root / "generator", root / "photos", root / "baselines", PARAMS.generate)
    metrics, tables = evaluate_photos(
        root / "split",
        root / "judge",
        PhotoFolders(root / "photos", root / "baselines"),
        root / "judged",
        changed(PARAMS.evaluate, min_ceiling=0.0),
        inception=None,
        judge_score=json.loads((root / "judge/score.json").read_text()),
        generator=mode,
    )
    return {"root": root, "verdict": verdict, "history": history, "metrics": metrics, "tables": tables}


@pytest.fixture(scope="module")
def photo_of_val(run) -> tuple[np.ndarray, str, np.ndarray]:
    """Return a held-out input, its pair_id and the photo that `generate` wrote for it."""
    pair = read_pairs(run["root"] / "split", "val")[0]
    return read_ids(pair.input_path), pair.pair_id, read_photo(run["root"] / f"photos/val/{pair.pair_id}.png")


def test_targets_and_photos_are_one_channel_files(run):
    files = [
        path for place in ("photos", "baselines", "split/*/targets") for path in run["root"].glob(f"{place}/**/*.png")
    ]
    assert len(files) == 4 + 2 * 4 + 12
    assert {Image.open(path).mode for path in files} == {"L"}
    assert Dataset.read(run["root"] / "split").target_channels == 1
    manifest = read_manifest(run["root"] / "split")
    assert set(manifest["target_channels"]) == {1}
    original = luma(draw_scene(0, 0, SIDE, SIDE)[0])
    assert (read_photo(run["root"] / "split/train/targets/a_00.png")[..., 0] == original).all()


def test_the_networks_have_one_output_channel_and_it_was_trained(run):
    trained = load_network(run["root"] / "generator", "generator")
    assert trained.output_shape == (None, SIDE, SIDE, 1)
    assert np.isfinite(run["history"].to_numpy(float)).all()
    assert run["metrics"]["generated"]["l1"] < run["metrics"]["baselines"]["untrained"]["l1"]
    sheet = read_rgb(run["root"] / "samples/epoch_0001.png")
    assert sheet.shape == (SIDE, 3 * SIDE + 8, 3)
    target = read_photo(run["root"] / "split/val/targets/a_08.png")
    assert (sheet[:, SIDE + 4 : 2 * SIDE + 4] == target).all()


def test_the_mean_of_a_class_is_its_mean_grey(run):
    pairs = read_pairs(run["root"] / "split", "train")
    ids = np.stack([read_ids(pair.input_path) for pair in pairs])
    targets = np.stack([read_photo(pair.target_path)[..., 0] for pair in pairs])
    pair = read_pairs(run["root"] / "split", "val")[0]
    drawn, shown = read_photo(run["root"] / f"baselines/mean_color/val/{pair.pair_id}.png"), read_ids(pair.input_path)
    assert (drawn[shown == 7] == np.rint(targets[ids == 7].mean())).all()


def test_scores_are_those_of_the_channel_and_say_how_it_is_shown(run):
    images = run["tables"]["images"].set_index("pair_id")
    photo, target = (read_photo(run["root"] / f"{place}/a_08.png") for place in ("photos/val", "split/val/targets"))
    assert images.loc["a_08", "l1"] == pytest.approx(np.abs(photo.astype(int) - target).mean() / 127.5)
    protocol = run["metrics"]["protocol"]
    assert protocol["shared"]["photos"].startswith("grey, one channel; networks that look at them ")
    assert run["metrics"]["generated"]["frechet_segmenter"] > 0


def test_judge_and_inception_see_the_channel_three_times(run, tmp_path):
    target = run["root"] / "split/val/targets/a_08.png"
    write_png(tmp_path / "a_08.png", np.repeat(read_photo(target), 3, axis=2))
    network = Inception(write_graph(tmp_path / "graph.pb"))
    for resize in ("tf", "clean"):
        grey, rgb = (network.fed([path], resize, (SIDE, SIDE, 3)) for path in (target, tmp_path / "a_08.png"))
        assert (grey == rgb).all()
    judge = Segmenter.load(judge_folder(run["root"] / "judge", 0), CLASSES)
    grey, rgb = (judge.judge([path], tmp_path / "seen") for path in (target, tmp_path / "a_08.png"))
    assert (grey == rgb).all()


def test_predict_serving_and_demo_give_the_photo_of_generate_in_one_channel(run, photo_of_val, tmp_path):
    ids, pair_id, expected = photo_of_val
    translator = Translator.read(run["root"] / "generator")
    assert expected.shape == (SIDE, SIDE, 1)
    assert (translator.translate(ids, pair_id) == expected).all()
    assert translator.translate(ids[:33, :50], pair_id).shape == (33, 50, 1)
    source = run["root"] / f"split/val/inputs/{pair_id}.png"
    assert not translate_files(translator, [Job(source, None, tmp_path / "photo.png")], None, 1).failures
    assert (tmp_path / "photo.png").read_bytes() == (run["root"] / f"photos/val/{pair_id}.png").read_bytes()

    request = pd.DataFrame({"image": [base64.b64encode(source.read_bytes()).decode()], "name": [pair_id]})
    answer = ServedTranslator(translator).predict(request)
    assert (decode(base64.b64decode(answer["image"][0]), "the answer") == expected[..., 0]).all()

    client = TestClient(create_app({"forth": Side(translator, {})}), "http://127.0.0.1:7860")
    painted = client.post("/translate", content=ids.tobytes(), headers={"Content-Type": "application/octet-stream"})
    assert (decode(painted.content, "the photo") == translator.translate(ids, NAME)[..., 0]).all()


def test_exported_files_have_one_output_channel(run, photo_of_val, tmp_path):
    ids, pair_id, _ = photo_of_val
    root = run["root"]
    report = export_generator(
        root / "generator", root / "split", tmp_path / "out", root / "judge", ["savedmodel", "onnx"], rounds=1
    )
    assert max(row.pixel_difference for row in report.rows) <= 1
    assert "grey [N, H, W, 1] uint8" in (tmp_path / "out/export.json").read_text()
    quiet = Translator.read(root / "generator", noise=False).translate(ids[:33], pair_id)
    session = onnxruntime.InferenceSession(tmp_path / "out/generator.onnx")
    (onnx,) = session.run(["photo"], {"pixels": ids[None, :33]})
    loaded = tf.saved_model.load(str(tmp_path / "out/savedmodel"))
    saved = loaded.signatures["serving_default"](pixels=ids[None, :33])["photo"].numpy()
    for photo in (onnx[0], saved[0]):
        assert photo.shape == quiet.shape == (33, SIDE, 1)
        assert np.abs(photo.astype(int) - quiet).max() <= 1


def test_an_export_is_not_checked_on_targets_of_another_kind(run, tmp_path):
    split = tmp_path / "split"
    split.symlink_to(run["root"] / "split")
    (tmp_path / "rgb").mkdir()
    for path in split.iterdir():
        if path.name != "dataset.json":
            (tmp_path / "rgb" / path.name).symlink_to(path)
    replace(Dataset.read(split), target_channels=3).write(tmp_path / "rgb")
    with pytest.raises(UserError, match="has RGB targets, the generator makes grey photos"):
        export_generator(run["root"] / "generator", tmp_path / "rgb", tmp_path / "out", tmp_path)


def test_report_and_card_say_that_photos_are_grey(run):
    root = run["root"]
    folders = Folders(root / "split", root / "photos", root / "baselines", root / "judged")
    images = run["tables"]["images"]
    evidence = Evidence(
        params=PARAMS.model_dump(by_alias=True),
        dataset=Dataset.read(root / "split"),
        verdict=run["verdict"],
        history=run["history"],
        sheets={1: (root / "samples/epoch_0001.png").read_bytes()},
        metrics=run["metrics"],
        class_iou=run["tables"]["class_iou"],
        confusion=run["tables"]["confusion"],
        examples=read_examples(folders, "val", images, 2),
        extremes=read_extremes(folders, "val", images, 1),
        versions={},
    )
    page, summary = render_report(evidence)
    card = as_model_card(evidence)
    for text in (page, summary, card):
        assert "are shown it three times, as red, green and blue" in text
    assert "Output: a grey photo, one channel, of the same size." in card
    assert "photos in colour (here grey)" in page
