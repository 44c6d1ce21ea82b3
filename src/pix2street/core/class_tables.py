"""Class tables by name, and as people write them: one message names all mistakes in a file, with their lines."""

import codecs
import csv
import io
import re
import unicodedata
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache, partial
from typing import Literal

import numpy as np

from pix2street.core.classes import VOID, ClassEntry, ClassTable, cityscapes_classes
from pix2street.core.errors import UserError

COLUMNS = ("id", "name", "red", "green", "blue", "evaluated")
HEADER = ",".join(COLUMNS)
VOID_ROW = "255,void,0,0,0,0"
WHOLE_NUMBER = re.compile(r"[+-]?[0-9]+(\.0*)?")
FLAGS = {"true": True, "yes": True, "false": False, "no": False}
SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "bars"}
RULES = {
    "id": "no two classes may share an id",
    "name": "no two classes may share a name, in upper or lower case",
    "colour": "no two classes of a drawing in colours may share a colour",
}
MAX_NAME_CHARACTERS = 100
FAULTS_SHOWN = 10

PASCAL_VOC = (
    "background", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow", "diningtable",
    "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor",
)  # fmt: skip
ADE20K = (
    "wall", "building", "sky", "floor", "tree", "ceiling", "road", "bed", "windowpane", "grass", "cabinet", "sidewalk",
    "person", "earth", "door", "table", "mountain", "plant", "curtain", "chair", "car", "water", "painting", "sofa",
    "shelf", "house", "sea", "mirror", "rug", "field", "armchair", "seat", "fence", "desk", "rock", "wardrobe", "lamp",
    "bathtub", "railing", "cushion", "base", "box", "column", "signboard", "chest of drawers", "counter", "sand",
    "sink", "skyscraper", "fireplace", "refrigerator", "grandstand", "path", "stairs", "runway", "case", "pool table",
    "pillow", "screen door", "stairway", "river", "bridge", "bookcase", "blind", "coffee table", "toilet", "flower",
    "book", "hill", "bench", "countertop", "stove", "palm", "kitchen island", "computer", "swivel chair", "boat", "bar",
    "arcade machine", "hovel", "bus", "towel", "light", "truck", "tower", "chandelier", "awning", "streetlight",
    "booth", "television receiver", "airplane", "dirt track", "apparel", "pole", "land", "bannister", "escalator",
    "ottoman", "bottle", "buffet", "poster", "stage", "van", "ship", "fountain", "conveyer belt", "canopy", "washer",
    "plaything", "swimming pool", "stool", "barrel", "basket", "waterfall", "tent", "bag", "minibike", "cradle", "oven",
    "ball", "food", "step", "tank", "trade name", "microwave", "pot", "animal", "bicycle", "lake", "dishwasher",
    "screen", "blanket", "sculpture", "hood", "sconce", "vase", "traffic light", "tray", "ashcan", "fan", "pier",
    "crt screen", "plate", "monitor", "bulletin board", "shower", "radiator", "glass", "clock", "flag",
)  # fmt: skip
"""The 150 classes of the scene parsing benchmark (Zhou et al. 2017), the most frequent first."""
ADE20K_COLORS = bytes.fromhex(
    "787878 b47878 06e6e6 503232 04c803 787850 8c8c8c cc05ff e6e6e6 04fa07 e005ff ebff07 96053d 787846 08ff33 ff0652"
    "8fff8c ccff04 ff3307 cc4603 0066c8 3de6fa ff0633 0b66ff ff4707 ff09e0 0907e6 dcdcdc ff095c 7009ff 08ffd6 07ffe0"
    "ffb806 0aff47 ff290a 07ffff e0ff08 6608ff ff3d06 ffc207 ff7a08 00ff14 ff0829 ff0599 0633ff eb0cff a09614 00a3ff"
    "8c8c8c fa0a0f 14ff00 1fff00 ff1f00 ffe000 99ff00 0000ff ff4700 00ebff 00adff 1f00ff 0bc8c8 ff5200 00fff5 003dff"
    "00ff70 00ff85 ff0000 ffa300 ff6600 c2ff00 008fff 33ff00 0052ff 00ff29 00ffad 0a00ff adff00 00ff99 ff5c00 ff00ff"
    "ff00f5 ff0066 ffad00 ff0014 ffb8b8 001fff 00ff3d 0047ff ff00cc 00ffc2 00ff52 000aff 0070ff 3300ff 00c2ff 007aff"
    "00ffa3 ff9900 00ff0a ff7000 8fff00 5200ff a3ff00 ffeb00 08b8aa 8500ff 00ff5c b800ff ff001f 00b8ff 00d6ff ff0070"
    "5cff00 00e0ff 70e0ff 46b8a0 a300ff 9900ff 47ff00 ff00a3 ffcc00 ff008f 00ffeb 85ff00 ff00eb f500ff ff007a fff500"
    "0abed4 d6ff00 00ccff 1400ff ffff00 0099ff 0029ff 00ffcc 2900ff 29ff00 ad00ff 00f5ff 4700ff 7a00ff 00ffb8 005cff"
    "b8ff00 0085ff ffd600 19c2c2 66ff00 5c00ff"
)
"""The benchmark's own colours, three bytes a class."""


