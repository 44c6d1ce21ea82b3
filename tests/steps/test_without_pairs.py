"""A set of two folders without pairs, from the training to the report: photos are scored as sets alone."""

import shutil
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf
from shipped import PARAMS, changed
from tiny_models import SMALL, TINY_TRAIN

from pix2street.core.domains import PhotoFolders, photographed, read_images
from pix2street.core.errors import UserError
from pix2street.core.images import read_rgb, write_png
from pix2street.core.pairs import Dataset
from pix2street.datasets import synthetic_streets
from pix2street.datasets.synthetic_streets.scene import draw_hours
from pix2street.reporting.comparison import Result, compare
from pix2street.reporting.evidence import Evidence
from pix2street.reporting.examples import Folders, read_examples, read_extremes
from pix2street.reporting.model_card import as_model_card
from pix2street.steps.evaluate import evaluate_photos
from pix2street.steps.evaluate_usefulness import with_usefulness
from pix2street.steps.generate import generate_photos
from pix2street.steps.register import decide, failures_of
from pix2street.steps.report import render_report
from pix2street.steps.segment import make_jury
from pix2street.steps.split import split_pairs
from pix2street.steps.train import train_model
from pix2street.steps.validate import validate_split

SIDE = 32
SIZE = {"height_px": SIDE, "width_px": SIDE}
GENERATOR = {"norm": "batch", "dropout": True, "seed": 0, "checkpoint": "last"}
PIXELS = {"l1", "psnr", "ssim"}


def split_of(folder, dataset, counts):
    """Write images of drawn streets, of which B has night, and return their split; `counts` are those of A and B."""
    number = 0
    for subset in ("train", "val"):
        for hour, (domain, count) in enumerate(counts[subset].items()):
            for _ in range(count):
                photos, _ = draw_hours(0, number, SIDE, SIDE, ["day", "night"])
                path = folder / "images" / subset / domain / f"{domain}_{number}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                write_png(path, photos[hour])
                number += 1
    dataset.write(folder / "images")
    (folder / "split").mkdir()
    split_pairs(folder / "images", folder / "split", changed(PARAMS.split, **SIZE))
    return folder / "split"


