"""The judge from its training to its scores, and the inputs that evaluation refuses."""

import json
import shutil

import keras
import numpy as np
import pytest
from inception_graph import write_graph
from segformer import small_segformer
from shipped import PARAMS, changed

from pix2street.core.classes import cityscapes_classes
from pix2street.core.domains import PhotoFolders
from pix2street.core.errors import UserError
from pix2street.core.files import write_json
from pix2street.core.images import read_ids, read_rgb, write_png
from pix2street.core.pairs import Dataset, read_pairs
from pix2street.core.tables import read_table, write_table
from pix2street.judges import inception
from pix2street.judges.jury import judge_folder
from pix2street.judges.segmenter import Card
from pix2street.reporting.protocols import unlike_protocols
from pix2street.steps.evaluate import evaluate_photos, style_of
from pix2street.steps.generate import mean_colors
from pix2street.steps.segment import make_jury

PRETRAINED = {"height_px": 32, "width_px": 32, "black": 0.0, "white": 1.0}
SEGMENT = changed(
    PARAMS.segment, judge="trained", pretrained=PRETRAINED, filters=8, epochs=15, batch=2, learning_rate=0.01
)
GENERATOR = {"norm": "batch", "dropout": True, "seed": 0, "checkpoint": "last"}


@pytest.fixture(scope="module")
def judge(road_and_sky, tmp_path_factory):
    folder = tmp_path_factory.mktemp("judge")
    make_jury(road_and_sky, folder, folder, SEGMENT)
    return folder


@pytest.fixture(scope="module")
def made_once(road_and_sky, tmp_path_factory):
    """Return photos with road and sky in their mean colours, and a baseline with the two colours swapped."""
    folder = tmp_path_factory.mktemp("photos")
    colors = mean_colors(read_pairs(road_and_sky, "train"))
    swapped = colors.copy()
    swapped[[7, 23]] = colors[[23, 7]]
    for name, table in {"generated": colors, "baselines/swapped": swapped}.items():
        (folder / name / "val").mkdir(parents=True)
        for pair in read_pairs(road_and_sky, "val"):
            write_png(folder / name / "val" / f"{pair.pair_id}.png", table[read_ids(pair.input_path)])
    return folder


@pytest.fixture
def photos(made_once, tmp_path):
    return shutil.copytree(made_once, tmp_path / "photos")


def evaluate(pairs, judge, photos, inception=None, **changes):
    return evaluate_photos(
        pairs,
        judge,
        PhotoFolders(
            photos / "generated", photos / "baselines", photos / "draws" if (photos / "draws").is_dir() else None
        ),
        photos / "judged",
        changed(PARAMS.evaluate, **changes),
        inception=inception,
        judge_score=json.loads((judge / "score.json").read_text()),
        generator=GENERATOR,
    )


def test_the_judge_learns_and_says_how_well(judge):
    score = json.loads((judge / "score.json").read_text())
    assert score["images"] == 2
    assert score["mean_iou"] > 0.8
    assert score["iou"]["road"] > 0.8
    assert set(score["absent_classes"]) == set(cityscapes_classes().evaluated_names) - {"road", "sky"}


