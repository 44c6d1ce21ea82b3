import json

import numpy as np
import pandas as pd
import pytest

from pix2street.classes import cityscapes_classes
from pix2street.errors import UserError
from pix2street.images import write_png
from pix2street.pairs import Dataset, read_manifest, write_manifest
from pix2street.steps.validate import passed, refuse_failures, validate_split

LIMITS = {
    "height_px": 32, "width_px": 48, "min_train_pairs": 3, "min_val_pairs": 2, "min_target_std": 5.0,
    "min_classes_in_input": 2,
}  # fmt: skip


def row(index: int, split: str) -> dict:
    return {
        "pair_id": f"pair_{index}", "split": split, "group": "g",
        "input_path": f"{split}/inputs/pair_{index}.png", "target_path": f"{split}/targets/pair_{index}.png",
        "source_sha256": f"s{index}", "input_sha256": f"i{index}", "target_sha256": f"t{index}",
        "source_height_px": 64, "source_width_px": 96, "height_px": 32, "width_px": 48, "input_channels": 1,
        "target_channels": 3, "changed_share": 0.0, "snapped_share": 0.0, "class_ids": "7 23", "class_count": 2,
        "input_std": 8.0, "target_mean": 100.0, "target_std": 40.0,
    }  # fmt: skip


@pytest.fixture
def good(tmp_path):
    """A folder with five sound pairs."""
    Dataset("d", "D", "", "", "right", None, cityscapes_classes()).write(tmp_path)
    rows = [row(i, "train" if i < 3 else "val") for i in range(5)]
    for path in (path for r in rows for path in (r["input_path"], r["target_path"])):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        write_png(tmp_path / path, np.zeros((2, 2), np.uint8))
    write_manifest(tmp_path, rows)
    return tmp_path


def change(folder, pair: str, **values) -> None:
    manifest = read_manifest(folder).set_index("pair_id", drop=False).astype(object)
    for column, value in values.items():
        manifest.loc[pair, column] = value
    write_manifest(folder, manifest.to_dict("records"))


def test_sound_pairs_pass_and_the_verdict_is_stable(good, tmp_path):
    verdict = validate_split(good, **LIMITS)
    assert verdict["success"], verdict
    assert verdict["pairs"] == {"train": 3, "val": 2}
    assert all(check["checked"] > 0 for check in verdict["checks"])
    assert json.dumps(verdict) == json.dumps(validate_split(good, **LIMITS))
    refuse_failures(verdict, good)


@pytest.mark.parametrize(
    ("fault", "check"),
    [
        ({"target_sha256": "t4"}, "no target stands in two splits"),
        ({"height_px": 31}, "images are 32 px high"),
        ({"width_px": 64}, "images are 48 px wide"),
        ({"input_channels": 3}, "inputs have the right channels"),
        ({"target_channels": 1}, "targets have three channels"),
        ({"class_ids": "7 99", "class_count": 2}, "class ids are in the table"),
        ({"class_ids": "7", "class_count": 1}, "a drawing has at least 2 classes"),
        ({"target_std": 0.5}, "photos are not blank (standard deviation at least 5)"),
        ({"group": None}, "no value is missing"),
        ({"class_ids": None}, "no value is missing"),
        ({"split": "dev"}, "a pair is in train, val or test"),
        ({"pair_id": "pair_4"}, "every pair_id is unique"),
        ({"target_path": "train/targets/gone.png"}, "input and target are on disk"),
    ],
)
def test_each_fault_is_found_with_its_row(good, fault, check):
    change(good, "pair_0", **fault)
    verdict = validate_split(good, **{**LIMITS, "min_train_pairs": 2})
    failed = {found["name"]: found for found in verdict["checks"] if not found["success"]}
    assert list(failed) == [check]
    assert fault.get("pair_id", "pair_0") in failed[check]["offending"]
    with pytest.raises(UserError) as error:
        refuse_failures(verdict, good)
    assert check in str(error.value)
    assert fault.get("pair_id", "pair_0") in str(error.value)


def test_a_split_without_rows_fails(good):
    manifest = read_manifest(good)
    write_manifest(good, manifest[manifest["split"] == "train"].to_dict("records"))
    verdict = validate_split(good, **LIMITS)
    assert [check["name"] for check in verdict["checks"] if not check["success"]] == ["val has at least 2 pairs"]
    with pytest.raises(UserError, match="val has at least 2 pairs"):
        refuse_failures(verdict, good)


def test_an_empty_manifest_fails(good):
    pd.DataFrame(columns=read_manifest(good).columns).to_csv(good / "manifest.csv", index=False)
    assert not validate_split(good, **LIMITS)["success"]


def test_a_set_without_classes_needs_none(good):
    Dataset("d", "D", "", "", "right", None, None).write(good)
    rows = [
        {**r, "class_ids": "", "class_count": 0, "input_channels": 3} for r in read_manifest(good).to_dict("records")
    ]
    write_manifest(good, rows)
    assert validate_split(good, **LIMITS)["success"]


def test_great_expectations_pages_are_built_beside_it(good, tmp_path):
    validate_split(good, **LIMITS, data_docs=tmp_path / "docs")
    assert (tmp_path / "docs/index.html").exists()


def test_what_later_stages_wait_for_follows_the_data_alone(good):
    before = passed(good)
    change(good, "pair_0", target_mean=99.0)
    assert passed(good) != before
