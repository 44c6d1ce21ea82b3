"""Split: resize input and target of every downloaded pair to the working size, and list all files in a manifest."""

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache, partial
from itertools import groupby
from operator import itemgetter
from pathlib import Path, PurePosixPath
from sys import intern
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from scipy import ndimage
from tqdm import tqdm

from pix2street.core.accounting import LEFT_OUT, read_left_out
from pix2street.core.borders import describe_borders
from pix2street.core.classes import ClassTable
from pix2street.core.decoding import Stored, read_stored
from pix2street.core.edge_maps import EDGES_FILE, edge_maps_of
from pix2street.core.errors import UserError
from pix2street.core.files import sha256_of
from pix2street.core.formats import has_image_ending
from pix2street.core.frames import LEFT_OVER, find_windows, stacked, unstacked
from pix2street.core.images import (
    edges,
    grey,
    luma,
    one_channel,
    perceptual_hash,
    reduce_photo,
    resize_labels,
    resize_photo,
    write_png,
)
from pix2street.core.pairs import (
    SUBSETS,
    TARGET_CHANNELS,
    TARGET_MODES,
    Dataset,
    group_of,
    refuse_unusable,
    split_side_by_side,
    write_manifest,
)
from pix2street.core.workers import in_processes
from pix2street.settings.split import Split

EDGES = "edges"
"""The key of a row's edge maps, which go into a file of their own."""

HASH_SIDE = 16
"""The side of the perceptual hash, which has 16 x 16 = 256 bits."""


class Item(NamedTuple):
    """The files of a pair (one file if input and target share it), by their names below the folder of all files.

    `fault` says why files make no pair.

    An image that stands alone is an item of one file. In a set with domains an item has a domain. In one of videos the
    files are frames, of which `shared` are also in an earlier pair.
    """

    pair_id: str
    split: str
    files: tuple[str, ...]
    fault: str = ""
    domain: str = ""
    shared: int = 0


def split_pairs(downloaded: Path, folder: Path, settings: Split) -> tuple[int, int]:
    """Write `{train,val,test}/{inputs,targets}/<pair_id>.png`, `manifest.csv` and `dataset.json` into `folder`.

    The edge maps of pairs (`core.edge_maps`) are beside them, for `validate`.
    An image that stands alone is a target, and there are no inputs.
    Inputs of a set with classes become class ids in one channel. Label colours are snapped to the class table, and the
    shares of pixels that were changed, and changed by more than `snap_tolerance`, are recorded. Labels are resized by
    nearest neighbour, photos with antialiasing. Grey and edge inputs are drawn from the target at the working size, and
    reduced inputs are that target made smaller.
    Targets have one channel if `target_mode` is grey. Every file is in exactly one row. A row that could not become a
    pair has the reason in `fault`, and `validate` then fails. The files that `download` left out are in the last rows.

    In a set of videos the frames of a pair are resized one by one, and lie one under the other; frames that no pair
    takes are left out.

    Returns:
        The number of rows of downloaded files in the manifest, and how many of them are faulty.

    Raises:
        UserError: the folder holds no image, or grey targets are asked of a set with domains or of videos.
    """
    dataset = replace(Dataset.read(downloaded), target_channels=TARGET_CHANNELS[settings.target_mode])
    if (dataset.domains or dataset.frames) and dataset.target_channels == 1:
        raise UserError(
            "split.target_mode: grey needs a set whose inputs and targets are two kinds of image, without domains and "
            "not of videos; use rgb, in which grey images stay grey"
        )
    left_out = read_left_out(downloaded)
    if dataset.frames:
        items, rest = _find_videos(downloaded, dataset)
        left_out = [*left_out, *rest]
    else:
        items = _find_items(downloaded, dataset)
    items.sort(key=lambda item: (item.split, item.pair_id))
    sides = ["targets"] if dataset.input_from == "none" else ["inputs", "targets"]
    for split in {item.split for item in items if not item.fault}:
        for side in sides:
            (folder / split / side).mkdir(parents=True)
    make = partial(_make_row, dataset, downloaded, folder, settings)
    faulty = 0

    def rows(edges: BinaryIO) -> Iterator[dict[str, Any]]:
        nonlocal faulty
        for row in tqdm(in_processes(make, items), desc="split", total=len(items), unit=" pairs"):
            faulty += "fault" in row
            edges.write(row.pop(EDGES, b""))
            yield row

    maps = folder / EDGES_FILE
    with maps.open("wb") as edges:
        write_manifest(folder, rows(edges), left_out)
    if not maps.stat().st_size:
        maps.unlink()
    dataset.write(folder)
    return len(items), faulty


