import copy
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from browser import CHROMIUM, look_at

from pix2street.core.classes import ClassEntry, ClassTable
from pix2street.core.errors import UserError
from pix2street.core.files import write_bytes, write_json
from pix2street.core.images import png_bytes
from pix2street.core.tables import write_table
from pix2street.metrics import METRICS, Samples, bootstrap
from pix2street.metrics.segmentation import counts_of
from pix2street.reporting.comparison import Result, Row, as_page, as_text, compare

TABLE = ClassTable((ClassEntry(1, "road", (0, 0, 0), True), ClassEntry(2, "car", (1, 1, 1), True)))
PAIRS = 40
JURY = [{"name": "trained", "weights_sha256": letter * 64} for letter in "abc"]
OTHER = [{"name": "trained", "weights_sha256": "d" * 64}]
DIFFERENCE = "segmentation.judges: trained aaaaaaaa and trained dddddddd"


def result(name: str, l1: float, *hit_shares: float) -> Result:
    """Return a run whose judges find these shares of the pixels right, with noise that all runs and judges share."""
    rng = np.random.default_rng(0)
    hits = (rng.integers(30, 60, (PAIRS, 2)) * np.reshape(hit_shares, (-1, 1, 1))).astype(int)
    confusions = np.zeros((len(hit_shares), PAIRS, 3, 3), int)
    for place in (0, 1):
        confusions[..., place, place] = hits[..., place]
        confusions[..., place, 1 - place] = 100 - hits[..., place]
    levels = rng.uniform(0, 0.2, PAIRS) + l1
    pixels = {"l1": levels, "psnr": 20 - levels, "ssim": 1 - levels}
    samples = Samples(pixels, confusions, TABLE)
    metrics = {
        "split": "val", "pairs": PAIRS,
        "generated": {**METRICS["pixels"].score(samples), **METRICS["segmentation"].score(samples)},
        "protocol": {
            "shared": {"dataset": "d", "split": "val", "pairs": PAIRS, "height_px": 8, "width_px": 8},
            "intervals": bootstrap.PROTOCOL,
            "pixels": {"version": 1, "scores": ["l1", "psnr", "ssim"]},
            "segmentation": {"version": 3, "scores": ["pixel_accuracy", "mean_iou", "iou"], "not_judged": {},
                             "judge": JURY[0], "judges": JURY[:len(hit_shares)]},
        },
    }  # fmt: skip
    ids = [f"p{index:02d}" for index in range(PAIRS)]
    index = [range(1, len(hit_shares) + 1), ids, ["road", "car"]]
    index = pd.MultiIndex.from_product(index, names=["judge", "pair_id", "class"])
    columns = dict(zip(("right", "true", "judged"), counts_of(confusions).reshape(3, -1), strict=True))
    picture = png_bytes(np.full((8, 8, 3), int(100 * l1), np.uint8))
    return Result(
        name,
        metrics,
        pd.DataFrame({"pair_id": ids, **pixels}),
        pd.DataFrame(columns, index=index).reset_index(),
        {"p00": dict.fromkeys(["input", "target", "generated", "untrained"], picture)},
    )


A, B = result("first", 0.2, 0.8), result("second <b>", 0.21, 0.9)


def row_of(comparison, score):
    (row,) = (row for row in comparison.rows if row.score == score)
    return row


def with_protocol(base, part, **changes):
    metrics = copy.deepcopy(base.metrics)
    metrics["protocol"][part] |= changes
    return Result(base.name, metrics, base.images, base.class_pixels, base.samples)


def test_differences_are_b_less_a_with_intervals_over_pairs():
    comparison = compare(A, B)
    l1 = row_of(comparison, "l1")
    assert l1.difference == pytest.approx(0.01)
    # Both runs share their noise, so pairs tell them apart though their own intervals overlap.
    assert l1.a_interval["high"] > l1.b_interval["low"]
    assert l1.paired["low"] == pytest.approx(0.01)
    assert l1.told_apart
    iou = row_of(comparison, "mean_iou")
    assert iou.difference == B.metrics["generated"]["mean_iou"] - A.metrics["generated"]["mean_iou"]
    assert iou.paired["low"] < iou.difference < iou.paired["high"]
    assert iou.told_apart
    assert not [row for row in comparison.rows if row.score == "iou"]


def test_worse_is_behind_in_the_scores_own_direction():
    comparison = compare(A, B)
    assert [row_of(comparison, score).worse for score in ("l1", "psnr", "mean_iou")] == [True, True, False]
    turned = compare(B, A)
    assert [row_of(turned, score).worse for score in ("l1", "psnr", "mean_iou")] == [False, False, True]


