import numpy as np
import pytest

from pix2street.core.classes import ClassEntry, ClassTable, cityscapes_classes
from pix2street.core.errors import UserError
from pix2street.core.images import write_png
from pix2street.metrics import METRICS, Samples
from pix2street.metrics.segmentation import confusion_matrix, counts_of, measure, resampled, scores_of

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
    scores = METRICS["segmentation"].score(Samples({}, matrices, TABLE))
    assert scores["mean_iou"] == scores_of(matrices.sum(axis=0), TABLE)["mean_iou"]
    for name in ("mean_iou", "pixel_accuracy"):
        assert scores[f"{name}_interval"]["low"] < scores[name] < scores[f"{name}_interval"]["high"]


def test_a_resample_of_every_image_once_is_the_score_itself():
    rng = np.random.default_rng(3)
    matrices = np.stack([matrix_of(*rng.choice([ROAD, VOID, CAR], (2, 6, 6))) for _ in range(4)])
    accuracy, mean_iou = resampled(counts_of(matrices), np.ones((1, 4)))
    scores = scores_of(matrices.sum(axis=0), TABLE)
    assert accuracy[0] == pytest.approx(scores["pixel_accuracy"])
    assert mean_iou[0] == pytest.approx(scores["mean_iou"])


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
