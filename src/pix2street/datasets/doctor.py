"""What a user's folder or archive would be read as, before anything is run: `pix2street doctor`. Nothing is written."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from pix2street.core.accounting import account_of
from pix2street.core.archives import Source, open_source
from pix2street.core.class_tables import HEADER, NAMED_TABLES, VOID_ROW, read_class_table, voc_color, with_void
from pix2street.core.classes import ClassTable
from pix2street.core.errors import UserError
from pix2street.core.images import Stored, decode_stored
from pix2street.core.numbering import FAMILIES, evaluated_share
from pix2street.core.pairs import SPLITS, group_of, split_side_by_side
from pix2street.core.yaml import as_yaml
from pix2street.datasets.arrangement import Arrangement, arrange, propose
from pix2street.datasets.own_images import images_of
from pix2street.settings.download import Download

SAMPLE = 32
"""So many pairs are looked into; of all others only the names are read."""

MIN_SEAM = 2.5
"""How much more an image must change at its middle than between other columns to be two images side by side."""

MAX_DRAWN_COLORS = 40
"""The most colours, of 16 levels a channel, that nine tenths of a drawing with classes may take."""

MIN_FLATNESS = 0.5
"""The least share of a drawing's pixels that equal their right neighbour. JPEG leaves 0.6, photos have 0.25 at most."""

MAX_COLOR_DISTANCE = 6.0
"""The mean RGB distance up to which a table's colours are those of a drawing; JPEG moves them by less."""

MIN_EVALUATED_SHARE = 0.5
MIN_OCCURRING = 0.5
"""The least share of a table's evaluated classes that must occur before ids are taken for its own."""

MAX_SIDE_PX = 256
MULTIPLE_PX = 16
OWN_TABLE = "classes.csv"
GROUP_PATTERNS = ("^([^_]+)_", "^([^-]+)-", "^(.+)[_-][^_-]+$")
SHOWN = 3


@dataclass
class Diagnosis:
    """What was found.

    Args:
        rows: a word and what it is, in the order in which they are shown.
        settings: what to put into `params.yaml`, section by section.
        class_table: the lines of a CSV that the settings name and nobody has written; empty for none.
        problem: why nothing can be trained on it as it is; empty where it can.
    """

    rows: list[tuple[str, str]] = field(default_factory=list)
    settings: dict[str, Any] = field(default_factory=dict)
    class_table: list[str] = field(default_factory=list)
    problem: str = ""

    def say(self, word: str, text: str) -> None:
        self.rows.append((word, text))

    def as_text(self) -> str:
        """Return the table, and the block of YAML below it."""
        width = max(len(word) for word, _ in self.rows)
        lines = [f"{word:<{width}}  {text}" for word, text in self.rows]
        if self.settings:
            lines += ["", "To train on it, put this into params.yaml:", "", as_yaml(self.settings)]
        if self.class_table:
            name = self.settings["download"]["paired_folder"]["classes"]
            lines += [
                "",
                f"and this beside the images as {name}, with the names of your classes:",
                "",
                *self.class_table,
            ]
        return "\n".join(lines)


@dataclass(frozen=True)
class _Sample:
    """Some pairs: inputs, None where an image is whole or a photo alone, and targets."""

    inputs: list[Stored]
    targets: list[Stored]
    broken: list[str]


def diagnose(path: Path, download: Download) -> Diagnosis:
    """Look at a source and say what it is.

    Args:
        download: the limits of archives and how names are read, as they are set now.

    Raises:
        UserError: nothing is there, it cannot be opened, or it holds no image.
    """
    found = Diagnosis()
    found.say("source", str(path))
    with open_source(path, download.limits) as source:
        images, others = images_of(source)
        naming = download.own_images.model_dump(exclude={"title", "licence", "home_page"})
        folders = download.paired_folder.model_dump(include={"input_folder", "target_folder"})
        proposal = propose(path, images, form="right", **folders, **naming)
        found.settings = {"download": {"dataset": "paired_folder", "path": str(path), **deepcopy(proposal.changes)}}
        if proposal.arrangement is None:
            found.problem = proposal.refusals[-1]
            found.say("files", f"{len(images)} images, {len(others)} other files")
            found.settings = {}
            return found
        arrangement, form = proposal.arrangement, proposal.changes.get("paired_folder", {}).get("form", "right")
        found.say("files", account_of(arrangement.places, others | arrangement.left_out))
        for note in arrangement.notes:
            found.say("names", note)
        sample = _look_at_pairs(found, source, arrangement, form)
        if sample.targets:
            _describe_images(found, "inputs", sample.inputs)
            _describe_images(found, "targets", sample.targets)
            _propose_size(found, sample.targets)
            _propose_classes(found, source, sample.inputs, form)
            changed = {key: value for section in proposal.changes.values() for key, value in section.items()}
            _propose_groups(found, path, images, {**naming, **folders, "form": form, **changed})
    return found