@pytest.mark.parametrize(
    ("difference", "paired", "worse"),
    [(0.1, {"low": 0.05, "high": 0.2}, True), (0.1, {"low": -0.05, "high": 0.2}, False), (0.1, None, True),
     (-0.1, None, False), (0.0, None, False), (None, None, False)],
)  # fmt: skip
@pytest.mark.parametrize(
    "score", ["l1", "fid_tf_val80", "kid_clean_val80", "frechet_segmenter", "mmd_segmenter", "swd", "swd_16"]
)
def test_what_lies_within_the_photos_chance_is_not_worse(score, difference, paired, worse):
    b = None if difference is None else 1 + difference
    assert Row(score, 1.0, b, None, None, difference, paired, False).worse is worse


@pytest.mark.parametrize(
    ("a", "b", "worse"),
    [(0.9, 0.8, True), (0.8, 0.9, False), (1.1, 1.3, True), (1.3, 1.1, False), (0.9, 1.05, False), (0.95, 1.1, True)],
)
@pytest.mark.parametrize("score", ["color_spread", "contrast_spread"])
def test_a_spread_is_worse_if_it_is_further_from_one(score, a, b, worse):
    assert Row(score, a, b, None, None, b - a, None, False).worse is worse


def test_less_diversity_is_worse():
    assert Row("diversity", 0.2, 0.1, None, None, -0.1, None, False).worse
    assert not Row("diversity", 0.1, 0.2, None, None, 0.1, None, False).worse


def test_a_run_is_not_told_apart_from_itself():
    comparison = compare(A, A)
    assert all(row.difference == 0 and not row.told_apart for row in comparison.rows)


def test_one_judge_that_disagrees_keeps_two_runs_from_being_told_apart():
    # Every judge alone tells the runs apart; the third has the other order.
    alone = [row_of(compare(result("a", 0.2, a), result("b", 0.2, b)), "mean_iou") for a, b in ((0.8, 0.9), (0.9, 0.8))]
    assert all(row.told_apart for row in alone)
    assert alone[0].difference > 0 > alone[1].difference
    agreed = row_of(compare(result("a", 0.2, 0.8, 0.8, 0.8), result("b", 0.2, 0.9, 0.9, 0.9)), "mean_iou")
    assert agreed.told_apart
    assert agreed.paired == pytest.approx(alone[0].paired)
    divided = row_of(compare(result("a", 0.2, 0.8, 0.8, 0.9), result("b", 0.2, 0.9, 0.9, 0.8)), "mean_iou")
    assert divided.difference > 0
    assert not divided.told_apart
    assert divided.paired["low"] < alone[1].paired["high"]
    assert divided.paired["high"] > alone[0].paired["low"]


def test_both_runs_get_the_same_judges():
    # The judges differ in severity, by far more than the runs differ, and yet agree on their order.
    a, b = result("a", 0.2, 0.3, 0.6, 0.9), result("b", 0.2, 0.35, 0.65, 0.95)
    row = row_of(compare(a, b), "pixel_accuracy")
    assert row.a_interval["high"] - row.a_interval["low"] > 0.2
    assert row.a_interval["high"] > row.b_interval["low"]
    assert row.paired["low"] > 0
    assert row.paired["high"] - row.paired["low"] < 0.02


def test_a_class_that_is_not_judged_is_out_of_the_interval_of_the_difference():
    without = [with_protocol(base, "segmentation", not_judged={"car": {"share": 0.001, "iou": 0.1}}) for base in (A, B)]
    paired = row_of(compare(*without), "mean_iou").paired
    for run in without:
        run.metrics["generated"]["mean_iou"] = run.metrics["generated"]["iou"]["road"]
    row = row_of(compare(*without), "mean_iou")
    assert row.paired == paired != row_of(compare(A, B), "mean_iou").paired
    assert paired["low"] < row.difference < paired["high"]


def with_distances(base, *values):
    other = with_protocol(base, "segmentation")
    other.metrics["protocol"]["frechet_segmenter"] = {"scores": ["frechet_segmenter"], "judges": JURY[: len(values)]}
    other.metrics["generated"]["frechet_segmenter"] = float(np.mean(values))
    if len(values) > 1:
        other.metrics["generated"]["frechet_segmenter_judges"] = list(values)
    return other


