"""A generator without inputs, from the training to the page: latents in place of drawings."""

from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf
from shipped import PARAMS, changed
from tiny_models import SMALL, TINY_TRAIN

from pix2street import cli
from pix2street.core.domains import PhotoFolders, photographed
from pix2street.core.errors import UserError
from pix2street.core.images import read_rgb
from pix2street.core.pairs import Dataset
from pix2street.core.photos import read_photos
from pix2street.core.protocol import has_exact_targets, has_inputs
from pix2street.core.scales import Scale
from pix2street.datasets import synthetic_streets
from pix2street.inference.card import GeneratorCard
from pix2street.inference.export.generator import export_generator
from pix2street.inference.translator import Translator
from pix2street.reporting.examples import Folders, as_strip, read_examples, read_extremes
from pix2street.reporting.model_card import as_model_card
from pix2street.steps.evaluate import evaluate_photos
from pix2street.steps.generate import draw_photos, generate_photos
from pix2street.steps.generate_latents import generate_latents
from pix2street.steps.register import decide
from pix2street.steps.report import render_report
from pix2street.steps.segment import make_jury
from pix2street.steps.split import split_pairs
from pix2street.steps.train import open_training, train_model

SIDE = 32
SETTINGS = SMALL["stylegan"] | {"augment": ["color", "translation", "cutout"]}
TRAIN = changed(
    TINY_TRAIN,
    model="stylegan",
    run={"epochs": 1, "batch": 4},
    data={"encoding": "color", "style": "none", "holdout_pairs": 2},
    stylegan=SETTINGS,
)


def train(folder, section=TRAIN):
    return train_model(
        folder / "split",
        folder / "generator",
        folder / "samples",
        lambda *epoch: None,
        train=section,
        generate=PARAMS.generate,
        compute=PARAMS.compute,
        strategy=tf.distribute.get_strategy(),
    )


@pytest.fixture(scope="module")
def streets(tmp_path_factory):
    """Return eight drawn streets of train and six of val, a small generator, and all its photos."""
    folder = tmp_path_factory.mktemp("streets")
    for name in ("images", "split", "generator", "samples", "photos", "jury"):
        (folder / name).mkdir()
    drawn = {"height_px": 64, "width_px": 64, "train_pairs": 8, "val_pairs": 6, "domains": []}
    dataset = synthetic_streets.fetch(folder / "images", changed(PARAMS.download.synthetic_streets, **drawn))
    dataset.write(folder / "images")
    split_pairs(folder / "images", folder / "split", changed(PARAMS.split, height_px=SIDE, width_px=SIDE))
    make_jury(folder / "split", folder / "jury", folder, changed(PARAMS.segment, filters=4, epochs=1))
    train(folder)
    generate_photos(folder / "split", folder / "generator", folder / "photos", folder / "baselines", PARAMS.generate)
    draw_photos(folder / "split", folder / "generator", folder / "photos/draws", PARAMS.generate)
    generate_latents(folder / "generator", folder / "photos/latents", PARAMS.generate)
    return folder


@pytest.fixture(scope="module")
def metrics(streets):
    return evaluate_photos(
        streets / "split",
        streets / "jury",
        PhotoFolders(streets / "photos", streets / "baselines", streets / "photos/draws"),
        streets / "judged",
        PARAMS.evaluate,
        inception=None,
        judge_score=None,
        generator={"seed": 0},
    )


def test_a_photo_for_every_held_out_photo_follows_from_its_pair_id_alone(streets):
    card = GeneratorCard.read(streets / "generator")
    assert (card.encoding.latent, card.input_from, card.scale) == ((4, 4), "none", Scale())
    assert not (streets / "photos/draws").exists()
    pairs = read_photos(streets / "split", "val")
    made = {path.stem: read_rgb(path) for path in (streets / "photos/val").iterdir()}
    assert {*made} == {pair.pair_id for pair in pairs}
    translator = Translator.read(streets / "generator")
    for name, photo in zip(made, translator.photograph([*made]), strict=True):
        np.testing.assert_array_equal(photo, made[name])
    one, other = translator.photograph(["a"], 1)[0], translator.photograph(["a"], 2)[0]
    assert (one != other).any()
    assert (streets / "samples/epoch_0001.png").is_file()


