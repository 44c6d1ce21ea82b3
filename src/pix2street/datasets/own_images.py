"""What `paired_folder`, `colorization` and `sketches` share: a user's images go into splits, byte for byte."""

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

LINKS_SHOWN = 3


def images_of(source: Source, tables: Collection[str] = ()) -> tuple[list[str], dict[str, str]]:
    """Return the names of all images and, for every other file, why it is none.

    A name that ends as images do is taken for one: `split` decodes it. Of all others the content decides.

    Args:
        tables: files that are read for something else.

    Raises:
        UserError: there is no image, or the name of one can be no pair_id.
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
    if has_image_ending(name):
        return ""
    try:
        return why_no_image(name, source.head(name))
    except OSError as error:
        return f"cannot be read ({error.strerror})"


def _what_is_there(others: dict[str, str]) -> str:
    if not others:
        return ", it is empty"
    first = f"{next(iter(others))!r}{', ...' if len(others) > 1 else ''}"
    return f", but {in_words(Counter(others.values()))} ({first})"


def copy_images(source: Source, folder: Path, places: dict[str, str], left_out: dict[str, str]) -> None:
    """Write each image to its place below `folder`, e.g. `train/inputs/<pair_id>`, and account for all files.

    An image keeps its ending where images end so; any other gets that of its content.

    Args:
        places: of all images that are taken.
        left_out: the reason for every other file of the source.
    """
    for place in {PurePosixPath(place).parent for place in places.values()}:
        (folder / place).mkdir(parents=True, exist_ok=True)
    for name, content in source.read(places.keys()):
        (folder / f"{places[name]}{ending_for(name, content[:HEAD_BYTES])}").write_bytes(content)
    if source.linked:
        # The folder is a dependency of the stage, and DVC looks at no folder behind a link in it.
        print(
            f"{source.path}: links to folders are followed ({', '.join(map(repr, source.linked[:LINKS_SHOWN]))}"
            f"{', ...' if len(source.linked) > LINKS_SHOWN else ''}); DVC does not see a change behind them, so run "
            "`dvc repro --force download` after one"
        )
    settle(folder, source.path, {*source.names, *source.left_out}, places, left_out)


def say_notes(path: Path, arrangement: Arrangement) -> None:
    """Print what was understood of the names, a line a note."""
    for note in arrangement.notes:
        print(f"{path}: {note}")


def fetch_photos(folder: Path, *, path: Path, limits: Limits, **naming) -> None:
    """Copy a source's photos, byte for byte, to `folder/<split>/<pair_id>.<ext>`; the inputs are drawn from them later.

    Args:
        naming: as `arrange` takes it.

    Raises:
        UserError: nothing there, or as `arrange`.
    """
    with open_source(path, limits) as source:
        images, others = images_of(source)
        arrangement = arrange(path, images, form="photos", **naming)
        say_notes(path, arrangement)
        copy_images(source, folder, arrangement.places, others | arrangement.left_out)