@lru_cache
def cityscapes_train_ids() -> ClassTable:
    """Return Cityscapes' 19 evaluated classes by their trainId, and 255 for all else."""
    from cityscapesscripts.helpers.labels import trainId2label

    labels = [trainId2label[number] for number in range(19)]
    classes = [ClassEntry(label.trainId, label.name, tuple(label.color), True, label.category) for label in labels]
    return ClassTable((*classes, _void(255)))


@lru_cache
def pascal_voc() -> ClassTable:
    """Return PASCAL VOC's 20 classes and the background, in its colours, and 255 for the outlines."""
    classes = [ClassEntry(number, name, voc_color(number), True) for number, name in enumerate(PASCAL_VOC)]
    return ClassTable((*classes, replace(_void(255), color=voc_color(255))))


@lru_cache
def ade20k(first_id: Literal[0, 1]) -> ClassTable:
    """Return ADE20K's 150 classes in its colours.

    Args:
        first_id: the id of `wall`: 1 as in the benchmark's files, where 0 is everything else; or 0, and 255 is
            everything else.
    """
    colors = np.frombuffer(ADE20K_COLORS, np.uint8).reshape(-1, 3).tolist()
    named = enumerate(zip(ADE20K, colors, strict=True), first_id)
    classes = [ClassEntry(class_id, name, tuple(color), True) for class_id, (name, color) in named]
    return ClassTable((_void(0), *classes) if first_id else (*classes, _void(255)))


NAMED_TABLES: dict[str, Callable[[], ClassTable]] = {
    "cityscapes": cityscapes_classes,
    "cityscapes_evaluated": partial(cityscapes_classes, evaluated_only=True),
    "cityscapes_train_ids": cityscapes_train_ids,
    "pascal_voc": pascal_voc,
    "ade20k": partial(ade20k, 1),
    "ade20k_from_zero": partial(ade20k, 0),
}


def with_void(table: ClassTable, void_id: int) -> ClassTable:
    """Return the table with `void_id` as void: the id of pixels that nobody labelled, which no score counts.

    Raises:
        UserError: an evaluated class has this id.
    """
    known = next((entry for entry in table.entries if entry.id == void_id), None)
    if known is None:
        names = {entry.name.casefold() for entry in table.entries}
        void = _void(void_id)
        return ClassTable((*table.entries, replace(void, name=f"void {void_id}") if "void" in names else void))
    if known.evaluated:
        raise UserError(
            f"download.paired_folder.void_id: {void_id} is the id of {known.name}, which scores count; choose the id "
            "of the pixels that nobody labelled, or null"
        )
    void = replace(known, category="void")
    return ClassTable(tuple(void if entry is known else entry for entry in table.entries))


def shared_colors(table: ClassTable) -> list[tuple[str, str]]:
    """Return the pairs of evaluated classes that share a colour, the first class of each colour in front."""
    first: dict[tuple[int, int, int], str] = {}
    scored = [entry for entry in table.entries if entry.evaluated]
    names = [(first.setdefault(entry.color, entry.name), entry.name) for entry in scored]
    return [(one, other) for one, other in names if one != other]


