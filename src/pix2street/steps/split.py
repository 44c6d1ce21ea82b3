"""Split: cut every side-by-side image into an input and a target of the working size, and list them."""

import hashlib
import os
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
from tqdm import tqdm

from pix2street.errors import UserError
from pix2street.files import sha256_of
from pix2street.images import IMAGE_SUFFIXES, read_rgb, resize_labels, resize_photo, write_png
from pix2street.pairs import SPLITS, Dataset, split_side_by_side, write_manifest


def split_pairs(
    downloaded: Path, folder: Path, *, height_px: int, width_px: int, snap_tolerance: float, max_snapped_share: float
) -> None:
    """Write `{train,val,test}/{inputs,targets}/<pair_id>.png`, `manifest.csv` and `dataset.json` into `folder`.

    Inputs of a set with classes become class ids in one channel: label colours are snapped to the class table, and
    the share of pixels changed at all and changed by more than `snap_tolerance` is recorded. Labels are resized by
    nearest neighbour, photos antialiased. Every image gives one row, no image gives none.

    Raises:
        UserError: with the list of all files that are orphans, doubles, unreadable, of odd width, or whose labels
            are not drawn in the table's colours.
    """
    dataset = Dataset.read(downloaded)
    images, faults = _find_images(downloaded)
    for split in {image.parent.name for image in images}:
        (folder / split / "inputs").mkdir(parents=True)
        (folder / split / "targets").mkdir()
    cut = partial(_split_pair, dataset, folder, (height_px, width_px), snap_tolerance, max_snapped_share)
    rows = []
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for row in tqdm(pool.map(cut, images), desc="split", total=len(images), unit=" pairs"):
            if isinstance(row, UserError):
                faults.append(str(row))
            else:
                rows.append(row)
    if faults:
        listed = "\n".join(f"  {fault}" for fault in faults)
        raise UserError(f"{len(faults)} of the downloaded files cannot be used:\n{listed}")
    write_manifest(folder, rows)
    dataset.write(folder)


def _find_images(downloaded: Path) -> tuple[list[Path], list[str]]:
    """All images in the split folders, and what else is there that should not be."""
    files = sorted(path for path in downloaded.rglob("*") if path.is_file() and path.name != "dataset.json")
    images, faults = [], []
    for path in files:
        place = path.relative_to(downloaded)
        if len(place.parts) == 2 and place.parts[0] in SPLITS and path.suffix.lower() in IMAGE_SUFFIXES:
            images.append(path)
        else:
            faults.append(f"{place}: an orphan, no image in {', '.join(SPLITS)}; remove it")
    counts = Counter(path.stem for path in images)
    faults += [
        f"{path.relative_to(downloaded)}: pair_id stands {counts[path.stem]} times"
        for path in images
        if counts[path.stem] > 1
    ]
    if not images and not faults:
        raise UserError(f"{downloaded}: no images; run the download stage again")
    return [path for path in images if counts[path.stem] == 1], faults


def _split_pair(
    dataset: Dataset,
    folder: Path,
    size: tuple[int, int],
    snap_tolerance: float,
    max_snapped_share: float,
    path: Path,
) -> dict | UserError:
    """Write one pair and return its manifest row, or what is wrong with it."""
    pair_id, split = path.stem, path.parent.name
    try:
        group = dataset.group_of(pair_id)
        input_image, target = split_side_by_side(read_rgb(path), dataset.input_half)
    except UserError as error:
        return error
    except ValueError as error:
        return UserError(f"{split}/{path.name}: {error}; crop or replace it")
    source_height, source_width = target.shape[:2]
    changed_share = snapped_share = 0.0
    if dataset.classes:
        ids, distance = dataset.classes.snap(input_image)
        changed_share, snapped_share = float((distance > 0).mean()), float((distance > snap_tolerance).mean())
        if snapped_share > max_snapped_share:
            return UserError(
                f"{split}/{path.name}: {snapped_share:.1%} of the input's pixels are further than {snap_tolerance:g} "
                f"from every class colour, at most {max_snapped_share:.1%} may be; is the input half right and the "
                "class table its own? Else raise split.max_snapped_share"
            )
        input_pixels = resize_labels(ids, *size)
    else:
        input_pixels = resize_photo(input_image, *size)
    target = resize_photo(target, *size)

    input_path = f"{split}/inputs/{pair_id}.png"
    target_path = f"{split}/targets/{pair_id}.png"
    write_png(folder / input_path, input_pixels)
    write_png(folder / target_path, target)
    ids = np.unique(input_pixels) if dataset.classes else np.array([], np.uint8)
    return {
        "pair_id": pair_id,
        "split": split,
        "group": group,
        "input_path": input_path,
        "target_path": target_path,
        "source_sha256": sha256_of(path),
        "input_sha256": _sha256_of_pixels(input_pixels),
        "target_sha256": _sha256_of_pixels(target),
        "source_height_px": source_height,
        "source_width_px": source_width,
        "height_px": target.shape[0],
        "width_px": target.shape[1],
        "input_channels": 1 if input_pixels.ndim == 2 else input_pixels.shape[2],
        "target_channels": target.shape[2],
        "changed_share": round(changed_share, 6),
        "snapped_share": round(snapped_share, 6),
        "class_ids": " ".join(str(i) for i in ids),
        "class_count": len(ids),
        "input_std": round(float(input_pixels.std()), 4),
        "target_mean": round(float(target.mean()), 4),
        "target_std": round(float(target.std()), 4),
    }


def _sha256_of_pixels(pixels: np.ndarray) -> str:
    """The same for equal pixels, however their file is packed."""
    return hashlib.sha256(repr(pixels.shape).encode() + np.ascontiguousarray(pixels).tobytes()).hexdigest()
