"""Pictures of pairs for a page: evenly spread ones, the best and the worst."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from pix2street.core.images import png_bytes, read_ids
from pix2street.core.pairs import Dataset, drawing_of, read_pairs
from pix2street.reporting.scores import title_of

BASELINES = ("mean_color", "untrained")
SEEN_TARGET, SEEN_GENERATED = "seen in target", "seen in generated"


@dataclass(frozen=True)
class Example:
    """One held-out pair: its pictures, PNG by caption, in the order in which they are shown, and its scores."""

    pair_id: str
    images: dict[str, bytes]
    note: str = ""


@dataclass(frozen=True)
class Folders:
    """The folders of the pictures: outputs of `split`, `generate` and `evaluate`."""

    split: Path
    generated: Path
    baselines: Path
    judged: Path


def read_examples(folders: Folders, held_out: str, count: int) -> list[Example]:
    """Return `count` pairs spread evenly over a held-out split: input, target, generated and each baseline."""
    pair_ids = [pair.pair_id for pair in read_pairs(folders.split, held_out)]
    photos = {"generated": folders.generated}
    photos |= {title_of(name): folders.baselines / name for name in BASELINES if (folders.baselines / name).exists()}
    examples = []
    for index in np.unique(np.linspace(0, len(pair_ids) - 1, count, dtype=int)):
        pair_id = pair_ids[index]
        images = _input_and_target(folders.split, held_out, pair_id)
        images |= {caption: (path / held_out / f"{pair_id}.png").read_bytes() for caption, path in photos.items()}
        examples.append(Example(pair_id, images))
    return examples


def read_extremes(folders: Folders, held_out: str, images: pd.DataFrame, count: int) -> dict[str, list[Example]]:
    """Return the `best` and the `worst` generated photos, by mean IoU, or by L1 without a judge.

    No photo is among both. A judged photo comes with pictures of what the judge sees in it and in its target.

    Args:
        images: a row for each pair, as `evaluate` writes it.
    """
    judged = "mean_iou" in images
    order = images.sort_values(
        ["mean_iou", "pair_id"] if judged else ["l1", "pair_id"], ascending=[not judged, True]
    ).dropna(subset=["mean_iou" if judged else "l1"])
    count = min(count, len(order) // 2)
    chosen = {"best": order.head(count), "worst": order.tail(count)[::-1]}
    return {
        name: [_extreme(folders, held_out, row, judged) for row in rows.itertuples()] for name, rows in chosen.items()
    }


def _extreme(folders: Folders, held_out: str, row, judged: bool) -> Example:
    pictures = _input_and_target(folders.split, held_out, row.pair_id)
    pictures["generated"] = (folders.generated / held_out / f"{row.pair_id}.png").read_bytes()
    note = f"L1 {row.l1:.3f}"
    if judged:
        classes = Dataset.read(folders.split).classes
        for caption, photos in {SEEN_TARGET: "ceiling", SEEN_GENERATED: "generated"}.items():
            ids = read_ids(folders.judged / photos / f"{row.pair_id}.png")
            pictures[caption] = png_bytes(classes.to_colors(ids))
        note = f"mean IoU {row.mean_iou:.3f}, per-pixel accuracy {row.pixel_accuracy:.3f}, {note}"
    return Example(row.pair_id, pictures, note)


def _input_and_target(split: Path, held_out: str, pair_id: str) -> dict[str, bytes]:
    classes = Dataset.read(split).classes
    (pair,) = (pair for pair in read_pairs(split, held_out) if pair.pair_id == pair_id)
    return {"input": png_bytes(drawing_of(pair.input_path, classes)), "target": pair.target_path.read_bytes()}
