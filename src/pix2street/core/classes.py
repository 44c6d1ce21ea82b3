"""A class table as data (id, name, colour), and the way from colours to ids and back."""

from dataclasses import asdict, dataclass
from functools import cached_property, lru_cache
from typing import Any, Self

import numpy as np

VOID = 255
"""What `ClassTable.to_evaluated` gives a pixel that no score counts: a place, not an id. A table has fewer places."""


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
        """Whether its pixels are of no class at all: the id 255 or the name or category `void`, and not evaluated."""
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
        """`[256, 3]` uint8: the colour of each id; black where no class has it."""
        table = np.zeros((256, 3), np.uint8)
        for entry in self.entries:
            table[entry.id] = entry.color
        return table

    @cached_property
    def known(self) -> np.ndarray:
        """`[256]` bool: whether a class has this id."""
        return np.isin(np.arange(256), [entry.id for entry in self.entries])

    @cached_property
    def void(self) -> np.ndarray:
        """`[256]` bool: whether this id is void; see `ClassEntry.is_void`."""
        return np.isin(np.arange(256), [entry.id for entry in self.entries if entry.is_void])

    @cached_property
    def channels(self) -> np.ndarray:
        """`[256]` uint8: each id's place in the table, 0 where no class has it."""
        table = np.zeros(256, np.uint8)
        for channel, entry in enumerate(self.entries):
            table[entry.id] = channel
        return table

    @cached_property
    def evaluated(self) -> np.ndarray:
        """`[256]` uint8: each id's place among the evaluated classes, `VOID` where it is not evaluated."""
        table = np.full(256, VOID, np.uint8)
        for place, entry in enumerate(entry for entry in self.entries if entry.evaluated):
            table[entry.id] = place
        return table

    def to_colors(self, ids: np.ndarray) -> np.ndarray:
        """Ids `[..., H, W]` uint8 -> colours `[..., H, W, 3]` uint8."""
        return self.colors[ids]

    def to_evaluated(self, ids: np.ndarray) -> np.ndarray:
        """Ids `[..., H, W]` uint8 -> places among the evaluated classes, `VOID` elsewhere."""
        return self.evaluated[ids]

    def snap(self, colors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Give every pixel the id of the class whose colour is nearest.

        Args:
            colors: `[H, W, 3]` uint8.

        Returns:
            ids `[H, W]` uint8, and the Euclidean RGB distance `[H, W]` float32 each pixel was moved; of two classes
            with one colour the first is taken.
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
    """Cityscapes' own table: label ids, official colours; 19 classes are evaluated.

    Args:
        evaluated_only: keep the 19 evaluated classes and `unlabeled` alone, for drawings that use no other colour.
    """
    from cityscapesscripts.helpers.labels import labels

    return ClassTable(
        tuple(
            ClassEntry(label.id, label.name, tuple(label.color), not label.ignoreInEval, label.category)
            for label in labels
            if label.id >= 0 and (not evaluated_only or not label.ignoreInEval or label.id == 0)
        )
    )
