"""The judge, from its training to the scores it gives."""

import json
import shutil

import numpy as np
import pytest

from pix2street.errors import UserError
from pix2street.images import read_ids, write_png
from pix2street.pairs import Dataset, read_pairs
from pix2street.steps.evaluate import evaluate_photos
from pix2street.steps.generate import mean_colors
from pix2street.steps.segment import train_judge

SEGMENT = {"seed": 0, "filters": 8, "epochs": 15, "batch": 2, "learning_rate": 0.01}
EVALUATE = {"split": "val"}


@pytest.fixture(scope="module")
def judge(road_and_sky, tmp_path_factory):
    folder = tmp_path_factory.mktemp("judge")
    train_judge(road_and_sky, folder, **SEGMENT)
    return folder


@pytest.fixture(scope="module")
def photos(road_and_sky, tmp_path_factory):
    """Generated: road and sky in their mean colours; a baseline with the two swapped."""
    folder = tmp_path_factory.mktemp("photos")
    colors = mean_colors(read_pairs(road_and_sky, "train"))
    swapped = colors.copy()
    swapped[[7, 23]] = colors[[23, 7]]
    for name, table in {"generated": colors, "baselines/swapped": swapped}.items():
        (folder / name / "val").mkdir(parents=True)
        for pair in read_pairs(road_and_sky, "val"):
            write_png(folder / name / "val" / f"{pair.pair_id}.png", table[read_ids(pair.input_path)])
    return folder


def evaluate(pairs, judge, photos, **changes):
    score = json.loads((judge / "score.json").read_text())
    settings = {**EVALUATE, "judge_score": score, **changes}
    return evaluate_photos(pairs, judge, photos / "generated", photos / "baselines", **settings)


def test_the_judge_learns_and_says_how_well(judge):
    score = json.loads((judge / "score.json").read_text())
    assert score["images"] == 2
    assert score["mean_iou"] > 0.8
    assert set(score["iou"]) >= {"road", "sky"}
    assert "car" in score["absent_classes"]


def test_good_photos_score_near_the_ceiling_and_bad_ones_do_not(road_and_sky, judge, photos):
    metrics, class_iou = evaluate(road_and_sky, judge, photos)
    score = json.loads((judge / "score.json").read_text())
    assert metrics["ceiling"]["mean_iou"] == metrics["judge"]["mean_iou"] == score["mean_iou"]
    assert metrics["ceiling"]["l1"] == metrics["ceiling"]["frechet_segmenter"] == 0.0
    assert metrics["generated"]["mean_iou"] > 0.7
    assert metrics["baselines"]["swapped"]["mean_iou"] < 0.3
    assert metrics["baselines"]["swapped"]["frechet_segmenter"] > metrics["generated"]["frechet_segmenter"]
    assert metrics["generated"]["evaluated_pixels"] == 2 * 32 * 32
    table = class_iou.set_index("class")
    assert table.loc["road", "generated"] == metrics["generated"]["iou"]["road"]
    assert np.isnan(table.loc["car", "ceiling"])


def test_a_split_without_pairs_is_a_clear_error(road_and_sky, judge, photos):
    with pytest.raises(UserError, match=r"evaluate.split: test, but the data set has no pairs there"):
        evaluate(road_and_sky, judge, photos, split="test")


def test_a_set_without_classes_has_no_judge_and_only_l1(road_and_sky, photos, tmp_path):
    split = shutil.copytree(road_and_sky, tmp_path / "split")
    Dataset("d", "D", "", "", "right", None, None).write(split)
    (tmp_path / "judge").mkdir()
    train_judge(split, tmp_path / "judge", **SEGMENT)
    assert [path.name for path in (tmp_path / "judge").iterdir()] == ["score.json"]
    metrics, class_iou = evaluate(split, tmp_path / "judge", photos)
    assert metrics["judge"] is None
    assert "ceiling" not in metrics
    assert set(metrics["generated"]) == {"images", "l1"}
    assert metrics["generated"]["l1"] < metrics["baselines"]["swapped"]["l1"]
    assert class_iou.empty