def _look_at_pairs(found: Diagnosis, source: Source, arrangement: Arrangement, form: str) -> _Sample:
    """Read some pairs, and settle whether whole images are two halves or photos alone."""
    counts = Counter(place.split("/")[0] for name, place in arrangement.places.items() if "/inputs/" not in place)
    found.say("pairs", ", ".join(f"{counts[split]} {split}" for split in SPLITS if counts[split]))
    if form == "folders":
        found.say("layout", "inputs and targets are files of their own")
        return _read_sides(source, arrangement)
    names = _spread(sorted(arrangement.places))
    images, broken = _read(source, names, ids=False)
    found.say("looked at", _looked_at(images.values(), broken))
    if np.median([_seam(image.pixels) for image in images.values()] or [0]) < MIN_SEAM:
        found.say("layout", "photos alone: nothing changes at their middle")
        found.say("task", "black-and-white to colour; or set download.dataset: sketches for sketch to photo")
        found.settings["download"].pop("paired_folder", None)
        found.settings["download"]["dataset"] = "colorization"
        return _Sample([], list(images.values()), broken)
    halves = [split_side_by_side(image, "left") for image in images.values() if image.pixels.shape[1] % 2 == 0]
    left, right = zip(*halves, strict=True)
    drawn = "left" if _flatness(left) > _flatness(right) else "right"
    found.say(
        "layout",
        f"side by side: {drawn} the drawing, the other half its photo"
        if _are_drawn(left if drawn == "left" else right)
        else "side by side; neither half is a drawing of classes, so say which one is the input (form: left or right)",
    )
    found.settings["download"].setdefault("paired_folder", {})["form"] = drawn
    if drawn == "right":
        halves = [(target, drawing) for drawing, target in halves]
    return _Sample([half for half, _ in halves], [half for _, half in halves], broken)


def _read_sides(source: Source, arrangement: Arrangement) -> _Sample:
    inputs = {place: name for name, place in arrangement.places.items() if "/inputs/" in place}
    targets = {place: name for name, place in arrangement.places.items() if "/targets/" in place}
    pairs = [(name, targets.get(place.replace("/inputs/", "/targets/"))) for place, name in sorted(inputs.items())]
    pairs = _spread([pair for pair in pairs if pair[1]])
    drawings, broken = _read(source, [name for name, _ in pairs], ids=True)
    photos, more = _read(source, [name for _, name in pairs], ids=False)
    whole = [pair for pair in pairs if pair[0] in drawings and pair[1] in photos]
    return _Sample([drawings[name] for name, _ in whole], [photos[name] for _, name in whole], broken + more)


def _read(source: Source, names: Iterable[str], ids: bool) -> tuple[dict[str, Stored], list[str]]:
    """Return the images that can be read, by name, and what is wrong with the others."""
    images, broken = {}, []
    for name, content in source.read(list(names)):
        try:
            images[name] = decode_stored(content, name, ids)
        except UserError as error:
            broken.append(str(error))
    return images, broken


def _spread(items: list) -> list:
    """Return at most `SAMPLE` of the items, evenly from first to last."""
    places = np.unique(np.linspace(0, len(items) - 1, min(SAMPLE, len(items))).astype(int)) if items else []
    return [items[place] for place in places]


def _looked_at(images: Iterable[Stored], broken: list[str]) -> str:
    text = f"{len(list(images))} images"
    return f"{text}, {len(broken)} cannot be read: {'; '.join(broken[:SHOWN])}" if broken else text


