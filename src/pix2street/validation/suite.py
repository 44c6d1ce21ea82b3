"""The suite of checks, as Great Expectations run it over the manifest."""

from collections.abc import Sequence
from dataclasses import dataclass

import great_expectations.expectations as gxe
import pandas as pd
from great_expectations.expectations.expectation import Expectation


@dataclass(frozen=True)
class Check:
    """One thing that must be true of the manifest, in words and as an expectation."""

    name: str
    expectation: Expectation


def with_derived_columns(manifest: pd.DataFrame, known_ids: Sequence[int], files: set[str]) -> pd.DataFrame:
    """The manifest and, row by row, what its checks need besides.

    `missing`: the names of columns without a value (`class_ids` may lack one where the set has no classes);
    `unknown_ids`: class ids that the table does not have, as text; `target_splits`: in how many splits the same target
    stands; `files_there`: whether input and target are among `files`.
    """
    needed = manifest if known_ids else manifest.drop(columns="class_ids")
    missing = [" ".join(needed.columns[row]) for row in needed.isna().to_numpy()]
    known = {str(class_id) for class_id in known_ids}
    unknown = [" ".join(i for i in ids.split() if i not in known) for ids in manifest["class_ids"].fillna("")]
    return manifest.assign(
        missing=missing,
        unknown_ids=unknown,
        target_splits=manifest.groupby("target_sha256")["split"].transform("nunique"),
        files_there=manifest["input_path"].isin(files) & manifest["target_path"].isin(files),
    )


def build_checks(
    *,
    classes: bool,
    height_px: int,
    width_px: int,
    min_pairs: dict[str, int],
    min_target_std: float,
    min_classes_in_input: int,
) -> list[Check]:
    """The checks of a manifest with its derived columns, in the order in which they are shown.

    Args:
        classes: whether inputs are class ids (one channel) or RGB.
        height_px, width_px: the working size that every image must have.
        min_pairs: rows each split must have at least; other splits may be empty.
    """
    checks = [
        Check("no value is missing", gxe.ExpectColumnValuesToBeInSet(column="missing", value_set=[""])),
    ]
    checks += [
        Check(
            f"{split} has at least {count} pairs",
            gxe.ExpectTableRowCountToBeBetween(
                min_value=count, row_condition=f'split=="{split}"', condition_parser="pandas"
            ),
        )
        for split, count in min_pairs.items()
    ]
    checks += [
        Check(
            "a pair is in train, val or test",
            gxe.ExpectColumnValuesToBeInSet(column="split", value_set=["train", "val", "test"]),
        ),
        Check("every pair_id is unique", gxe.ExpectColumnValuesToBeUnique(column="pair_id")),
        Check("input and target are on disk", gxe.ExpectColumnValuesToBeInSet(column="files_there", value_set=[True])),
        Check(f"images are {height_px} px high", _is("height_px", height_px)),
        Check(f"images are {width_px} px wide", _is("width_px", width_px)),
        Check("inputs have the right channels", _is("input_channels", 1 if classes else 3)),
        Check("targets have three channels", _is("target_channels", 3)),
        Check("no target stands in two splits", _is("target_splits", 1)),
        Check(
            f"photos are not blank (standard deviation at least {min_target_std:g})",
            gxe.ExpectColumnValuesToBeBetween(column="target_std", min_value=min_target_std),
        ),
    ]
    if classes:
        checks += [
            Check("class ids are in the table", gxe.ExpectColumnValuesToBeInSet(column="unknown_ids", value_set=[""])),
            Check(
                f"a drawing has at least {min_classes_in_input} classes",
                gxe.ExpectColumnValuesToBeBetween(column="class_count", min_value=min_classes_in_input),
            ),
        ]
    return checks


def _is(column: str, value: int) -> Expectation:
    return gxe.ExpectColumnValuesToBeInSet(column=column, value_set=[value])