def test_good_photos_score_near_the_ceiling_and_bad_ones_do_not(road_and_sky, judge, photos):
    metrics, tables = evaluate(road_and_sky, judge, photos)
    score = json.loads((judge / "score.json").read_text())
    generated, ceiling, swapped = metrics["generated"], metrics["ceiling"], metrics["baselines"]["swapped"]
    assert ceiling["mean_iou"] == metrics["judge"]["mean_iou"] == score["mean_iou"]
    assert ceiling["l1"] == ceiling["frechet_segmenter"] == 0.0
    assert ceiling["psnr"] is None
    assert generated["mean_iou"] > 0.7
    assert swapped["mean_iou"] < 0.3
    assert swapped["frechet_segmenter"] > generated["frechet_segmenter"]
    assert generated["evaluated_pixels"] == 2 * 32 * 32
    assert generated["of_ceiling"]["mean_iou"] == generated["mean_iou"] / ceiling["mean_iou"]
    assert generated["mean_iou_interval"]["low"] <= generated["mean_iou"] <= generated["mean_iou_interval"]["high"]
    assert metrics["floor"]["images"] == 1
    assert metrics["floor"]["frechet_segmenter"] is None
    assert metrics["floor"]["swd"] > 0

    class_iou = tables["class_iou"].set_index("class")
    assert class_iou.loc["road", "generated"] == generated["iou"]["road"]
    assert np.isnan(class_iou["ceiling"].astype(float)["car"])
    images = tables["images"]
    assert images["pair_id"].tolist() == ["p4", "p5"]
    assert images["l1"].mean() == pytest.approx(generated["l1"])
    pixels = tables["class_pixels"].groupby("class")[["right", "true", "judged"]].sum().loc["road"]
    assert pixels["right"] / (pixels["true"] + pixels["judged"] - pixels["right"]) == generated["iou"]["road"]
    confusion = tables["confusion"].set_index(["truth", "judged"])["generated"]
    assert confusion["road", "road"] == pixels["right"]
    assert confusion.sum() == 2 * 32 * 32


def test_what_the_judge_sees_is_written_as_class_ids(road_and_sky, judge, photos):
    evaluate(road_and_sky, judge, photos)
    assert {path.name for path in (photos / "judged").iterdir()} == {"ceiling", "generated", "swapped"}
    seen = read_ids(photos / "judged/generated/p4.png")
    truth = read_ids(road_and_sky / "val/inputs/p4.png")
    assert (seen == truth).mean() > 0.8


def test_every_score_has_its_protocol(road_and_sky, judge, photos):
    metrics, _ = evaluate(road_and_sky, judge, photos)
    protocol = metrics["protocol"]
    named = {name for part in protocol.values() if isinstance(part, dict) for name in part.get("scores", [])}
    beside = {"images", "absent_classes", "evaluated_pixels", "void_pixels", "of_ceiling"}
    scores = {name for name in metrics["generated"] if not name.endswith("_interval")}
    assert scores - beside == named
    assert protocol["shared"]["generator"] == GENERATOR
    assert (protocol["shared"]["pairs"], protocol["shared"]["height_px"]) == (2, 32)
    card = json.loads((judge / "judge_1/judge.json").read_text())
    segmentation = protocol["segmentation"]
    assert segmentation["judge"]["weights_sha256"] == card["weights_sha256"]
    assert segmentation["judges"] == protocol["mmd_segmenter"]["judges"] == [segmentation["judge"]]
    assert segmentation["not_judged"] == {}
    assert protocol["segmentation"]["classes"][:2] == ["road", "sidewalk"]


def test_the_protocol_says_that_styles_are_drawn_and_is_as_before_without_them():
    assert style_of("none") == {}
    assert style_of("palette") == {"style": "palettes drawn from training photos by seed and pair_id"}
    assert style_of("code")["style"].startswith("codes of training photos")
    before, after = ({"shared": {"generator": {**GENERATOR, **style_of(style)}}} for style in ("none", "palette"))
    assert unlike_protocols(before, after) == {
        "shared": ["shared.generator.style: None and palettes drawn from training photos by seed and pair_id"]
    }


def test_looks_are_compared_with_those_of_the_real_photos(road_and_sky, judge, photos):
    metrics, _ = evaluate(road_and_sky, judge, photos)
    generated, ceiling, swapped = metrics["generated"], metrics["ceiling"], metrics["baselines"]["swapped"]
    assert (ceiling["swd"], ceiling["color_spread"], ceiling["contrast_spread"]) == (0, 1, 1)
    assert swapped["swd_16"] > generated["swd_16"] > 0
    # There is more road in the second photo, so it is darker, unless the colours are swapped.
    assert generated["color_spread"] == pytest.approx(1, abs=0.05)
    assert metrics["protocol"]["sliced_wasserstein"]["scores"] == ["swd", "swd_32", "swd_16"]


