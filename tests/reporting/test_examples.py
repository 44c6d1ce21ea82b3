import numpy as np
import pandas as pd
import pytest

from pix2street.core.classes import cityscapes_classes
from pix2street.core.decoding import decode
from pix2street.core.images import png_bytes, read_ids, read_rgb, write_png
from pix2street.core.pairs import read_pairs
from pix2street.reporting.examples import (
    SEEN_GENERATED,
    SEEN_TARGET,
    Folders,
    as_strip,
    read_examples,
    read_extremes,
    read_styles,
)


@pytest.fixture
def folders(road_and_sky, tmp_path):
    for name in ("generated", "baselines/untrained"):
        (tmp_path / name / "train").mkdir(parents=True)
        for path in (road_and_sky / "train/targets").iterdir():
            write_png(tmp_path / name / "train" / path.name, read_rgb(path))
    for photos in ("ceiling", "generated"):
        (tmp_path / "judged" / photos).mkdir(parents=True)
        for pair in read_pairs(road_and_sky, "train"):
            write_png(tmp_path / "judged" / photos / f"{pair.pair_id}.png", read_ids(pair.input_path))
    return Folders(road_and_sky, tmp_path / "generated", tmp_path / "baselines", tmp_path / "judged")


def test_examples_are_spread_over_the_split(folders, tmp_path):
    examples = read_examples(folders, "train", scores(), 2)
    assert [example.pair_id for example in examples] == ["p0", "p3"]
    assert list(examples[0].images) == ["input", "target", "generated", "untrained"]
    assert list(examples[0].baselines) == ["untrained"]
    assert examples[0].images["generated"] == (tmp_path / "generated/train/p0.png").read_bytes()
    assert [(example.note, example.legend) for example in examples] == [("L1 0.400", {}), ("L1 0.200", {})]


def test_a_strip_has_the_drawings_above_their_photos_and_the_real_ones_enlarged(folders):
    examples = read_examples(folders, "train", scores(), 2)
    images = [{caption: decode(png, caption) for caption, png in example.images.items()} for example in examples]
    height, width = images[0]["input"].shape[:2]
    factor = 256 // height
    strip = decode(as_strip(examples), "strip")
    assert strip.shape == (3 * 256 + 8, 2 * width * factor + 4, 3)
    for row, caption in enumerate(("input", "generated", "target")):
        for column, pictures in enumerate(images):
            top, left = row * 260, column * (width * factor + 4)
            small = strip[top : top + 256 : factor, left : left + width * factor : factor]
            np.testing.assert_array_equal(small, np.broadcast_to(pictures[caption], small.shape))


def test_an_example_that_was_judged_shows_what_the_judge_sees_and_the_colours_of_its_classes(folders, road_and_sky):
    images = scores(mean_iou=[0.5, None, 0.9, 0.1], pixel_accuracy=[0.5, 0.5, 0.9, 0.2])
    nothing_seen = np.full((32, 32), 23, np.uint8)
    write_png(folders.judged / "generated/p0.png", nothing_seen)
    first, second, *_ = read_examples(folders, "train", images, 4)
    assert list(first.images) == ["input", "target", "generated", SEEN_TARGET, SEEN_GENERATED, "untrained"]
    assert first.images[SEEN_TARGET] == first.images["input"]
    assert first.images[SEEN_GENERATED] == png_bytes(cityscapes_classes().to_colors(nothing_seen))
    # Over its three maps, p0 has 2 * 24 rows of road and 2 * 8 + 32 of sky: the order of the table decides.
    assert list(first.legend.items()) == [("road", "#804080"), ("sky", "#4682b4")]
    assert first.note == "mean IoU 0.500, per-pixel accuracy 0.500, L1 0.400"
    assert second.note == "mean IoU –, per-pixel accuracy 0.500, L1 0.100"


def scores(**columns):
    return pd.DataFrame({"pair_id": ["p0", "p1", "p2", "p3"], "l1": [0.4, 0.1, 0.3, 0.2], **columns})


def test_the_best_and_the_worst_are_shown_with_what_the_judge_sees(folders):
    images = scores(mean_iou=[0.5, None, 0.9, 0.1], pixel_accuracy=[0.5, 0.5, 0.9, 0.2])
    extremes = read_extremes(folders, "train", images, 1)
    assert [example.pair_id for example in extremes["best"]] == ["p2"]
    assert [example.pair_id for example in extremes["worst"]] == ["p3"]
    (best,) = extremes["best"]
    assert list(best.images) == ["input", "target", "generated", SEEN_TARGET, SEEN_GENERATED]
    assert best.images[SEEN_TARGET] == best.images["input"]
    assert best.note == "mean IoU 0.900, per-pixel accuracy 0.900, L1 0.300"


def test_without_a_judge_they_are_those_of_l1(folders):
    extremes = read_extremes(folders, "train", scores(), 2)
    assert [example.pair_id for example in extremes["best"]] == ["p1", "p3"]
    assert [example.pair_id for example in extremes["worst"]] == ["p0", "p2"]
    assert list(extremes["best"][0].images) == ["input", "target", "generated"]


def test_no_photo_is_both(folders):
    extremes = read_extremes(folders, "train", scores(), 9)
    both = [example.pair_id for examples in extremes.values() for example in examples]
    assert sorted(both) == ["p0", "p1", "p2", "p3"]


def test_styles_are_the_first_drawing_in_three_and_the_first_ones_in_one(folders, tmp_path):
    draws = tmp_path / "draws"
    for i, (draw, pairs) in enumerate({"10": 1, "2": 1, "1": 1, "one_style": 3}.items()):
        (draws / draw / "train").mkdir(parents=True)
        for pair in range(pairs):
            write_png(draws / draw / f"train/p{pair}.png", np.full((2, 2, 3), 10 * i + pair, np.uint8))
    several, *one = read_styles(folders, draws, "train")
    assert list(several.images) == ["drawing", "style 1", "style 2", "style 3"]
    files = ["generated/train/p0.png", "draws/1/train/p0.png", "draws/2/train/p0.png"]
    assert [*several.images.values()][1:] == [(tmp_path / name).read_bytes() for name in files]
    assert [example.pair_id for example in one] == ["p0", "p1", "p2"]
    assert [example.images["photo"] for example in one] == [
        (draws / f"one_style/train/p{pair}.png").read_bytes() for pair in range(3)
    ]
    examples = read_examples(folders, "train", scores(), 4)
    assert [example.images["drawing"] for example in one] == [example.images["input"] for example in examples[:3]]


def test_without_such_photos_there_are_no_styles(folders, tmp_path):
    (tmp_path / "draws/1/train").mkdir(parents=True)
    assert read_styles(folders, tmp_path / "draws", "train") == []
