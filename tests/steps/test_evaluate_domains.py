"""Scores of every target domain, from the classifier of domains to the page; photos are true ones of another hour."""

from dataclasses import replace
from functools import partial

import pytest
from shipped import PARAMS, changed

from pix2street.core.domains import PhotoFolders, pairs_to_translate, read_images
from pix2street.core.errors import UserError
from pix2street.core.images import read_rgb, write_png
from pix2street.core.pairs import Dataset, Pair, drawing_of, read_pairs
from pix2street.core.tables import read_table, write_table
from pix2street.datasets import synthetic_streets
from pix2street.inference.free_translations import write_free_translations
from pix2street.judges.domain_classifier import DomainClassifier
from pix2street.metrics.pixels import l1
from pix2street.reporting.domains import read_domains
from pix2street.reporting.model_card import as_model_card
from pix2street.steps.evaluate import evaluate_photos
from pix2street.steps.evaluate_domains import evaluate_domains, with_cycles, with_domains
from pix2street.steps.report import render_report
from pix2street.steps.segment import make_jury
from pix2street.steps.segment_domains import make_domain_classifier
from pix2street.steps.split import split_pairs

SIDE = 32
HOURS = ("day", "dusk", "night")
SETTINGS = changed(PARAMS.evaluate, min_ceiling=0.0)


def evaluate(folder):
    return partial(
        evaluate_photos, folder / "split", folder / "jury", inception=None, judge_score=None, generator={"seed": 0}
    )


@pytest.fixture(scope="module")
def hours(tmp_path_factory):
    """Return three scenes held out at three hours, whose translations are the true photos of each hour."""
    folder = tmp_path_factory.mktemp("hours")
    for name in ("images", "split", "jury", "judged", "domains"):
        (folder / name).mkdir()
    drawn = {"height_px": 64, "width_px": 64, "train_pairs": 4, "val_pairs": 3, "domains": [*HOURS]}
    dataset = synthetic_streets.fetch(folder / "images", changed(PARAMS.download.synthetic_streets, **drawn))
    dataset.write(folder / "images")
    split_pairs(folder / "images", folder / "split", changed(PARAMS.split, height_px=SIDE, width_px=SIDE))
    settings = changed(PARAMS.segment, filters=4, epochs=1, domains={"side_px": 16, "filters": 8, "steps": 150})
    make_jury(folder / "split", folder / "jury", folder, settings)
    make_domain_classifier(folder / "split", folder / "jury", settings)
    for number, hour in enumerate(HOURS):
        pairs = pairs_to_translate(folder / "split", "val", False, number)
        places = [folder / "domains" / hour / "generated/val", *([folder / "generated/val"] if number == 1 else [])]
        for place in places:
            place.mkdir(parents=True)
            for pair in pairs:
                write_png(place / f"{pair.pair_id}.png", read_rgb(pair.target_path))
        write_free_translations(folder / "split", hour, {"val": pairs}, folder / "domains" / hour / "baselines")
        if number == 1:
            write_free_translations(folder / "split", hour, {"val": pairs}, folder / "baselines")
    return folder


@pytest.fixture(scope="module")
def first_to_second(hours):
    folders = PhotoFolders(hours / "generated", hours / "baselines")
    return evaluate(hours)(folders, hours / "judged", SETTINGS)[0]


@pytest.fixture(scope="module")
def scored(hours, first_to_second):
    of_domains = evaluate_domains(evaluate(hours), hours / "split", hours / "domains", PARAMS.evaluate)
    return with_domains(first_to_second, of_domains)


def test_the_classifier_scores_translations_beside_its_ceiling_and_its_floor(hours, first_to_second):
    metrics = first_to_second
    real = metrics["domain_classifier"]
    assert real == DomainClassifier.load(hours / "jury", HOURS).score(read_images(hours / "split", "val"))
    assert (real["images"], set(real["by_domain"])) == (9, set(HOURS))
    generated, unchanged = metrics["generated"], metrics["baselines"]["unchanged"]
    # The photos are the true ones, which the ceiling is measured on.
    assert generated["domain_accuracy"] == metrics["ceiling"]["domain_accuracy"] == real["by_domain"]["dusk"] > 0.5
    assert generated["of_ceiling"]["domain_accuracy"] == 1
    assert unchanged["domain_accuracy"] <= 1 - real["by_domain"]["day"]
    classifier = metrics["protocol"]["domain_accuracy"]["classifier"]
    assert (classifier["domains"], len(classifier["weights_sha256"])) == ([*HOURS], 64)
    assert "domains" not in metrics


def test_light_is_compared_without_a_judge(first_to_second):
    sets = {"generated": first_to_second["generated"], **first_to_second["baselines"]}
    distances = {name: scores["frechet_light"] for name, scores in sets.items()}
    assert distances["generated"] == pytest.approx(0, abs=1e-9)
    assert distances["unchanged"] > distances["color_transfer"] > 0
    assert first_to_second["floor"]["frechet_light"] is None  # one of its halves has one photo
    assert first_to_second["protocol"]["frechet_light"]["scores"] == ["frechet_light"]


