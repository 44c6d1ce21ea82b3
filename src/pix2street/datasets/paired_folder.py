"""A user's own pairs, in a folder, a zip or a tar: side-by-side images, or inputs and targets in parallel folders."""

import io
from pathlib import Path
from typing import Literal

import pandas as pd

from pix2street.archives import Limits, Source, open_source
from pix2street.classes import VOID, ClassEntry, ClassTable, cityscapes_classes
from pix2street.datasets.arrangement import arrange
from pix2street.datasets.own_images import copy_images, images_of, say_notes
from pix2street.errors import UserError
from pix2street.pairs import Dataset


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
    group_pattern: str | None,
    **naming,
) -> Dataset:
    """Copy the images, byte for byte, into the splits they stand in; one without splits is divided by share and seed.

    Args:
        form: the half of a side-by-side image that is the input, or `folders` for two parallel ones.
        input_folder, target_folder: their names, at any depth of the path, e.g. `labels` of `train/labels/a.png`.
        classes: `none`, `cityscapes`, `cityscapes_evaluated`, or the name of a CSV file in the source.
        naming: as `arrange` takes it.

    Raises:
        UserError: nothing there, or as `arrange`.
    """
    with open_source(path, limits) as source:
        table = _class_table(source, classes)
        arrangement = arrange(
            path,
            images_of(source, [classes]),
            form=form,
            input_folder=input_folder,
            target_folder=target_folder,
            group_pattern=group_pattern,
            **naming,
        )
        say_notes(path, arrangement)
        copy_images(source, folder, arrangement.places)
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


def _class_table(source: Source, classes: str) -> ClassTable | None:
    """The table that `download.paired_folder.classes` names; a file of its own stands in the source."""
    if classes == "none":
        return None
    if classes in ("cityscapes", "cityscapes_evaluated"):
        return cityscapes_classes(evaluated_only=classes == "cityscapes_evaluated")
    if classes not in source.names:
        raise UserError(
            f"{source.path}: no class table {classes} in it; put it there or mend download.paired_folder.classes"
        )
    columns = ["id", "name", "red", "green", "blue", "evaluated"]
    ((_, content),) = source.read([classes])
    try:
        table = pd.read_csv(io.BytesIO(content), usecols=lambda name: name in [*columns, "category"])
        table = table[[*columns, *table.columns.intersection(["category"])]].fillna({"category": ""})
        rows = table.to_dict("records")
    except (ValueError, KeyError) as error:
        raise UserError(f"{classes}: a class table has the columns {', '.join(columns)} ({error})") from error
    entries = []
    for row in rows:
        numbers = [row[column] for column in ("id", "red", "green", "blue")]
        if any(number not in range(256) for number in numbers) or row["evaluated"] not in (0, 1):
            raise UserError(f"{classes}: ids and colours are 0 to 255, evaluated is 0 or 1; mend {row}")
        class_id, *color = (int(number) for number in numbers)
        category = str(row.get("category", ""))
        entries.append(ClassEntry(class_id, str(row["name"]), tuple(color), bool(row["evaluated"]), category))
    if len({entry.id for entry in entries}) < len(entries) or any(entry.id == VOID for entry in entries):
        raise UserError(f"{classes}: every class needs an id of its own below {VOID}")
    return ClassTable(tuple(entries))
