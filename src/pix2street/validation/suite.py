"""The suite of checks over the manifest with its derived columns, group by group in the order of the page."""

from collections.abc import Mapping
from dataclasses import dataclass

from pix2street.core.pairs import SUBSETS, TARGET_MODES, Dataset
from pix2street.settings.validate import Validate
from pix2street.validation.borders import BorderFindings
from pix2street.validation.check import (
    Check,
    among,
    at_least,
    at_most,
    largest_at_most,
    mean_at_least,
    pairs_at_least,
    unique,
)
from pix2street.validation.class_ids import IdFindings
from pix2street.validation.domains import DomainFindings, adapt, domain_checks
from pix2street.validation.modes import way_out_of

ONE_CHANNEL = (
    "If the one channel holds class ids, set download.paired_folder.form: folders and label_pixels: ids; if it holds "
    "a drawing in greys, save it as RGB."
)

IMAGE_MODES = ("RGB", "L", "P", "1")
"""Pillow's names of the modes in which images without classes may be stored that need no colour."""


@dataclass(frozen=True)
class Findings:
    """Figures of a whole set, found before its rows are checked.

    Args:
        ids: the findings in the class ids.
        borders: the findings on the borders of the drawings.
        target_modes: the number of targets stored in each mode.
        domains: the findings in the sizes of the domains.
    """

    ids: IdFindings
    borders: BorderFindings
    target_modes: Mapping[str, int]
    domains: DomainFindings


def build_checks(dataset: Dataset, found: Findings, size: tuple[int, int], limits: Validate) -> list[Check]:
    """Return the checks of a set's manifest in the order in which they are shown.

    Args:
        found: the figures of the whole set, from which the ways out follow.
        size: the working size, (height_px, width_px).
    """
    if dataset.classes:
        drawings = [*_class_checks(found.ids, limits), *_border_checks(found.borders, limits)]
    else:
        drawings = [Check("input_uniform", "inputs show something", at_least("input_std", limits.min_input_std))]
    checks = [
        *_file_checks(limits),
        *_format_checks(dataset, found.target_modes, size),
        *_shape_checks(limits),
        *drawings,
        *_target_checks(limits),
        *_copy_checks(limits),
        *(domain_checks(found.domains, limits) if dataset.domains else []),
        *_fit_checks(limits),
    ]
    return adapt(checks, dataset)


def _file_checks(limits: Validate) -> list[Check]:
    """Return the checks that every file is accounted for and that the subsets have pairs."""
    return [
        Check(
            "readable",
            "every file can be read and is half or whole of a pair",
            among("fault", ""),
            "Replace or remove the files; split.max_megapixels admits larger images.",
        ),
        Check("complete", "no value is missing", among("missing", "")),
        Check("train_pairs", "train has pairs", pairs_at_least("train", limits.min_train_pairs)),
        Check("val_pairs", "val has pairs", pairs_at_least("val", limits.min_val_pairs)),
        Check("split", "a pair is in train, val or test", among("split", *SUBSETS)),
        Check("unique_id", "every pair_id is unique", unique("pair_id")),
        Check("on_disk", "input and target are on disk", among("files_there", True)),
    ]


def _format_checks(dataset: Dataset, target_modes: Mapping[str, int], size: tuple[int, int]) -> list[Check]:
    """Return the checks that images have the working size and the channels and modes of their kind."""
    height_px, width_px = size
    channels = dataset.target_channels
    modes = IMAGE_MODES if dataset.input_from == "none" else TARGET_MODES[channels]
    wrong = {mode: count for mode, count in target_modes.items() if mode not in modes}
    return [
        Check("height", f"images are {height_px} px high", among("height_px", height_px)),
        Check("width", f"images are {width_px} px wide", among("width_px", width_px)),
        Check("input_channels", "inputs have the right channels", among("input_channels", 1 if dataset.classes else 3)),
        Check(
            "target_channels",
            f"targets have {'three channels' if channels == 3 else 'one channel'}",
            among("target_channels", channels),
        ),
        Check(
            "input_mode",
            "inputs are stored in a mode that fits",
            among("input_mode", *_input_modes(dataset)),
            ONE_CHANNEL if dataset.classes and dataset.label_pixels == "colors" else "",
        ),
        Check(
            "target_mode",
            f"targets are stored in 8-bit {'colour' if channels == 3 else 'grey'}",
            among("target_mode", *modes),
            way_out_of(target_modes if wrong else {}, channels),
        ),
    ]


