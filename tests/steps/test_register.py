import json
from pathlib import Path

import pytest
from shipped import PARAMS

from pix2street.core.files import write_json
from pix2street.steps.register import as_text, decide, failures_of

ROOT = Path(__file__).parents[2]
GENERATED = {
    "images": 80,
    "l1": 0.25,
    "psnr": None,
    "mean_iou": 0.375,
    "mean_iou_interval": {"low": 0.25, "high": 0.5},
    "class_accuracy": 0.5,
    "mean_iou_judges": [0.25, 0.5],
    "iou": {"traffic light": 0.125, "train": None, "pole": 0.05},
    "fid_tf_val80": 90.0,
    "of_ceiling": {"mean_iou": 0.75},
}
PROTOCOL = {"pixels": {"version": 1}, "segmentation": {"not_judged": {"pole": {"share": 0.004, "iou": 0.0625}}}}
METRICS = {"generated": GENERATED, "judge": {"mean_iou": 0.5}, "protocol": PROTOCOL}
CLASSLESS = {"generated": {"images": 80, "l1": 0.25}, "judge": None, "protocol": {}}


SHIPPED = PARAMS.register_
LIST = "a list, whose values no limit can hold; mean_iou is the mean over the judges"


def decided(metrics=METRICS, **limits):
    none = {"max": {}, "min": {}, "min_of_ceiling": {}}
    return decide(metrics, "aa", SHIPPED.model_copy(update={**none, **limits}))


def one(**limits):
    decision = decided(**limits)
    (limit,) = decision["limits"]
    assert decision["accepted"] == (limit["passed"] is not False)
    return limit


@pytest.mark.parametrize(
    ("limits", "value", "passed"),
    [
        ({"max": {"l1": 0.25}}, 0.25, True),
        ({"max": {"l1": 0.2499999}}, 0.25, False),
        ({"min": {"class_accuracy": 0.5}}, 0.5, True),
        ({"min": {"class_accuracy": 0.5000001}}, 0.5, False),
        ({"min_of_ceiling": {"mean_iou": 0.75}}, 0.75, True),
        ({"min_of_ceiling": {"mean_iou": 0.7500001}}, 0.75, False),
        ({"max": {"fid_tf_val80": 100.0}}, 90.0, True),
        ({"min": {"iou.traffic light": 0.1}}, 0.125, True),
        ({"min": {"mean_iou_interval.low": 0.3}}, 0.25, False),
    ],
)
def test_a_value_at_its_limit_passes_and_beyond_it_fails(limits, value, passed):
    limit = one(**limits)
    assert (limit["value"], limit["passed"], limit["why"]) == (value, passed, "")


@pytest.mark.parametrize(
    ("limits", "why"),
    [
        ({"max": {"fid_tf_val500": 100.0}}, "not measured; set evaluate.fid (measured: fid_tf_val80)"),
        ({"max": {"kid_clean_val80": 1.0}}, "not measured; set evaluate.fid (measured: fid_tf_val80)"),
        ({"min": {"usefulness": 0.5}}, "not measured; set evaluate.usefulness to true"),
        ({"max": {"L1": 1.0}}, "no score of this name; measured: images, l1, mean_iou, class_accuracy, fid_tf_val80"),
        ({"min": {"psnr": 1.0}}, "has no value in these photos"),
        ({"min": {"iou.train": 0.1}}, "has no value in these photos"),
        ({"min": {"iou.tram": 0.1}}, "no class or part of this name; iou has traffic light, train, pole"),
        ({"min_of_ceiling": {"class_accuracy": 0.1}}, "has no share of the ceiling"),
        ({"min_of_ceiling": {"fid": 0.1}}, "no score of this name; measured: mean_iou"),
        ({"min": {"mean_iou_judges": 0.1}}, LIST),
        ({"min": {"mean_iou_judges.0": 0.1}}, LIST),
        ({"min_of_ceiling": {"mean_iou_judges": 0.1}}, LIST),
        ({"min": {"l1.low": 0.1}}, "has no value in these photos"),
    ],
)
def test_a_limit_without_a_value_fails_and_says_why(limits, why):
    limit = one(**limits)
    assert (limit["value"], limit["passed"], limit["why"]) == (None, False, why)


@pytest.mark.parametrize("limits", [{"min": {"iou.pole": 0.01}}, {"max": {"iou.pole": 1.0}},
                                    {"min_of_ceiling": {"iou.pole": 0.1}}])  # fmt: skip
def test_no_limit_can_hold_a_class_that_is_not_judged(limits):
    limit = one(**limits)
    assert limit["passed"] is False
    assert limit["why"].startswith("not judged: the judges see it in real photos with IoU 0.062 only; remove the limit")
    (line,) = failures_of(decided(**limits))
    assert line.endswith(limit["why"])
    judged = {**METRICS, "protocol": {"segmentation": {"not_judged": {}}}}
    assert not decided(judged, **limits)["limits"][0]["why"].startswith("not judged")


def test_one_failed_limit_of_many_refuses_the_model():
    decision = decided(max={"l1": 0.3, "fid_tf_val80": 50.0}, min_of_ceiling={"mean_iou": 0.8})
    assert not decision["accepted"]
    assert failures_of(decision) == [
        "register.max.fid_tf_val80: 90, must be at most 50",
        "register.min_of_ceiling.mean_iou: 0.75, must be at least 0.8 of the ceiling",
    ]
    first, *rows = as_text(decision).splitlines()
    assert first == "refused"
    assert [line.split()[-1] for line in rows[1:]] == ["passed", "failed", "failed"]


def test_what_a_judge_sees_does_not_apply_to_a_set_without_classes():
    near = {"mean_iou": 0.3, "iou.car": 0.3, "diversity": 0.1, "usefulness": 0.5}
    far = {"l1": 0.3, "frechet_segmenter": 2.0, "mmd_segmenter": 2.0, "mmd_segmenter_judges": 2.0}
    decision = decided(CLASSLESS, max=far, min=near, min_of_ceiling={"mean_iou": 0.7})
    assert decision["accepted"]
    assert [limit["passed"] for limit in decision["limits"]] == [True, *[None] * 8]
    assert as_text(decision).count("does not apply: the data set has no classes") == 8


def test_other_limits_do_apply_to_a_set_without_classes():
    assert not decided(CLASSLESS, max={"l1": 0.2})["accepted"]
    decision = decided(CLASSLESS, max={"fid_tf_val80": 100.0}, min={"mean_iuo": 0.3})
    assert [limit["passed"] for limit in decision["limits"]] == [False, False]


def test_a_gate_that_holds_nothing_says_so():
    assert as_text(decided()) == "accepted: no limit is written in `register`"
    first = as_text(decided(CLASSLESS, min_of_ceiling={"mean_iou": 0.7})).splitlines()[0]
    assert first == "accepted: no limit applies to this data set"


def test_the_decision_names_what_was_measured_and_how(tmp_path):
    decision = decided(max={"l1": 0.25})
    assert decision["weights_sha256"] == "aa"
    assert decision["protocol"] != decided({**METRICS, "protocol": {"pixels": {"version": 2}}})["protocol"]
    write_json(tmp_path / "decision.json", decision)


def test_the_shipped_limits_accept_the_shipped_run_and_refuse_what_costs_nothing():
    metrics = json.loads((ROOT / "reports/evaluate/metrics.json").read_text())
    verdicts = {
        name: decide({**metrics, "generated": scores}, "aa", SHIPPED)["accepted"]
        for name, scores in {"generated": metrics["generated"], **metrics["baselines"]}.items()
    }
    assert verdicts == {"generated": True, "mean_color": False, "untrained": False}
