import numpy as np
import pytest

from pix2street.core.classes import ClassEntry, ClassTable
from pix2street.metrics import segmentation, usefulness
from pix2street.metrics.bootstrap import interval_of, resamples

NAMES = ("road", "sky", "pole")
TABLE = ClassTable(tuple(ClassEntry(id, name, (id, id, id), True) for id, name in enumerate(NAMES)))


def photo(right: list[int], wrong: int) -> np.ndarray:
    """Return the confusion matrix of a photo: `right` pixels of each class, and `wrong` ones of road seen as sky."""
    matrix = np.zeros((4, 4), np.int32)
    matrix[range(3), range(3)] = right
    matrix[0, 1] = wrong
    return matrix


REAL = np.stack([photo([8, 9, 1], 2), photo([6, 7, 3], 1), photo([9, 9, 0], 0)])
POOR = np.stack([photo([4, 9, 1], 6), photo([3, 7, 3], 4), photo([2, 9, 0], 7)])


def test_equal_judgements_have_a_share_of_exactly_one():
    scores = usefulness.score({"real": REAL, "generated": REAL.copy()}, TABLE)
    assert scores["generated"] == scores["real"]
    assert scores["real"]["share_of_real"] == 1
    assert scores["real"]["share_of_real_interval"] == {"low": 1, "high": 1}


def test_a_control_has_its_mean_iou_its_share_and_the_iou_of_each_class():
    scores = usefulness.score({"real": REAL, "generated": POOR}, TABLE)
    # Road, sky, pole: right / (right + wrong).
    real, poor = np.mean([23 / 26, 25 / 28, 1]), np.mean([9 / 26, 25 / 42, 1])
    assert scores["real"]["mean_iou"] == pytest.approx(real)
    assert scores["generated"]["mean_iou"] == pytest.approx(poor)
    assert scores["generated"]["share_of_real"] == pytest.approx(poor / real)
    assert scores["generated"]["iou"] == pytest.approx({"road": 9 / 26, "sky": 25 / 42, "pole": 1})


def test_a_class_that_is_not_judged_is_in_no_mean_but_has_its_iou():
    scores = usefulness.score({"real": REAL, "generated": POOR}, TABLE, not_judged={"pole": {}})
    assert scores["generated"]["mean_iou"] == pytest.approx(np.mean([9 / 26, 25 / 42]))
    assert scores["generated"]["iou"]["pole"] == 1
    assert scores["generated"]["mean_iou_interval"]["high"] < 25 / 42


def test_intervals_are_over_photos_and_pair_the_controls():
    scores = usefulness.score({"real": REAL, "generated": POOR}, TABLE)
    weights = resamples(len(REAL)), resamples(1)
    counts = [segmentation.counts_of(matrices[None]) for matrices in (REAL, POOR)]
    drawn = [segmentation.resampled(of_judge, *weights, np.ones(3, bool))[1] for of_judge in counts]
    assert scores["generated"]["mean_iou_interval"] == interval_of(drawn[1])
    assert scores["generated"]["share_of_real_interval"] == interval_of(drawn[1] / drawn[0])


def test_a_judge_that_learns_nothing_from_real_photos_gives_no_shares():
    nothing = np.zeros((2, 4, 4), np.int32)
    nothing[:, 0, 1] = nothing[:, 1, 0] = 5
    scores = usefulness.score({"real": nothing, "generated": REAL[:2]}, TABLE)
    assert scores["real"]["mean_iou"] == 0
    assert scores["generated"]["share_of_real"] is None
    assert scores["generated"]["share_of_real_interval"] is None
