"""The class table of a user's drawings, told from their colours or ids: part of `pix2street doctor`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from pix2street.core.archives import Source
from pix2street.core.class_tables import HEADER, NAMED_TABLES, VOID_ROW, read_class_table, voc_color, with_void
from pix2street.core.classes import ClassTable
from pix2street.core.decoding import Stored
from pix2street.core.errors import UserError
from pix2street.core.numbering import FAMILIES, evaluated_share

MAX_DRAWN_COLORS = 40
"""The most colours, of 16 levels a channel, that nine tenths of a drawing with classes may take."""

MIN_FLATNESS = 0.5
"""The least share of a drawing's pixels that equal their right neighbour. JPEG leaves 0.6, photos have 0.25 at most."""

MAX_COLOR_DISTANCE = 6.0
"""The mean RGB distance up to which a table's colours are those of a drawing; JPEG moves them by less."""

MIN_EVALUATED_SHARE = 0.5
"""The share of the pixels above which a table may be the drawings' own: those in classes that it evaluates."""

MIN_OCCURRING = 0.5
"""The least share of a table's evaluated classes that must occur before ids are taken for its own."""

MIN_COLOR_SHARE = 0.001
"""The least share of the pixels that makes a colour a class."""

OWN_TABLE = "classes.csv"


@dataclass(frozen=True)
class DrawnClasses:
    """The classes that drawings show, and the settings of `download.paired_folder` that read them.

    Args:
        label_pixels: the form in which pixels hold their class.
        table: a name that `classes` takes; `OWN_TABLE` where no table fits for certain.
        evaluated_share: the share of the pixels in classes that the table evaluates; 0 for `OWN_TABLE`.
        void_id: an id that must be added to the table; None for none.
        might_fit: the tables that fit, none of them for certain.
        rows: the lines of a CSV to be written as `OWN_TABLE`; empty where the table exists.
    """

    label_pixels: Literal["colors", "ids"]
    table: str
    evaluated_share: float = 0.0
    void_id: int | None = None
    might_fit: tuple[str, ...] = ()
    rows: tuple[str, ...] = ()


def are_drawn(images: Sequence[Stored]) -> bool:
    """Return whether the images are drawings with classes: flat, in few colours."""
    few = np.median([_count_colors(image.pixels) for image in images]) <= MAX_DRAWN_COLORS
    return bool(few and flatness(images) >= MIN_FLATNESS)


def flatness(images: Sequence[Stored]) -> float:
    """Return the share of pixels that equal their right neighbour."""
    return float(
        np.median([(np.atleast_3d(np.diff(image.pixels, axis=1)) == 0).all(axis=2).mean() for image in images])
    )


