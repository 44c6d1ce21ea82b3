"""Pictures of pairs for a page: evenly spread ones, the best and the worst, and styles."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd

from pix2street.core.classes import ClassTable
from pix2street.core.decoding import decode
from pix2street.core.domains import Photographed, photographed
from pix2street.core.images import contact_sheet, png_bytes, read_ids
from pix2street.core.pairs import Dataset, drawing_of
from pix2street.core.styles import ONE_STYLE
from pix2street.reporting.scores import formatted, title_of

BASELINES = ("mean_color", "bicubic", "pixels", "untrained", "mean_photo", "resampled")
STYLES = 3
"""The number of styles of a drawing that are shown, the generated photo among them."""

STRIP = ("input", "generated", "target")
"""The rows of a strip."""

STRIP_MIN_PX = 256
"""The least height of a picture in a strip."""

SEEN_TARGET, SEEN_GENERATED = "seen in target", "seen in generated"


@dataclass(frozen=True)
class Example:
    """One held-out pair.

    Args:
        images: its pictures, PNG by caption, in the order in which they are shown.
        note: its scores in words.
        legend: the colours of the classes in its pictures, as in CSS, by the name of the class.
    """

    pair_id: str
    images: dict[str, bytes]
    note: str = ""
    legend: dict[str, str] = field(default_factory=dict)

    @property
    def baselines(self) -> dict[str, bytes]:
        """The pictures of the baselines, which are shown small."""
        return {caption: self.images[caption] for caption in map(title_of, BASELINES) if caption in self.images}


@dataclass(frozen=True)
class Folders:
    """The folders of the pictures: outputs of `split`, `generate` and `evaluate`."""

    split: Path
    generated: Path
    baselines: Path
    judged: Path

    def photographed(self, held_out: str) -> Photographed:
        """Return the pairs of a held-out split of which there are generated photos."""
        return photographed(self.split, held_out, self.generated / held_out)


def read_examples(folders: Folders, held_out: str, images: pd.DataFrame, count: int) -> list[Example]:
    """Return `count` pairs spread evenly over a held-out split: input, target, generated and each baseline.

    The baseline that is the input unchanged is not shown again.

    A judged pair also has pictures of what the judge sees in its target and in its generated photo, and a legend.

    Args:
        images: a row for each pair, as `evaluate` writes it.
    """
    made = folders.photographed(held_out)
    baselines = {title_of(name): folders.baselines / name for name in BASELINES if (folders.baselines / name).exists()}
    rows = images.set_index("pair_id", drop=False)
    examples = []
    for index in np.unique(np.linspace(0, len(made.pairs) - 1, count, dtype=int)):
        example = _example(folders, held_out, made, index, rows.loc[made.pairs[index].pair_id])
        photos = {caption: _png_of(path, held_out, example.pair_id) for caption, path in baselines.items()}
        examples.append(replace(example, images=example.images | photos))
    return examples


def read_extremes(folders: Folders, held_out: str, images: pd.DataFrame, count: int) -> dict[str, list[Example]]:
    """Return the `best` and the `worst` generated photos, by mean IoU, or by L1 without a judge.

    No photo is among both. A judged photo comes with pictures of what the judge sees in it and in its target. There are
    none where no photo was measured by itself.

    Args:
        images: a row for each pair, as `evaluate` writes it.
    """
    if not {"mean_iou", "l1"} & {*images}:
        return {}
    judged = "mean_iou" in images
    order = images.sort_values(
        ["mean_iou", "pair_id"] if judged else ["l1", "pair_id"], ascending=[not judged, True]
    ).dropna(subset=["mean_iou" if judged else "l1"])
    count = min(count, len(order) // 2)
    chosen = {"best": order.head(count), "worst": order.tail(count)[::-1]}
    made = folders.photographed(held_out)
    indices = {pair.pair_id: index for index, pair in enumerate(made.pairs)}
    return {
        name: [_example(folders, held_out, made, indices[row.pair_id], row) for _, row in rows.iterrows()]
        for name, rows in chosen.items()
    }


def read_styles(folders: Folders, draws: Path, held_out: str) -> list[Example]:
    """Return the first drawing in several styles, and then each of the first drawings in one style.

    An example has its drawing and its photos. The list is empty where `generate` wrote no photos of one style, since
    the generator has no styles or no draws were asked for.

    Args:
        draws: the folder of further draws, an output of `generate`.
    """
    in_one_style = draws / ONE_STYLE / held_out
    if not in_one_style.is_dir():
        return []
    classes, pairs = Dataset.read(folders.split).classes, folders.photographed(held_out).pairs
    numbers = sorted(int(folder.name) for folder in draws.iterdir() if folder.name != ONE_STYLE)[: STYLES - 1]
    first = pairs[0].pair_id
    photos = [folders.generated, *(draws / str(number) for number in numbers)]
    shown = [
        Example(first, {f"style {i}": _png_of(folder, held_out, first) for i, folder in enumerate(photos, start=1)})
    ]
    shown += [
        Example(pair.pair_id, {"photo": path.read_bytes()})
        for pair in pairs
        if (path := in_one_style / f"{pair.pair_id}.png").is_file()
    ]
    drawings = {pair.pair_id: png_bytes(drawing_of(pair.input_path, classes)) for pair in pairs[: len(shown)]}
    return [replace(example, images={"drawing": drawings[example.pair_id], **example.images}) for example in shown]


def as_strip(examples: Sequence[Example]) -> bytes:
    """Return a PNG with a column for each example: its drawing, if it has one, its photo and the real photo.

    Small pictures are enlarged by a whole number.
    """
    names = [name for name in STRIP if name in examples[0].images]
    rows = [[np.atleast_3d(decode(example.images[name], name)) for example in examples] for name in names]
    factor = -(-STRIP_MIN_PX // max(picture.shape[0] for row in rows for picture in row))
    return png_bytes(contact_sheet([[picture.repeat(factor, 0).repeat(factor, 1) for picture in row] for row in rows]))


def _example(folders: Folders, held_out: str, made: Photographed, index: int, row: pd.Series) -> Example:
    """Return a pair: input, target, generated and, where its row of `images` is judged, what the judge sees."""
    classes, pair = Dataset.read(folders.split).classes, made.pairs[index]
    shown = {} if made.alone else {"input": png_bytes(drawing_of(pair.input_path, None if made.domains else classes))}
    pictures = shown | {
        "target": pair.target_path.read_bytes(),
        "generated": _png_of(folders.generated, held_out, row.pair_id),
    }
    note = f"L1 {formatted(row.l1)}" if "l1" in row else ""
    if "mean_iou" not in row:
        return Example(row.pair_id, pictures, note)
    seen = {
        SEEN_TARGET: read_ids(folders.judged / "ceiling" / pair.target_path.name),
        SEEN_GENERATED: read_ids(folders.judged / "generated" / f"{row.pair_id}.png"),
    }
    pictures |= {caption: png_bytes(classes.to_colors(ids)) for caption, ids in seen.items()}
    scores = f"mean IoU {formatted(row.mean_iou)}, per-pixel accuracy {formatted(row.pixel_accuracy)}"
    legend = _legend([read_ids(made.labels[index]), *seen.values()], classes)
    return Example(row.pair_id, pictures, f"{scores}, {note}", legend)


def _legend(maps: Sequence[np.ndarray], classes: ClassTable) -> dict[str, str]:
    """Return the colour of every class in maps of class ids, the most frequent first."""
    pixels = sum(np.bincount(ids.ravel(), minlength=256) for ids in maps)
    entries = sorted((entry for entry in classes.entries if pixels[entry.id]), key=lambda entry: -pixels[entry.id])
    return {entry.name: "#{:02x}{:02x}{:02x}".format(*entry.color) for entry in entries}


def _png_of(photos: Path, held_out: str, pair_id: str) -> bytes:
    return (photos / held_out / f"{pair_id}.png").read_bytes()
