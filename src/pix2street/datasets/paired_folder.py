"""A user's own pairs, in a folder, a zip or a tar: side-by-side images, or inputs and targets in parallel folders."""

from pathlib import Path
from typing import Literal

from pix2street.core.archives import Limits, Source, open_source
from pix2street.core.class_tables import NAMED_TABLES, read_class_table, shared_colors, with_void
from pix2street.core.classes import ClassTable
from pix2street.core.errors import UserError
from pix2street.core.pairs import Dataset
from pix2street.datasets.arrangement import arrange
from pix2street.datasets.own_images import copy_images, images_of, say_notes

SHARED_COLOR = {
    "ids": "a generator can tell them apart with train.data.encoding: onehot alone",
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
    form: Literal["left", "right", "folders"],
    input_folder: str,
    target_folder: str,
    classes: str,
    label_pixels: Literal["colors", "ids"],
    void_id: int | None = None,
    group_pattern: str | None,
    **naming,
) -> Dataset:
    """Copy the images, byte for byte, into the splits they stand in; one without splits is divided by share and seed.

    Args:
        form: the half of a side-by-side image that is the input, or `folders` for two parallel ones.
        input_folder, target_folder: their names, at any depth of the path, e.g. `labels` of `train/labels/a.png`.
        classes: `none`, one of `NAMED_TABLES`, or the name of a CSV file in the source.
        void_id: an id of pixels that nobody labelled, beside those of the table.
        naming: as `arrange` takes it.

    Raises:
        UserError: a class table with mistakes, nothing there, or as `arrange`.
    """
    with open_source(path, limits) as source:
        table = _class_table(source, classes, label_pixels)
        if table and void_id is not None:
            table = with_void(table, void_id)
        for one, other in shared_colors(table) if table else ():
            print(f"{classes}: {one} and {other} have one colour: {SHARED_COLOR[label_pixels].format(one)}")
        images, others = images_of(source, [classes])
        arrangement = arrange(
            path,
            images,
            form=form,
            input_folder=input_folder,
            target_folder=target_folder,
            group_pattern=group_pattern,
            **naming,
        )
        say_notes(path, arrangement)
        copy_images(source, folder, arrangement.places, others | arrangement.left_out)
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


def _class_table(source: Source, classes: str, label_pixels: Literal["colors", "ids"]) -> ClassTable | None:
    """Return the table that `download.paired_folder.classes` names; a CSV file is one of the source's."""
    if classes == "none":
        return None
    if classes in NAMED_TABLES:
        return NAMED_TABLES[classes]()
    if classes not in source.names:
        raise UserError(
            f"{source.path}: no class table {classes} in it; put it there or fix download.paired_folder.classes"
        )
    ((_, content),) = source.read([classes])
    return read_class_table(content, classes, label_pixels)
