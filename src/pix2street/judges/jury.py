"""The jury: one judge or several of one kind, whose scores differ by chance alone."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from pix2street.core.classes import ClassTable
from pix2street.core.files import read_json, with_keys
from pix2street.judges.segmenter import Segmenter


@dataclass(frozen=True)
class Jury:
    """The judges that `segment` made.

    Args:
        not_judged: the classes that they hardly see in real photos and that no mean of classes counts, each with its
            `share` of the pixels of train and its `iou` in the real photos of val.
    """

    judges: tuple[Segmenter, ...]
    not_judged: Mapping[str, Mapping[str, float]]

    @classmethod
    def load(cls, folder: Path, classes: ClassTable) -> Self:
        """Return the jury in `folder`.

        Raises:
            UserError: `score.json` or a judge is missing or damaged, see `Segmenter.load`.
        """
        score: dict[str, Any] = read_json(folder / "score.json", with_keys("judges", "not_judged"))
        judges = [Segmenter.load(judge_folder(folder, index), classes) for index in range(score["judges"])]
        return cls(tuple(judges), score["not_judged"])


def judge_folder(folder: Path, index: int) -> Path:
    """Return the folder of a judge in the folder of its jury; judges count from 0, and their folders from 1."""
    return folder / f"judge_{index + 1}"
