"""The split of each image: by the names of its folders or, where no name says it, by share and seed."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import replace
from pathlib import PurePosixPath

import numpy as np

from pix2street.core.pairs import SUBSETS, group_of
from pix2street.datasets.folder_names import FolderName, fold, guess_split, read_folder, split_key, words_of
from pix2street.datasets.id_patterns import common_start
from pix2street.datasets.reading import SHOWN, Folder, Image, Reading, folders_of, images_are, listed, split_names

SAY_EACH = "or say in params.yaml what each one is (train, val, test, ordinary or left_out), e.g."


def read_folders(reading: Reading, names: list[str]) -> list[Image]:
    """Return the images with their folders and splits, without those that the user leaves out."""
    paths = {folder: PurePosixPath(folder).parts for folder in dict.fromkeys(name.rpartition("/")[0] for name in names)}
    read = _read_parts(reading, {part for parts in paths.values() for part in parts})
    found = {folder: tuple(read[part] for part in parts) for folder, parts in paths.items()}
    kept = {folder: parts for folder, parts in found.items() if all(part.split != "left_out" for part in parts)}
    if not kept:
        reading.refuse("own_images.split_folders leaves out every image")
    folders = _find_splits(reading, kept)
    images = []
    for name in names:
        folder = folders.get(name.rpartition("/")[0])
        if folder:
            images.append(Image(name, folder))
        else:
            reading.left_out[name] = "it is in a folder that own_images.split_folders leaves out"
    _refuse_odd(reading, images)
    _refuse_two_names_of_one_split(reading, images)
    understood = [f"{name!r} was read as {split}" for name, split in split_names(images).items() if name != split]
    if understood:
        reading.notes.append(f"{', '.join(understood)}.")
    return images


def _read_parts(reading: Reading, parts: set[str]) -> dict[str, FolderName]:
    """Return the meaning of each folder's name, and note the folders that the user declares and the source lacks."""
    declared = {fold(name): said for name, said in reading.naming.split_folders.items()}
    known = {word for part in parts for word in (fold(part), *words_of(part))}
    unknown = [repr(name) for name in sorted(reading.naming.split_folders) if fold(name) not in known]
    if unknown:
        reading.notes.append(f"own_images.split_folders names {', '.join(unknown)}: there is no such folder.")
    sides = {word for words in reading.side_words.values() for word in words}
    return {part: read_folder(part, declared, sides) for part in parts}


def _find_splits(reading: Reading, kept: dict[str, tuple[FolderName, ...]]) -> dict[str, Folder]:
    """Return the folders with their splits: read from names that differ, else from a name that all of them share."""
    shared = common_start(kept.values())
    deep = any(part.split for parts in kept.values() for part in parts[shared:])
    folders = {}
    for path, parts in kept.items():
        indices = [index for index, part in enumerate(parts) if part.split]
        indices = [index for index in indices if index >= shared] if deep else indices[-1:]
        splits = {parts[index].split for index in indices}
        if len(splits) > 1:
            reading.refuse(
                f"the folder {path}/ says two splits, {' and '.join(sorted(splits))}; rename one of its parts, or say "
                "in params.yaml which one is no split, e.g.",
                reading.declare({parts[indices[-1]].name: "ordinary"}),
            )
        # A wrapper that all images share says nothing; neither does a name that looks like a split above a real split.
        above = max(indices, default=-1)
        parts = tuple(
            part._replace(odd=part.odd and index > above, split=part.split if index in indices else None)
            for index, part in enumerate(parts)
        )
        rest = tuple(part.name for index, part in enumerate(parts) if index >= shared and index not in indices)
        folders[path] = Folder(path, parts, shared, min(splits, default=None), rest=rest)
    return folders


def _refuse_odd(reading: Reading, images: list[Image]) -> None:
    """Raise an error where a folder's name looks like a split but is not a usual one."""
    deepest = {folder: [part.name for part in folder.parts if part.odd][-1:] for folder in folders_of(images)}
    odd = sorted(Counter(name for image in images for name in deepest[image.folder]).items())
    if not odd:
        return
    understood = split_names(images)
    taken = set(understood.values())
    guessed = {}
    for name, _ in odd:
        guess = guess_split(name)
        guessed[name] = guess if guess and guess not in taken else "left_out"
        taken.add(guess)
    names = "".join(f"\n  {name!r} (images: {count})" for name, count in odd)
    domains = ", name the folders in download.domain_folders.domains" if reading.form == "domains" else ""
    told = "; ".join(f"{name!r} is {split}" for name, split in understood.items()) or "no split"
    reading.refuse(
        f"these folders look like splits, but their names are not known:{names}\nUnderstood: {told}. Rename them to "
        f"train, val or test{domains}, {SAY_EACH}",
        reading.declare(guessed),
    )


def _refuse_two_names_of_one_split(reading: Reading, images: list[Image]) -> None:
    """Raise an error where two folders side by side would become one split and the user has not declared them."""
    declared = {fold(name) for name in reading.naming.split_folders}
    beside: dict[tuple, set[str]] = defaultdict(set)
    for folder in folders_of(images):
        for index, part in enumerate(folder.parts):
            if part.split and fold(part.name) not in declared:
                above = tuple(other.name for other in folder.parts[:index])
                beside[above, part.split, part.side].add(part.name)
    for (_, split, _), found in beside.items():
        names = sorted(found)
        text = f"the folders {' and '.join(map(repr, names))} would all be {split}; rename all but one of them"
        if len(set(map(fold, names))) < len(names):
            reading.refuse(text)
        if len(names) > 1:
            # `dev` and `eval` are usually val and test.
            plain = next((name for name in names if fold(name) in (split, "dev", "validation")), names[0])
            free = "test" if split == "val" and "test" not in split_names(images).values() else "left_out"
            said = {name: split if name == plain else free for name in names}
            reading.refuse(f"{text}, {SAY_EACH}", reading.declare(said))