def _seam(pixels: np.ndarray) -> float:
    """Return how much more an image changes at its middle than between its other columns."""
    changes = np.abs(np.diff(pixels.astype(np.int16), axis=1)).mean(axis=(0, 2))
    return float(changes[pixels.shape[1] // 2 - 1] / max(np.median(changes), 0.5)) if len(changes) > 2 else 0.0


def _are_drawn(images: Sequence[Stored]) -> bool:
    """Return whether the images are drawings with classes: flat, in few colours."""
    few = np.median([_colors(image.pixels) for image in images]) <= MAX_DRAWN_COLORS
    return bool(few and _flatness(images) >= MIN_FLATNESS)


def _flatness(images: Sequence[Stored]) -> float:
    """Return the share of pixels that equal their right neighbour."""
    return float(
        np.median([(np.atleast_3d(np.diff(image.pixels, axis=1)) == 0).all(axis=2).mean() for image in images])
    )


def _colors(pixels: np.ndarray) -> int:
    """Return how many colours, of 16 levels a channel, nine tenths of the pixels take."""
    coarse = (pixels // 16).astype(np.int32) @ np.array([256, 16, 1]) if pixels.ndim == 3 else pixels
    counts = np.sort(np.bincount(coarse.ravel()))[::-1]
    return int(np.searchsorted(counts.cumsum(), 0.9 * coarse.size)) + 1


def _describe_images(found: Diagnosis, side: str, images: list[Stored]) -> None:
    """Say sizes, modes and what reading did."""
    if not images:
        return
    sizes = Counter(f"{image.pixels.shape[1]}x{image.pixels.shape[0]}" for image in images)
    modes = Counter(image.mode for image in images)
    notes = Counter(note for image in images for note in image.notes)
    parts = [_counted(sizes, "px"), _counted(modes, ""), _counted(notes, "")]
    found.say(side, "; ".join(part for part in parts if part))


def _counted(counts: Counter[str], unit: str) -> str:
    shown = [f"{word}{unit and ' ' + unit} ({count})" for word, count in counts.most_common(SHOWN)]
    return ", ".join(shown + ([f"{len(counts) - SHOWN} more"] if len(counts) > SHOWN else []))


def _propose_size(found: Diagnosis, targets: list[Stored]) -> None:
    (height, width), _ = Counter(image.pixels.shape[:2] for image in targets).most_common(1)[0]
    scale = min(1.0, MAX_SIDE_PX / height)
    sides = [max(2, round(side * scale / MULTIPLE_PX)) * MULTIPLE_PX for side in (height, width)]
    found.settings["split"] = {"height_px": sides[0], "width_px": sides[1]}
    if all(image.mode in ("L", "1") for image in targets):
        found.settings["split"]["target_mode"] = "grey"


def _propose_classes(found: Diagnosis, source: Source, inputs: list[Stored], form: str) -> None:
    """Find the table of the drawings, where the inputs are drawings with classes."""
    if found.settings["download"]["dataset"] != "paired_folder":
        return
    settings = found.settings["download"].setdefault("paired_folder", {})
    ids = form == "folders" and all(drawing.pixels.ndim == 2 for drawing in inputs)
    if not _are_drawn(inputs):
        found.say("classes", "none: the inputs have too many colours to be drawings with classes")
        settings["classes"] = "none"
        return
    settings["label_pixels"] = "ids" if ids else "colors"
    if fault := next((fault for drawing in inputs if (fault := drawing.label_fault())), None):
        found.say("fault", f"a drawing {fault}")
    shares = _id_shares(inputs) if ids else {}
    own = _tables_in(source, settings["label_pixels"])
    fits = {name: _fits(table, inputs, shares) for name, table in {**_named(shares), **own}.items()}
    fits = {name: share for name, share in fits.items() if share > MIN_EVALUATED_SHARE}
    if best := _best(fits, own, shares):
        settings["classes"] = best
        if 255 in shares and best in NAMED_TABLES and not NAMED_TABLES[best]().known[255]:
            settings["void_id"] = 255
        what = f"the {settings['label_pixels']} of {best}"
        found.say("classes", f"{what}; {fits[best]:.0%} of the pixels are of classes that scores count")
        return
    settings["classes"] = OWN_TABLE
    found.class_table = _rows_of_ids(shares) if ids else _rows_of_colors(inputs)
    others = f" for certain ({', '.join(fits)} would fit)" if fits else ""
    found.say(
        "classes", f"of no table that has a name{others}; the {len(found.class_table) - 1} found are listed below"
    )


def _tables_in(source: Source, label_pixels: str) -> dict[str, ClassTable]:
    tables = {}
    for name, content in source.read([name for name in source.names if name.lower().endswith(".csv")]):
        try:
            tables[name] = read_class_table(content, name, label_pixels)
        except UserError:  # some other table
            continue
    return tables


def _named(shares: Mapping[int, float]) -> dict[str, ClassTable]:
    """Return the tables that go by a name, with 255 as void where it occurs; for colours one of each family."""
    if not shares:
        return {names[0]: NAMED_TABLES[names[0]]() for names in FAMILIES}
    tables = {name: make() for name, make in NAMED_TABLES.items()}
    return {
        name: with_void(table, 255) if 255 in shares and not table.known[255] else table
        for name, table in tables.items()
    }


def _id_shares(inputs: list[Stored]) -> dict[int, float]:
    counts = sum(np.bincount(drawing.pixels.ravel(), minlength=256) for drawing in inputs)
    return {int(i): float(counts[i] / counts.sum()) for i in np.flatnonzero(counts)}


def _fits(table: ClassTable, inputs: list[Stored], shares: Mapping[int, float]) -> float:
    """Return the share of pixels in evaluated classes; 0 where the drawings are not of this table."""
    if shares:
        return evaluated_share(table, shares) if all(table.known[i] for i in shares) else 0.0
    snapped = [table.snap(drawing.pixels) for drawing in inputs]
    if np.mean([distance.mean() for _, distance in snapped]) > MAX_COLOR_DISTANCE:
        return 0.0
    return evaluated_share(table, _id_shares([Stored(ids) for ids, _ in snapped]))


def _best(fits: Mapping[str, float], own: Mapping[str, ClassTable], shares: Mapping[int, float]) -> str:
    """Return the table that is meant: the user's, else the one that scores most; empty where two families may be."""
    if mine := [name for name in fits if name in own]:
        return mine[0]
    # By numbers alone a table of 150 classes fits nearly everything: most of a table must occur.
    seen = {name: _occurring(name, shares) if shares else 1.0 for name in fits}
    families = [max((seen.get(name, 0.0) for name in names), default=0.0) for names in FAMILIES]
    first, second = sorted(families)[:-3:-1]
    if first < MIN_OCCURRING or second > first / 2:
        return ""
    (family,) = (names for names, occurring in zip(FAMILIES, families, strict=True) if occurring == first)
    return max((name for name in fits if name in family), key=fits.get)


def _occurring(name: str, shares: Mapping[int, float]) -> float:
    """Return the share of a table's evaluated classes that occur."""
    evaluated = {entry.id for entry in NAMED_TABLES[name]().entries if entry.evaluated}
    return len(evaluated & shares.keys()) / len(evaluated)


def _rows_of_ids(shares: Mapping[int, float]) -> list[str]:
    names = {0: "background", max(shares): "object"} if len(shares) == 2 and 0 in shares else {}
    rows = [HEADER]
    for number, i in enumerate(shares):
        if i == 255 and not names:
            rows.append(VOID_ROW)
            continue
        rows.append(f"{i},{names.get(i, f'class_{i}')},{','.join(map(str, voc_color(number)))},1")
    return rows


def _rows_of_colors(inputs: list[Stored]) -> list[str]:
    """Return a row for each colour of at least a thousandth of the pixels, the most frequent first."""
    pixels = np.concatenate([drawing.pixels.reshape(-1, 3) for drawing in inputs])
    colors, counts = np.unique(pixels, axis=0, return_counts=True)
    kept = [colors[i] for i in counts.argsort()[::-1] if counts[i] >= 0.001 * len(pixels)][:255]
    return [HEADER, *(f"{i},class_{i},{','.join(map(str, color))},1" for i, color in enumerate(kept))]


def _propose_groups(found: Diagnosis, path: Path, images: list[str], settings: dict[str, Any]) -> None:
    """Where pairs would be divided at random, find what frames of one sequence or city have in common."""
    try:
        arrange(path, images, **{**settings, "split_shares": None})
    except UserError:
        pass
    else:
        return
    ids = {place.rpartition("/")[2] for place in arrange(path, images, **settings).places.values()}
    for pattern in GROUP_PATTERNS:
        try:
            arrangement = arrange(path, images, **{**settings, "group_pattern": pattern})
        except UserError:
            continue
        groups = len({group_of(pair_id, pattern) for pair_id in ids})
        if 3 <= groups <= len(ids) / 2:
            counts = Counter(place.split("/")[0] for place in arrangement.places.values())
            shares = ", ".join(f"{counts[split]} {split}" for split in SPLITS if counts[split])
            found.say("groups", f"{groups} of names that begin alike, each kept in one split: {shares}")
            found.settings["download"].setdefault("own_images", {})["group_pattern"] = pattern
            return
