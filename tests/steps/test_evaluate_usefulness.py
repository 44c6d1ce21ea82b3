"""The usefulness in `metrics.json`; judges are trained in tests/judges/test_controls.py, and here they are made up."""

import shutil

import pytest
from shipped import PARAMS, changed

from pix2street.core.errors import UserError
from pix2street.core.pairs import Dataset
from pix2street.judges.jury import Jury
from pix2street.steps import evaluate_usefulness
from pix2street.steps.evaluate_usefulness import with_usefulness

SEGMENT = changed(PARAMS.segment, judge="trained", judges=3, filters=8, epochs=15, batch=3, learning_rate=0.01)
METRICS = {
    "split": "val", "generated": {"l1": 0.5}, "ceiling": {"l1": 0.0}, "baselines": {"swapped": {"l1": 1.0}},
    "protocol": {"shared": {}, "pixels": {"version": 1}},
}  # fmt: skip


@pytest.fixture
def photos(road_and_sky, tmp_path):
    """Return a folder with photos of train, the targets, in every set of photos."""
    for name in ("generated", "baselines/swapped"):
        shutil.copytree(road_and_sky / "train/targets", tmp_path / name / "train")
    return tmp_path


@pytest.fixture
def made_up(monkeypatch):
    """Replace the judge of `real` by one that knows the truth, and the others by one that sees the first drawing."""

    def judged_by_controls(controls, photos, classes, settings):
        assert settings == SEGMENT
        for name, control in controls.items():
            assert [pair.pair_id for pair in control.pairs if not pair.target_path.is_file()] == []
            truths = [photo.parents[1] / "inputs" / photo.name for photo in photos]
            yield name, truths if name == "real" else [truths[0]] * len(truths)

    monkeypatch.setattr(evaluate_usefulness, "judged_by_controls", judged_by_controls)
    not_judged = {"sky": {"share": 0.001, "iou": 0.1}}
    monkeypatch.setattr(Jury, "load", lambda folder, classes: Jury((), not_judged))


def measure(split, photos, metrics=METRICS):
    return with_usefulness(metrics, split, photos / "segmenter", photos / "generated", photos / "baselines", SEGMENT)


@pytest.mark.usefixtures("made_up")
def test_every_set_of_photos_has_its_share_and_every_control_its_scores(road_and_sky, photos):
    metrics = measure(road_and_sky, photos)
    useful = metrics["usefulness"]
    assert list(useful) == ["real", "generated", "real_and_generated", "swapped", "shuffled"]
    assert (useful["real"]["mean_iou"], useful["real"]["share_of_real"]) == (1, 1)
    # The horizons of the two photos are a row apart. Sky is not judged and in no mean.
    road = (20 + 19) / (20 + 20)
    assert useful["generated"]["mean_iou"] == useful["generated"]["iou"]["road"] == pytest.approx(road)
    assert useful["generated"]["iou"]["sky"] < 1
    sets = {"generated": metrics["generated"], "real": metrics["ceiling"], "swapped": metrics["baselines"]["swapped"]}
    for control, scores in sets.items():
        assert scores["usefulness"] == useful[control]["share_of_real"]
        assert scores["usefulness_interval"] == useful[control]["share_of_real_interval"]
    assert metrics["generated"]["l1"] == 0.5
    assert "usefulness" not in METRICS["generated"]


@pytest.mark.usefixtures("made_up")
def test_the_protocol_names_what_must_be_equal(road_and_sky, photos):
    protocol = measure(road_and_sky, photos)["protocol"]
    assert protocol["pixels"] == METRICS["protocol"]["pixels"]
    useful = protocol["usefulness"]
    assert useful["scores"] == ["usefulness"]
    assert useful["controls"] == ["real", "generated", "real_and_generated", "swapped", "shuffled"]
    assert (useful["pairs"], useful["updates"]) == (4, 15 * 2)
    assert useful["judge"] == {"filters": 8, "epochs": 15, "batch": 3, "learning_rate": 0.01, "seed": 0}
    assert useful["tested_on"] == "the real photos of val"
    assert useful["not_judged"] == ["sky"]


def test_photos_of_train_that_are_missing_are_named(road_and_sky, photos):
    (photos / "generated/train/p2.png").unlink()
    with pytest.raises(UserError, match=r"generated/train: must hold one photo for each of the 4 pairs; 1 missing"):
        measure(road_and_sky, photos)


def test_a_set_without_classes_has_no_usefulness(road_and_sky, photos):
    split = shutil.copytree(road_and_sky, photos / "split")
    Dataset("d", "D", "", "", "right", None, None).write(split)
    with pytest.raises(UserError, match=r"evaluate\.usefulness: must be false for a data set without classes"):
        measure(split, photos)