def refuse_some_outside(reading: Reading, images: list[Image]) -> None:
    """Raise an error where some images are outside of splits, or all of them are and may not be divided."""
    outside = [image for image in images if image.folder.split is None]
    if not outside or (len(outside) == len(images) and reading.naming.split_shares is not None):
        return
    text = (
        f"{images_are(len(outside))} in no train/, val/ or test/:{listed(image.name for image in outside)}\n"
        "Move each to a split or out of the source"
    )
    folders = sorted({image.folder.rest[0] for image in outside if image.folder.rest})
    if len(outside) == len(images) or not folders:
        reading.refuse(f"{text}; all images are in splits or none is")
    reading.refuse(
        f"{text}, or say in params.yaml what their folders are:",
        reading.declare(dict.fromkeys(folders[:SHOWN], "left_out")),
    )


def refuse_missing_splits(reading: Reading, images: list[Image]) -> None:
    """Raise an error where train or val is empty: networks learn from train and are examined on val."""
    if is_undivided(images):
        empty = [split for split in ("train", "val") if split not in reading.naming.split_shares.above_zero]
        if empty:
            reading.refuse(f"own_images.split_shares gives {empty[0]} nothing; train and val need a share above 0")
        return
    splits = split_names(images)
    missing = [split for split in ("train", "val") if split not in splits.values()]
    if not missing:
        return
    names = {split: [name for name in splits if splits[name] == split] for split in SUBSETS}
    have = " and ".join(f"{'/, '.join(found)}/" for found in names.values() if found)
    text = f"there is {have}, but no {' and no '.join(missing)}; every run needs train and val."
    if names["train"] and names["test"]:
        reading.refuse(
            f"{text} Samples and scores are made on val, also where there is a test set. Move some groups of train to "
            "val, or read test as val:",
            reading.declare(dict.fromkeys(sorted(map(split_key, names["test"])), "val")),
        )
    reading.refuse(
        f"{text} Add the folder, or let own_images.split_shares divide all images:",
        reading.declare(dict.fromkeys(sorted(map(split_key, splits)), "ordinary")),
    )


def is_undivided(images: list[Image]) -> bool:
    """Return whether no image is in the folder of a split."""
    return all(image.folder.split is None for image in images)


def divide(reading: Reading, images: list[Image]) -> list[Image]:
    """Divide undivided images among the splits by share and seed, whole groups at a time."""
    naming, shares = reading.naming, reading.naming.split_shares.above_zero
    groups = {
        pair_id: group_of(pair_id, naming.group_pattern) for pair_id in sorted({image.pair_id for image in images})
    }
    sizes = Counter(groups.values())
    wanted = list(shares)
    if len(sizes) < len(wanted):
        reading.refuse(_too_few(len(groups), len(sizes), wanted, naming.group_pattern, reading.items))
    splits = divide_groups(sizes, shares, naming.seed)
    counted = Counter(splits[group] for group in groups.values())
    reading.notes.append(
        f"There are no folders for splits: own_images.split_shares gives "
        f"{', '.join(f'{split} {counted[split]}' for split in wanted)} of {len(groups)} {reading.items}."
    )
    moved = {(folder, split): replace(folder, split=split) for folder in folders_of(images) for split in wanted}
    return [image._replace(folder=moved[image.folder, splits[groups[image.pair_id]]]) for image in images]


def _too_few(pairs: int, groups: int, wanted: list[str], group_pattern: str | None, items: str) -> str:
    """Return the message for fewer pairs (or images, as `items` says) or groups than splits."""
    names = " and ".join([", ".join(wanted[:-1]), wanted[-1]] if len(wanted) > 1 else wanted)
    if pairs < len(wanted):
        return (
            f"{pairs} {items[:-1] if pairs == 1 else items} cannot be divided into {names}; there must be at least "
            f"{len(wanted)}, one for each split with a share above 0 (download.own_images.split_shares)"
        )
    return (
        f"{groups} {'group' if groups == 1 else 'groups'} cannot fill {names}: download.own_images.group_pattern "
        f"{group_pattern!r} finds no more in {pairs} pair_ids, and a group stays in one split; set it to null, or make "
        "its group match a part of the pair_id that differs more"
    )


def divide_groups(sizes: Mapping[str, int], split_shares: Mapping[str, float], seed: int) -> dict[str, str]:
    """Return the split of each group, so that each split comes near its share of the pairs.

    Args:
        sizes: the number of pairs in each group; there are at least as many groups as splits.
        split_shares: the share of the pairs that each split should have; a split of share 0 gets none.
        seed: the seed of the order in which groups are dealt.
    """
    wanted = {split: share * sum(sizes.values()) for split, share in split_shares.items() if share > 0}
    names = sorted(sizes)
    dealt: dict[str, str] = {}
    filled = dict.fromkeys(wanted, 0)
    for index in np.random.default_rng(seed).permutation(len(names)):
        left = len(names) - len(dealt)
        empty = [split for split in wanted if not filled[split]]
        # The last groups go to splits that are still empty.
        candidates = empty if len(empty) == left else list(wanted)
        split = max(candidates, key=lambda split: 1 - filled[split] / wanted[split])
        dealt[names[index]] = split
        filled[split] += sizes[names[index]]
    return dealt