def evaluate(folder, **changes):
    (folder / "judged").mkdir(exist_ok=True)
    return evaluate_photos(
        folder / "split",
        folder / "judge",
        PhotoFolders(folder / "generated", folder / "baselines"),
        folder / "judged",
        changed(PARAMS.evaluate, min_ceiling=0.0, **changes),
        inception=None,
        judge_score=None,
        generator=GENERATOR,
    )


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Return the outputs of a tiny run of CycleGAN: four and three images are held out."""
    folder = tmp_path_factory.mktemp("run")
    counts = {"train": {"A": 4, "B": 3}, "val": {"A": 4, "B": 3}}
    dataset = Dataset("unpaired_folders", "Mine", "day to night", "own", "", "none", domains=("A", "B"))
    split = split_of(folder, dataset, counts)
    for name in ("generator", "samples", "generated"):
        (folder / name).mkdir()
    data = {"encoding": "color", "style": "none"}
    train = changed(TINY_TRAIN, model="cyclegan", run={"epochs": 1, "batch": 2}, data=data, cyclegan=SMALL["cyclegan"])
    history = train_model(
        split,
        folder / "generator",
        folder / "samples",
        lambda *epoch: None,
        train=train,
        generate=PARAMS.generate,
        compute=PARAMS.compute,
        strategy=tf.distribute.get_strategy(),
    )
    generate_photos(split, folder / "generator", folder / "generated", folder / "baselines", PARAMS.generate)
    metrics, tables = evaluate(folder)
    return SimpleNamespace(folder=folder, train=train, history=history, metrics=metrics, tables=tables)


def test_the_input_unchanged_is_a_baseline(run):
    assert {path.name for path in (run.folder / "baselines").iterdir()} == {"untrained", "unchanged", "color_transfer"}
    for path in (run.folder / "baselines/unchanged/val").iterdir():
        np.testing.assert_array_equal(read_rgb(path), read_rgb(run.folder / "split/val/targets" / path.name))


def test_sets_are_compared_and_no_photo_with_a_target(run):
    metrics = run.metrics
    assert set(metrics["baselines"]) == {"untrained", "unchanged", "color_transfer"}
    for scores in (metrics["generated"], *metrics["baselines"].values()):
        assert not PIXELS & scores.keys()
        assert scores["images"] == 4
        assert scores["swd"] > 0
        assert {"color_spread", "contrast_spread"} < scores.keys()
    assert metrics["floor"]["swd"] > 0
    assert "ceiling" not in metrics
    assert (metrics["pairs"], metrics["judge"]) == (4, None)
    assert list(run.tables["images"]) == ["pair_id"]
    assert len(run.tables["images"]) == 4
    protocol = metrics["protocol"]
    assert "pixels" not in protocol
    translation = protocol["shared"]["translation"]
    assert (translation["from"], translation["to"], translation["exact"]) == ("A", "B", False)
    # Every real photo of B counts once, although more images of A are translated.
    assert translation["real_photos"] == 3
    assert protocol["shared"]["pairs"] == 4


def test_every_real_photo_of_the_target_domain_is_compared_once(run):
    made = photographed(run.folder / "split", "val", run.folder / "generated/val")
    assert [path.stem for path in made.real] == ["B_11", "B_12", "B_13"]
    assert [pair.pair_id for pair in made.pairs] == ["A_10", "A_7", "A_8", "A_9"]
    assert (made.exact, made.labels) == (False, ())


def report_of(run) -> tuple[str, str, str]:
    """Return page, summary and model card."""
    folder = run.folder
    folders = Folders(folder / "split", folder / "generated", folder / "baselines", folder / "judged")
    images = run.tables["images"]
    params = PARAMS.model_dump(by_alias=True)
    params["split"] |= SIZE
    params["train"] = run.train.model_dump(by_alias=True)
    evidence = Evidence(
        params=params,
        dataset=Dataset.read(folder / "split"),
        verdict=validate_split(folder / "split", (SIDE, SIDE), PARAMS.validate_)[0],
        history=run.history,
        sheets={1: (folder / "samples/epoch_0001.png").read_bytes()},
        metrics=run.metrics,
        class_iou=run.tables["class_iou"],
        confusion=run.tables["confusion"],
        examples=read_examples(folders, "val", images, 2),
        extremes=read_extremes(folders, "val", images, 2),
        versions={"python": "3"},
    )
    return (*render_report(evidence), as_model_card(evidence))


def test_the_report_says_that_a_target_is_not_the_truth(run):
    page, summary, card = report_of(run)
    for text in (page, summary, card):
        assert "is some photo of B, not the truth" in text
        assert "input unchanged" in text
        assert "4 images" in text
        assert "4 pairs" not in text
    assert "<figcaption>some photo of B, not the truth</figcaption>" in page
    assert f"<b>{run.metrics['generated']['swd']:.3f}</b><span>sliced Wasserstein distance</span>" in page
    assert f"<b>{run.metrics['baselines']['unchanged']['swd']:.3f}</b><span>of the input unchanged</span>" in page
    assert "The best and the worst" not in page
    assert "(sliced Wasserstein distance, mean over levels; the input unchanged: " in summary


def test_limits_of_l1_do_not_apply(run):
    limits = {"max": {"l1": 0.0, "swd": 1e9}, "min": {"ssim": 1.0}, "min_of_ceiling": {"mean_iou": 0.6}}
    decision = decide(run.metrics, "aa", PARAMS.register_.model_copy(update=limits))
    whys = {limit["score"]: (limit["passed"], limit["why"]) for limit in decision["limits"]}
    assert decision["accepted"]
    assert whys["l1"] == whys["ssim"] == (None, "does not apply: the data set has no pairs")
    assert whys["mean_iou"] == (None, "does not apply: the data set has no classes")
    assert whys["swd"] == (True, "")
    assert failures_of(decision) == []


def test_two_runs_without_pairs_are_compared_by_their_sets(run):
    a, b = (Result(name, run.metrics, run.tables["images"], run.tables["class_pixels"], {}) for name in "ab")
    rows = {row.score: row for row in compare(a, b).rows}
    assert (rows["swd"].difference, rows["swd"].paired) == (0, None)
    assert not PIXELS & rows.keys()


def test_photos_that_are_missing_are_named(run, tmp_path):
    folder = shutil.copytree(run.folder, tmp_path / "copy")
    (folder / "generated/val/A_7.png").unlink()
    with pytest.raises(UserError, match=r"must hold one photo for each of the 4 pairs; 1 missing \(A_7.png\)"):
        evaluate(folder)


@pytest.fixture(scope="module")
def hours(tmp_path_factory):
    """Return scenes at two hours with their drawings; the generated photos are the true ones of the night."""
    folder = tmp_path_factory.mktemp("hours")
    for name in ("images", "split", "judge", "judged", "generated/val", "baselines/unchanged/val"):
        (folder / name).mkdir(parents=True)
    drawn = {"height_px": 64, "width_px": 64, "train_pairs": 4, "val_pairs": 3, "domains": ["day", "night"]}
    dataset = synthetic_streets.fetch(folder / "images", changed(PARAMS.download.synthetic_streets, **drawn))
    dataset.write(folder / "images")
    split_pairs(folder / "images", folder / "split", changed(PARAMS.split, **SIZE))
    make_jury(folder / "split", folder / "judge", folder, changed(PARAMS.segment, filters=4, epochs=1))
    for image in read_images(folder / "split", "val"):
        if image.domain == "day":
            night = image.path.with_name(image.path.name.replace("day", "night"))
            for photos, path in {"generated": night, "baselines/unchanged": image.path}.items():
                write_png(folder / photos / "val" / image.path.name, read_rgb(path))
    return folder


def test_hours_have_exact_targets_and_a_judge_who_knows_the_drawing(hours):
    metrics, tables = evaluate(hours)
    generated, unchanged = metrics["generated"], metrics["baselines"]["unchanged"]
    assert (generated["l1"], generated["swd"] >= 0) == (0, True)
    assert unchanged["l1"] > 0.1
    # The judge sees the same photos in both sets.
    assert generated["mean_iou"] == metrics["ceiling"]["mean_iou"]
    assert set(tables["images"]["pair_id"]) == {path.stem for path in (hours / "generated/val").iterdir()}
    translation = metrics["protocol"]["shared"]["translation"]
    assert translation == {"from": "day", "to": "night", "exact": True, "real_photos": 3}
    folders = Folders(hours / "split", hours / "generated", hours / "baselines", hours / "judged")
    (example,) = read_examples(folders, "val", tables["images"], 1)
    assert example.images["seen in target"] == example.images["seen in generated"]
    assert example.images["target"] != example.images["input"]
    assert "L1 0.000" in example.note
    with pytest.raises(UserError, match=r"evaluate\.usefulness: must be false for translations between domains"):
        with_usefulness(
            metrics, hours / "split", hours / "judge", hours / "generated", hours / "baselines", PARAMS.segment
        )


def test_photos_of_drawings_have_the_pairs_of_every_hour(hours, tmp_path):
    for image in read_images(hours / "split", "val"):
        write_png(tmp_path / image.path.name, read_rgb(image.path))
    made = photographed(hours / "split", "val", tmp_path)
    assert (len(made.pairs), made.domains, made.exact, made.protocol()) == (6, None, True, {})
    assert [path.parent.name for path in made.labels] == ["inputs"] * 6
    assert made.real == [pair.target_path for pair in made.pairs]
