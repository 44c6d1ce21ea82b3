import numpy as np
import pytest

from pix2street.core.classes import ClassEntry, ClassTable, cityscapes_classes
from pix2street.core.errors import UserError
from pix2street.core.images import write_png
from pix2street.metrics import METRICS, Samples
from pix2street.metrics.bootstrap import SEED_OF_JUDGES, resamples
from pix2street.metrics.segmentation import (
    PROTOCOL,
    confusion_matrix,
    counted,
    counts_of,
    jury_scores,
    measure,
    resampled,
    scores_of,
)

TABLE = ClassTable(
    (
        ClassEntry(10, "road", (0, 0, 0), True, "ground"),
        ClassEntry(20, "unlabeled", (1, 1, 1), False, "void"),
        ClassEntry(30, "car", (2, 2, 2), True, "things"),
        ClassEntry(40, "sky", (3, 3, 3), True, "things"),
    )
)
ROAD, VOID, CAR, SKY = 10, 20, 30, 40


def matrix_of(truth, judged, table=TABLE):
    return confusion_matrix(np.array(truth, np.uint8), np.array(judged, np.uint8), table)


def test_worked_by_hand():
    matrix = matrix_of([[ROAD, ROAD, CAR], [CAR, CAR, VOID]], [[ROAD, CAR, CAR], [CAR, ROAD, ROAD]])
    assert matrix.tolist() == [[1, 1, 0, 0], [1, 2, 0, 0], [0, 0, 0, 0], [1, 0, 0, 0]]
    scores = scores_of(matrix, TABLE)
    assert scores["pixel_accuracy"] == pytest.approx(3 / 5)
    assert scores["pixel_accuracy_with_void"] == pytest.approx(3 / 6)
    assert scores["class_accuracy"] == pytest.approx((1 / 2 + 2 / 3) / 2)
    assert scores["iou"] == pytest.approx({"road": 1 / 3, "car": 2 / 4, "sky": None})
    assert scores["mean_iou"] == pytest.approx((1 / 3 + 1 / 2) / 2)
    assert scores["frequency_weighted_iou"] == pytest.approx((2 * 1 / 3 + 3 * 1 / 2) / 5)
    assert scores["category_iou"] == pytest.approx({"ground": 1 / 3, "things": 2 / 4})
    assert scores["absent_classes"] == ["sky"]
    assert (scores["evaluated_pixels"], scores["void_pixels"]) == (5, 1)


def test_a_pixel_judged_to_be_void_is_a_miss_of_its_class():
    scores = scores_of(matrix_of([[ROAD, ROAD]], [[ROAD, VOID]]), TABLE)
    assert scores["pixel_accuracy"] == scores["iou"]["road"] == 0.5


def test_taking_one_class_of_a_category_for_another_costs_the_category_nothing():
    scores = scores_of(matrix_of([[CAR, SKY]], [[SKY, CAR]]), TABLE)
    assert scores["mean_iou"] == 0.0
    assert scores["category_iou"]["things"] == scores["category_mean_iou"] == 1.0


def test_a_table_without_categories_has_no_such_scores():
    plain = ClassTable(tuple(ClassEntry(e.id, e.name, e.color, e.evaluated) for e in TABLE.entries))
    scores = scores_of(matrix_of([[ROAD]], [[ROAD]], plain), plain)
    assert scores["category_iou"] == {}
    assert scores["category_mean_iou"] is None


def test_identical_maps_score_one():
    truth = np.random.default_rng(0).choice([ROAD, CAR], (8, 8))
    scores = scores_of(matrix_of(truth, truth), TABLE)
    for name in ("pixel_accuracy", "class_accuracy", "mean_iou", "frequency_weighted_iou", "category_mean_iou"):
        assert scores[name] == 1.0


def test_a_class_that_is_only_imagined_has_iou_zero_but_no_accuracy():
    scores = scores_of(matrix_of([[ROAD, ROAD]], [[ROAD, SKY]]), TABLE)
    assert scores["iou"] == {"road": 0.5, "car": None, "sky": 0.0}
    assert scores["class_accuracy"] == 0.5


def test_rows_are_truth_and_columns_are_judged():
    assert matrix_of([[ROAD]], [[CAR]])[0, 1] == 1


def test_all_void_has_no_score():
    scores = scores_of(matrix_of([[VOID, VOID]], [[ROAD, CAR]]), TABLE)
    assert scores["mean_iou"] is scores["pixel_accuracy"] is scores["class_accuracy"] is None
    assert scores["frequency_weighted_iou"] is scores["category_mean_iou"] is None