def test_diversity_is_measured_over_the_draws_and_the_photos_of_the_same_drawings(road_and_sky, judge, photos):
    assert "diversity" not in evaluate(road_and_sky, judge, photos)[0]["generated"]
    for draw in ("1", "2"):
        (photos / "draws" / draw / "val").mkdir(parents=True)
        shutil.copy(photos / "generated/val/p4.png", photos / "draws" / draw / "val")
    metrics, _ = evaluate(road_and_sky, judge, photos)
    assert metrics["generated"]["diversity"] == pytest.approx(0, abs=1e-3)
    assert "diversity" not in metrics["baselines"]["swapped"]
    shutil.copytree(photos / "baselines/swapped/val", photos / "draws/one_style/val")  # no draw
    assert evaluate(road_and_sky, judge, photos)[0]["generated"] == metrics["generated"]
    protocol = metrics["protocol"]["diversity"]
    assert (protocol["drawings"], protocol["photos_of_a_drawing"]) == (1, 3)
    assert protocol["judges"] == metrics["protocol"]["segmentation"]["judges"]
    shutil.copy(photos / "baselines/swapped/val/p4.png", photos / "draws/2/val")
    assert evaluate(road_and_sky, judge, photos)[0]["generated"]["diversity"] > 0.1
    assert {path.name for path in (photos / "judged").iterdir()} == {"ceiling", "generated", "swapped"}


def test_a_generator_without_noise_has_no_diversity_by_definition(road_and_sky, judge, photos):
    (photos / "draws").mkdir()
    metrics, _ = evaluate(road_and_sky, judge, photos)
    assert metrics["generated"]["diversity"] == 0
    assert metrics["protocol"]["diversity"]["drawings"] == 0


def test_a_draw_that_is_missing_is_named(road_and_sky, judge, photos):
    for draw in ("1", "2"):
        shutil.copytree(photos / "generated/val", photos / "draws" / draw / "val")
    (photos / "draws/2/val/p4.png").unlink()
    with pytest.raises(UserError, match=r"draws/2/val: must hold one photo for each of the 2 pairs; 1 missing \(p4"):
        evaluate(road_and_sky, judge, photos)


def judge_of_light(road_and_sky, dark, light):
    """Return a judge that names dark and light pixels by these classes, and the names of its channels."""
    names = Dataset.read(road_and_sky).classes.evaluated_names
    inputs = keras.Input((32, 32, 3))
    head = keras.layers.Conv2D(len(names), 1)
    model = keras.Model(inputs, head(inputs))
    kernel, bias = np.zeros((1, 1, 3, len(names))), np.full(len(names), -10.0)
    # The photos are in [0, 1].
    for name, sign in ((dark, -1), (light, 1)):
        kernel[..., names.index(name)], bias[names.index(name)] = sign, -1.5 * sign
    head.set_weights([kernel, bias])
    return model, names


@pytest.fixture
def two_judges(road_and_sky, judge, tmp_path):
    """Return a jury of a judge that is always right and one that takes road for sky and sky for road."""
    folder = tmp_path / "two"
    for index, seen_as in enumerate((("road", "sky"), ("sky", "road"))):
        model, names = judge_of_light(road_and_sky, *seen_as)
        Card("keras", names, 32, 32, black=0.0).write(judge_folder(folder, index), model)
    score = json.loads((judge / "score.json").read_text())
    write_json(folder / "score.json", {**score, "judges": 2, "mean_iou": 0.5, "mean_iou_judges": [1.0, 0.0]})
    return folder


