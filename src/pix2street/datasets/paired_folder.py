"""A user's own pairs, in a folder, a zip or a tar: side-by-side images, or inputs and targets in parallel folders."""

from pathlib import Path, PurePosixPath
from typing import Literal

from pix2street.archives import Limits, Source, open_source
from pix2street.class_tables import NAMED_TABLES, read_class_table, shared_colors, with_void
from pix2street.classes import ClassTable
from pix2street.datasets.own_images import copy_images, divide, images_of, pair_ids
from pix2street.errors import UserError
from pix2street.pairs import Dataset

SHARED_COLOR = {
    "ids": "a generator can tell them apart with train.input_encoding: onehot alone",
    "colors": "all pixels of it are read as {}",
}


def fetch(
    folder: Path,
    *,
    path: Path,
    limits: Limits,
    title: str,
    licence: str,
    home_page: str,
    group_pattern: str | None,
    split_shares: dict[str, float],
    seed: int,
    form: Literal["left", "right", "folders"],
    input_folder: str,
    target_folder: str,
    classes: str,
    label_pixels: Literal["colors", "ids"],
    void_id: int | None = None,
) -> Dataset:
    """Copy the images, byte for byte, into the splits they stand in; one without splits is divided by share and seed.

    Args:
        form: the half of a side-by-side image that is the input, or `folders` for two parallel ones.
        input_folder, target_folder: their names, at any depth of the path, e.g. `labels` of `train/labels/a.png`.
        classes: `none`, one of `NAMED_TABLES`, or the name of a CSV file in the source.
        void_id: an id of pixels that nobody labelled, beside those of the table.

    Raises:
        UserError: a class table with mistakes, nothing there, a pair_id that stands twice, images both inside and
            outside split folders, or too few groups to give every split one.
    """
    with open_source(path, limits) as source:
        table = _class_table(source, classes, label_pixels)
        if table and void_id is not None:
            table = with_void(table, void_id)
        for one, other in shared_colors(table) if table else ():
            print(f"{classes}: {one} and {other} have one colour: {SHARED_COLOR[label_pixels].format(one)}")
        images, others = images_of(source, [classes])
        if form == "folders":
            kinds = {"inputs": input_folder, "targets": target_folder}
            sides = {kind: _below(images, name) for kind, name in kinds.items()}
            _refuse_empty(path, sides, kinds)
        else:
            sides = {"": images}
        # An input and its target share one split, since they share one pair_id.
        ids = pair_ids(path, *sides.values())
        splits = divide(path, ids, group_pattern, split_shares, seed)
        places = {
            name: str(PurePosixPath(splits[name], kind, ids[name])) for kind, side in sides.items() for name in side
        }
        beside = "beside the folders of inputs and targets"
        others |= {name: beside for name in images if name not in places}
        copy_images(source, folder, places, others)
    return Dataset(
        name="paired_folder",
        title=title,
        direction="input to target" if table is None else "labels to photo",
        licence=licence,
        home_page=home_page,
        input_from="file" if form == "folders" else form,
        group_pattern=group_pattern,
        classes=table,
        label_pixels=label_pixels,
    )


def _below(images: list[str], folder: str) -> list[str]:
    return [name for name in images if folder in PurePosixPath(name).parts[:-1]]


def _refuse_empty(path: Path, sides: dict[str, list[str]], kinds: dict[str, str]) -> None:
    for kind, side in sides.items():
        if not side:
            raise UserError(
                f"{path}: no image in a folder named {kinds[kind]!r}; mend download.paired_folder.{kind[:-1]}_folder"
            )


def _class_table(source: Source, classes: str, label_pixels: Literal["colors", "ids"]) -> ClassTable | None:
    """The table that `download.paired_folder.classes` names; a file of its own stands in the source."""
    if classes == "none":
        return None
    if classes in NAMED_TABLES:
        return NAMED_TABLES[classes]()
    if classes not in source.names:
        raise UserError(
            f"{source.path}: no class table {classes} in it; put it there or mend download.paired_folder.classes"
        )
    ((_, content),) = source.read([classes])
    return read_class_table(content, classes, label_pixels)