def read_class_table(content: bytes, name: str, label_pixels: Literal["colors", "ids"]) -> ClassTable:
    """Return the class table that the CSV file `name` holds.

    A byte order mark, any line ends, spaces around values, quotes, empty rows, columns in any order, further columns,
    `true` and `false`, and `1.0` for 1 are all understood.

    Args:
        label_pixels: `colors`: the inputs hold the classes' colours, so no two classes may share one.

    Raises:
        UserError: the file is no such table; it names the lines.
    """
    (line, header), *rows = _records(_text(content, name), name)
    columns = _columns(header, f"{name}, line {line}")
    found: list[tuple[int, ClassEntry]] = []
    faults: list[tuple[int, str]] = []
    for line, values in rows:
        try:
            found.append((line, _entry(columns, values)))
        except ValueError as error:
            faults.append((line, str(error)))
    _refuse(name, [*faults, *_doubles(found, label_pixels)])
    entries = tuple(entry for _, entry in found)
    evaluated = sum(entry.evaluated for entry in entries)
    if not entries:
        raise UserError(f"{name}: holds no class; write a row for each below the header {HEADER}")
    if not evaluated:
        raise UserError(
            f"{name}: no class is evaluated, so that nothing could be scored; write 1 in the column evaluated of the "
            "classes that scores count, or set download.paired_folder.classes: none for inputs that are no class maps"
        )
    if evaluated > VOID:
        raise UserError(
            f"{name}: {evaluated} classes are evaluated, at most {VOID} may be; write 0 for those to leave out"
        )
    return ClassTable(entries)


def _void(class_id: int) -> ClassEntry:
    return ClassEntry(class_id, "void", (0, 0, 0), False, "void")


def voc_color(number: int) -> tuple[int, int, int]:
    """Return the colour in PASCAL VOC's development kit: bit 3k + c of the number is bit 7 - k of channel c."""
    return tuple(sum((number >> 3 * k + channel & 1) << 7 - k for k in range(8)) for channel in range(3))


def _text(content: bytes, name: str) -> str:
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or b"\0" in content:
        raise UserError(f"{name}: a class table is UTF-8 text, this is UTF-16 or no text; save it as CSV UTF-8")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise UserError(
            f"{name}, line {line}: a class table is UTF-8 text, the byte 0x{content[error.start]:02x} is none (Excel "
            "and Windows have other encodings); save it as CSV UTF-8"
        ) from error


