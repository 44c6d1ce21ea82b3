import numpy as np

from pix2street.metrics import METRICS, Samples


def score(names: list[int], target: int) -> dict:
    return METRICS["domain_accuracy"].score(Samples(named=(np.array(names), target)))


def test_the_share_named_as_the_target_counts():
    assert score([1, 1, 0, 2], 1)["domain_accuracy"] == 0.5
    assert score([1, 1, 0, 2], 2)["domain_accuracy"] == 0.25
    assert score([2, 0, 1, 1], 1)["domain_accuracy"] == 0.5
    assert score([0, 0], 0) == {"domain_accuracy": 1.0, "domain_accuracy_interval": {"low": 1.0, "high": 1.0}}


def test_the_interval_covers_the_choice_of_photos():
    within = score([1] * 30 + [0] * 10, 1)["domain_accuracy_interval"]
    assert 0.55 < within["low"] < 0.75 < within["high"] < 0.95


def test_photos_that_no_classifier_saw_have_no_score():
    assert METRICS["domain_accuracy"].score(Samples()) == {}