def test_scores_of_two_judges_are_means_with_both_values_beside_them(road_and_sky, two_judges, photos):
    metrics, tables = evaluate(road_and_sky, two_judges, photos)
    generated = metrics["generated"]
    assert (generated["mean_iou"], generated["mean_iou_judges"]) == (0.5, [1.0, 0.0])
    assert generated["mean_iou_interval"] == {"low": 0.0, "high": 1.0}
    assert generated["iou"]["road"] == 0.5
    assert metrics["baselines"]["swapped"]["mean_iou_judges"] == [0.0, 1.0]
    assert generated["of_ceiling"]["mean_iou"] == 1.0
    assert (metrics["judge"]["judges"], metrics["judge"]["mean_iou_judges"]) == (2, [1.0, 0.0])
    cards = metrics["protocol"]["segmentation"]["judges"]
    assert len({card["weights_sha256"] for card in cards}) == 2
    assert metrics["protocol"]["segmentation"]["judge"] == cards[0]

    assert tables["images"]["mean_iou"].tolist() == [0.5, 0.5]
    assert (tables["class_iou"].set_index("class").loc["sky"].astype(float) == 0.5).all()
    pixels = tables["class_pixels"]
    assert list(pixels) == ["judge", "pair_id", "class", "right", "true", "judged"]
    by_judge = pixels.groupby("judge")[["right", "true"]].sum()
    assert by_judge.to_numpy().tolist() == [[2 * 32 * 32] * 2, [0, 2 * 32 * 32]]
    assert tables["confusion"]["generated"].sum() == 2 * 2 * 32 * 32


def test_the_maps_that_are_kept_are_the_first_judges(road_and_sky, two_judges, photos):
    evaluate(road_and_sky, two_judges, photos)
    assert {path.name for path in (photos / "judged").iterdir()} == {"ceiling", "generated", "swapped"}
    for pair in read_pairs(road_and_sky, "val"):
        assert (read_ids(photos / f"judged/generated/{pair.pair_id}.png") == read_ids(pair.input_path)).all()


def test_the_ceiling_that_is_held_to_its_limit_is_the_mean_of_the_judges(road_and_sky, two_judges, photos):
    evaluate(road_and_sky, two_judges, photos, min_ceiling=0.5)
    with pytest.raises(UserError, match=r"min_ceiling: 2 judges see on average mean IoU 0\.500 in the real photos of"):
        evaluate(road_and_sky, two_judges, photos, min_ceiling=0.51)


def test_a_trained_judge_that_is_there_twice_has_the_numbers_of_one(road_and_sky, judge, photos, tmp_path):
    jury = shutil.copytree(judge, tmp_path / "jury")
    shutil.copytree(jury / "judge_1", jury / "judge_2")
    score = json.loads((judge / "score.json").read_text())
    write_json(jury / "score.json", {**score, "judges": 2, "mean_iou_judges": [score["mean_iou"]] * 2})
    (photos / "draws").mkdir()
    one, two = (evaluate(road_and_sky, folder, photos)[0] for folder in (judge, jury))
    for name in ("generated", "ceiling"):
        for key, value in one[name].items():
            assert two[name][key] == value or two[name][key] == pytest.approx(value), key
    for key in ("frechet_segmenter", "diversity", "class_accuracy"):
        assert two["generated"][f"{key}_judges"] == [one["generated"][key]] * 2
    assert two["floor"]["mmd_segmenter_judges"] == [None, None]  # its halves have one image each


def test_a_class_that_is_not_judged_is_in_no_mean_of_any_set_and_in_no_photos_mean(
    road_and_sky, two_judges, photos, tmp_path
):
    score = json.loads((two_judges / "score.json").read_text())
    not_judged = {"sky": {"share": 0.004, "iou": 0.1}}
    write_json(two_judges / "score.json", {**score, "judges": 1, "not_judged": not_judged})
    # One pixel of sky becomes road, which the first judge then sees.
    target = photos / "generated/val/p4.png"
    photo, ids = read_rgb(target).copy(), read_ids(road_and_sky / "val/inputs/p4.png")
    photo[tuple(np.argwhere(ids == 23)[0])] = 0
    write_png(target, photo)
    metrics, tables = evaluate(road_and_sky, two_judges, photos)
    generated = metrics["generated"]
    assert generated["mean_iou"] == generated["iou"]["road"] < 1
    assert generated["iou"]["sky"] not in (None, generated["iou"]["road"])
    assert generated["class_accuracy"] == 1.0
    roads = int((ids == 7).sum())
    assert tables["images"]["mean_iou"].tolist() == [roads / (roads + 1), 1.0]
    assert metrics["ceiling"]["mean_iou"] == 1.0
    assert metrics["protocol"]["segmentation"]["not_judged"] == not_judged


