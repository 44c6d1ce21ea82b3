"""Inputs: an image of any kind becomes the pixels that a generator takes, or an error says why it cannot."""

from pathlib import Path
from typing import Literal

import numpy as np

from pix2street.core.borders import between_ratio, describe_borders
from pix2street.core.classes import ClassTable
from pix2street.core.decoding import Stored, read_stored, refuse_deep
from pix2street.core.errors import UserError
from pix2street.core.images import grey
from pix2street.core.numbering import table_of_unknown
from pix2street.core.pairs import split_side_by_side
from pix2street.inference.card import GeneratorCard

Half = Literal["left", "right", "whole"]
HALVES: tuple[Half, ...] = ("left", "right", "whole")

SNAP_TOLERANCE = 32.0
"""The RGB distance up to which a colour is taken for its class's, as JPEG moves colours; `split.snap_tolerance` too."""

MAX_UNKNOWN_SHARE = 0.05
"""The share of pixels that may be further than that from every class; `validate.max_unknown_share` too."""

MAX_BETWEEN_RATIO = 0.5
"""The limit of `borders.between_ratio`; higher than `validate.max_between_ratio`, since one drawing has few borders."""

MIN_TOUCHING_PX = 64
"""The number of pixels between two other classes below which their order says nothing."""

PAIR_ASPECT_TOLERANCE = 0.02
"""The relative difference up to which an image has the aspect ratio of a side-by-side pair."""


def read_input(card: GeneratorCard, path: Path, half: Half | None = None) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return the pixels of the file at `path`, as `to_input` does, and notes on changes by reading.

    An image with a palette is read as colours, or as class ids if only its indices are ids of classes.

    Raises:
        UserError: `to_input` fails, or the file is not an image, is broken, or has more than 8 bits a channel.
    """
    classes = card.encoding.classes
    stored = read_stored(path, ids=classes is not None)
    refuse_deep(stored.mode, str(path))
    if classes and stored.mode in ("P", "1"):
        colors = read_stored(path, ids=False)
        if _is_label_map(classes, colors.pixels) or not classes.known[stored.pixels].all():
            stored = colors
    return to_input(card, stored, str(path), half), stored.notes


def to_input(card: GeneratorCard, stored: Stored, name: str, half: Half | None = None) -> np.ndarray:
    """Return the pixels that a generator takes.

    Args:
        stored: an image; one channel holds class ids where the generator has classes, else grey.
        name: the image's name in errors.
        half: which half of a side-by-side pair is the input; "whole" for an image that only looks like a pair.

    Returns:
        Class ids `[H, W]` uint8 where the generator has classes, else RGB `[H, W, 3]` uint8.

    Raises:
        UserError: the image looks like a pair and `half` is None, it cannot be halved, its colours or ids are not
            those of the generator's classes, or it is transparent where a class is needed.
    """
    classes = card.encoding.classes
    if half in ("left", "right"):
        try:
            stored, _ = split_side_by_side(stored, half)
        except ValueError as error:
            raise UserError(f"{name}: {error}, or say --half whole") from error
    elif (
        half is None
        and card.input_from != "reduced"
        and _looks_paired(card, stored.pixels)
        and not (classes and _is_label_map(classes, stored.pixels))
    ):
        height, width = stored.pixels.shape[:2]
        raise UserError(
            f"{name}: is {width}x{height} px, so for its height it is twice as wide as the {card.width_px}x"
            f"{card.height_px} px that the generator was trained on, like an input and its target side by side; say "
            "--half left or --half right for the half that is the input, or --half whole if it is no pair"
        )
    pixels = stored.pixels
    if classes:
        if fault := stored.label_fault():
            raise UserError(f"{name}: {fault}")
        return _to_ids(classes, pixels, name)
    rgb = pixels if pixels.ndim == 3 else np.repeat(pixels[..., None], 3, axis=2)
    return grey(rgb) if card.input_from == "grey" else rgb


def _looks_paired(card: GeneratorCard, stored: np.ndarray) -> bool:
    height, width = stored.shape[:2]
    ratio = (width / height) / (2 * card.width_px / card.height_px)
    return width % 2 == 0 and abs(ratio - 1) <= PAIR_ASPECT_TOLERANCE


def _is_label_map(classes: ClassTable, stored: np.ndarray) -> bool:
    return stored.ndim == 2 or _unknown_share(classes, stored) <= MAX_UNKNOWN_SHARE


def _unknown_share(classes: ClassTable, colors: np.ndarray) -> float:
    return float((classes.snap(colors)[1] > SNAP_TOLERANCE).mean())


def _to_ids(classes: ClassTable, stored: np.ndarray, name: str) -> np.ndarray:
    if stored.ndim == 2:
        if unknown := [int(value) for value in np.unique(stored) if not classes.known[value]]:
            known = ", ".join(f"{entry.id} {entry.name}" for entry in classes.entries)
            values, counts = np.unique(stored, return_counts=True)
            other = table_of_unknown(classes, dict(zip(values.tolist(), counts.tolist(), strict=True)))
            looks = f"; they look like those of {other.name}, which must be renumbered" if other else ""
            raise UserError(
                f"{name}: holds ids that no class of the generator has: {unknown}{looks}; the classes are {known}"
            )
        columns = describe_borders(stored)
        ratio = between_ratio(columns["touching_share"], columns["between_share"])
        if ratio > MAX_BETWEEN_RATIO and columns["touching_share"] * stored.size >= MIN_TOUCHING_PX:
            raise UserError(
                f"{name}: {ratio:.0%} of the ids on its borders lie between their neighbours', the "
                f"limit is {MAX_BETWEEN_RATIO:.0%}; averaged ids are the ids of other classes: resize by nearest "
                "neighbour and save as PNG"
            )
        return stored
    ids, distances = classes.snap(stored)
    share = float((distances > SNAP_TOLERANCE).mean())
    if share > MAX_UNKNOWN_SHARE:
        values, counts = np.unique(stored[distances > SNAP_TOLERANCE], axis=0, return_counts=True)
        red, green, blue = values[counts.argmax()].tolist()
        raise UserError(
            f"{name}: {share:.0%} of its pixels have the colour of no class of the generator, the limit is "
            f"{MAX_UNKNOWN_SHARE:.0%} (the most frequent is {red}, {green}, {blue}); give a label map in the classes' "
            "colours, or as one channel of their ids"
        )
    return ids