def _find_videos(downloaded: Path, dataset: Dataset) -> tuple[list[Item], list[dict[str, Any]]]:
    """Return the pairs of all videos below `downloaded`, and the rows of the frames that no pair takes.

    Raises:
        UserError: no video is long enough for a pair.
    """
    videos = sorted(video for subset in SUBSETS for video in (downloaded / subset).glob("*") if video.is_dir())
    windows, rest = find_windows(videos, dataset.frames)
    if not windows:
        raise UserError(
            f"{downloaded}: no video has the {dataset.frames.span} frames that a pair takes (download.frames); give "
            "longer videos, or ask for fewer frames"
        )
    # A frame may be in many pairs.
    name_of = cache(lambda path: path.relative_to(downloaded).as_posix())
    items = [
        Item(window.pair_id, window.split, tuple(map(name_of, window.files)), shared=len(window.files) - window.fresh)
        for window in windows
    ]
    return items, [{"source": name_of(path), "reason": LEFT_OVER, "files": 1} for path in rest]


def _find_items(downloaded: Path, dataset: Dataset) -> list[Item]:
    """Return every file below `downloaded`, in a pair or with a fault.

    Raises:
        UserError: the folder holds no file, or one whose name no table can hold.
    """
    # A folder below the split says the side of an image, or its domain.
    below = {"inputs", "targets"} if dataset.input_from == "file" else {*dataset.domains} or {""}
    sides = {""} if dataset.domains else below
    expected, others = [], []
    for name in _names_of(downloaded):
        path = PurePosixPath(name)
        refuse_unusable([str(path.with_suffix(""))], downloaded)
        # The names of folders are one object each.
        subset, *folders = map(intern, path.parts[:-1] or ("",))
        folder = intern("/".join(folders))
        if subset in SUBSETS and folder in below and has_image_ending(path.name):
            expected.append((path.stem, subset, folder, path.name))
        else:
            others.append(path)
    if not expected and not others:
        raise UserError(f"{downloaded}: no images; run the download stage again")
    items = [
        Item(
            path.stem,
            path.parts[0] if path.parts[0] in SUBSETS else "train",
            (str(path),),
            "no image where a pair belongs",
        )
        for path in sorted(others)
    ]
    expected.sort()
    for pair_id, found in groupby(expected, key=itemgetter(0)):
        subsets = [(subset, [*files]) for subset, files in groupby(found, key=itemgetter(1))]
        for subset, files in subsets:
            # Input before target, as their folders are sorted.
            names = tuple("/".join(filter(None, parts)) for _, *parts in files)
            found_sides = {"" if dataset.domains else folder for _, _, folder, _ in files}
            fault = ""
            if len(found_sides) < len(files) or len(subsets) > 1:
                fault = "the pair_id occurs more than once"
            elif found_sides != sides:
                fault = f"the {'target' if 'inputs' in found_sides else 'input'} is missing"
            items.append(Item(pair_id, subset, names, fault, files[0][2] if dataset.domains else ""))
    return items


def _names_of(downloaded: Path) -> Iterator[str]:
    """Yield the name of every file below `downloaded`, sorted in each folder, except of those about the set."""
    for folder, folders, names in os.walk(downloaded):
        folders.sort()
        below = Path(folder).relative_to(downloaded)
        for name in sorted(names):
            path = (below / name).as_posix()
            if os.path.isfile(os.path.join(folder, name)) and path not in ("dataset.json", LEFT_OUT):
                yield path


def _make_row(dataset: Dataset, downloaded: Path, folder: Path, settings: Split, item: Item) -> dict[str, Any]:
    """Write one pair and return its manifest row; the row has a `fault` if the pair cannot be made."""
    source, files = " ".join(item.files), tuple(downloaded / name for name in item.files)
    row = {"pair_id": item.pair_id, "split": item.split, "source": source, "files": len(item.files) - item.shared}
    row |= {"domain": item.domain or None} if dataset.domains else {}
    if item.fault:
        return {**row, "fault": item.fault}
    try:
        row |= _scene_and_group(dataset, item)
        input_stored, target_stored = _read(dataset, files, int(settings.max_megapixels * 1e6))
        target = target_stored.pixels
        if dataset.target_channels == 1:
            target = _as_grey(target, target_stored.mode, files[-1])
    except UserError as error:
        return {**row, "fault": str(error).replace(f"{downloaded}/", "")}
    except ValueError as error:
        return {**row, "fault": f"{source} {error}"}

    row["source_sha256"] = hashlib.sha256("".join(map(sha256_of, files)).encode()).hexdigest()
    for side, stored in (("input", input_stored), ("target", target_stored)):
        if stored is None:
            continue
        row[f"{side}_path"] = f"{item.split}/{side}s/{item.pair_id}.png"
        row |= {f"{side}_mode": stored.mode, f"{side}_notes": "; ".join(stored.notes) or None}
        row[f"{side}_source_height_px"], row[f"{side}_source_width_px"] = stored.pixels.shape[:2]

    size = settings.height_px, settings.width_px
    if dataset.frames:
        row |= {f"{side}_source_height_px": _frame_height(row, dataset, side) for side in ("input", "target")}
        target = _resize_frames(target, dataset.frames.frames_out, size)
    else:
        target = resize_photo(target, *size)
    write_png(folder / row["target_path"], target)
    if input_stored is None:
        return row | _describe_target(target)
    if dataset.frames:
        input_pixels = _resize_frames(input_stored.pixels, dataset.frames.frames_in, size)
    elif dataset.classes is None:
        input_pixels = _draw_input(dataset, input_stored.pixels, target)
    else:
        ids, columns = _to_ids(dataset.classes, input_stored.pixels, settings.snap_tolerance)
        input_pixels = resize_labels(ids, *size)
        row |= columns | _describe_classes(dataset.classes, input_pixels) | {"input_lossy": int(input_stored.lossy)}
    write_png(folder / row["input_path"], input_pixels)
    row[EDGES] = _edges_of(dataset, input_pixels, target)
    return row | _describe_input(input_pixels) | _describe_target(target, dataset.target_frames)