@pytest.fixture
def graph(tmp_path, monkeypatch):
    monkeypatch.setenv("PIX2STREET_CACHE", str(tmp_path / "cache"))
    write_graph(tmp_path / "graph.pb")
    return tmp_path / "graph.pb"


def test_another_inception_network_gives_no_fid(road_and_sky, judge, photos, graph):
    metrics, _ = evaluate(road_and_sky, judge, photos, fid=["tf"], inception=graph)
    sha256 = inception.sha256_of(graph)
    assert not [key for key in metrics["generated"] if key.startswith(("fid_", "kid_tf"))]
    key = f"frechet_{sha256[:8]}_tf_val2"
    assert metrics["protocol"][key]["network_sha256"] == sha256
    assert metrics["ceiling"][key] <= 1e-3
    assert metrics["baselines"]["swapped"][key] > metrics["generated"][key] > 0
    assert metrics["generated"][f"mmd_{sha256[:8]}_tf_val2"] is None


def test_the_published_network_gives_fid_and_kid_with_their_numbers_of_images(
    road_and_sky, judge, photos, graph, monkeypatch
):
    monkeypatch.setattr(inception, "GRAPH_SHA256", inception.sha256_of(graph))
    # A distance in 2,048 dimensions takes seconds, and no score of a baseline is looked at.
    shutil.rmtree(photos / "baselines/swapped")
    metrics, _ = evaluate(road_and_sky, judge, photos, fid=["clean"], inception=graph)
    assert {"fid_clean_val2", "kid_clean_val2", "kid_clean_val2_std"} <= set(metrics["generated"])
    sides = metrics["protocol"]["fid_clean_val2"]
    assert (sides["photos"], sides["targets"]) == (2, 2)
    assert "clean-fid" in metrics["protocol"]["fid_clean_val2"]["photos_resized"]
    assert metrics["protocol"]["kid_clean_val2"]["kernel"] == "(x . y / D + 1)^3"
    assert metrics["floor"]["fid_clean_val2"] is None  # its halves have one image each


def test_a_judge_too_weak_to_judge_stops_evaluation(road_and_sky, judge, photos):
    with pytest.raises(
        UserError, match=r"evaluate.min_ceiling: the judge sees mean IoU 0\.\d+ in the real photos of val"
    ):
        evaluate(road_and_sky, judge, photos, min_ceiling=1.0)


def test_photos_that_are_missing_or_too_many_are_named(road_and_sky, judge, photos):
    (photos / "generated/val/p4.png").rename(photos / "generated/val/stale.png")
    with pytest.raises(
        UserError,
        match=r"generated/val: must hold one photo for each of the 2 pairs; 1 missing \(p4.png\), 1 too many \(st",
    ):
        evaluate(road_and_sky, judge, photos)


def test_a_photo_of_another_size_is_named(road_and_sky, judge, photos):
    path = photos / "generated/val/p5.png"
    write_png(path, read_rgb(path)[:16])
    with pytest.raises(UserError, match=r"p5\.png: is 16x32 px, its target 32x32"):
        evaluate(road_and_sky, judge, photos)


def test_a_label_without_a_class_is_named(road_and_sky, judge, photos, tmp_path):
    split = shutil.copytree(road_and_sky, tmp_path / "split")
    ids = read_ids(split / "val/inputs/p4.png").copy()
    ids[0, 0] = 77
    write_png(split / "val/inputs/p4.png", ids)
    with pytest.raises(UserError, match=r"inputs/p4\.png: holds ids that no class has: \[77\]"):
        evaluate(split, judge, photos)


def test_weights_that_are_not_the_cards_are_named(road_and_sky, judge, photos, tmp_path):
    changed = shutil.copytree(judge, tmp_path / "changed")
    weights = (changed / "judge_1/segmenter.weights.h5").read_bytes()
    (changed / "judge_1/segmenter.weights.h5").write_bytes(weights[:-1] + bytes([weights[-1] ^ 1]))
    with pytest.raises(UserError, match=r"segmenter\.weights\.h5: its SHA-256 must be .* run `segment` again"):
        evaluate(road_and_sky, changed, photos)


