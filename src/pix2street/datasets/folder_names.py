"""A folder's name, read as a split (`Train`, `valid`), as a side (`labels`, `A`), as both (`trainA`) or as neither."""

import re
import unicodedata
from collections.abc import Collection, Mapping
from itertools import pairwise
from pathlib import PurePosixPath
from typing import NamedTuple

SPLIT_WORDS = {
    **dict.fromkeys(("train", "training", "trn"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "validate", "dev", "eval", "evaluation"), "val"),
    **dict.fromkeys(("test", "testing", "tst", "holdout"), "test"),
}
"""The split that each usual word means."""

INPUT_WORDS = (
    "a", "input", "inputs", "label", "labels", "labelmap", "labelmaps", "mask", "masks", "annotation", "annotations",
    "seg", "segmentation", "segmentations", "segmentationclass", "segmentationobject", "semantic", "semantics", "gt",
    "gtfine", "edges", "sketch", "sketches", "source",
)  # fmt: skip
TARGET_WORDS = (
    "b", "target", "targets", "image", "images", "img", "imgs", "photo", "photos", "picture", "pictures", "rgb", "real",
    "output", "outputs", "jpegimages", "leftimg8bit",
)  # fmt: skip
FILLERS = ("set", "sets", "data", "dataset", "split", "subset")
"""Words that change nothing beside the word of a split, e.g. `train_set`."""

GLUED_AFTER = (*FILLERS, *INPUT_WORDS, *TARGET_WORDS, "extra", "old", "new")
GLUED_BEFORE = ("mini", "my", "sub", "new", "old", "all", "full")
# From lower to upper case, and before the last letter of a run of capitals: train|A, JPEG|Images.
HUMPS = re.compile(r"(?<=[^\W\d_A-Z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
YEAR = re.compile(r"(19|20)\d\d")


class FolderName(NamedTuple):
    """The meaning of one folder's name.

    Args:
        name: the name in the source.
        split: `train`, `val`, `test` or `left_out`; None where the name says nothing of a split.
        side: the rest of the name as words in lower case, e.g. `a` of `trainA`; empty if the name only says a split.
        odd: whether the name looks like a split but is not one of the usual names, e.g. `train_extra`.
    """

    name: str
    split: str | None
    side: str
    odd: bool = False


def fold(text: str) -> str:
    """Return the form in which two names are equal if they are one file on the disks of macOS or Windows."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())


def read_folder(name: str, declared: Mapping[str, str], sides: Collection[str]) -> FolderName:
    """Return the meaning of the folder `name`.

    Args:
        declared: the user's word on folders, or on words for a split, by their folded names.
        sides: the words of the folders that hold inputs and targets; see `FolderName.side`.
    """
    words = words_of(name)
    found = [word for word in words if word in SPLIT_WORDS]
    side = "_".join(words) or fold(name)
    said = declared.get(fold(name))
    if not said and (not found or side in sides):
        return FolderName(name, None, side)
    rest = _side_beside(words)
    if said == "ordinary":
        return FolderName(name, None, rest if found else "")
    if said:
        return FolderName(name, said, rest if found else "")
    known = not rest or rest in sides or rest.replace("_", "") in (*INPUT_WORDS, *TARGET_WORDS)
    if not known or len({SPLIT_WORDS[word] for word in found}) > 1:
        return FolderName(name, None, side, odd=True)
    said = declared.get(found[0], SPLIT_WORDS[found[0]])
    return FolderName(name, None, rest or side) if said == "ordinary" else FolderName(name, said, rest)


def side_of_setting(setting: str) -> tuple[str, ...]:
    """Return the words of the folders that `setting` names one below the other, without the words for splits.

    The setting `train` gives no words: the folders of such a side say their split and no more, e.g. `train` beside
    `train_masks`.
    """
    words = [words_of(part) or [fold(part)] for part in PurePosixPath(setting).parts]
    sides = [_side_beside(part) if SPLIT_WORDS.keys() & set(part) else "_".join(part) for part in words]
    return tuple(side for side in sides if side)


def words_of(name: str) -> list[str]:
    """Cut a name into words in lower case: at separators, digits and humps, and after the word of a split."""
    runs = re.findall(r"[^\W\d_]+|\d+", unicodedata.normalize("NFC", name))
    words = [word for run in runs for piece in HUMPS.split(run) for word in _unglued(piece.casefold())]
    for index, pair in enumerate(pairwise(words)):
        if pair in (("hold", "out"), ("held", "out")):
            return [*words[:index], "holdout", *words[index + 2 :]]
    return words


def split_key(name: str) -> str:
    """Return the key under which the user may declare a folder: the split's word where the name also says a side."""
    words = words_of(name)
    return next((word for word in words if word in SPLIT_WORDS), name) if _side_beside(words) else name


def guess_split(name: str) -> str | None:
    """Return the split whose word an odd name holds; None where it holds words of several splits."""
    found = {SPLIT_WORDS[word] for word in words_of(name) if word in SPLIT_WORDS}
    return found.pop() if len(found) == 1 else None


def _side_beside(words: list[str]) -> str:
    return "_".join(
        word for word in words if word not in SPLIT_WORDS and word not in FILLERS and not YEAR.fullmatch(word)
    )


def _unglued(word: str) -> list[str]:
    if word in SPLIT_WORDS:
        return [word]
    for split_word in sorted(SPLIT_WORDS, key=len, reverse=True):
        rest = word.removeprefix(split_word)
        if rest != word and (rest in GLUED_AFTER or _unglued(rest)[0] in SPLIT_WORDS):
            return [split_word, *_unglued(rest)]
        before = word.removesuffix(split_word)
        if before != word and before in GLUED_BEFORE:
            return [before, split_word]
    return [word]
