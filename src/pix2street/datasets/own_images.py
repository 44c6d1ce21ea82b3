"""Copies of a user's images in their splits, byte for byte: for every data set that `download.path` names."""

from collections import Counter
from collections.abc import Collection
from pathlib import Path, PurePosixPath

from pix2street.core.accounting import in_words, settle
from pix2street.core.archives import Source, open_source
from pix2street.core.errors import UserError
from pix2street.core.formats import HEAD_BYTES, READ_HERE_NAMES, ending_for, has_image_ending, why_no_image
from pix2street.core.limits import Limits
from pix2street.core.pairs import refuse_unusable
from pix2street.datasets.arrangement import Arrangement, arrange
from pix2street.settings.download import Naming

LINKS_SHOWN = 3


def images_of(source: Source, tables: Collection[str] = ()) -> tuple[list[str], dict[str, str]]:
    """Return the names of all images and, for every other file, the reason why it is not an image.

    A file with the ending of an image is taken for one, and `split` decodes it. The content of all others decides.

    Args:
        tables: files that hold class tables.

    Raises:
        UserError: there is no image, or an image's name cannot be a pair_id.
    """
    images, others = [], dict(source.left_out)
    for name in source.names:
        if name in tables:
            others[name] = "the class table"
        elif why := _why_not(source, name):
            others[name] = why
        else:
            images.append(name)
    if not images:
        raise UserError(
            f"{source.path}: no images found{_what_is_there(others)}; put {READ_HERE_NAMES} images there, "
            "fix download.path, or choose download.dataset: synthetic_streets"
        )
    refuse_unusable((str(PurePosixPath(name).with_suffix("")) for name in images), source.path)
    return images, others


def _why_not(source: Source, name: str) -> str:
    """Return the reason why a file is not an image; empty if it is one."""
    if has_image_ending(name):
        return ""
    try:
        return why_no_image(name, source.head(name))
    except OSError as error:
        return f"cannot be read ({error.strerror})"


def _what_is_there(others: dict[str, str]) -> str:
    """Return the end of a clause, which lists the files of a source without images."""
    if not others:
        return ", it is empty"
    first = f"{next(iter(others))!r}{', ...' if len(others) > 1 else ''}"
    return f", but {in_words(Counter(others.values()))} ({first})"


def copy_images(
    source: Source, folder: Path, destinations: dict[str, str], left_out: dict[str, str], alone: bool = False
) -> None:
    """Write each image to its destination below `folder`, e.g. `train/inputs/<pair_id>`, and account for all files.

    An image keeps its ending if that is one of images, and gets the ending of its content otherwise.

    Args:
        destinations: the destination of every image that is taken.
        left_out: the reason for every other file of the source.
        alone: whether the images make no pairs.
    """
    for destination in {PurePosixPath(destination).parent for destination in destinations.values()}:
        (folder / destination).mkdir(parents=True, exist_ok=True)
    for name, content in source.read(destinations.keys()):
        (folder / f"{destinations[name]}{ending_for(name, content[:HEAD_BYTES])}").write_bytes(content)
    if source.linked:
        # The folder is a dependency of the stage, and DVC does not look at folders behind links in it.
        print(
            f"{source.path}: links to folders are followed ({', '.join(map(repr, source.linked[:LINKS_SHOWN]))}"
            f"{', ...' if len(source.linked) > LINKS_SHOWN else ''}); DVC does not see a change behind them, so run "
            "`dvc repro --force download` after one"
        )
    settle(folder, source.path, {*source.names, *source.left_out}, destinations, left_out, alone=alone)


def say_notes(path: Path, arrangement: Arrangement) -> None:
    """Print how the names were read, one note on each line."""
    for note in arrangement.notes:
        print(f"{path}: {note}")


def fetch_photos(folder: Path, path: Path, limits: Limits, naming: Naming) -> None:
    """Copy a source's photos, byte for byte, to `folder/<split>/<pair_id>.<ext>`; the inputs are drawn from them later.

    Raises:
        UserError: the source is missing or holds no image, or `arrange` refuses its names.
    """
    with open_source(path, limits) as source:
        images, others = images_of(source)
        arrangement = arrange(path, images, "photos", naming)
        say_notes(path, arrangement)
        copy_images(source, folder, arrangement.destinations, others | arrangement.left_out)
