"""The brushes of the page, and the drawings it can start from."""

from pathlib import Path

import numpy as np

from pix2street.core.classes import ClassTable, cityscapes_classes
from pix2street.core.images import read_ids, read_rgb, resize_labels
from pix2street.core.pairs import Dataset
from pix2street.datasets.synthetic_streets.scene import draw_scene
from pix2street.inference.card import GeneratorCard
from pix2street.inference.styles import is_flat

EXAMPLES = 12
"""The number of validation inputs that the page offers."""

SCENE_SIDE_PX = 128
"""The smallest size that a scene is drawn at; its things are a few pixels wide then. Smaller drawings are reduced."""

COLORS = {
    "black": (0, 0, 0), "white": (255, 255, 255), "grey": (128, 128, 128), "red": (200, 50, 40),
    "orange": (235, 140, 40), "yellow": (240, 210, 70), "green": (70, 140, 60), "blue": (60, 110, 190),
    "sky": (150, 195, 235), "violet": (120, 80, 160), "brown": (115, 80, 55), "skin": (230, 190, 160),
}  # fmt: skip
GREYS = {
    "black": (0, 0, 0), "dark grey": (64, 64, 64), "grey": (128, 128, 128), "light grey": (192, 192, 192),
    "white": (255, 255, 255),
}  # fmt: skip


def examples_of(card: GeneratorCard, folder: Path) -> dict[str, np.ndarray]:
    """Return drawings to start from by their names, at the size the generator was trained on; at least one.

    They are the first validation inputs. Where `folder` holds none that fits the generator, the only drawing is a drawn
    street, or an empty one of one class or white.

    Args:
        folder: a folder such as `data/split`; it may be missing.

    Returns:
        Each drawing as class ids `[H, W]` or RGB `[H, W, 3]`, uint8.
    """
    return _validation_inputs(card, folder) or {"blank": _blank(card)}


def shows_photo(card: GeneratorCard, example: np.ndarray) -> bool:
    """Return whether a generator's inputs are photos, which one loads, and no drawings, which one paints.

    Args:
        example: one of its inputs, which decides where the card does not.
    """
    if card.encoding.classes:
        return False
    return card.way == "back" or card.input_from in ("grey", "none", "frames") or not is_flat(example)


def brushes_of(card: GeneratorCard) -> list[dict]:
    """Return what can be painted, in order: `value` (a class id, or RGB as one number), `name`, `color`, `common`.

    The classes that scores count are common; the others are rare, or no things of a street.
    """
    classes = card.encoding.classes
    if not classes:
        colors = GREYS if card.input_from == "grey" else COLORS
        return [
            {"value": red << 16 | green << 8 | blue, "name": name, "color": (red, green, blue), "common": True}
            for name, (red, green, blue) in colors.items()
        ]
    return [
        {"value": entry.id, "name": entry.name, "color": entry.color, "common": entry.evaluated}
        for entry in classes.entries
    ]


def _validation_inputs(card: GeneratorCard, folder: Path) -> dict[str, np.ndarray]:
    if not (folder / "dataset.json").is_file() or not card.fits(Dataset.read(folder)):
        return {}
    read = read_ids if card.encoding.classes else read_rgb
    pairs = [pair for pair in card.inputs_in(folder, "val")[:EXAMPLES] if pair.input_path.is_file()]
    inputs = {pair.pair_id: read(pair.input_path) for pair in pairs}
    size = (card.height_px, card.width_px)
    return {pair_id: pixels for pair_id, pixels in inputs.items() if pixels.shape[:2] == size}


def _blank(card: GeneratorCard) -> np.ndarray:
    size, classes = (card.height_px, card.width_px), card.encoding.classes
    if not classes:
        return np.full((*size, 3), 255, np.uint8)
    sides = [max(side, SCENE_SIDE_PX) for side in size]
    scene = resize_labels(draw_scene(0, 0, *sides)[1], *size)
    if _means_the_same(classes, cityscapes_classes(), np.unique(scene)):
        return scene
    first = next((entry for entry in classes.entries if entry.evaluated), classes.entries[0])
    return np.full(size, first.id, np.uint8)


def _means_the_same(classes: ClassTable, others: ClassTable, ids: np.ndarray) -> bool:
    names, other_names = ({entry.id: entry.name for entry in table.entries} for table in (classes, others))
    return all(names.get(class_id) == other_names[class_id] for class_id in ids.tolist())