def _input_modes(dataset: Dataset) -> tuple[str, ...]:
    """Return Pillow's modes in which inputs may be stored."""
    if dataset.classes is None:
        return IMAGE_MODES
    return ("L", "P", "1") if dataset.label_pixels == "ids" else ("RGB", "P", "1")


def _shape_checks(limits: Validate) -> list[Check]:
    """Return the checks that the stored images of a set resemble each other in size and shape."""
    return [
        Check("equal_sizes", "input and target are equally large", among("sizes_equal", True)),
        Check("size", "a pair is about as large as the others", at_most("size_ratio", limits.max_size_ratio)),
        Check("aspect", "a pair is shaped like the others", at_most("aspect_ratio", limits.max_aspect_ratio)),
    ]


def _class_checks(ids: IdFindings, limits: Validate) -> list[Check]:
    """Return the checks that drawings are read by the right class table."""
    return [
        Check("class_ids", "class ids are in the table", among("unknown", ""), ids.unknown),
        Check(
            "numbering",
            "class ids mean what the table says",
            largest_at_most("misread_share", limits.max_misread_share),
            ids.misread,
        ),
        Check("colors", "drawings have the table's colours", at_most("unknown_share", limits.max_unknown_share)),
        Check("class_count", "drawings have several classes", at_least("class_count", limits.min_classes_in_input)),
        Check(
            "class_balance",
            "classes are shared out alike in train and held-out subsets",
            largest_at_most("class_distance", limits.max_class_distance),
        ),
    ]


def _border_checks(borders: BorderFindings, limits: Validate) -> list[Check]:
    """Return the checks that drawings were neither smoothed nor saved with loss."""
    return [
        Check(
            "moved",
            "label colours are near those of their classes",
            at_most("moved_share", limits.max_moved_share),
            borders.moved,
        ),
        Check(
            "seams",
            "no class occurs only on the borders of others",
            largest_at_most("seam_share", limits.max_seam_share),
            borders.seam,
        ),
        Check(
            "between",
            "ids on borders are no averages of their neighbours",
            largest_at_most("between_ratio", limits.max_between_ratio),
            borders.between,
        ),
    ]


def _target_checks(limits: Validate) -> list[Check]:
    """Return the checks that each target is a photo from which something can be learned."""
    return [
        Check("dark", "photos are not too dark", at_least("target_mean", limits.min_target_mean)),
        Check("light", "photos are not too light", at_most("target_mean", limits.max_target_mean)),
        Check("uniform", "photos are not uniform", at_least("target_std", limits.min_target_std)),
        Check(
            "information", "photos hold information", at_least("target_entropy_bits", limits.min_target_entropy_bits)
        ),
        Check("sharp", "photos are not blurred", at_least("target_sharpness", limits.min_target_sharpness)),
    ]


def _copy_checks(limits: Validate) -> list[Check]:
    """Return the checks that nothing occurs twice and that no subset knows another."""
    return [
        Check("unique_pair", "no pair occurs twice", among("copies", 1)),
        Check("leak", "no target is in two subsets", among("target_splits", 1)),
        Check(
            "near_duplicate",
            "no target is nearly that of another subset",
            at_least("hash_distance", limits.min_hash_distance),
        ),
        Check("group", "no group (city, sequence) is in two subsets", among("group_splits", 1)),
    ]


def _fit_checks(limits: Validate) -> list[Check]:
    """Return the checks that inputs and targets belong together."""
    return [
        Check(
            "fit",
            "no two pairs agree better with their inputs exchanged",
            at_least("fit", limits.min_fit),
            "Look at each pair beside the one it is exchanged with, and give each its own input",
        ),
        Check(
            "outlier",
            "an input agrees with its own target about as well as with any other",
            at_least("lead", limits.min_lead),
            "Look whether input and target show the same; right pairs with few edges may be listed here too",
            tolerated_share=limits.max_outlier_share,
        ),
        Check(
            "shifted",
            "inputs and targets are not shifted against each other",
            mean_at_least("best_fit", limits.min_best_fit_share),
        ),
    ]
