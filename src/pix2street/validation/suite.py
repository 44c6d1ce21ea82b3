"""The suite of checks, as Great Expectations run it over the manifest with its derived columns."""

from collections.abc import Mapping
from dataclasses import dataclass

import great_expectations.expectations as gxe
from great_expectations.expectations.expectation import Expectation

from pix2street.core.pairs import SPLITS, TARGET_MODES, Dataset
from pix2street.validation.borders import BorderFindings
from pix2street.validation.class_ids import IdFindings
from pix2street.validation.modes import way_out_of

ONE_CHANNEL = (
    "Where one channel holds class ids, set download.paired_folder.form: folders and label_pixels: ids; where it holds "
    "a drawing in greys, save it as RGB."
)
TOLERATED_ROWS = 2


@dataclass(frozen=True)
class Findings:
    """What is found over a whole set before its rows are checked.

    Args:
        target_modes: how many targets are stored in each mode.
    """

    ids: IdFindings
    borders: BorderFindings
    target_modes: Mapping[str, int]


@dataclass(frozen=True)
class Check:
    """One thing that must be true of the manifest.

    Args:
        key: the name by which it can be waived.
        rule: in words.
        way_out: what the user can do where the check fails; empty where the rule says it all.
        tolerated_share: of the rows checked; up to it (and always up to `TOLERATED_ROWS`) offenders are a warning and
            fail nothing. None where any offender fails the check.
    """

    key: str
    rule: str
    expectation: Expectation
    way_out: str = ""
    tolerated_share: float | None = None


def build_checks(
    dataset: Dataset,
    found: Findings,
    *,
    height_px: int,
    width_px: int,
    min_train_pairs: int,
    min_val_pairs: int,
    max_size_ratio: float,
    max_aspect_ratio: float,
    max_unknown_share: float,
    min_classes_in_input: int,
    min_input_std: float,
    min_target_mean: float,
    max_target_mean: float,
    min_target_std: float,
    min_target_entropy_bits: float,
    min_target_sharpness: float,
    min_hash_distance: int,
    max_class_distance: float,
    max_misread_share: float,
    max_moved_share: float,
    max_seam_share: float,
    max_between_ratio: float,
    min_fit: float,
    min_lead: float,
    max_outlier_share: float,
    min_best_fit_share: float,
) -> list[Check]:
    """The checks of a set's manifest in the order in which they are shown.

    Args:
        found: over the whole set; the other arguments are the limits of `validate`.
    """
    channels = dataset.target_channels
    return [
        Check(
            "readable",
            "every file can be read and is half or whole of a pair",
            _among("fault", ""),
            "Replace or remove the files; split.max_megapixels admits larger images.",
        ),
        Check("complete", "no value is missing", _among("missing", "")),
        _count("train", min_train_pairs),
        _count("val", min_val_pairs),
        Check("split", "a pair is in train, val or test", _among("split", *SPLITS)),
        Check("unique_id", "every pair_id is unique", gxe.ExpectColumnValuesToBeUnique(column="pair_id")),
        Check("on_disk", "input and target are on disk", _among("files_there", True)),
        Check("height", f"images are {height_px} px high", _among("height_px", height_px)),
        Check("width", f"images are {width_px} px wide", _among("width_px", width_px)),
        Check(
            "input_channels", "inputs have the right channels", _among("input_channels", 1 if dataset.classes else 3)
        ),
        Check(
            "target_channels",
            f"targets have {'three channels' if channels == 3 else 'one channel'}",
            _among("target_channels", channels),
        ),
        Check(
            "input_mode",
            "inputs are stored in a mode that fits",
            _among("input_mode", *_input_modes(dataset)),
            ONE_CHANNEL if dataset.classes and dataset.label_pixels == "colors" else "",
        ),
        Check(
            "target_mode",
            f"targets are stored in 8-bit {'colour' if channels == 3 else 'grey'}",
            _among("target_mode", *TARGET_MODES[channels]),
            way_out_of(found.target_modes, channels),
        ),
        Check("equal_sizes", "input and target are equally large", _among("sizes_equal", True)),
        Check("size", "a pair is about as large as the others", _at_most("size_ratio", max_size_ratio)),
        Check("aspect", "a pair is shaped like the others", _at_most("aspect_ratio", max_aspect_ratio)),
        *(
            _class_checks(found.ids, max_unknown_share, min_classes_in_input, max_class_distance, max_misread_share)
            if dataset.classes
            else ()
        ),
        *(_border_checks(found.borders, max_moved_share, max_seam_share, max_between_ratio) if dataset.classes else ()),
        *(
            ()
            if dataset.classes
            else [Check("input_uniform", "inputs show something", _at_least("input_std", min_input_std))]
        ),
        Check("dark", "photos are not too dark", _at_least("target_mean", min_target_mean)),
        Check("light", "photos are not too light", _at_most("target_mean", max_target_mean)),
        Check("uniform", "photos are not uniform", _at_least("target_std", min_target_std)),
        Check("information", "photos hold information", _at_least("target_entropy_bits", min_target_entropy_bits)),
        Check("sharp", "photos are not blurred", _at_least("target_sharpness", min_target_sharpness)),
        Check("unique_pair", "no pair stands twice", _among("copies", 1)),
        Check("leak", "no target stands in two splits", _among("target_splits", 1)),
        Check("near_duplicate", "no target nearly stands in two splits", _at_least("hash_distance", min_hash_distance)),
        Check("group", "no group (city, sequence) stands in two splits", _among("group_splits", 1)),
        Check(
            "fit",
            "no two pairs agree better with their inputs exchanged",
            _at_least("fit", min_fit),
            "Look at each pair beside the one it is exchanged with, and give both their own inputs",
        ),
        Check(
            "outlier",
            "an input agrees with its own target about as well as with any other",
            _at_least("lead", min_lead),
            "Look whether input and target show the same; right pairs with few edges may stand here too",
            tolerated_share=max_outlier_share,
        ),
        Check(
            "shifted",
            "inputs and targets are not shifted against each other",
            gxe.ExpectColumnMeanToBeBetween(column="best_fit", min_value=min_best_fit_share),
        ),
    ]


