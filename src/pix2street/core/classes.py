"""A class table as data (id, name, colour), and the way from colours to ids and back."""

from dataclasses import asdict, dataclass
from functools import cached_property, lru_cache
from typing import Any, Self

import numpy as np

VOID = 255
"""The index that `ClassTable.to_evaluated` gives a pixel that no score counts; it is no id, and no class has it."""


@dataclass(frozen=True)
class ClassEntry:
    """One class: the id its pixels hold, its colour in a drawing, whether scores count it, and its kind of thing."""

    id: int
    name: str
    color: tuple[int, int, int]
    evaluated: bool
    category: str = ""

    @property
    def is_void(self) -> bool:
        """Return whether its pixels are of no class: not evaluated, with the id 255 or the name or category `void`."""
        return not self.evaluated and (self.id == 255 or "void" in (self.name.casefold(), self.category.casefold()))


@dataclass(frozen=True)
class ClassTable:
    """The classes of a data set, in the order of their channels when one-hot encoded."""

    entries: tuple[ClassEntry, ...]

    @classmethod
    def from_json(cls, rows: list[dict[str, Any]]) -> Self:
        return cls(tuple(ClassEntry(**{**row, "color": tuple(row["color"])}) for row in rows))

    def to_json(self) -> list[dict[str, Any]]:
        return [asdict(entry) for entry in self.entries]

    @property
    def evaluated_names(self) -> list[str]:
        return [entry.name for entry in self.entries if entry.evaluated]

    @cached_property
    def colors(self) -> np.ndarray:
        """Return the colour of each id, `[256, 3]` uint8; black where no class has it."""
        table = np.zeros((256, 3), np.uint8)
        for entry in self.entries:
            table[entry.id] = entry.color
        return table

    @cached_property
    def known(self) -> np.ndarray:
        """Return whether a class has each id, `[256]` bool."""
        return np.isin(np.arange(256), [entry.id for entry in self.entries])

    @cached_property
    def void(self) -> np.ndarray:
        """Return whether each id is void, `[256]` bool; see `ClassEntry.is_void`."""
        return np.isin(np.arange(256), [entry.id for entry in self.entries if entry.is_void])

    @cached_property
    def channels(self) -> np.ndarray:
        """Return the index of each id in the table, `[256]` uint8; 0 where no class has it."""
        table = np.zeros(256, np.uint8)
        for channel, entry in enumerate(self.entries):
            table[entry.id] = channel
        return table

    @cached_property
    def evaluated(self) -> np.ndarray:
        """Return the index of each id among the evaluated classes, `[256]` uint8; `VOID` where it is not evaluated."""
        table = np.full(256, VOID, np.uint8)
        for index, entry in enumerate(entry for entry in self.entries if entry.evaluated):
            table[entry.id] = index
        return table

    def to_colors(self, ids: np.ndarray) -> np.ndarray:
        """Return the colours `[..., H, W, 3]` uint8 of ids `[..., H, W]` uint8."""
        return self.colors.take(ids, axis=0)

    def to_evaluated(self, ids: np.ndarray) -> np.ndarray:
        """Return the indices among the evaluated classes of ids `[..., H, W]` uint8; `VOID` for all other ids."""
        return self.evaluated[ids]

    def snap(self, colors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Give every pixel the id of the class whose colour is nearest.

        Args:
            colors: `[H, W, 3]` uint8.

        Returns:
            ids `[H, W]` uint8, and the Euclidean RGB distance `[H, W]` float32 by which each pixel was moved. Where two
            classes share a colour, the first is taken.
        """
        packed = colors.astype(np.uint32) @ np.array([1 << 16, 1 << 8, 1], np.uint32)
        # A label image has few distinct colours: measure each once.
        unique, inverse = np.unique(packed, return_inverse=True)
        channels = np.stack([unique >> 16, unique >> 8 & 255, unique & 255], axis=-1).astype(np.float32)
        table = np.array([entry.color for entry in self.entries], np.float32)
        # |c - t|^2 by its binomial: every term is a whole number below 2^24, so float32 holds it exactly.
        squared = (channels**2).sum(axis=1)[:, None] - 2 * channels @ table.T + (table**2).sum(axis=1)
        ids = np.array([entry.id for entry in self.entries], np.uint8)[squared.argmin(axis=1)]
        distances = np.sqrt(squared.min(axis=1))
        return ids[inverse].reshape(colors.shape[:2]), distances[inverse].reshape(colors.shape[:2])


@lru_cache
def cityscapes_classes(evaluated_only: bool = False) -> ClassTable:
    """Return Cityscapes' own table: label ids, official colours; 19 classes are evaluated.

    Args:
        evaluated_only: keep only the 19 evaluated classes and `unlabeled`, for drawings that use no other colour.
    """
    from cityscapesscripts.helpers.labels import labels

    return ClassTable(
        tuple(
            ClassEntry(label.id, label.name, tuple(label.color), not label.ignoreInEval, label.category)
            for label in labels
            if label.id >= 0 and (not evaluated_only or not label.ignoreInEval or label.id == 0)
        )
    )
