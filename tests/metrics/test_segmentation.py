import numpy as np
import pytest

from pix2street.classes import VOID
from pix2street.metrics.segmentation import confusion_matrix, scores_of

NAMES = ["road", "car", "sky"]


def test_worked_by_hand():
    truth = np.array([[[0, 0, 1], [1, 1, VOID]]], np.uint8)
    judged = np.array([[[0, 1, 1], [1, 0, 0]]], np.uint8)
    matrix = confusion_matrix(truth, judged, 3)
    assert matrix.tolist() == [[1, 1, 0], [1, 2, 0], [0, 0, 0]]
    scores = scores_of(matrix, NAMES)
    assert scores["pixel_accuracy"] == pytest.approx(3 / 5)
    assert scores["class_accuracy"] == pytest.approx((1 / 2 + 2 / 3) / 2)
    assert scores["iou"] == pytest.approx({"road": 1 / 3, "car": 2 / 4})
    assert scores["mean_iou"] == pytest.approx((1 / 3 + 1 / 2) / 2)
    assert scores["absent_classes"] == ["sky"]


def test_identical_maps_score_one():
    truth = np.random.default_rng(0).integers(0, 2, (3, 8, 8)).astype(np.uint8)
    scores = scores_of(confusion_matrix(truth, truth, 3), NAMES)
    assert scores["pixel_accuracy"] == scores["class_accuracy"] == scores["mean_iou"] == 1.0


def test_a_class_that_is_only_imagined_has_iou_zero_but_no_accuracy():
    truth, judged = np.zeros((1, 1, 2), np.uint8), np.array([[[0, 2]]], np.uint8)
    scores = scores_of(confusion_matrix(truth, judged, 3), NAMES)
    assert scores["iou"] == {"road": 0.5, "sky": 0.0}
    assert scores["class_accuracy"] == 0.5


def test_rows_are_truth_and_columns_are_judged():
    truth, judged = np.array([[[0]]], np.uint8), np.array([[[1]]], np.uint8)
    assert confusion_matrix(truth, judged, 3)[0, 1] == 1


def test_matrices_of_parts_add_up():
    rng = np.random.default_rng(1)
    truth, judged = rng.integers(0, 3, (2, 6, 4, 4)).astype(np.uint8)
    parts = confusion_matrix(truth[:2], judged[:2], 3) + confusion_matrix(truth[2:], judged[2:], 3)
    assert (parts == confusion_matrix(truth, judged, 3)).all()


def test_all_void_has_no_score():
    truth = np.full((1, 2, 2), VOID, np.uint8)
    scores = scores_of(confusion_matrix(truth, np.zeros_like(truth), 3), NAMES)
    assert scores["mean_iou"] is scores["pixel_accuracy"] is scores["class_accuracy"] is None


def test_unlike_shapes_and_places_out_of_range_are_refused():
    zeros = np.zeros((1, 2, 2), np.uint8)
    with pytest.raises(ValueError, match="must be equal"):
        confusion_matrix(zeros, zeros[:, :1], 3)
    with pytest.raises(ValueError, match="below 3, met 7"):
        confusion_matrix(zeros, zeros + 7, 3)
