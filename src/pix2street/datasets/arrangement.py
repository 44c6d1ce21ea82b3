"""The arrangement of a user's images into splits, sides and pairs, which their names decide."""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from pix2street.core.errors import UserError
from pix2street.core.pairs import SUBSETS
from pix2street.datasets.pair_ids import name_images, refuse_unpaired, tell_apart
from pix2street.datasets.reading import Changes, Form, Reading, images_are, in_folders
from pix2street.datasets.sides import refuse_parallel_folders, take_sides
from pix2street.datasets.splits import divide, is_undivided, read_folders, refuse_missing_splits, refuse_some_outside
from pix2street.settings.download import Naming, PairedFolder


@dataclass(frozen=True)
class Arrangement:
    """The destination of every image.

    Args:
        destinations: by an image's name in the source, its path below the downloaded folder without its ending:
            `train/<pair_id>`, or `train/inputs/<pair_id>` where inputs and targets are apart.
        left_out: by an image's name in the source, the reason why it makes no pair.
        divided: whether shares and a seed have decided the splits, since no folder says them.
        notes: sentences on how the names were read.
    """

    destinations: dict[str, str]
    left_out: dict[str, str]
    divided: bool
    notes: tuple[str, ...]

    @property
    def pair_ids(self) -> dict[str, list[str]]:
        """The pair_ids of each split that has any."""
        targets = [path.split("/") for path in self.destinations.values() if "/inputs/" not in path]
        return {
            split: ids for split in SUBSETS if (ids := [pair_id for first, *_, pair_id in targets if first == split])
        }


@dataclass(frozen=True)
class Proposal:
    """The settings under which a source can be read.

    Args:
        changes: what has to be set, by section of `download` and key.
        naming, paired: the settings with these changes.
        arrangement: the arrangement under these settings; None where they are refused as well.
        refusals: the messages met on the way; where there is no arrangement, the last of them says why.
    """

    changes: Changes
    naming: Naming
    paired: PairedFolder
    arrangement: Arrangement | None
    refusals: tuple[str, ...]


def arrange(
    path: Path, images: Collection[str], form: Form, naming: Naming, paired: PairedFolder | None = None
) -> Arrangement:
    """Return the destination of each image; the order of `images` does not matter.

    Args:
        path: the source, for messages.
        images: their names, with `/` between folders.
        form: the contents of the images.
        naming: the settings that say what names mean.
        paired: the settings that name the folders or files of inputs and targets; needed only for the form `folders`.

    Raises:
        ArrangementError: the names are ambiguous, or do not say enough; the message has the way out.
        UserError: a pair_id cannot name a file, or `group_pattern` finds nothing in it.
    """
    reading = Reading(path, form, naming, paired)
    if not images:
        reading.refuse("there are no images in it")
    found = read_folders(reading, sorted(set(images)))
    if form == "folders":
        found = take_sides(reading, found)
    elif form != "photos":
        refuse_parallel_folders(reading, found)
    refuse_some_outside(reading, found)
    refuse_missing_splits(reading, found)
    found = tell_apart(reading, name_images(reading, found))
    if form == "folders":
        refuse_unpaired(reading, found)
    undivided = is_undivided(found)
    if undivided:
        found = divide(reading, found)
    note_left_out(reading)
    destinations = {image.name: image.destination for image in found}
    return Arrangement(destinations, reading.left_out, undivided, tuple(reading.notes))


def propose(path: Path, images: Collection[str], naming: Naming, paired: PairedFolder) -> Proposal:
    """Arrange the images, and take up what each refusal proposes until nothing more is proposed."""
    sections: dict[str, Naming | PairedFolder] = {"own_images": naming, "paired_folder": paired}
    changes: Changes = {}
    refusals: list[str] = []
    while True:
        naming, paired = sections.values()
        try:
            return Proposal(
                changes, naming, paired, arrange(path, images, paired.form, naming, paired), tuple(refusals)
            )
        except UserError as error:
            refusals.append(str(error))
            proposed = getattr(error, "changes", {})
        new = [(section, key, value) for section, keys in proposed.items() for key, value in keys.items()]
        known = all(getattr(sections[section], key) == value for section, key, value in new)
        if known or len(refusals) > len(SUBSETS) * 3:
            return Proposal(changes, naming, paired, None, tuple(refusals))
        for section, keys in proposed.items():
            sections[section] = sections[section].model_copy(update=keys)
            changes[section] = {**changes.get(section, {}), **keys}


def note_left_out(reading: Reading) -> None:
    """Note how many images are left out for each reason, and where they are."""
    for reason, count in sorted(Counter(reading.left_out.values()).items()):
        folders = in_folders(name for name, why in reading.left_out.items() if why == reason)
        reading.notes.append(f"{images_are(count)} left out, {'each ' if count > 1 else ''}since {reason}: {folders}.")