def test_a_split_without_pairs_is_a_clear_error(road_and_sky, judge, photos):
    with pytest.raises(UserError, match=r"evaluate.subset: test has no pairs in this data set; choose the other"):
        evaluate(road_and_sky, judge, photos, subset="test")


def test_a_keras_model_of_ones_own_is_a_judge(road_and_sky, photos, tmp_path):
    model, _ = judge_of_light(road_and_sky, "road", "sky")
    model.save(tmp_path / "judge.keras")
    folder = tmp_path / "own"
    folder.mkdir()
    make_jury(road_and_sky, folder, tmp_path, changed(SEGMENT, judge="keras"))
    metrics, _ = evaluate(road_and_sky, folder, photos)
    assert metrics["ceiling"]["mean_iou"] == metrics["generated"]["mean_iou"] == 1.0
    assert metrics["protocol"]["segmentation"]["judge"]["name"] == "keras"
    assert metrics["protocol"]["segmentation"]["judge"]["white"] == 1.0
    assert "frechet_segmenter" not in metrics["generated"]
    assert "frechet_segmenter" not in metrics["floor"]
    assert metrics["floor"]["swd_32"] > 0


def test_a_segformer_is_a_judge_that_sees_enlarged_photos(road_and_sky, photos, tmp_path):
    name = "segformer_b0_cityscapes_1024"
    small_segformer().save_to_preset(str(tmp_path / "judges" / name))
    folder = tmp_path / "judge"
    folder.mkdir()
    larger = {"height_px": 64, "width_px": 64}
    make_jury(road_and_sky, folder, tmp_path / "judges", changed(SEGMENT, judge=name, pretrained=larger))
    metrics, _ = evaluate(road_and_sky, folder, photos, min_ceiling=0.0)
    judge = metrics["protocol"]["segmentation"]["judge"]
    assert (judge["name"], judge["height_px"], judge["black"], judge["white"]) == (name, 64, -1.0, 1.0)
    assert metrics["ceiling"]["mean_iou"] == metrics["judge"]["mean_iou"]
    assert read_ids(photos / "judged/generated/p4.png").shape == (32, 32)


def test_a_judge_for_other_classes_is_refused(road_and_sky, tmp_path):
    inputs = keras.Input((32, 32, 3))
    keras.Model(inputs, keras.layers.Conv2D(4, 1)(inputs)).save(tmp_path / "judge.keras")
    with pytest.raises(UserError, match=r"judge\.keras: gives scores for 4 classes, but the data set evaluates 19"):
        make_jury(road_and_sky, tmp_path, tmp_path, changed(SEGMENT, judge="keras"))


def test_a_set_without_classes_has_no_judge_and_what_needs_one_is_left_out(road_and_sky, photos, tmp_path, graph):
    split = shutil.copytree(road_and_sky, tmp_path / "split")
    Dataset("d", "D", "", "", "right", None, None).write(split)
    (tmp_path / "judge").mkdir()
    make_jury(split, tmp_path / "judge", tmp_path, SEGMENT)
    assert [path.name for path in (tmp_path / "judge").iterdir()] == ["score.json"]
    metrics, tables = evaluate(split, tmp_path / "judge", photos, fid=["tf"], inception=graph)
    assert metrics["judge"] is None
    assert "ceiling" not in metrics
    assert {"images", "l1", "psnr", "ssim", "swd", "color_spread", "contrast_spread"} < set(metrics["generated"])
    assert metrics["floor"]["swd"] > 0
    assert "mean_iou" not in metrics["generated"]
    assert [key for key in metrics["generated"] if key.startswith("frechet")]
    assert metrics["generated"]["l1"] < metrics["baselines"]["swapped"]["l1"]
    assert tables["class_iou"].empty
    assert tables["class_pixels"].empty
    assert list(tables["images"]) == ["pair_id", "l1", "psnr", "ssim"]
    for name, table in tables.items():
        write_table(tmp_path / f"{name}.csv", table)
        assert list(read_table(tmp_path / f"{name}.csv")) == list(table)