def test_judges_disagree_on_a_distance_if_one_sees_another_order():
    comparison = compare(with_distances(A, 1.35, 7.1), with_distances(B, 5.38, 5.63))
    row = row_of(comparison, "frechet_segmenter")
    assert row.by_judge == (pytest.approx(4.03), pytest.approx(-1.47))
    assert (row.disputed, row.worse) == (True, False)
    for text in (as_text(comparison), as_page(comparison)):
        assert text.count("judges disagree") == 1
    agreed = row_of(compare(with_distances(A, 1.0, 2.0), with_distances(B, 1.5, 2.5)), "frechet_segmenter")
    assert (agreed.disputed, agreed.worse, agreed.told_apart) == (False, True, False)
    assert row_of(compare(with_distances(A, 1.0), with_distances(B, 1.5)), "frechet_segmenter").worse


def test_the_text_says_how_many_judges_there_are_and_what_one_judge_leaves_unknown():
    three = compare(result("a", 0.2, 0.8, 0.8, 0.8), result("b", 0.2, 0.9, 0.9, 0.9))
    for show in (as_text, as_page):
        assert "One judge saw the photos. Its own chance is not in the intervals" in show(compare(A, B))
        assert "3 judges saw the photos" in show(three)
        assert "chance is not in" not in show(three)
    plain = [replace(with_protocol(base, "segmentation"), class_pixels=base.class_pixels.head(0)) for base in (A, B)]
    for run in plain:
        del run.metrics["protocol"]["segmentation"]
    assert compare(*plain).jury == ""


def test_another_order_turns_the_sign():
    there, back = row_of(compare(A, B), "mean_iou"), row_of(compare(B, A), "mean_iou")
    assert there.difference == -back.difference
    assert there.paired["low"] == pytest.approx(-back.paired["high"])


def test_unlike_protocols_are_refused_with_what_differs():
    other = with_protocol(B, "segmentation", judge=OTHER[0], judges=OTHER)
    with pytest.raises(UserError) as refused:
        compare(A, other)
    assert str(refused.value) == (
        "first and second <b> were not measured alike, their numbers cannot be compared:\n"
        f"  {DIFFERENCE}\n"
        "measure both in one way, under one jury (the same models/segmenter), or compare them nevertheless with --force"
    )
    other = with_protocol(B, "pixels", version=2)
    with pytest.raises(
        UserError, match=r"\n  pixels.version: 1 and 2\nmeasure both in one way, or compare them neverth"
    ):
        compare(A, other)


def test_a_run_of_a_former_version_is_refused_for_its_version_and_its_judge():
    former = with_protocol(A, "segmentation", version=2, judge=OTHER[0], rule="of then")
    del former.metrics["protocol"]["segmentation"]["judges"], former.metrics["protocol"]["segmentation"]["not_judged"]
    former = replace(former, class_pixels=former.class_pixels.drop(columns="judge"))
    differences = ["segmentation.version: 2 and 3", "segmentation.judges: trained dddddddd and trained aaaaaaaa"]
    with pytest.raises(UserError) as refused:
        compare(former, B)
    assert [line.strip() for line in str(refused.value).splitlines()[1:-1]] == differences
    forced = compare(former, B, force=True)
    assert forced.unlike == differences
    assert row_of(forced, "mean_iou").unlike
    assert row_of(forced, "l1").told_apart


def test_another_number_of_judges_and_other_classes_that_are_judged_are_other_protocols():
    three = result("three", 0.2, 0.8, 0.8, 0.8)
    with pytest.raises(
        UserError, match=r"judges: trained aaaaaaaa and trained aaaaaaaa, trained bbbbbbbb, trained ccc"
    ):
        compare(A, three)
    fewer = with_protocol(B, "segmentation", not_judged={"car": {"share": 0.001, "iou": 0.1}})
    with pytest.raises(UserError, match=r"  segmentation.not_judged: none and car\n"):
        compare(A, fewer)
    resized = [{**JURY[0], "height_px": 64}]
    with pytest.raises(UserError, match=r"  segmentation.judges: .*aaaa'}\] and .*'height_px': 64"):
        compare(A, with_protocol(B, "segmentation", judges=resized))


def test_forced_only_what_is_unlike_is_marked():
    comparison = compare(A, with_protocol(B, "segmentation", judge=OTHER[0], judges=OTHER), force=True)
    assert row_of(comparison, "mean_iou").unlike
    assert row_of(comparison, "mean_iou").paired is None
    assert not row_of(comparison, "l1").unlike
    assert row_of(comparison, "l1").told_apart
    assert as_text(comparison).endswith(f"\n\nnot measured alike:\n  {DIFFERENCE}")
    for text in (as_text(comparison), as_page(comparison)):
        assert DIFFERENCE in text
        # These are accuracy and mean IoU; the page has the words in its caption as well.
        assert text.count("unlike protocols") == 2