def test_every_target_domain_has_the_scores_of_its_own_translations(hours, first_to_second, scored, tmp_path):
    metrics, table = scored
    targets = metrics["domains"]["targets"]
    assert list(targets) == [*HOURS]
    for hour, sets in targets.items():
        assert set(sets) == {"generated", "ceiling", "unchanged", "color_transfer"}
        assert (sets["generated"]["l1"], sets["generated"]["l1_of_unchanged"]) == (0, 0)
        assert sets["generated"]["mean_iou_of_ceiling"] == 1
        assert sets["generated"]["domain_accuracy"] == metrics["domain_classifier"]["by_domain"][hour]
        assert sets["generated"]["frechet_light"] < sets["unchanged"]["frechet_light"]
        source = "dusk" if hour == "day" else "day"
        pictures = [(read_rgb(pair.input_path), read_rgb(pair.target_path))
                    for pair in pairs_to_translate(hours / "split", "val", False, HOURS.index(hour))]  # fmt: skip
        assert sets["unchanged"]["l1"] == pytest.approx(sum(l1(*both) for both in pictures) / 3)
        facts = metrics["protocol"]["domains"]["targets"][hour]
        assert (facts["from"], facts["to"], facts["exact"]) == (source, hour, True)
    # The translation to the second domain is the one that is scored by itself.
    assert targets["dusk"]["unchanged"]["l1"] == first_to_second["baselines"]["unchanged"]["l1"]
    mean = metrics["domains"]["mean"]["unchanged"]
    assert mean["l1"] == pytest.approx(sum(targets[hour]["unchanged"]["l1"] for hour in HOURS) / 3)
    assert mean["l1_of_unchanged"] == 1
    write_table(tmp_path / "domains.csv", table)
    rows = read_table(tmp_path / "domains.csv").set_index(["to", "photos"])
    assert len(rows) == 12
    assert rows.loc[("night", "unchanged"), "l1"] == targets["night"]["unchanged"]["l1"]


def test_a_generator_of_one_translation_has_no_scores_by_domain(hours, first_to_second, tmp_path):
    assert evaluate_domains(evaluate(hours), hours / "split", tmp_path, PARAMS.evaluate) == {}
    metrics, table = with_domains(first_to_second, {})
    assert metrics == first_to_second
    assert table.empty
    assert read_domains(hours / "split", tmp_path, "val", 2) == []


def test_inputs_forth_and_back_are_compared_with_what_they_were(hours, first_to_second, tmp_path):
    assert with_cycles(first_to_second, hours / "split", hours / "generated", tmp_path) == first_to_second
    (tmp_path / "val").mkdir()
    pairs = pairs_to_translate(hours / "split", "val", False)
    for pair in pairs:
        write_png(tmp_path / f"val/{pair.pair_id}.png", read_rgb(pair.input_path))
    metrics = with_cycles(first_to_second, hours / "split", hours / "generated", tmp_path)
    assert metrics["generated"]["cycle_l1"] == 0
    assert metrics["protocol"]["cycle"]["scores"] == ["cycle_l1"]
    black = read_rgb(pairs[0].input_path) * 0
    write_png(tmp_path / f"val/{pairs[0].pair_id}.png", black)
    metrics = with_cycles(first_to_second, hours / "split", hours / "generated", tmp_path)
    assert metrics["generated"]["cycle_l1"] == pytest.approx(l1(black, read_rgb(pairs[0].input_path)) / 3)
    (tmp_path / f"val/{pairs[0].pair_id}.png").unlink()
    with pytest.raises(UserError, match="1 missing"):
        with_cycles(first_to_second, hours / "split", hours / "generated", tmp_path)


def test_drawings_that_went_forth_and_back_are_compared_in_the_colours_of_their_classes(road_and_sky, tmp_path):
    classes = Dataset.read(road_and_sky).classes
    (tmp_path / "val").mkdir()

    def drawing(pair: Pair):
        return drawing_of(pair.input_path, classes)

    for pair in read_pairs(road_and_sky, "val"):
        write_png(tmp_path / f"val/{pair.pair_id}.png", drawing(pair))
    metrics = with_cycles({"split": "val", "generated": {}, "protocol": {}}, road_and_sky, tmp_path, tmp_path)
    assert metrics["generated"]["cycle_l1"] == 0


def test_a_set_without_domains_or_images_of_one_has_no_classifier(hours, road_and_sky, tmp_path, capsys):
    make_domain_classifier(road_and_sky, tmp_path, PARAMS.segment)
    dataset = Dataset.read(hours / "split")
    (tmp_path / "split").mkdir()
    replace(dataset, domains=(*HOURS, "rain")).write(tmp_path / "split")
    (tmp_path / "split/manifest.csv").write_bytes((hours / "split/manifest.csv").read_bytes())
    make_domain_classifier(tmp_path / "split", tmp_path, PARAMS.segment)
    assert "no image of train is of rain" in capsys.readouterr().out
    assert DomainClassifier.load(tmp_path, HOURS) is None


def test_the_page_shows_every_domain(hours, scored, evidence):
    metrics, _ = scored
    domains = read_domains(hours / "split", hours / "domains", "val", 2)
    assert [[*example.images] for example in domains] == [["input", "to dusk", "to night"]] * 2
    assert domains[0].images["to night"] == (
        hours / f"domains/night/generated/val/{domains[0].pair_id}.png"
    ).read_bytes()  # fmt: skip
    metrics = {**metrics, "generated": {**metrics["generated"], "cycle_l1": 0.125}}
    evidence = replace(evidence, metrics=metrics, domains=domains, dataset=Dataset.read(hours / "split"))
    page, summary = render_report(evidence)
    for text in (page, summary, as_model_card(evidence)):
        assert "alone proves nothing" in text
        assert "The classifier of domains was trained on real photos alone" in text
        assert "colours transferred" in text
    assert '<h2 id="domains">Every domain</h2>' in page
    assert page.count('alt="to night of') == 2
    assert "100% of unchanged" in page
    assert '<th scope="row">mean of all</th>' in page
    assert "Means over 3 target domains: " in summary
