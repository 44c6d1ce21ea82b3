"""Which split, which side and which pair_id each image of a user's has, from its name alone."""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from pix2street.core.errors import UserError
from pix2street.core.pairs import SPLITS
from pix2street.datasets.pair_ids import name_images, refuse_unpaired, tell_apart
from pix2street.datasets.reading import Changes, Reading, images_are, in_folders
from pix2street.datasets.sides import refuse_parallel_folders, take_sides
from pix2street.datasets.splits import divide, read_folders, refuse_missing_splits, refuse_some_outside


@dataclass(frozen=True)
class Arrangement:
    """Where every image goes.

    Args:
        destinations: by its name in the source, each image's destination below the downloaded folder without its ending:
            `train/<pair_id>`, or `train/inputs/<pair_id>` where inputs and targets are apart.
        left_out: by its name in the source, why an image makes no pair.
        notes: what was understood, a sentence each.
    """

    destinations: dict[str, str]
    left_out: dict[str, str]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Proposal:
    """What a source can be read as.

    Args:
        changes: what has to be set for it, by section of `download` and key.
        arrangement: what the images become then; None where they are refused all the same.
        refusals: the messages met on the way, the last one the reason why there is no arrangement.
    """

    changes: Changes
    arrangement: Arrangement | None
    refusals: tuple[str, ...]


def arrange(path: Path, images: Collection[str], **settings) -> Arrangement:
    """Say where each image goes; the order of `images` does not matter.

    Args:
        path: the source, for messages.
        images: their names, with `/` between folders.
        settings: as `Reading` takes them.

    Raises:
        ArrangementError: the names do not say it, or say two things; the message has the way out.
        UserError: a pair_id that cannot name a file, or in which `group_pattern` finds nothing.
    """
    reading = Reading(path, **settings)
    if not images:
        reading.refuse("there are no images in it")
    found = read_folders(reading, sorted(set(images)))
    if reading.form == "folders":
        found = take_sides(reading, found)
    elif reading.form != "photos":
        refuse_parallel_folders(reading, found)
    refuse_some_outside(reading, found)
    refuse_missing_splits(reading, found)
    found = tell_apart(reading, name_images(reading, found))
    if reading.form == "folders":
        refuse_unpaired(reading, found)
    found = divide(reading, found)
    _note_left_out(reading)
    return Arrangement({image.name: image.destination for image in found}, reading.left_out, tuple(reading.notes))


def propose(path: Path, images: Collection[str], **settings) -> Proposal:
    """Arrange the images, and take up what each refusal proposes until nothing more is proposed.

    Args:
        settings: as `arrange` takes them.
    """
    changes: Changes = {}
    refusals: list[str] = []
    while True:
        try:
            return Proposal(changes, arrange(path, images, **settings), tuple(refusals))
        except UserError as error:
            refusals.append(str(error))
            proposed = getattr(error, "changes", {})
        new = {key: value for section in proposed.values() for key, value in section.items()}
        if all(settings.get(key) == value for key, value in new.items()) or len(refusals) > len(SPLITS) * 3:
            return Proposal(changes, None, tuple(refusals))
        settings |= new
        for section, keys in proposed.items():
            changes[section] = {**changes.get(section, {}), **keys}


def _note_left_out(reading: Reading) -> None:
    for reason, count in sorted(Counter(reading.left_out.values()).items()):
        folders = in_folders(name for name, why in reading.left_out.items() if why == reason)
        reading.notes.append(f"{images_are(count)} left out, {'each ' if count > 1 else ''}since {reason}: {folders}.")
