"""The pair_id of each image: taken from its name, unique in a split and side, and shared by input and target."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from pix2street.core.pairs import SUBSETS, refuse_unusable
from pix2street.datasets.folder_names import fold, split_key
from pix2street.datasets.id_patterns import find_id, propose_pattern, propose_pattern_of_one_kind, stem_of
from pix2street.datasets.reading import SIDES, Image, Reading, listed, split_names
from pix2street.datasets.sides import propose_names


def name_images(reading: Reading, images: list[Image]) -> list[Image]:
    """Give each image its pair_id, and leave out those in whose name `id_pattern` finds none."""
    found = []
    for image in images:
        pair_id = find_id(stem_of(image.name), reading.naming.id_pattern)
        if pair_id:
            found.append(
                image._replace(pair_id=_below(image, pair_id) if reading.naming.id_from == "path" else pair_id)
            )
        else:
            reading.left_out[image.name] = "own_images.id_pattern finds no pair_id in its name"
    kept = {(image.folder.split, image.folder.side) for image in found}
    lost = next((image for image in images if (image.folder.split, image.folder.side) not in kept), None)
    if lost:
        whose = " of ".join(filter(None, (lost.folder.side or "images", lost.folder.split)))
        reading.refuse(
            f"own_images.id_pattern {reading.naming.id_pattern!r} finds no pair_id in any name of the {whose}, e.g. "
            f"{lost.name!r}; correct it, or set it to null: the pair_id is then the name without its ending"
        )
    return found


def _below(image: Image, pair_id: str) -> str:
    """Return the pair_id with the names of the image's sub-folders before it."""
    return "_".join((*image.folder.rest, pair_id))


def tell_apart(reading: Reading, images: list[Image]) -> list[Image]:
    """Make the pair_ids unique: where one of them is in two splits, each pair_id begins with its split.

    Raises:
        ArrangementError: a pair_id is twice in one split and side, or two of them are one file on some disks.
    """
    same: dict[tuple, list[Image]] = defaultdict(list)
    for image in images:
        same[image.folder.split, fold(image.pair_id)].append(image)
    _refuse_alike(reading, images, same.values())
    _refuse_doubles(reading, images, same.values())
    if len({folded for _, folded in same}) < len(same):
        reading.notes.append("Some names are in two splits: every pair_id begins with its split, e.g. train_1.")
        images = [image._replace(pair_id=f"{image.folder.split}_{image.pair_id}") for image in images]
    hidden = next((image for image in images if image.pair_id.startswith(".")), None)
    if hidden:
        reading.refuse(
            f"{hidden.name!r}: its pair_id {hidden.pair_id!r} begins with a dot, as hidden files do; rename it"
        )
    refuse_unusable((image.pair_id for image in images), reading.path)
    return images


def _refuse_alike(reading: Reading, images: list[Image], groups: Iterable[list[Image]]) -> None:
    """Raise an error where pair_ids differ, but not on every disk."""
    alike = [image for group in groups if len({image.pair_id for image in group}) > 1 for image in group]
    if not alike:
        return
    pattern = propose_pattern(*_names_by_side(images)) if reading.form == "folders" else None
    reading.refuse(
        "these names differ only by case or by how their accents are written; they would be one file on the disks of "
        f"macOS and Windows; rename them:{listed((image.name for image in alike), form=ascii)}"
        + ("\nor pair them with" if pattern else ""),
        {"own_images": {"id_pattern": pattern}} if pattern else None,
    )