def test_the_id_255_is_void_where_the_table_says_so_and_a_class_where_it_says_that():
    void = ClassEntry(255, "void", (0, 0, 0), False)
    table = ClassTable((*TABLE.entries, void))
    scores = scores_of(matrix_of([[ROAD, 255, 255]], [[ROAD, CAR, ROAD]], table), table)
    assert (scores["evaluated_pixels"], scores["void_pixels"]) == (1, 2)
    assert scores["pixel_accuracy"] == scores["iou"]["road"] == 1.0
    assert scores["iou"]["car"] is None
    mask = ClassTable((ClassEntry(0, "rest", (0, 0, 0), True), ClassEntry(255, "thing", (255, 255, 255), True)))
    scores = scores_of(matrix_of([[0, 255, 255]], [[0, 255, 0]], mask), mask)
    assert scores["iou"] == {"rest": 0.5, "thing": 0.5}
    # The largest number of classes, beside the marker of what is not scored.
    full = ClassTable(tuple(ClassEntry(i, f"c{i}", (i, 0, 0), i < 255) for i in range(256)))
    matrix = matrix_of([[0, 254, 255]], [[0, 254, 254]], full)
    assert (matrix[0, 0], matrix[254, 254], matrix[255, 254], matrix.sum()) == (1, 1, 1, 3)


def test_unlike_shapes_and_unknown_ids_are_refused():
    with pytest.raises(ValueError, match="judged: is 1x1 px, truth is 1x2; sizes must be equal"):
        matrix_of([[ROAD, ROAD]], [[ROAD]])
    with pytest.raises(ValueError, match=r"judged: holds ids that no class has: \[7\]"):
        matrix_of([[ROAD]], [[7]])
    with pytest.raises(ValueError, match=r"truth: holds ids that no class has: \[255\]"):
        matrix_of([[255]], [[ROAD]])


def test_a_fault_names_its_file(tmp_path):
    for name, ids in {"truth": [[ROAD, ROAD]], "good": [[ROAD, CAR]], "bad": [[ROAD, 99]], "small": [[ROAD]]}.items():
        write_png(tmp_path / f"{name}.png", np.array(ids, np.uint8))
    truth, good, bad, small = (tmp_path / f"{name}.png" for name in ("truth", "good", "bad", "small"))
    with pytest.raises(UserError, match=r"bad\.png: holds ids that no class has: \[99\]"):
        measure([truth, truth], [good, bad], TABLE)
    with pytest.raises(UserError, match=r"small\.png: is 1x1 px, .*truth\.png is 1x2"):
        measure([truth], [small], TABLE)


def test_a_score_is_that_of_all_photos_together(tmp_path):
    rng = np.random.default_rng(2)
    truths, judged = [], []
    for index in range(5):
        for paths, name in ((truths, "truth"), (judged, "judged")):
            paths.append(tmp_path / f"{name}_{index}.png")
            write_png(paths[-1], rng.choice([ROAD, VOID, CAR, SKY], (8, 8)).astype(np.uint8))
    matrices = measure(truths, judged, TABLE)
    scores = METRICS["segmentation"].score(Samples({}, matrices[None], TABLE))
    assert scores["mean_iou"] == scores_of(matrices.sum(axis=0), TABLE)["mean_iou"]
    for name in ("mean_iou", "pixel_accuracy"):
        assert scores[f"{name}_interval"]["low"] < scores[name] < scores[f"{name}_interval"]["high"]


@pytest.mark.parametrize("not_judged", [(), ("car",)])
@pytest.mark.parametrize("judges", [1, 2, 3])
def test_a_resample_of_every_image_and_judge_once_is_the_score_itself(judges, not_judged):
    rng = np.random.default_rng(3)
    maps = rng.choice([ROAD, VOID, CAR], (judges * 4, 2, 6, 6))
    matrices = np.stack([matrix_of(*one) for one in maps]).reshape(judges, 4, 4, 4)
    in_mean = counted(TABLE.evaluated_names, not_judged)
    accuracy, mean_iou = resampled(counts_of(matrices), np.ones((1, 4)), np.ones((1, judges)), in_mean)
    scores = jury_scores(matrices.sum(axis=1), TABLE, not_judged)
    assert accuracy[0] == pytest.approx(scores["pixel_accuracy"])
    assert mean_iou[0] == pytest.approx(scores["mean_iou"])


def right_and_wrong(photos: int = 20) -> np.ndarray:
    """Return the matrices of a judge that is always right and of one that is always wrong, `[2, photos, 4, 4]`."""
    truth = np.array([[ROAD, CAR, SKY]])
    right, wrong = matrix_of(truth, truth), matrix_of(truth, np.roll(truth, 1))
    return np.stack([[right] * photos, [wrong] * photos])


def test_a_judge_that_is_right_and_one_that_is_wrong_have_the_mean_and_an_interval_that_spans_both():
    scores = METRICS["segmentation"].score(Samples({}, right_and_wrong(), TABLE))
    for name in ("mean_iou", "pixel_accuracy"):
        assert scores[name] == 0.5
        assert scores[f"{name}_judges"] == [1.0, 0.0]
        assert scores[f"{name}_interval"] == {"low": 0.0, "high": 1.0}
    assert scores["iou"] == {"road": 0.5, "car": 0.5, "sky": 0.5}
    listed = {f"{name}_judges" for name in PROTOCOL["scores"]} - {"iou_judges", "category_iou_judges"}
    assert {name for name in scores if name.endswith("_judges")} == listed