def _count_colors(pixels: np.ndarray) -> int:
    """Return how many colours, of 16 levels a channel, nine tenths of the pixels take."""
    coarse = (pixels // 16).astype(np.int32) @ np.array([256, 16, 1]) if pixels.ndim == 3 else pixels
    counts = np.sort(np.bincount(coarse.ravel()))[::-1]
    return int(np.searchsorted(counts.cumsum(), 0.9 * coarse.size)) + 1


def find_classes(source: Source, drawings: Sequence[Stored], may_be_ids: bool) -> DrawnClasses:
    """Find the table that drawings follow: one in the source, else one that has a name, else a new one.

    Args:
        drawings: images for which `are_drawn` is true.
        may_be_ids: whether drawings are separate files; only then can pixels of one channel be class ids.
    """
    label_pixels = "ids" if may_be_ids and all(drawing.pixels.ndim == 2 for drawing in drawings) else "colors"
    shares = _id_shares(drawings) if label_pixels == "ids" else {}
    own = _tables_in(source, label_pixels)
    fits = {name: _fit(table, drawings, shares) for name, table in {**_named_tables(shares), **own}.items()}
    fits = {name: share for name, share in fits.items() if share > MIN_EVALUATED_SHARE}
    if best := _best(fits, own, shares):
        lacks_void = 255 in shares and best in NAMED_TABLES and not NAMED_TABLES[best]().known[255]
        return DrawnClasses(label_pixels, best, fits[best], void_id=255 if lacks_void else None)
    rows = _rows_of_ids(shares) if label_pixels == "ids" else _rows_of_colors(drawings)
    return DrawnClasses(label_pixels, OWN_TABLE, might_fit=tuple(fits), rows=tuple(rows))


def _tables_in(source: Source, label_pixels: Literal["colors", "ids"]) -> dict[str, ClassTable]:
    """Return the class tables among the source's files, by name."""
    tables = {}
    for name, content in source.read([name for name in source.names if name.lower().endswith(".csv")]):
        try:
            tables[name] = read_class_table(content, name, label_pixels)
        except UserError:  # some other table
            continue
    return tables


def _named_tables(shares: Mapping[int, float]) -> dict[str, ClassTable]:
    """Return the tables that have a name, with 255 as void where it occurs; for colours one of each family."""
    if not shares:
        return {names[0]: NAMED_TABLES[names[0]]() for names in FAMILIES}
    tables = {name: make() for name, make in NAMED_TABLES.items()}
    return {
        name: with_void(table, 255) if 255 in shares and not table.known[255] else table
        for name, table in tables.items()
    }


def _id_shares(drawings: Sequence[Stored]) -> dict[int, float]:
    """Return the share of the pixels that each id takes, of those that occur."""
    counts = sum(np.bincount(drawing.pixels.ravel(), minlength=256) for drawing in drawings)
    return {int(i): float(counts[i] / counts.sum()) for i in np.flatnonzero(counts)}


def _fit(table: ClassTable, drawings: Sequence[Stored], shares: Mapping[int, float]) -> float:
    """Return the share of pixels in evaluated classes; 0 where the drawings do not follow this table."""
    if shares:
        return evaluated_share(table, shares) if all(table.known[i] for i in shares) else 0.0
    snapped = [table.snap(drawing.pixels) for drawing in drawings]
    if np.mean([distance.mean() for _, distance in snapped]) > MAX_COLOR_DISTANCE:
        return 0.0
    return evaluated_share(table, _id_shares([Stored(ids) for ids, _ in snapped]))


def _best(fits: Mapping[str, float], own: Mapping[str, ClassTable], shares: Mapping[int, float]) -> str:
    """Return the user's table, else the named one that scores most pixels; empty where two families may be meant."""
    if mine := [name for name in fits if name in own]:
        return mine[0]
    # The numbers from 0 to 150 fit nearly every set of ids: most classes of a table must occur.
    seen = {name: _occurring(name, shares) if shares else 1.0 for name in fits}
    families = [max((seen.get(name, 0.0) for name in names), default=0.0) for names in FAMILIES]
    first, second = sorted(families)[:-3:-1]
    if first < MIN_OCCURRING or second > first / 2:
        return ""
    (family,) = (names for names, occurring in zip(FAMILIES, families, strict=True) if occurring == first)
    return max((name for name in fits if name in family), key=fits.get)


def _occurring(name: str, shares: Mapping[int, float]) -> float:
    """Return the share of a named table's evaluated classes that occur."""
    evaluated = {entry.id for entry in NAMED_TABLES[name]().entries if entry.evaluated}
    return len(evaluated & shares.keys()) / len(evaluated)


def _rows_of_ids(shares: Mapping[int, float]) -> list[str]:
    """Return a header, and a row for each id in the colours of PASCAL VOC."""
    names = {0: "background", max(shares): "object"} if len(shares) == 2 and 0 in shares else {}
    rows = [HEADER]
    for number, i in enumerate(shares):
        if i == 255 and not names:
            rows.append(VOID_ROW)
            continue
        rows.append(f"{i},{names.get(i, f'class_{i}')},{','.join(map(str, voc_color(number)))},1")
    return rows


def _rows_of_colors(drawings: Sequence[Stored]) -> list[str]:
    """Return a header, and a row for each frequent colour, the most frequent first."""
    pixels = np.concatenate([drawing.pixels.reshape(-1, 3) for drawing in drawings])
    colors, counts = np.unique(pixels, axis=0, return_counts=True)
    kept = [colors[i] for i in counts.argsort()[::-1] if counts[i] >= MIN_COLOR_SHARE * len(pixels)][:255]
    return [HEADER, *(f"{i},class_{i},{','.join(map(str, color))},1" for i, color in enumerate(kept))]