def test_without_noise_a_truncation_of_0_gives_every_latent_one_photo(streets):
    translator = Translator.read(streets / "generator", noise=False)
    one, other = translator.photograph(["a", "b"], truncation=0.0)
    np.testing.assert_array_equal(one, other)
    one, other = translator.translate_unrounded([translator.latent(name) for name in "ab"], ["a", "b"])
    assert np.abs(one - other).max() > 1e-5


def test_the_grids_begin_with_photos_of_their_latents(streets):
    grid, sweep = (read_rgb(streets / f"photos/latents/{name}.png") for name in ("mixing", "truncation"))
    assert grid.shape == (7 * (SIDE + 4) - 4, 7 * (SIDE + 4) - 4, 3)
    assert (grid[:SIDE, :SIDE] == 255).all()
    assert sweep.shape == (6 * (SIDE + 4) - 4, 5 * (SIDE + 4) - 4, 3)
    first = [sweep[row * (SIDE + 4) :][:SIDE, :SIDE] for row in range(6)]
    assert all((photo == first[0]).all() for photo in first)


def test_training_photos_pass_for_new_ones_until_the_nearest_is_looked_for(metrics):
    scores, tables = metrics
    assert not has_inputs(scores)
    assert not has_exact_targets(scores)
    sets = {"generated": scores["generated"], **scores["baselines"]}
    assert {*sets} == {"generated", "untrained", "resampled", "mean_photo"}
    for found in sets.values():
        assert {"frechet_thumbnail", "kid_thumbnail", "swd", "frechet_segmenter", "recall_segmenter"} <= {*found}
        assert not {"l1", "mean_iou", "diversity"} & {*found}
    copies = scores["baselines"]["resampled"]
    assert (copies["nearest_train"], copies["copies"]) == (0, 1)
    assert scores["floor"]["frechet_thumbnail"] == copies["frechet_thumbnail"]
    assert "nearest_train" not in scores["floor"]
    assert scores["baselines"]["mean_photo"]["recall_thumbnail"] == 0
    assert scores["generated"]["nearest_train"] > 0.5
    assert len(tables["images"]) == 6
    assert "copies" in scores["protocol"]


def test_limits_on_scores_of_drawings_do_not_apply(metrics):
    limits = {"max": {"l1": 0.2, "mmd_segmenter": 1e-9}, "min": {"iou.car": 0.5}, "min_of_ceiling": {"mean_iou": 0.6}}
    scores = {**metrics[0], "judge": {"mean_iou": 0.5}}
    decision = decide(scores, "0" * 64, changed(PARAMS.register_, **limits))
    outcomes = {limit["score"]: (limit["passed"], limit["why"]) for limit in decision["limits"]}
    free = (None, "does not apply: the photos have no inputs")
    assert outcomes == {"l1": free, "iou.car": free, "mean_iou": free, "mmd_segmenter": (False, "")}


def test_the_page_shows_no_input_and_names_copies(streets, metrics, evidence):
    scores, tables = metrics
    folders = Folders(streets / "split", streets / "photos", streets / "baselines", streets / "judged")
    examples = read_examples(folders, "val", tables["images"], 2)
    assert read_extremes(folders, "val", tables["images"], 1) == {}
    captions = ["target", "generated", "untrained", "mean photo", "training photos resampled"]
    assert [[*example.images] for example in examples] == [captions] * 2
    assert as_strip(examples)
    grids = {path.stem: path.read_bytes() for path in (streets / "photos/latents").iterdir()}
    params = {**evidence.params, "train": TRAIN.model_dump()}
    evidence = replace(
        evidence,
        metrics=scores,
        examples=examples,
        grids=grids,
        dataset=Dataset.read(streets / "split"),
        params=params,
        history=evidence.history.assign(**{term: 0.5 for term in TERMS}),
        class_iou=evidence.class_iou.iloc[:0],
        confusion=evidence.confusion.iloc[:0],
        extremes={},
        styles=(),
    )
    page, summary = render_report(evidence)
    assert '<h2 id="latents">' in page
    assert "input of" not in page
    for text in (page, summary, as_model_card(evidence)):
        assert "Photos are made of latents, without inputs." in text
        assert "Photos are copies" not in text
    copied = {**scores["generated"], "nearest_train": 0.1, "copies": 0.9}
    page, summary = render_report(replace(evidence, metrics={**scores, "generated": copied}))
    for text in (page, summary):
        assert "Photos are copies: 90% of them" in text


