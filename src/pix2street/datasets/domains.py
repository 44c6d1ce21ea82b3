"""The arrangement of images into domains and splits, which the names of their folders decide."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from pix2street.core.pairs import SUBSETS, refuse_unusable
from pix2street.datasets.arrangement import Arrangement, note_left_out
from pix2street.datasets.folder_names import fold, split_key
from pix2street.datasets.pair_ids import name_images, tell_apart
from pix2street.datasets.reading import (
    Folder,
    Image,
    Reading,
    folders_of,
    images_are,
    in_folders,
    listed,
    split_names,
)
from pix2street.datasets.sides import match_sides
from pix2street.datasets.splits import divide, is_undivided, read_folders, refuse_missing_splits, refuse_some_outside
from pix2street.settings.download import Naming


def arrange_domains(
    path: Path, images: Collection[str], naming: Naming, domains: Sequence[str], scenes: bool
) -> tuple[Arrangement, tuple[str, ...]]:
    """Return the destination of each image, `<split>/<domain>/<domain>_<name>`, and the domains in their order.

    Where the folders say train and test, but no val, test is read as val. Without folders for splits every domain is
    divided by shares and a seed; where images of several domains belong together, all of them at once.

    Args:
        path: the source, for messages.
        images: their names, with `/` between folders; their order does not matter.
        naming: the settings that say what names mean.
        domains: the folders of the domains; empty for all folders of the source.
        scenes: whether images of one name show the same scene in several domains.

    Raises:
        ArrangementError: the names are ambiguous, or do not say enough; the message has the way out.
        UserError: an id cannot name a file, or `group_pattern` finds nothing in it.
    """
    reading = Reading(path, "domains", naming, domains=tuple(domains))
    found = _read_splits(reading, sorted(set(images)))
    found = _take_domains(reading, found) if domains else _find_domains(reading, found)
    refuse_some_outside(reading, found)
    refuse_missing_splits(reading, found)
    parts = [found] if scenes else _by_domain(reading, found)
    found = [image for part in parts for image in tell_apart(reading, name_images(reading, part))]
    undivided = is_undivided(found)
    if undivided:
        parts = [found] if scenes or naming.group_pattern else _by_domain(reading, found)
        found = [image for part in parts for image in divide(reading, part)]
    _refuse_empty_splits(reading, found)
    found = [image._replace(pair_id=f"{image.folder.side}_{image.pair_id}") for image in found]
    _refuse_equal_ids(reading, found)
    note_left_out(reading)
    destinations = {image.name: image.destination for image in found}
    notes = tuple(dict.fromkeys(reading.notes))
    return Arrangement(destinations, reading.left_out, undivided, notes), reading.domains


def _take_domains(reading: Reading, images: list[Image]) -> list[Image]:
    """Give each image the domain whose folder it is in, and leave out those in none."""
    domains = match_sides(reading, folders_of(images), reading.side_words)
    if empty := [domain for domain in reading.domains if domain not in domains.values()]:
        reading.refuse(
            f"there is no image in a folder named {' or '.join(map(repr, empty))}; the images are in "
            f"{in_folders(image.name for image in images)}. Name the folders of the domains in "
            "download.unpaired_folders or download.domain_folders"
        )
    outside = [image.name for image in images if not domains[image.folder]]
    names = ", ".join(f"{domain}/" for domain in reading.domains)
    reading.left_out |= dict.fromkeys(outside, f"it is in none of {names}")
    return _in_domains(images, {folder: domain for folder, domain in domains.items() if domain})


def _find_domains(reading: Reading, images: list[Image]) -> list[Image]:
    """Give each image a domain by the first folder that says no split, or by what a folder says beside its split."""
    domains = {folder: _domain_of(folder) for folder in folders_of(images)}
    names = sorted({*domains.values()} - {""})
    if len(names) < 2:
        reading.refuse(
            f"there {'is one domain, ' + repr(names[0]) if names else 'are no domains'}; the images are in "
            f"{in_folders(image.name for image in images)}. Put the images of each domain into a folder of its own, "
            "two folders or more, or name the folders in download.domain_folders.domains"
        )
    if outside := [image.name for image in images if not domains[image.folder]]:
        reading.refuse(
            f"{images_are(len(outside))} in the folder of no domain:{listed(outside)}\n"
            f"Understood as domains: {', '.join(names)}. Move each into one of these folders or out of the source"
        )
    if len({fold(name) for name in names}) < len(names):
        reading.refuse(f"some of the domains {', '.join(names)} differ only by case; rename the folders")
    reading.domains = tuple(names)
    reading.notes.append(f"The domains are {', '.join(names)} (download.domain_folders.domains).")
    return _in_domains(images, domains)


def _domain_of(folder: Folder) -> str:
    """Return the name of a folder's domain; empty where it has none."""
    beside = (part.side for part in folder.parts if part.split and part.side)
    return next(iter((*folder.rest[:1], *beside)), "")


def _in_domains(images: Iterable[Image], domains: dict[Folder, str]) -> list[Image]:
    """Return the images of these folders with their domains."""
    moved = {
        folder: replace(folder, side=domain, rest=tuple(name for name in folder.rest if fold(name) != fold(domain)))
        for folder, domain in domains.items()
    }
    return [image._replace(folder=moved[image.folder]) for image in images if image.folder in moved]


def _read_splits(reading: Reading, names: list[str]) -> list[Image]:
    """Return the images with their splits; test is val where there are train and test alone, as in CycleGAN's sets."""
    found = read_folders(reading, names)
    splits = split_names(found)
    if {*splits.values()} != {"train", "test"}:
        return found
    tests = {split_key(name): "val" for name, split in splits.items() if split == "test"}
    reading.naming = reading.naming.model_copy(update=reading.declare(tests)["own_images"])
    reading.notes.clear()
    reading.left_out.clear()
    return read_folders(reading, names)


def _by_domain(reading: Reading, images: list[Image]) -> list[list[Image]]:
    """Return the images of each domain."""
    return [[image for image in images if image.folder.side == domain] for domain in reading.domains]


def _refuse_empty_splits(reading: Reading, images: list[Image]) -> None:
    """Raise an error where a domain lacks train or val, from which models learn and on which they are scored."""
    have = {(image.folder.side, image.folder.split) for image in images}
    for domain in reading.domains:
        if empty := [split for split in SUBSETS[:2] if (domain, split) not in have]:
            reading.refuse(
                f"the domain {domain!r} has no image in {' and none in '.join(empty)}; every domain needs both. Add "
                "images, or take away the folders of splits and let own_images.split_shares divide all images"
            )


def _refuse_equal_ids(reading: Reading, images: list[Image]) -> None:
    """Raise an error where an id cannot name a file, or where two domains give the same id, e.g. `a/b_1`, `a_b/1`."""
    refuse_unusable((image.pair_id for image in images), reading.path)
    first: dict[str, str] = {}
    for image in images:
        other = first.setdefault(fold(image.pair_id), image.name)
        if other != image.name:
            reading.refuse(
                f"{other!r} and {image.name!r} would both be {image.pair_id!r}, the domain and the name; rename one "
                "of the folders"
            )
