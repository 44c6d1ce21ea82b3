"""A user's own pairs in a folder, a zip or a tar: side-by-side images, or inputs and targets in separate files."""

from pathlib import Path

from pix2street.core.archives import Source, open_source
from pix2street.core.class_tables import NAMED_TABLES, read_class_table, shared_colors, with_void
from pix2street.core.classes import ClassTable
from pix2street.core.errors import UserError
from pix2street.core.limits import Limits
from pix2street.core.pairs import Dataset
from pix2street.datasets.arrangement import arrange
from pix2street.datasets.own_images import copy_images, images_of, say_notes
from pix2street.settings.download import OwnImages, PairedFolder

SHARED_COLOR = {
    "ids": "a generator can tell them apart only with train.data.encoding: onehot",
    "colors": "all pixels of it are read as {}",
}


def fetch(folder: Path, path: Path, limits: Limits, own: OwnImages, settings: PairedFolder) -> Dataset:
    """Copy the images, byte for byte, into their splits; a source without splits is divided by share and seed.

    Raises:
        UserError: the source is missing or holds no image, a class table has mistakes, or `arrange` refuses the names.
    """
    classes, label_pixels = settings.classes, settings.label_pixels
    with open_source(path, limits) as source:
        table = _class_table(source, settings)
        for one, other in shared_colors(table) if table else ():
            print(f"{classes}: {one} and {other} have one colour: {SHARED_COLOR[label_pixels].format(one)}")
        images, others = images_of(source, [classes])
        arrangement = arrange(path, images, settings.form, own, settings)
        say_notes(path, arrangement)
        copy_images(source, folder, arrangement.destinations, others | arrangement.left_out)
    return Dataset(
        name="paired_folder",
        title=own.title,
        direction="input to target" if table is None else "labels to photo",
        licence=own.licence,
        home_page=own.home_page,
        input_from="file" if settings.form == "folders" else settings.form,
        group_pattern=own.group_pattern,
        classes=table,
        label_pixels=label_pixels,
    )


def _class_table(source: Source, settings: PairedFolder) -> ClassTable | None:
    """Return the table that the settings name, which may be a CSV file in the source; None for none."""
    if settings.classes == "none":
        return None
    if settings.classes in NAMED_TABLES:
        table = NAMED_TABLES[settings.classes]()
    elif settings.classes in source.names:
        ((_, content),) = source.read([settings.classes])
        table = read_class_table(content, settings.classes, settings.label_pixels)
    else:
        raise UserError(
            f"{source.path}: no class table {settings.classes} in it; put it there or fix "
            "download.paired_folder.classes"
        )
    return table if settings.void_id is None else with_void(table, settings.void_id)
