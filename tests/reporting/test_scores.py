import pytest

from pix2street.reporting.scores import score_rows, shortfall, title_of_score

GENERATED = {"images": 8, "l1": 0.2, "swd": 60.0, "swd_16": 90.0, "swd_128": 30.0, "swd_64": 40.0, "color_spread": 0.1}
REAL = {"images": 8, "l1": 0.0, "swd": 0.0, "swd_16": 0.0, "swd_128": 0.0, "swd_64": 0.0, "color_spread": 1.0}


def test_levels_are_rows_from_fine_to_coarse_after_their_mean():
    rows = score_rows({"generated": GENERATED, "ceiling": REAL}, {"images": 4, "swd": 35.0})
    names = [row["name"] for row in rows]
    assert names.index(title_of_score("swd")) < names.index(title_of_score("swd_128"))
    assert [name for name in names if "level of" in name] == [
        f"sliced Wasserstein distance, level of {side} px" for side in (128, 64, 16)
    ]
    cells = {row["name"]: [value for value, _ in row["cells"]] for row in rows}
    assert cells[title_of_score("swd")] == ["60.000", "0.000", "35.000"]
    assert cells[title_of_score("swd_64")] == ["40.000", "0.000", "–"]


@pytest.mark.parametrize(
    ("key", "good", "bad"),
    [("swd", 1.0, 2.0), ("swd_64", 1.0, 2.0), ("mmd_segmenter", -0.1, 0.1), ("mean_iou", 0.4, 0.3),
     ("color_spread", 0.9, 1.2), ("contrast_spread", 1.1, 0.8), ("diversity", 0.2, 0.1), ("fid_tf_val80", 3.0, 4.0),
     ("frechet_light", 0.1, 0.2), ("cycle_l1", 0.1, 0.2), ("domain_accuracy", 0.9, 0.8)],
)  # fmt: skip
def test_shortfalls_know_the_direction_of_every_score(key, good, bad):
    assert shortfall(key, good) < shortfall(key, bad)