def _refuse_doubles(reading: Reading, images: list[Image], groups: Iterable[list[Image]]) -> None:
    """Raise an error where a pair_id is twice in one split and side."""
    doubled = [image for group in groups if len({image.folder.side for image in group}) < len(group) for image in group]
    if not doubled:
        return
    names = listed(image.name for image in doubled)
    text = f"a pair_id may be there only once in a split; these files have the same:{names}\n"
    if reading.naming.id_pattern and len({(image.folder, stem_of(image.name)) for image in images}) == len(images):
        reading.refuse(
            f"{text}Their names differ outside the group of own_images.id_pattern {reading.naming.id_pattern!r}; make "
            "the group longer, or leave some files out with a pattern that does not match them"
        )
    paths = {(image.folder.split, image.folder.side, _below(image, image.pair_id)) for image in images}
    if reading.naming.id_from == "name" and len(paths) == len(images):
        reading.refuse(
            f"{text}Rename them, or let the pair_id begin with the names of their sub-folders:",
            {"own_images": {"id_from": "path"}},
        )
    apart = propose_names(images) if reading.form in ("left", "right") else None
    if apart:
        reading.refuse(f"{text}Rename or remove all but one of each; or, where they are inputs and targets:", apart)
    reading.refuse(f"{text}Rename or remove all but one of each")


def _names_by_side(images: list[Image]) -> list[list[str]]:
    return [[image.name for image in images if image.folder.side == side] for side in SIDES]


def refuse_unpaired(reading: Reading, images: list[Image]) -> None:
    """Raise an error where a split has no pair, or where images have no partner and a pattern would pair them all."""
    names: dict[Any, dict[str, dict[str, str]]] = defaultdict(lambda: {side: {} for side in SIDES})
    for image in images:
        names[image.folder.split][image.folder.side][image.pair_id] = image.name
    lonely = {split: len(found["inputs"].keys() ^ found["targets"].keys()) for split, found in names.items()}
    if not any(lonely.values()):
        return
    empty = [split for split, found in names.items() if not found["inputs"].keys() & found["targets"].keys()]
    letters = {fold(folder) for folder in reading.folders.values()} == {"a", "b"}
    sides = _names_by_side(images)
    pattern = propose_pattern(*sides)
    known = (None, reading.naming.id_pattern)
    if not empty and not letters and pattern in known:
        return
    candidates = empty or [split for split in lonely if lonely[split]]
    split = min(candidates, key=lambda split: SUBSETS.index(split or "train"))
    text = _example_of(names[split], split, lonely[split])
    if empty == ["test"]:
        folders = sorted(split_key(name) for name, said in split_names(images).items() if said == "test")
        reading.refuse(
            f"{text} A test set without targets can be left out:", reading.declare(dict.fromkeys(folders, "left_out"))
        )
    if pattern not in known:
        reading.refuse(f"{text} This pattern pairs them all:", {"own_images": {"id_pattern": pattern}})
    one_kind = propose_pattern_of_one_kind(*sides) if empty else None
    if one_kind not in known:
        reading.refuse(
            f"{text} One side has several files for each of the other. This pattern pairs one kind and leaves out the "
            "others; name another kind in it where that one is meant:",
            {"own_images": {"id_pattern": one_kind}},
        )
    if letters:
        reading.refuse(
            f"{text} A and B are unpaired, as CycleGAN's sets are: set download.dataset: unpaired_folders. Where they "
            "are pairs, give both files of each the same name and remove those without a partner"
        )
    reading.refuse(
        f"{text} Rename them, or set download.own_images.id_pattern to a regular expression whose first (group) is "
        "what both names of a pair share"
    )


def _example_of(sides: dict[str, dict[str, str]], split: str | None, lonely: int) -> str:
    """Return a sentence on what does not pair in one split, with the first name on each side."""
    inputs, targets = sides.values()
    if not inputs or not targets:
        have, no = ("inputs", "targets") if inputs else ("targets", "inputs")
        return f"{split or 'the source'} has {lonely} {have} and no {no}."
    paired = inputs.keys() & targets.keys()
    what = f"{lonely} {'images have' if lonely > 1 else 'image has'} no partner" if paired else "no input has a target"
    first = {side[:-1]: min(ids.keys() - paired, default=None) for side, ids in sides.items()}
    named = [f"the {side} {sides[f'{side}s'][id_]!r} has the pair_id {id_!r}" for side, id_ in first.items() if id_]
    return (
        f"{what}{f' in {split}' if split else ''}. An input and its target have the same name without the ending; here "
        f"{', '.join(named)}."
    )
