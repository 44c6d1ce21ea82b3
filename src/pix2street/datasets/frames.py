"""A user's videos: films, and folders of frames, one for each video, at any depth."""

from collections import Counter
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

from pix2street.core.archives import open_source
from pix2street.core.frames import GROUP_PATTERN, FrameCounts
from pix2street.core.limits import Limits
from pix2street.core.pairs import Dataset, refuse_unusable
from pix2street.datasets.arrangement import Arrangement, note_left_out
from pix2street.datasets.films import unpack_films
from pix2street.datasets.folder_names import fold
from pix2street.datasets.own_images import copy_images, images_of, say_notes
from pix2street.datasets.reading import Image, Reading
from pix2street.datasets.splits import divide, is_undivided, read_folders, refuse_missing_splits, refuse_some_outside
from pix2street.settings.download import Frames, OwnImages


def fetch(folder: Path, path: Path, limits: Limits, own: OwnImages, frames: Frames) -> Dataset:
    """Write the frames to `folder/<split>/<video>/<name>.<ext>`: those of films as PNG, images byte for byte.

    The name of a video is that of its film or of its folder, with the folders above it that are no split. Frames are in
    the order of their names, in which numbers count as numbers. Without folders for splits whole videos are divided by
    shares.

    Raises:
        UserError: the source is missing or holds neither a film nor an image, `unpack_films` fails, or `arrange_videos`
            refuses the names.
    """
    counted = FrameCounts(**frames.model_dump())
    with open_source(path, limits) as packed, TemporaryDirectory(dir=folder) as unpacked:
        source = unpack_films(packed, Path(unpacked), limits)
        if films := len({*packed.names} - {*source.names}):
            print(f"{path}: {films:,} {'film' if films == 1 else 'films'} unpacked into frames")
        images, others = images_of(source)
        arrangement = arrange_videos(path, images, own, counted)
        say_notes(path, arrangement)
        copy_images(source, folder, arrangement.destinations, others | arrangement.left_out, alone=True)
    return Dataset(
        name="frames",
        title=own.title,
        direction="past to next frames",
        licence=own.licence,
        home_page=own.home_page,
        input_from="frames",
        group_pattern=own.group_pattern or GROUP_PATTERN,
        frames=counted,
    )


def arrange_videos(path: Path, images: list[str], own: OwnImages, frames: FrameCounts) -> Arrangement:
    """Return the destination of each frame, `<split>/<video>/<name>`.

    Raises:
        ArrangementError: the names of the folders are ambiguous or do not say enough, a frame is in no folder of a
            video, or no video is long enough for a pair.
    """
    reading = Reading(path, "videos", own)
    found = read_folders(reading, sorted(set(images)))
    refuse_some_outside(reading, found)
    refuse_missing_splits(reading, found)
    named = [image._replace(pair_id="_".join(image.folder.rest)) for image in found]
    _refuse_frames_of_no_video(reading, named)
    named = _told_apart(named)
    lengths = Counter(image.pair_id for image in named)
    if not any(frames.starts(length) for length in lengths.values()):
        video, length = lengths.most_common(1)[0]
        reading.refuse(
            f"a pair takes {frames.span} frames of a video (download.frames), but the longest video, {video!r}, has "
            f"{length}; give longer videos, or ask for fewer frames"
        )
    refuse_unusable(lengths, path)
    undivided = is_undivided(named)
    if undivided:
        named = divide(reading, named)
    note_left_out(reading)
    destinations = {image.name: f"{image.destination}/{PurePosixPath(image.name).stem}" for image in named}
    _refuse_equal_names(reading, destinations)
    return Arrangement(destinations, reading.left_out, undivided, tuple(reading.notes))


def _refuse_frames_of_no_video(reading: Reading, images: list[Image]) -> None:
    """Raise an error where a frame is beside the folders of videos, or where all images are in one folder."""
    if outside := [image.name for image in images if not image.pair_id]:
        reading.refuse(
            f"{outside[0]!r} is in the folder of no video. Put the frames of each video into a folder of its own, two "
            "videos or more: whole videos stay in one of train, val and test"
        )


def _told_apart(images: list[Image]) -> list[Image]:
    """Return the frames with their split before the name of each video, where two splits have one of a name."""
    splits: dict[str, set] = {}
    for image in images:
        splits.setdefault(fold(image.pair_id), set()).add(image.folder.split)
    if all(len(found) == 1 for found in splits.values()):
        return images
    return [image._replace(pair_id=f"{image.folder.split}_{image.pair_id}") for image in images]


def _refuse_equal_names(reading: Reading, destinations: dict[str, str]) -> None:
    """Raise an error where two frames would be one file, e.g. a.png and a.jpg, or a/b/1.png and a_b/1.png."""
    first: dict[str, str] = {}
    for name, destination in destinations.items():
        other = first.setdefault(fold(destination), name)
        if other != name:
            reading.refuse(f"{other!r} and {name!r} would both be {destination!r}; rename one of them")