TERMS = (
    "gen_gan", "disc_real", "disc_generated", "disc_penalty", "disc_total", "disc_real_accuracy",
    "disc_generated_accuracy",
)  # fmt: skip


def test_predict_makes_as_many_photos_as_are_asked_for(streets, tmp_path, monkeypatch):
    monkeypatch.setattr("pix2street.training.runtime.prepare", lambda *place, **threads: None)
    model = ["predict", "--model", str(streets / "generator")]
    photos = {}
    for truncation in ("0.7", "0.7", "0"):
        out = tmp_path / str(len(photos))
        cli.main([*model, "--count", "3", "--seed", "3", "--truncation", truncation, "--out", str(out)])
        photos[len(photos)] = [(out / f"photo_000{number}.png").read_bytes() for number in (1, 2, 3)]
    assert photos[0] == photos[1] != photos[2]
    assert len({*photos[0]}) == 3
    expected = Translator.read(streets / "generator").photograph(["photo_0002"], 3, 0.7)
    np.testing.assert_array_equal(read_rgb(tmp_path / "0/photo_0002.png"), expected[0])
    for arguments, reason in (
        (["--count", "1", "--out", str(tmp_path / "0")], "photo_0001.png: exists"),
        (["--out", str(tmp_path / "9")], "--count: the stylegan generator has no inputs"),
        ([str(tmp_path / "0"), "--out", str(tmp_path / "9")], "has no inputs; leave them out"),
        ([str(tmp_path / "0"), "--count", "2", "--out", str(tmp_path / "9")], "leave out either it or the inputs"),
    ):
        with pytest.raises(SystemExit) as ending:
            cli.main([*model, *arguments])
        assert reason in str(ending.value.code)


def test_files_take_latents(streets, tmp_path):
    summary = export_generator(
        streets / "generator", streets / "split", tmp_path / "out", streets / "none", ("savedmodel", "onnx"), rounds=1
    )
    assert all(row.pixel_difference <= 1 for row in summary.rows)
    assert summary.costs == {}
    loaded = tf.saved_model.load(str(tmp_path / "out/savedmodel"))
    translator = Translator.read(streets / "generator", noise=False)
    photo = loaded.signatures["serving_default"](latent=tf.constant(translator.latent("a", 5, 0.5)[None]))["photo"]
    difference = np.abs(photo.numpy()[0].astype(int) - translator.photograph(["a"], 5, 0.5)[0])
    assert difference.max() <= 1


def test_what_needs_an_input_or_more_photos_is_refused(streets):
    strategy = tf.distribute.get_strategy()
    for changes, reason in (
        ({"stylegan": {**SETTINGS, "min_photos": 100}}, r"min_photos: 6 photos to train on are fewer than 100: .*add"),
        ({"run": {"keep": "best"}}, r"keep: best needs a target"),
        ({"data": {"encoding": "onehot"}}, r"encoding: onehot are of an input"),
    ):
        with pytest.raises(UserError, match=reason):
            open_training(streets / "split", changed(TRAIN, **changes), strategy)


def test_photos_are_taken_for_photos_without_inputs_by_what_lies_beside_them(streets, tmp_path):
    assert photographed(streets / "split", "val", streets / "photos/val").alone
    assert not photographed(streets / "split", "val", tmp_path / "val").alone
