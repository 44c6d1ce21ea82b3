import pytest

from pix2street.metrics.domains import by_target, means_of, table_of

OF_DOMAINS = {
    "dusk": {
        "generated": {"l1": 0.1, "l1_interval": {"low": 0, "high": 1}, "images": 4, "iou": {"car": 0.5},
                      "mean_iou": 0.3, "domain_accuracy": 0.9, "of_ceiling": {"mean_iou": 0.5, "class_accuracy": 1},
                      "fid_tf_val4": 8.0, "fid_tf_val4_std": 1.0, "frechet_light": None},
        "ceiling": {"l1": 0.0, "mean_iou": 0.6},
        "baselines": {"unchanged": {"l1": 0.2}, "untrained": {"l1": 0.5}},
    },
    "night": {
        "generated": {"l1": 0.3, "domain_accuracy": 0.7, "frechet_light": 2.0},
        "baselines": {"unchanged": {"l1": 0.4}},
    },
}  # fmt: skip


def test_scores_are_kept_by_target_with_their_shares():
    targets = by_target(OF_DOMAINS)
    assert targets["dusk"]["generated"] == {
        "l1": 0.1, "mean_iou": 0.3, "domain_accuracy": 0.9, "fid_tf_val4": 8.0, "l1_of_unchanged": 0.5,
        "mean_iou_of_ceiling": 0.5,
    }  # fmt: skip
    assert targets["dusk"]["ceiling"] == {"l1": 0.0, "mean_iou": 0.6}
    assert targets["dusk"]["unchanged"]["l1_of_unchanged"] == 1
    assert list(targets["night"]) == ["generated", "unchanged"]


def test_without_exact_targets_there_is_no_l1():
    metrics = {"generated": {"swd": 3.0}, "baselines": {"unchanged": {"swd": 4.0}}}
    assert by_target({"B": metrics}) == {"B": {"generated": {"swd": 3.0}, "unchanged": {"swd": 4.0}}}


def test_means_are_of_scores_that_every_domain_has():
    means = means_of(by_target(OF_DOMAINS))
    assert means["generated"] == pytest.approx({"l1": 0.2, "domain_accuracy": 0.8, "l1_of_unchanged": 0.625})
    assert means["ceiling"] == {}
    assert means["unchanged"] == pytest.approx({"l1": 0.3, "l1_of_unchanged": 1})


def test_the_table_has_a_row_for_each_domain_and_set():
    table = table_of(by_target(OF_DOMAINS))
    assert list(table.columns[:4]) == ["to", "photos", "domain_accuracy", "l1"]
    rows = table.set_index(["to", "photos"])
    assert len(rows) == 6
    assert rows.loc[("night", "generated"), "l1"] == 0.3
    assert list(table_of({})) == ["to", "photos"]
