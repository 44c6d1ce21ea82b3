"""A table that compares smoothed and damaged drawings with sound ones by the measures that `validate` limits.

    python benchmarks/borders.py data/split
    python benchmarks/borders.py images --input-side right

reads the drawings of a split folder, or one half of any folder of side-by-side images, and makes the same number of
drawn streets. It resizes each set by nearest neighbour, which is right, and spoils it by smoothing resizes and by JPEG,
as colours and as class ids. A row gives `moved_share` (the mean, and the worst drawing), `seam_share` and
`between_ratio`, the share of pixels that have changed their class, and the limits of params.yaml that find the set.

The table is Markdown on standard output.
"""

import argparse
import io
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from pix2street.core.borders import between_ratio, describe_borders, seams
from pix2street.core.classes import cityscapes_classes
from pix2street.core.formats import IMAGE_SUFFIXES
from pix2street.core.images import read_ids, read_rgb
from pix2street.core.pairs import SUBSETS, read_pairs
from pix2street.datasets.synthetic_streets.scene import draw_scene
from pix2street.params import read_params

CLASSES = cityscapes_classes()
SHIPPED = read_params(Path(__file__).parents[1] / "params.yaml")
FILTERS = {"nearest": 0, "bilinear": 2, "bicubic": 3, "lanczos": 1, "box": 4}
JPEGS = ((95, 0), (95, 2), (75, 0), (75, 2))
Spoil = Callable[[np.ndarray], np.ndarray]


def read_drawings(folder: Path, input_side: str | None) -> list[np.ndarray]:
    """Return the class ids `[H, W]` of all drawings."""
    if input_side is None:
        return [read_ids(pair.input_path) for split in SUBSETS for pair in read_pairs(folder, split)]
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in IMAGE_SUFFIXES)
    halves = [np.split(read_rgb(path), 2, axis=1)[input_side == "right"] for path in paths]
    return [CLASSES.snap(half)[0] for half in halves]


def resized(name: str, scale: float) -> Spoil:
    def resize(pixels: np.ndarray) -> np.ndarray:
        size = [max(8, round(side * scale)) for side in pixels.shape[1::-1]]
        return np.asarray(Image.fromarray(pixels).resize(size, FILTERS[name]))

    return resize


def as_jpeg(quality: int, subsampling: int) -> Spoil:
    def compress(pixels: np.ndarray) -> np.ndarray:
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, "jpeg", quality=quality, subsampling=subsampling)
        return np.asarray(Image.open(buffer))

    return compress


def spoilers() -> Iterator[tuple[str, Spoil, Spoil]]:
    """Yield a name, a function that spoils a drawing, and one that makes the sound drawing of the same size."""
    for name in FILTERS:
        for scale in (0.5, 0.75, 2.0):
            yield f"{name} x{scale:g}", resized(name, scale), resized("nearest", scale)
    for quality, subsampling in JPEGS:
        name = f"JPEG {quality}, {'4:2:0' if subsampling else '4:4:4'}"
        yield name, as_jpeg(quality, subsampling), lambda pixels: pixels


def measured(drawings: list[np.ndarray], spoil: Spoil, sound: Spoil, ids: bool) -> dict[str, float]:
    """Return the mean and the largest `moved_share`, `seam_share`, `between_ratio`, and the share of wrong pixels."""
    moved, wrong, rows = [], [], []
    for drawing in drawings:
        if ids:
            read, distance = spoil(drawing), np.zeros(1)
        else:
            read, distance = CLASSES.snap(spoil(CLASSES.to_colors(drawing)))
        moved.append(float((distance > SHIPPED.split.snap_tolerance / 2).mean()))
        wrong.append(float((read != sound(drawing)).mean()))
        rows.append(describe_borders(read))
    counts: dict[int, tuple[int, int]] = {}
    for row in rows:
        for class_id, numbers in (entry.split(":") for entry in row["class_borders"].split()):
            touching, pixels = map(int, numbers.split("/"))
            before = counts.get(int(class_id), (0, 0))
            counts[int(class_id)] = (before[0] + touching, before[1] + pixels)
    shares = [np.mean([row[name] for row in rows]) for name in ("touching_share", "between_share")]
    return {
        "moved": float(np.mean(moved)),
        "worst": max(moved),
        "seams": sum(counts[i][1] for i in seams(counts)) / sum(pixels for _, pixels in counts.values()),
        "between": between_ratio(*shares) if ids else 0.0,
        "wrong": float(np.mean(wrong)),
    }


def found_by(row: dict[str, float]) -> str:
    limits = SHIPPED.validate_
    found = {
        "moved": row["worst"] > limits.max_moved_share,
        "seams": row["seams"] > limits.max_seam_share,
        "between": row["between"] > limits.max_between_ratio,
    }
    return ", ".join(name for name, over in found.items() if over) or "none"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--input-side", choices=("left", "right"), help="the drawings' half of side-by-side images")
    parser.add_argument("--limit", type=int, default=100, help="drawings in each set; default: %(default)s")
    options = parser.parse_args()
    drawings = read_drawings(options.folder, options.input_side)
    drawings = drawings[:: max(1, len(drawings) // options.limit)][: options.limit]
    height, width = drawings[0].shape
    streets = [draw_scene(0, index, max(64, height), max(64, width))[1] for index in range(len(drawings))]
    print("| set | as | what was done | moved: mean, worst | seams | between | wrong pixels | found by |")
    print("|---|---|---|---:|---:|---:|---:|---|")
    for name, ids_of in (("yours", drawings), ("drawn", streets)):
        for kind in ("colours", "ids"):
            for what, spoil, sound in spoilers():
                row = measured(ids_of, spoil, sound, kind == "ids")
                print(
                    f"| {name} | {kind} | {what} | {row['moved']:.3f}, {row['worst']:.3f} | {row['seams']:.4f} "
                    f"| {row['between']:.2f} | {row['wrong']:.1%} | {found_by(row)} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
