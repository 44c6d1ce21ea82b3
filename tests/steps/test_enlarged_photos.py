"""Super-resolution through the stages: both phases are kept, and scored beside what costs nothing."""

import numpy as np
import pytest
import tensorflow as tf
from shipped import PARAMS, changed
from tiny_models import SMALL, TINY_TRAIN

from pix2street.core.domains import PhotoFolders
from pix2street.core.images import read_rgb, reduce_photo, write_png
from pix2street.core.pairs import Dataset
from pix2street.inference.card import GeneratorCard
from pix2street.inference.export import graph
from pix2street.inference.export.onnx_file import open_onnx, to_onnx, write_onnx
from pix2street.inference.translator import Translator
from pix2street.steps.evaluate import evaluate_photos
from pix2street.steps.generate import generate_photos
from pix2street.steps.split import split_pairs
from pix2street.steps.train import train_model
from pix2street.training.checkpoint import Checkpoints

SIDE = 32
BASELINES = {"nearest", "bicubic", "lanczos", "untrained", "pixels"}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Return a folder with a split of small photos, a generator of two phases, its photos and the baselines."""
    folder, rng = tmp_path_factory.mktemp("made"), np.random.default_rng(0)
    for number in range(8):
        path = folder / "images" / ("train" if number < 4 else "val") / f"p{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_png(path, rng.integers(0, 256, (8, 8, 3)).astype(np.uint8).repeat(4, 0).repeat(4, 1))
    Dataset("super_resolution", "Mine", "small to large", "own", "", "reduced", factor=4).write(folder / "images")
    for name in ("split", "generator", "samples", "photos", "judged"):
        (folder / name).mkdir()
    split_pairs(folder / "images", folder / "split", changed(PARAMS.split, height_px=SIDE, width_px=SIDE))
    settings = {**SMALL["srgan"], "pretrain_share": 0.5, "generator_rate": 0.01}
    train = changed(
        TINY_TRAIN,
        model="srgan",
        run={"epochs": 2, "batch": 2, "ema_decay": 0.0},
        data={"encoding": "color", "style": "none"},
        srgan=settings,
    )
    with Checkpoints(folder / "checkpoints", "k" * 64, 1.0) as checkpoints:
        train_model(
            folder / "split",
            folder / "generator",
            folder / "samples",
            lambda *epoch: None,
            train=train,
            generate=PARAMS.generate,
            compute=PARAMS.compute,
            strategy=tf.distribute.get_strategy(),
            checkpoints=checkpoints,
        )
    generate_photos(folder / "split", folder / "generator", folder / "photos", folder / "baselines", PARAMS.generate)
    return folder


def test_the_generator_of_the_first_phase_is_kept_and_can_be_used(made):
    card = GeneratorCard.read(made / "generator")
    assert (card.phases, card.scale.to_json(), card.reach_px) == (("pixels",), 4, 6)
    pixels = read_rgb(made / "split/val/inputs/p4.png")
    photos = {name: Translator.read(made / name).translate(pixels, "p4") for name in ("generator", "generator/pixels")}
    assert (photos["generator"] == read_rgb(made / "photos/val/p4.png")).all()
    assert (photos["generator/pixels"] == read_rgb(made / "baselines/pixels/val/p4.png")).all()
    assert (photos["generator"] != photos["generator/pixels"]).any()


def test_a_contact_sheet_shows_small_inputs_beside_large_photos(made):
    sheet = read_rgb(made / "samples/epoch_0002.png")
    small = read_rgb(made / "split/val/inputs/p4.png")
    assert sheet.shape == (2 * SIDE + 4, 3 * SIDE + 2 * 4, 3)
    assert (sheet[:SIDE, :SIDE] == small.repeat(4, 0).repeat(4, 1)).all()


def test_every_set_of_photos_is_scored(made):
    folders = PhotoFolders(made / "photos", made / "baselines")
    metrics, tables = evaluate_photos(
        made / "split",
        made / "none",
        folders,
        made / "judged",
        PARAMS.evaluate,
        inception=None,
        judge_score=None,
        generator={},
    )
    assert metrics["baselines"].keys() == BASELINES
    for scores in (metrics["generated"], *metrics["baselines"].values()):
        assert {"psnr_luma", "ssim_luma", "consistency", "frechet_detail", "kid_detail", "swd", "l1"} <= scores.keys()
    # Each photo is made of blocks, which nearest neighbour nearly gives back.
    assert metrics["baselines"]["nearest"]["psnr_luma"] > metrics["baselines"]["bicubic"]["psnr_luma"]
    assert {"frechet_detail", "kid_detail"} <= metrics["floor"].keys()
    assert {"psnr_luma", "consistency"} <= {*tables["images"]}
    assert {"enlargement", "detail"} <= metrics["protocol"].keys()
    small = read_rgb(made / "split/val/inputs/p4.png")
    assert (small == reduce_photo(read_rgb(made / "split/val/targets/p4.png"), 4)).all()


def test_files_of_it_give_the_photos_of_predict_at_every_size(made, tmp_path):
    translator = Translator.read(made / "generator")
    card = translator.card
    serve = graph.serving_function(graph.for_any_size(translator._generator, card), card)
    dataset = {"direction": "", "title": "", "licence": ""}
    model = to_onnx(serve, card, {"dataset": dataset})
    write_onnx(model, tmp_path / "generator.onnx")
    run = open_onnx(tmp_path / "generator.onnx", 1, card)
    for size in ((8, 8), (7, 13)):
        pixels = np.random.default_rng(0).integers(0, 256, (2, *size, 3)).astype(np.uint8)
        expected = np.stack(translator.translate_unrounded(pixels, ["a", "b"]))
        assert expected.shape == (2, 4 * size[0], 4 * size[1], 3)
        for outputs in (serve(pixels), run(pixels)):
            np.testing.assert_allclose(outputs["unit"], expected, atol=1e-4)