def _records(text: str, name: str, separator: str = ",") -> list[tuple[int, list[str]]]:
    """Return the line and the values of every row that is not empty, without spaces around; the header comes first."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True)
    rows, line = [], 1
    try:
        for values in reader:
            rows.append((line, [value.strip() for value in values]))
            line = reader.line_num + 1
    except csv.Error as error:
        raise UserError(
            f"{name}, line {line}: is no row of a CSV file ({error}); look for a quote that is not closed"
        ) from error
    rows = [(line, values) for line, values in rows if any(values)]
    if not rows:
        raise UserError(f"{name}: is empty; a class table has the columns {HEADER} and a row for each class")
    return rows


def _columns(header: list[str], where: str) -> list[str]:
    """Return the names of the columns, in small letters; empty for one without a name."""
    columns = [column.casefold() for column in header]
    for separator, words in SEPARATORS.items():
        if len(columns) <= 1 and separator in header[0]:
            raise UserError(
                f"{where}: the columns are separated by {words}, a class table has commas; replace every "
                f"{separator!r} by ',' or save it as CSV UTF-8 (comma delimited)"
            )
    if WHOLE_NUMBER.fullmatch(columns[0]):
        raise UserError(f"{where}: a class table begins with the names of its columns; write {HEADER} above this line")
    missing = [column for column in COLUMNS if column not in columns]
    if missing:
        raise UserError(
            f"{where}: a class table has the columns {', '.join(COLUMNS)}; {', '.join(missing)} is not among "
            f"{', '.join(header)}"
        )
    doubled = sorted({column for column in columns if column and columns.count(column) > 1})
    if doubled:
        raise UserError(f"{where}: the column {', '.join(doubled)} occurs twice; remove one")
    return columns


def _entry(columns: list[str], values: list[str]) -> ClassEntry:
    """Return the class in one row; raise ValueError with what is wrong in it."""
    if any(re.search("[\n\r]", value) for value in values):
        raise ValueError("a value holds a line break; look for a quote that is not closed")
    if any(values[len(columns) :]):
        raise ValueError(
            f"has {len(values)} values for {len(columns)} columns; a name with a comma in it needs quotes around it"
        )
    row = dict(zip(columns, values, strict=False))
    if missing := [column for column in COLUMNS if not row.get(column)]:
        raise ValueError(f"has no {', '.join(missing)}; write one")
    for column in ("name", "category"):
        _check_name(column, row.get(column, ""))
    number, red, green, blue = (_level(column, row[column]) for column in ("id", "red", "green", "blue"))
    evaluated = _flag(row["evaluated"])
    if evaluated and row["name"].casefold() == "void":
        raise ValueError("void is the name of what is not evaluated; give the class another name, or evaluated 0")
    return ClassEntry(number, row["name"], (red, green, blue), evaluated, row.get("category", ""))


def _check_name(column: str, text: str) -> None:
    if any(unicodedata.category(character) in ("Cc", "Zl", "Zp") for character in text):
        raise ValueError(f"the {column} holds a control character; remove it")
    if len(text) > MAX_NAME_CHARACTERS:
        raise ValueError(f"the {column} has {len(text)} characters, at most {MAX_NAME_CHARACTERS} may be; shorten it")


def _level(column: str, text: str) -> int:
    """Return the whole number of 0 to 255 that a cell holds; raise ValueError where it holds none."""
    if not WHOLE_NUMBER.fullmatch(text):
        hint = "; write a hex colour as its three numbers" if re.match("#|0x", text) else ""
        raise ValueError(f"{column} is a whole number of 0 to 255, not {text[:40]!r}{hint}")
    number = int(text.split(".")[0])
    if number < 0 and column == "id":
        raise ValueError(f"id is 0 to 255, an image cannot hold {number}; remove the row")
    if not 0 <= number <= 255:
        raise ValueError(f"{column} is 0 to 255, not {number}; ids and colours are bytes of an image")
    return number


def _flag(text: str) -> bool:
    if text.casefold() in FLAGS:
        return FLAGS[text.casefold()]
    if WHOLE_NUMBER.fullmatch(text) and int(text.split(".")[0]) in (0, 1):
        return text.split(".")[0].endswith("1")
    raise ValueError(f"evaluated is 0 or 1, not {text[:40]!r}")


def _doubles(found: list[tuple[int, ClassEntry]], label_pixels: str) -> list[tuple[int, str]]:
    """List the ids, the names, and the colours that identify classes, where two rows share one."""
    faults = []
    seen: dict[tuple, tuple[int, ClassEntry]] = {}
    for line, entry in found:
        name = unicodedata.normalize("NFC", entry.name).casefold()
        keys = [("id", entry.id), ("name", name)] + [("colour", entry.color)] * (label_pixels == "colors")
        for what, value in keys:
            first_line, first = seen.setdefault((what, value), (line, entry))
            # A colour that no score counts may be shared: Cityscapes has four unlabelled kinds in black.
            if first is entry or (what == "colour" and not (first.evaluated or entry.evaluated)):
                continue
            shown = {"id": entry.id, "name": entry.name, "colour": ", ".join(map(str, entry.color))}[what]
            faults.append((line, f"the {what} {shown} is in line {first_line} already; {RULES[what]}"))
    return faults


def _refuse(name: str, faults: list[tuple[int, str]]) -> None:
    if not faults:
        return
    listed = [f"line {line}: {fault}" for line, fault in sorted(faults)]
    if len(listed) == 1:
        raise UserError(f"{name}, {listed[0]}")
    more = [f"... and {len(listed) - FAULTS_SHOWN} more"] if len(listed) > FAULTS_SHOWN else []
    lines = "\n  ".join([*listed[:FAULTS_SHOWN], *more])
    raise UserError(f"{name}: {len(listed)} mistakes; correct them in the file:\n  {lines}")