def _class_checks(
    ids: IdFindings,
    max_unknown_share: float,
    min_classes_in_input: int,
    max_class_distance: float,
    max_misread_share: float,
) -> list[Check]:
    return [
        Check("class_ids", "class ids are in the table", _among("unknown", ""), ids.unknown),
        Check(
            "numbering",
            "class ids mean what the table says",
            gxe.ExpectColumnMaxToBeBetween(column="misread_share", max_value=max_misread_share),
            ids.misread,
        ),
        Check("colors", "drawings have the table's colours", _at_most("unknown_share", max_unknown_share)),
        Check("class_count", "drawings have several classes", _at_least("class_count", min_classes_in_input)),
        Check(
            "class_balance",
            "classes are shared out alike in train and held-out splits",
            gxe.ExpectColumnMaxToBeBetween(column="class_distance", max_value=max_class_distance),
        ),
    ]


def _border_checks(
    borders: BorderFindings, max_moved_share: float, max_seam_share: float, max_between_ratio: float
) -> list[Check]:
    return [
        Check(
            "moved",
            "label colours are near those of their classes",
            _at_most("moved_share", max_moved_share),
            borders.moved,
        ),
        Check(
            "seams",
            "no class lives on the borders of others alone",
            gxe.ExpectColumnMaxToBeBetween(column="seam_share", max_value=max_seam_share),
            borders.seam,
        ),
        Check(
            "between",
            "ids on borders are no averages of their neighbours",
            gxe.ExpectColumnMaxToBeBetween(column="between_ratio", max_value=max_between_ratio),
            borders.between,
        ),
    ]


def _input_modes(dataset: Dataset) -> tuple[str, ...]:
    if dataset.classes is None:
        return ("RGB", "L", "P", "1")
    return ("L", "P", "1") if dataset.label_pixels == "ids" else ("RGB", "P", "1")


def _count(split: str, least: int) -> Check:
    rows = gxe.ExpectTableRowCountToBeBetween(
        min_value=least, row_condition=f'pair_of=="{split}"', condition_parser="pandas"
    )
    return Check(f"{split}_pairs", f"{split} has pairs", rows)


def _among(column: str, *values) -> Expectation:
    return gxe.ExpectColumnValuesToBeInSet(column=column, value_set=list(values))


def _at_least(column: str, least: float) -> Expectation:
    return gxe.ExpectColumnValuesToBeBetween(column=column, min_value=least)


def _at_most(column: str, most: float) -> Expectation:
    return gxe.ExpectColumnValuesToBeBetween(column=column, max_value=most)