def test_judges_who_see_the_same_have_the_numbers_of_one():
    rng = np.random.default_rng(5)
    matrices = np.stack([matrix_of(*rng.choice([ROAD, VOID, CAR], (2, 6, 6))) for _ in range(9)])[None]
    one, three = (METRICS["segmentation"].score(Samples({}, np.repeat(matrices, n, axis=0), TABLE)) for n in (1, 3))
    assert not [name for name in one if name.endswith("_judges")]
    for name in ("mean_iou", "pixel_accuracy_with_void", "iou", "category_iou", "mean_iou_interval"):
        assert three[name] == pytest.approx(one[name])
    assert (three["evaluated_pixels"], three["absent_classes"]) == (one["evaluated_pixels"], ["sky"])
    # One judge's intervals are those over photos alone.
    matrix = matrices[0].sum(axis=0)
    assert one["mean_iou"] == scores_of(matrix, TABLE)["mean_iou"]
    weights = resamples(9)
    hit, truth, judged = (weights @ part for part in counts_of(matrices[0]))
    with np.errstate(invalid="ignore"):
        expected = np.nanmean(hit / (truth + judged - hit), axis=1)
    assert one["mean_iou_interval"]["low"] == pytest.approx(np.quantile(expected, 0.025))
    assert (resamples(1, SEED_OF_JUDGES) == 1).all()


def test_a_class_that_is_not_judged_is_in_no_mean_and_keeps_its_iou():
    matrix = matrix_of([[ROAD, ROAD, CAR], [CAR, CAR, SKY]], [[ROAD, ROAD, CAR], [ROAD, ROAD, SKY]])
    scores = scores_of(matrix, TABLE, ["car"])
    assert scores["iou"] == {"road": 0.5, "car": pytest.approx(1 / 3), "sky": 1.0}
    assert scores["mean_iou"] == 0.75
    assert scores["class_accuracy"] == 1.0
    all_counted = scores_of(matrix, TABLE)
    for name in ("pixel_accuracy", "frequency_weighted_iou", "category_iou", "absent_classes"):
        assert scores[name] == all_counted[name]
    whole = METRICS["segmentation"].score(Samples({}, matrix[None, None], TABLE, not_judged=["car"]))
    assert whole["mean_iou_interval"] == {"low": 0.75, "high": 0.75}


def test_a_judge_without_a_score_leaves_the_mean_to_the_others():
    # Only the second judge imagines a class that counts.
    seen, imagined = matrix_of([[ROAD]], [[ROAD]]), matrix_of([[ROAD]], [[CAR]])
    scores = jury_scores(np.stack([seen, imagined]), TABLE, ["road"])
    assert scores["mean_iou_judges"] == [None, 0.0]
    assert scores["mean_iou"] == 0.0
    counts = counts_of(np.stack([[seen], [imagined]]))
    in_mean = counted(TABLE.evaluated_names, ["road"])
    _, mean_iou = resampled(counts, np.ones((2, 1)), np.array([[1.0, 1.0], [2.0, 0.0]]), in_mean)
    assert mean_iou[0] == 0.0
    assert np.isnan(mean_iou[1])


def test_equal_to_cityscapes_own_evaluation(tmp_path):
    from cityscapesscripts.evaluation import evalPixelLevelSemanticLabeling as theirs

    rng = np.random.default_rng(4)
    # Every label of the table, void among them; some classes absent, one only imagined, blocks as in real label maps.
    present = [label for label in range(34) if label not in (31, 33)]
    truths, judged = [], []
    for index in range(4):
        ids = np.kron(rng.choice(present, (16, 32)), np.ones((4, 4), int)).astype(np.uint8)
        seen = np.where(rng.random(ids.shape) < 0.6, ids, rng.choice([*present, 33], ids.shape)).astype(np.uint8)
        for paths, name, pixels in ((truths, "truth", ids), (judged, "judged", seen)):
            paths.append(tmp_path / f"{name}_{index}.png")
            write_png(paths[-1], pixels)
    theirs.args.evalInstLevelScore, theirs.args.quiet, theirs.args.JSONOutput = False, True, False
    reference = theirs.evaluateImgLists([str(p) for p in judged], [str(p) for p in truths], theirs.args)

    classes = cityscapes_classes()
    scores = scores_of(measure(truths, judged, classes).sum(axis=0), classes)
    for name, iou in scores["iou"].items():
        assert np.isnan(reference["classScores"][name]) if iou is None else iou == reference["classScores"][name]
    assert scores["absent_classes"] == ["train"]
    assert scores["iou"]["bicycle"] == 0.0
    assert scores["mean_iou"] == pytest.approx(reference["averageScoreClasses"], abs=1e-15)
    for name, iou in scores["category_iou"].items():
        assert iou == reference["categoryScores"][name]
    assert scores["category_mean_iou"] == pytest.approx(reference["averageScoreCategories"], abs=1e-15)