def _edges_of(dataset: Dataset, input_pixels: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Return the edge maps of a pair, `[2, D]` uint8: of the last frame of a video's input, the first of its target."""
    drawing = dataset.classes.to_colors(input_pixels) if dataset.classes else input_pixels
    return edge_maps_of(unstacked(drawing, dataset.input_frames)[-1], unstacked(target, dataset.target_frames)[0])


def _scene_and_group(dataset: Dataset, item: Item) -> dict[str, str | None]:
    """Return an item's columns `group` and, in a set with domains, `scene`.

    Images of one scene are of one group. A pattern sees a pair_id without its domain, so that a city or a sequence is
    one group in all domains.
    """
    name = item.pair_id.removeprefix(f"{item.domain}_")
    named = name if dataset.scenes or dataset.group_pattern else item.pair_id
    group = {"group": group_of(named, dataset.group_pattern)}
    return group | ({"scene": name if dataset.scenes else None} if dataset.domains else {})


def _read(dataset: Dataset, files: tuple[Path, ...], max_px: int) -> tuple[Stored | None, Stored]:
    """Return input and target as they are stored; no input for an image that stands alone.

    Raises:
        UserError: a file is no image, or is too large.
        ValueError: an image cannot be halved, or is no class map though one is needed.
    """
    if dataset.frames:
        return _read_frames(files, dataset.frames.frames_in, max_px)
    ids = dataset.classes is not None and dataset.label_pixels == "ids"
    drawing = read_stored(files[0], ids, max_px)
    if dataset.input_from == "none":
        return None, drawing
    if ids and drawing.pixels.ndim != 2:
        raise ValueError(
            f"has mode {drawing.mode}, class ids need one 8-bit channel; save it so, or set label_pixels: colors if "
            "its colours are those of the classes"
        )
    if dataset.input_from == "file":
        target = read_stored(files[1], ids=False, max_px=max_px)
    elif dataset.input_from in ("grey", "edges", "reduced"):
        target = drawing
    else:
        drawing, target = split_side_by_side(drawing, dataset.input_from)
    if dataset.classes and (fault := drawing.label_fault()):
        raise ValueError(fault)
    return drawing, target


def _read_frames(files: tuple[Path, ...], count: int, max_px: int) -> tuple[Stored, Stored]:
    """Return the first `count` frames, one under the other, and the others in the same way.

    Raises:
        UserError: a file is no image, or is too large.
        ValueError: the frames have several sizes.
    """
    frames = [read_stored(path, False, max_px) for path in files]
    if len(sizes := {frame.pixels.shape[:2] for frame in frames}) > 1:
        listed = ", ".join(f"{height}x{width}" for height, width in sorted(sizes))
        raise ValueError(f"has frames of several sizes ({listed}); those of one video must have one")
    return _as_one(frames[:count]), _as_one(frames[count:])


def _as_one(frames: Sequence[Stored]) -> Stored:
    """Return frames one under the other; the mode is that of the first that is not stored as RGB, if one is not."""
    modes = [frame.mode for frame in frames]
    notes = tuple(dict.fromkeys(note for frame in frames for note in frame.notes))
    return Stored(
        stacked([frame.pixels for frame in frames]), next((mode for mode in modes if mode != "RGB"), "RGB"), notes=notes
    )


def _frame_height(row: Mapping[str, Any], dataset: Dataset, side: str) -> int:
    frames = {"input": dataset.input_frames, "target": dataset.target_frames}
    return row[f"{side}_source_height_px"] // frames[side]


def _resize_frames(pixels: np.ndarray, count: int, size: tuple[int, int]) -> np.ndarray:
    """Return an image of `count` frames with each of them resized, `[count * height, width, 3]` uint8."""
    return stacked([resize_photo(frame, *size) for frame in unstacked(pixels, count)])


def _as_grey(target: np.ndarray, mode: str, path: Path) -> np.ndarray:
    """Return the one channel of a target, `[H, W]` uint8; `validate` refuses the other modes afterwards."""
    return one_channel(target, str(path)) if mode in TARGET_MODES[1] else luma(target)


def _draw_input(dataset: Dataset, stored: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Return the input of a set without classes, `[H, W, 3]` uint8: at the target's size, or reduced."""
    if dataset.input_from == "grey":
        return grey(target)
    if dataset.input_from == "edges":
        return edges(target, dataset.edges)
    if dataset.input_from == "reduced":
        reduced = reduce_photo(target, dataset.factor)
        return reduced if reduced.ndim == 3 else np.repeat(reduced[..., None], 3, axis=2)
    return resize_photo(stored, *target.shape[:2])


def _to_ids(classes: ClassTable, stored: np.ndarray, snap_tolerance: float) -> tuple[np.ndarray, dict[str, Any]]:
    """Return the class ids `[H, W]` uint8 of a drawing in colours or ids, and its columns of the manifest."""
    if stored.ndim == 2:
        unknown = ~classes.known[stored]
        # An id without a class must not reach a network; it becomes the first class and is reported.
        ids = np.where(unknown, np.uint8(classes.entries[0].id), stored)
        share = round(float(unknown.mean()), 6)
        listed = " ".join(map(str, np.unique(stored[unknown]))) or None
        columns = {"changed_share": share, "moved_share": 0.0, "unknown_share": share, "unknown_ids": listed}
        return ids, columns | describe_borders(stored)
    ids, distance = classes.snap(stored)
    changed = distance > 0
    columns = {
        "changed_share": round(float(changed.mean()), 6),
        # The limit is half the distance at which a colour counts as unknown.
        "moved_share": round(float((distance > snap_tolerance / 2).mean()), 6),
        "changed_at_borders": round(float(_near_borders(ids)[changed].mean()), 4) if changed.any() else np.nan,
        "unknown_share": round(float((distance > snap_tolerance).mean()), 6),
        "unknown_ids": None,
    }
    return ids, columns | describe_borders(ids)


def _near_borders(ids: np.ndarray) -> np.ndarray:
    """Return which pixels of `[H, W]` ids are at most two pixels away from another class, `[H, W]` bool."""
    return ndimage.maximum_filter(ids, 5, mode="nearest") != ndimage.minimum_filter(ids, 5, mode="nearest")


def _describe_classes(classes: ClassTable, ids: np.ndarray) -> dict[str, Any]:
    """Return the manifest's columns about the classes of an input at the working size."""
    counts = np.bincount(ids.ravel(), minlength=256)
    found = np.flatnonzero(counts)
    return {
        "class_ids": " ".join(map(str, found)),
        "class_count": int((~classes.void[found]).sum()),
        "class_shares": " ".join(f"{i}:{counts[i] / ids.size:.6f}" for i in found),
    }


def _describe_input(pixels: np.ndarray) -> dict[str, Any]:
    """Return the columns that `validate` compares with its limits, for an input at the working size."""
    return {
        "input_sha256": _sha256_of_pixels(pixels),
        "input_channels": 1 if pixels.ndim == 2 else pixels.shape[2],
        "input_std": round(float((pixels if pixels.ndim == 2 else luma(pixels)).std()), 4),
    }


def _describe_target(target: np.ndarray, frames: int = 1) -> dict[str, Any]:
    """Return the columns that `validate` compares with its limits, for a target at the working size.

    The perceptual hash is that of the first of its frames, since frames one under the other all look alike to it.
    """
    light = luma(target)
    counts = np.bincount(light.ravel(), minlength=256)
    shares = counts[counts > 0] / light.size
    return {
        "target_sha256": _sha256_of_pixels(target),
        "height_px": target.shape[0],
        "width_px": target.shape[1],
        "target_channels": 1 if target.ndim == 2 else target.shape[2],
        "target_mean": round(float(light.mean()), 4),
        "target_std": round(float(light.std()), 4),
        "target_entropy_bits": round(float((shares * np.log2(1 / shares)).sum()), 4),
        # The sharpness is relative to the contrast, so that a night scene does not count as blurred.
        "target_sharpness": round(float(ndimage.laplace(light.astype(np.float32)).std() / max(light.std(), 1e-6)), 4),
        "target_phash": perceptual_hash(target[: len(target) // frames], HASH_SIDE),
    }


def _sha256_of_pixels(pixels: np.ndarray) -> str:
    """Return a hash that depends only on the pixels, not on the compression of their file."""
    return hashlib.sha256(repr(pixels.shape).encode() + np.ascontiguousarray(pixels).tobytes()).hexdigest()