def test_what_every_score_depends_on_makes_all_unlike():
    comparison = compare(A, with_protocol(B, "shared", split="test"), force=True)
    assert all(row.unlike and row.paired is None for row in comparison.rows)


def test_a_score_that_one_run_has_is_shown_alone():
    other = with_protocol(B, "segmentation")
    other.metrics["protocol"]["fid_tf_val40"] = {"version": 1, "scores": ["fid_tf_val40"]}
    other.metrics["generated"]["fid_tf_val40"] = 99.5
    row = row_of(compare(A, other), "fid_tf_val40")
    assert (row.a, row.b, row.difference) == (None, 99.5, None)


def test_the_page_shows_the_same_samples_and_nothing_from_elsewhere():
    page = as_page(compare(A, B))
    assert "second &lt;b&gt;" in page
    assert page.count("of p00") == 4
    assert "untrained" not in page
    assert not re.findall(r"""(?:src|href)\s*=\s*["']?(?!data:|#)[^"'> ]+""", page)
    assert page.count('<span class="good">told apart</span>') == len(compare(A, B).rows) == 5
    assert as_page(compare(A, B)) == page


@pytest.mark.parametrize("width_px", [500, 1200])
def test_the_page_in_a_real_browser(tmp_path, width_px):
    if CHROMIUM is None:
        pytest.skip("no Chromium here: install the package `chromium` to see the page in a browser")
    seen = look_at(as_page(compare(A, B)), tmp_path, width_px)
    assert (seen["images"], seen["broken"], seen["requests"]) == (4, 0, [])
    assert seen["overflow"] <= 0


def test_results_of_no_evaluation_or_of_an_older_one_are_refused(tmp_path):
    with pytest.raises(
        UserError, match=r"mine: the run must be evaluated, its metrics.json is missing; run `dvc repro` there"
    ):
        Result.read("mine", tmp_path, tmp_path)
    write_json(tmp_path / "metrics.json", {"generated": {}})
    with pytest.raises(UserError, match="mine: its metrics name no protocol; evaluate it again"):
        Result.read("mine", tmp_path, tmp_path)


def test_results_are_read_whatever_their_pairs_are_called(tmp_path):
    names = ["null", "NA", "007", " x ", "", "a,b"]
    write_json(tmp_path / "metrics.json", A.metrics)
    images = A.images.head(len(names)).assign(pair_id=names)
    write_table(tmp_path / "images.csv", images)
    write_table(tmp_path / "class_pixels.csv", A.class_pixels.head(2 * len(names)).assign(pair_id=np.repeat(names, 2)))
    for name in ("null", "=2541", "=20x=20"):
        write_bytes(tmp_path / "samples" / name / "input.png", b"png")
    result = Result.read("mine", tmp_path, tmp_path / "samples")
    assert result.images["pair_id"].tolist() == names
    assert result.images["l1"].tolist() == images["l1"].tolist()
    assert result.class_pixels["pair_id"].tolist() == [*np.repeat(names, 2)]
    assert {*result.samples} == {"null", "%41", " x "}


def test_two_runs_of_a_former_version_are_compared_as_runs_of_one_judge(tmp_path):
    for base in (A, B):
        folder = tmp_path / base.name[:5]
        former = with_protocol(base, "segmentation", version=2)
        del (
            former.metrics["protocol"]["segmentation"]["judges"],
            former.metrics["protocol"]["segmentation"]["not_judged"],
        )
        write_json(folder / "metrics.json", former.metrics)
        write_table(folder / "images.csv", base.images)
        write_table(folder / "class_pixels.csv", base.class_pixels.drop(columns="judge"))
    comparison = compare(*(Result.read(name, tmp_path / name, tmp_path) for name in ("first", "secon")))
    assert row_of(comparison, "mean_iou").paired == row_of(compare(A, B), "mean_iou").paired
    assert comparison.jury.startswith("One judge")


@pytest.mark.parametrize("damage", ["metrics.json", "images.csv", "class_pixels.csv"])
def test_a_result_that_is_damaged_is_one_message_with_the_run(tmp_path, damage):
    write_json(tmp_path / "metrics.json", A.metrics)
    write_table(tmp_path / "images.csv", A.images)
    write_table(tmp_path / "class_pixels.csv", A.class_pixels)
    whole = (tmp_path / damage).read_bytes()
    (tmp_path / damage).write_bytes(whole[: len(whole) - 20] + b'"')
    with pytest.raises(UserError, match=rf"{damage}: .*; evaluate the run mine again with this version"):
        Result.read("mine", tmp_path, tmp_path)
