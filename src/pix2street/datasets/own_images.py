"""What `paired_folder`, `colorization` and `sketches` share: a user's images go into splits, byte for byte."""

from collections.abc import Collection
from pathlib import Path, PurePosixPath

from pix2street.archives import Limits, Source, open_source
from pix2street.datasets.arrangement import Arrangement, arrange
from pix2street.errors import UserError
from pix2street.images import IMAGE_SUFFIXES

NOT_IMAGES_SHOWN = 5


def images_of(source: Source, others_wanted: Collection[str] = ()) -> list[str]:
    """The names of all images; what else is there is said, so that nothing is passed over in silence.

    Raises:
        UserError: there is no image.
    """
    images = [name for name in source.names if PurePosixPath(name).suffix.lower() in IMAGE_SUFFIXES]
    if not images:
        raise UserError(
            f"{source.path}: no images found ({', '.join(IMAGE_SUFFIXES)}); put yours there, mend download.path, or "
            "choose download.dataset: synthetic_streets"
        )
    others = sorted({*source.names} - {*images, *others_wanted})
    if others:
        shown = ", ".join(others[:NOT_IMAGES_SHOWN]) + (", ..." if len(others) > NOT_IMAGES_SHOWN else "")
        print(f"{source.path}: passed over {len(others)} files that are no images: {shown}")
    return images


def copy_images(source: Source, folder: Path, places: dict[str, str]) -> None:
    """Write each image to its place below `folder`, e.g. `train/inputs/<pair_id>`, with its own ending."""
    for place in {PurePosixPath(place).parent for place in places.values()}:
        (folder / place).mkdir(parents=True, exist_ok=True)
    for name, content in source.read(places.keys()):
        (folder / f"{places[name]}{PurePosixPath(name).suffix.lower()}").write_bytes(content)


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
        arrangement = arrange(path, images_of(source), form="photos", **naming)
        say_notes(path, arrangement)
        copy_images(source, folder, arrangement.places)
