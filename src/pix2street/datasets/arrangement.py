"""Which split, which side and which pair_id each image of a user's has, from its name alone."""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any, Literal, NoReturn

import numpy as np

from pix2street.core.errors import UserError
from pix2street.core.pairs import SPLITS, group_of, refuse_unusable
from pix2street.datasets.folder_names import (
    FolderName,
    fold,
    guess_split,
    read_folder,
    side_of_setting,
    split_key,
    words_of,
)
from pix2street.datasets.id_patterns import common_start, find_id, propose_pattern, propose_pattern_of_one_kind, stem_of
from pix2street.datasets.sides import Changes, Folder, Image, apart_as, folders_of, propose_names, propose_sides
from pix2street.params import as_yaml

SHOWN = 5
SIDES = {"inputs": "input_folder", "targets": "target_folder"}
Form = Literal["left", "right", "folders", "photos"]


@dataclass(frozen=True)
class Arrangement:
    """Where every image goes.

    Args:
        places: by its name in the source, each image's place below the downloaded folder without its ending:
            `train/<pair_id>`, or `train/inputs/<pair_id>` where inputs and targets are apart.
        left_out: by its name in the source, why an image makes no pair.
        notes: what was understood, a sentence each.
    """

    places: dict[str, str]
    left_out: dict[str, str]
    notes: tuple[str, ...]


class ArrangementError(UserError):
    """A refusal that may know the settings under which the images can be read.

    Args:
        changes: these settings by their section of `download` and their key; the message ends with them as YAML.
    """

    def __init__(self, path: Path, text: str, changes: Changes | None = None):
        super().__init__(f"{path}: {text}" + (f"\n{as_yaml({'download': changes}, indent=2)}" if changes else ""))
        self.changes = changes or {}


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


@dataclass(frozen=True)
class _Rules:
    """The settings, and what is noted while they are applied."""

    path: Path
    form: Form
    folders: dict[str, str]
    id_pattern: str | None
    id_from: Literal["name", "path"]
    split_folders: Mapping[str, str]
    group_pattern: str | None
    split_shares: Mapping[str, float] | None
    seed: int
    notes: list[str] = field(default_factory=list)

    def refuse(self, text: str, changes: Changes | None = None) -> NoReturn:
        raise ArrangementError(self.path, text, changes)

    def declare(self, folders: Mapping[str, str]) -> Changes:
        return {"own_images": {"split_folders": {**self.split_folders, **folders}}}


def arrange(
    path: Path,
    images: Collection[str],
    *,
    form: Form,
    input_folder: str = "",
    target_folder: str = "",
    id_pattern: str | None = None,
    id_from: Literal["name", "path"] = "name",
    split_folders: Mapping[str, str] | None = None,
    group_pattern: str | None = None,
    split_shares: Mapping[str, float] | None = None,
    seed: int = 0,
) -> Arrangement:
    """Say where each image goes; the order of `images` does not matter.

    Args:
        path: the source, for messages.
        images: their names, with `/` between folders.
        form: `left` or `right`: side by side; `folders`: inputs and targets apart; `photos`: photos alone.
        input_folder, target_folder: the folders that hold them, at any depth, or with `*` their files' names.
        id_pattern: a regular expression whose first group, searched in a name without its ending, is the pair_id.
        id_from: whether the pair_id is the `name`, or the `path`: the sub-folders' names stand before it.
        split_folders: what folders with other names are: `train`, `val`, `test`, `ordinary` or `left_out`.
        split_shares: how images without folders for splits are divided; None where they may not be.

    Raises:
        ArrangementError: the names do not say it, or say two things; the message has the way out.
    """
    folders = {"inputs": input_folder, "targets": target_folder} if form == "folders" else {}
    rules = _Rules(
        path, form, folders, id_pattern, id_from, split_folders or {}, group_pattern, split_shares, seed
    )  # fmt: skip
    if not images:
        rules.refuse("there are no images in it")
    found, left_out = _read_folders(rules, sorted(set(images)))
    _refuse_two_names_of_one_split(rules, found)
    if form == "folders":
        found, without_side = _take_sides(rules, found)
        left_out |= without_side
    elif form != "photos":
        _refuse_parallel_folders(rules, found)
    _refuse_some_outside(rules, found)
    _refuse_missing_splits(rules, found)
    found, without_id = _name(rules, found)
    left_out |= without_id
    found = _tell_apart(rules, found)
    if form == "folders":
        _refuse_unpaired(rules, found)
    found = _divide(rules, found)
    _note_left_out(rules, left_out)
    return Arrangement({image.name: image.place for image in found}, left_out, tuple(rules.notes))


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
        if not new or all(settings.get(key) == value for key, value in new.items()) or len(refusals) > len(SPLITS) * 3:
            return Proposal(changes, None, tuple(refusals))
        settings |= new
        for section, keys in proposed.items():
            changes[section] = {**changes.get(section, {}), **keys}


def divide_groups(sizes: dict[str, int], split_shares: Mapping[str, float], seed: int) -> dict[str, str]:
    """Give whole groups to splits so that each split comes near its share of the pairs.

    Args:
        sizes: pairs in each group.
        split_shares: share of the pairs each split should have; a split of share 0 gets none.
        seed: of the order in which groups are dealt.

    Raises:
        UserError: fewer groups than splits.
    """
    wanted = {split: share * sum(sizes.values()) for split, share in split_shares.items() if share > 0}
    if len(sizes) < len(wanted):
        raise UserError(f"{len(sizes)} groups cannot fill {len(wanted)} splits")
    names = sorted(sizes)
    dealt: dict[str, str] = {}
    filled = dict.fromkeys(wanted, 0)
    for place in np.random.default_rng(seed).permutation(len(names)):
        left = len(names) - len(dealt)
        empty = [split for split in wanted if not filled[split]]
        # The last groups go to splits that have none yet.
        candidates = empty if len(empty) == left else list(wanted)
        split = max(candidates, key=lambda split: 1 - filled[split] / wanted[split])
        dealt[names[place]] = split
        filled[split] += sizes[names[place]]
    return dealt


def _read_folders(rules: _Rules, names: list[str]) -> tuple[list[Image], dict[str, str]]:
    """Read every folder's name; what the user leaves out is left out."""
    declared = {fold(name): said for name, said in rules.split_folders.items()}
    sides = {word for setting in rules.folders.values() if "*" not in setting for word in side_of_setting(setting)}
    parts_in = {folder: PurePosixPath(folder).parts for folder in {name.rpartition("/")[0] for name in names}}
    paths = {name: parts_in[name.rpartition("/")[0]] for name in names}
    read = {part: read_folder(part, declared, sides) for part in {part for parts in paths.values() for part in parts}}
    parts_of = {parts: tuple(read[part] for part in parts) for parts in dict.fromkeys(paths.values())}
    kept = {
        parts: folder for parts, folder in parts_of.items() if all(part.split != "left_out" for part in folder)
    }  # fmt: skip
    left_out = {
        name: "it is in a folder that own_images.split_folders leaves out"
        for name, parts in paths.items()
        if parts not in kept
    }
    known = {word for part in read for word in (fold(part), *words_of(part))}
    unknown = [name for name in sorted(rules.split_folders) if fold(name) not in known]
    if unknown:
        rules.notes.append(f"own_images.split_folders names {', '.join(map(repr, unknown))}: there is no such folder.")
    if not kept:
        rules.refuse("own_images.split_folders leaves out every image")
    folders = _find_splits(rules, kept)
    _refuse_odd(rules, folders, [parts for parts in paths.values() if parts in kept])
    return [Image(name, folders[parts]) for name, parts in paths.items() if parts in kept], left_out


def _find_splits(rules: _Rules, kept: dict[tuple[str, ...], tuple[FolderName, ...]]) -> dict[tuple, Folder]:
    """Give each folder its split: of the names that differ where there are any, otherwise of those that all share."""
    shared = common_start(kept)
    deep = any(part.split for parts in kept.values() for part in parts[shared:])
    folders = {}
    for key, parts in kept.items():
        places = [place for place, part in enumerate(parts) if part.split]
        places = [place for place in places if place >= shared] if deep else places[-1:]
        splits = {parts[place].split for place in places}
        if len(splits) > 1:
            rules.refuse(
                f"the folder {'/'.join(key)}/ says two splits, {' and '.join(sorted(splits))}; rename one of its "
                "parts, or say in params.yaml which one is no split, e.g.",
                rules.declare({parts[places[-1]].name: "ordinary"}),
            )
        # A wrapper that all images share says nothing; nor does what looks like a split above a real one.
        above = max(places, default=-1)
        parts = tuple(
            part._replace(odd=part.odd and place > above, split=part.split if place in places else None)
            for place, part in enumerate(parts)
        )
        rest = tuple(part.name for place, part in enumerate(parts) if place >= shared and place not in places)
        folders[key] = Folder("/".join(key), parts, shared, min(splits, default=None), rest=rest)
    return folders


def _refuse_odd(rules: _Rules, folders: dict[tuple, Folder], images: list[tuple]) -> None:
    """Raise an error where a folder looks like a split and is not known as one."""
    odd: Counter[str] = Counter()
    understood: dict[str, str] = {}
    for key in images:
        names = [part.name for part in folders[key].parts if part.odd]
        odd.update(names[-1:])
        understood |= {part.name: part.split for part in folders[key].parts if part.split}
    if not odd:
        return
    taken = set(understood.values())
    guessed = {}
    for name in sorted(odd):
        guess = guess_split(name)
        guessed[name] = guess if guess and guess not in taken else "left_out"
        taken.add(guess)
    listed = "".join(f"\n  {name!r} (images: {count})" for name, count in sorted(odd.items()))
    told = "; ".join(f"{name!r} is {split}" for name, split in sorted(understood.items())) or "no split"
    rules.refuse(
        f"these folders look like splits, but their names are not known:{listed}\nUnderstood: {told}. Rename them to "
        "train, val or test, or say in params.yaml what each one is (train, val, test, ordinary or left_out), e.g.",
        rules.declare(guessed),
    )


def _refuse_two_names_of_one_split(rules: _Rules, images: list[Image]) -> None:
    """Raise an error where two folders beside each other would become one split, and the user has not said so."""
    declared = {fold(name) for name in rules.split_folders}
    names: dict[tuple, set[str]] = defaultdict(set)
    understood: dict[str, str] = {}
    for folder in folders_of(images):
        for place, part in enumerate(folder.parts):
            if part.split:
                understood[part.name] = part.split
                if fold(part.name) not in declared:
                    above = tuple(other.name for other in folder.parts[:place])
                    names[above, part.split, part.side].add(part.name)
    for (_, split, _), found in names.items():
        if len(found) > 1:
            text = (
                f"the folders {' and '.join(map(repr, sorted(found)))} would all be {split}; rename all but one of them"
            )
            if not _all_differ(map(fold, found)):
                rules.refuse(text)
            rules.refuse(
                f"{text}, or say in params.yaml what each one is (train, val, test, ordinary or left_out), e.g.",
                rules.declare(_apart(sorted(found), split, set(understood.values()))),
            )
    other = [f"{name!r} was read as {split}" for name, split in sorted(understood.items()) if name != split]
    if other:
        rules.notes.append(f"{', '.join(other)}.")


def _apart(names: list[str], split: str, taken: set[str]) -> dict[str, str]:
    """Propose what two folders of one split are: `dev` and `eval` are usually val and test."""
    plain = next((name for name in names if fold(name) in (split, "dev", "validation")), names[0])
    free = "test" if split == "val" and "test" not in taken else "left_out"
    return {name: split if name == plain else free for name in names}


def _take_sides(rules: _Rules, images: list[Image]) -> tuple[list[Image], dict[str, str]]:
    """Say which images are inputs and which are targets; the others are left out by name."""
    keys = {side: side_of_setting(setting) for side, setting in rules.folders.items() if "*" not in setting}
    if len(keys) == 2 and keys["inputs"] == keys["targets"]:
        rules.refuse(
            f"input_folder {rules.folders['inputs']!r} and target_folder {rules.folders['targets']!r} name the same "
            "folder; each side needs a folder of its own"
        )
    folders = folders_of(images)
    of_folders = _match_sides(rules, folders, keys)
    if len(keys) == 2 and not any(of_folders.values()):
        letters = _match_sides(rules, folders, {"inputs": ("a",), "targets": ("b",)})
        if {"inputs", "targets"} <= set(letters.values()):
            rules.notes.append("A was read as the inputs and B as the targets (input_folder and target_folder).")
            rules.folders.update(inputs="A", targets="B")
            of_folders = letters
    patterns = {side: _like(setting) for side, setting in rules.folders.items() if "*" in setting}
    # Of two patterns that match, the longer one says more: `*_mask.png` beside `*`.
    patterns = dict(sorted(patterns.items(), key=lambda item: -len(rules.folders[item[0]])))
    sides = {
        image.name: next((side for side, like in patterns.items() if like(image.name)), of_folders[image.folder])
        for image in images
    }
    _refuse_empty_side(rules, images, set(sides.values()))
    taken = _without_wrappers(rules, list(dict.fromkeys((image.folder, sides[image.name]) for image in images)))
    neither = [image for image in images if not sides[image.name]]
    found = [image._replace(folder=taken[image.folder, side]) for image in images if (side := sides[image.name])]
    _refuse_half_splits(rules, found, neither)
    return found, {image.name: f"it is {_neither(rules)}" for image in neither}


def _like(pattern: str) -> Callable[[str], bool]:
    """Return whether a file's name is like a pattern in which `*` is any text."""
    expression = re.compile(".*".join(re.escape(part) for part in fold(pattern).split("*")), re.DOTALL)
    return lambda name: expression.fullmatch(fold(PurePosixPath(name).name)) is not None


def _neither(rules: _Rules) -> str:
    if any("*" in setting for setting in rules.folders.values()):
        return f"neither an input ({rules.folders['inputs']}) nor a target ({rules.folders['targets']})"
    return f"in neither {rules.folders['inputs']}/ nor {rules.folders['targets']}/"


def _match_sides(rules: _Rules, folders: Iterable[Folder], keys: dict[str, tuple[str, ...]]) -> dict[Folder, str]:
    """Give each folder its side, an empty one where it belongs to neither."""
    sides = {}
    for folder in folders:
        matched = [side for side, key in keys.items() if key and _places_of(folder, key)]
        if len(matched) > 1:  # one of them may be the name of the whole set
            matched = [side for side in matched if _places_of(folder, keys[side])[-1] >= folder.wrapped]
        if not matched:
            bare = any(part.split and not part.side for part in folder.parts)
            matched = [side for side, key in keys.items() if not key and bare]
        if len(matched) > 1:
            rules.refuse(
                f"{folder.path}/ is below both {rules.folders['inputs']}/ and {rules.folders['targets']}/; rename one "
                "of its folders, so that an image is either an input or a target"
            )
        sides[folder] = "".join(matched)
    return sides


def _places_of(folder: Folder, key: tuple[str, ...]) -> list[int]:
    """Return where the words of a side stand among a folder's parts, one below the other."""
    worded = [place for place, part in enumerate(folder.parts) if part.side]
    words = [folder.parts[place].side for place in worded]
    starts = [start for start in range(len(words)) if tuple(words[start : start + len(key)]) == key]
    return worded[starts[-1] : starts[-1] + len(key)] if key and starts else []


def _without_wrappers(rules: _Rules, sides: list[tuple[Folder, str]]) -> dict[tuple[Folder, str], Folder]:
    """Take out of each folder's rest what names its side, and what is above all of one side and of no other."""
    taken = {}
    for folder, side in sides:
        if side:
            key = () if "*" in rules.folders[side] else side_of_setting(rules.folders[side])
            named = {folder.parts[place].name for place in _places_of(folder, key)}
            rest = tuple(name for name in folder.rest if name not in named)
            taken[folder, side] = replace(folder, side=side, rest=rest)
    for side in rules.folders:
        own = [folder for folder in taken.values() if folder.side == side]
        others = {name for folder in taken.values() if folder.side != side for name in folder.rest}
        shared = common_start([folder.rest for folder in own])
        wrappers = next((place for place in range(shared) if own[0].rest[place] in others), shared)
        for key, folder in taken.items():
            if folder.side == side:
                taken[key] = replace(folder, rest=folder.rest[wrappers:])
    return taken


def _refuse_empty_side(rules: _Rules, images: list[Image], sides: set[str]) -> None:
    missing = [side for side in rules.folders if side not in sides]
    if not missing:
        return
    like = any("*" in rules.folders[side] for side in missing)
    named = f"{'whose name is like' if like else 'in a folder named'} " + " or ".join(
        repr(rules.folders[side]) for side in missing
    )
    keys = " and ".join(f"download.paired_folder.{SIDES[side]}" for side in missing)
    text = f"there is no image {named} ({keys}); the images are in {_counted(images)}."
    proposed = propose_sides(images) or propose_names(images)
    if proposed:
        rules.refuse(f"{text} These lines would read inputs and targets:", proposed)
    rules.refuse(
        f"{text} Name the folders of inputs and targets there; where every image holds both halves side by side, set "
        "download.paired_folder.form to left or right, the half that is the input"
    )


def _refuse_half_splits(rules: _Rules, images: list[Image], neither: list[Image]) -> None:
    """Raise an error where a split lacks one side and images of it are in neither folder."""
    have = {(image.folder.split, image.folder.side) for image in images}
    for split in [*SPLITS, None]:
        others = [image for image in neither if image.folder.split == split]
        missing = [side for side in rules.folders if (split, side) not in have]
        if not missing or (split is None and not {split for split, _ in have} <= {None}):
            continue
        if others:
            out = {PurePosixPath(image.folder.path).name: "left_out" for image in others} if split == "test" else {}
            names = " and ".join(f"{side} ({SIDES[side]}: {rules.folders[side]})" for side in missing)
            rules.refuse(
                f"{split or 'the source'} has no {names}, but images in {_counted(others)} that are "
                f"{_neither(rules)}. Give the folders the same names in every split, and name them in "
                "download.paired_folder.input_folder and target_folder" + (", or leave these out:" if out else ""),
                rules.declare(out) if out else None,
            )


def _refuse_parallel_folders(rules: _Rules, images: list[Image]) -> None:
    letters = {part.side for folder in folders_of(images) for part in folder.parts if part.split} >= {"a", "b"}
    proposed = (
        propose_sides(images, known_only=True)
        or propose_names(images, known_only=True)
        or (apart_as("A", "B") if letters else None)
    )
    if proposed:
        rules.refuse(
            f"download.paired_folder.form: {rules.form} says that every image holds both halves, but inputs and "
            f"targets are files of their own in {_counted(images)}. Where they are not, say in "
            "own_images.split_folders that these folders are ordinary; otherwise these lines read them:",
            proposed,
        )


def _refuse_some_outside(rules: _Rules, images: list[Image]) -> None:
    outside = [image for image in images if image.folder.split is None]
    if not outside or (len(outside) == len(images) and rules.split_shares is not None):
        return
    listed = _listed(image.name for image in outside)
    folders = sorted({image.folder.rest[0] for image in outside if image.folder.rest})
    text = (
        f"{_images_are(len(outside))} in no train/, val/ or test/:{listed}\nMove each to a split or out of the source"
    )
    if len(outside) == len(images) or not folders:
        rules.refuse(f"{text}; all images are in splits or none is")
    rules.refuse(
        f"{text}, or say in params.yaml what their folders are:",
        rules.declare(dict.fromkeys(folders[:SHOWN], "left_out")),
    )


def _refuse_missing_splits(rules: _Rules, images: list[Image]) -> None:
    """Raise an error where train or val has nothing: networks learn from the one and are looked at with the other."""
    if all(image.folder.split is None for image in images):
        empty = [split for split in ("train", "val") if not rules.split_shares.get(split)]
        if empty:
            rules.refuse(f"own_images.split_shares gives {empty[0]} nothing; train and val need a share above 0")
        return
    names = _names_of_splits(images)
    missing = [split for split in ("train", "val") if split not in names]
    if not missing:
        return
    have = " and ".join(f"{'/, '.join(sorted(names[split]))}/" for split in SPLITS if split in names)
    text = f"there is {have}, but no {' and no '.join(missing)}; every run needs train and val."
    if "train" in names and "test" in names:
        rules.refuse(
            f"{text} Samples and scores are made on val, whatever is kept for test. Move some groups of train to val, "
            "or read test as val:",
            rules.declare(dict.fromkeys(sorted(map(split_key, names["test"])), "val")),
        )
    everything = sorted({split_key(name) for found in names.values() for name in found})
    rules.refuse(
        f"{text} Add the folder, or let own_images.split_shares divide all images:",
        rules.declare(dict.fromkeys(everything, "ordinary")),
    )


def _names_of_splits(images: list[Image]) -> dict[str, set[str]]:
    names: dict[str, set[str]] = defaultdict(set)
    for folder in folders_of(images):
        for part in folder.parts:
            if part.split:
                names[part.split].add(part.name)
    return names


def _name(rules: _Rules, images: list[Image]) -> tuple[list[Image], dict[str, str]]:
    """Give each image its pair_id; an image in whose name `id_pattern` finds none is left out."""
    found, left_out = [], {}
    for image in images:
        pair_id = find_id(stem_of(image.name), rules.id_pattern)
        if not pair_id:
            left_out[image.name] = "own_images.id_pattern finds no pair_id in its name"
            continue
        parts = (*image.folder.rest, pair_id) if rules.id_from == "path" else (pair_id,)
        found.append(image._replace(pair_id="_".join(parts)))
    kept = {(image.folder.split, image.folder.side) for image in found}
    lost = next((image for image in images if (image.folder.split, image.folder.side) not in kept), None)
    if lost:
        whose = " of ".join(filter(None, (lost.folder.side or "images", lost.folder.split)))
        rules.refuse(
            f"own_images.id_pattern {rules.id_pattern!r} finds no pair_id in any name of the {whose}, e.g. "
            f"{lost.name!r}; correct it, or set it to null: the pair_id is then the name without its ending"
        )
    return found, left_out


def _tell_apart(rules: _Rules, images: list[Image]) -> list[Image]:
    """Give every pair_id once: one that is in two splits gets its split in front, as do all others then.

    Raises:
        ArrangementError: a pair_id twice in one split and side, or two that are one file on some disks.
    """
    splits: dict[str, set] = defaultdict(set)
    same: dict[tuple, list[Image]] = defaultdict(list)
    folded = {pair_id: fold(pair_id) for pair_id in {image.pair_id for image in images}}
    for image in images:
        splits[folded[image.pair_id]].add(image.folder.split)
        same[image.folder.split, folded[image.pair_id]].append(image)
    alike = [group for group in same.values() if len({image.pair_id for image in group}) > 1]
    if alike:
        listed = _listed((image.name for group in alike for image in group), form=ascii)
        pattern = propose_pattern(*_names_by_side(images)) if rules.form == "folders" else None
        rules.refuse(
            "these names differ only by case or by how their accents are written; they would be one file on the disks "
            f"of macOS and Windows; rename them:{listed}" + ("\nor pair them with" if pattern else ""),
            {"own_images": {"id_pattern": pattern}} if pattern else None,
        )
    _refuse_doubles(rules, list(same.values()))
    if any(len(found) > 1 for found in splits.values()):
        rules.notes.append("Some names are in two splits: every pair_id begins with its split, e.g. train_1.")
        images = [image._replace(pair_id=f"{image.folder.split}_{image.pair_id}") for image in images]
    _refuse_impossible_ids(rules, images)
    return images


def _names_by_side(images: list[Image]) -> list[list[str]]:
    return [[image.name for image in images if image.folder.side == side] for side in SIDES]


def _refuse_doubles(rules: _Rules, groups: list[list[Image]]) -> None:
    doubled = [group for group in groups if len({image.folder.side for image in group}) < len(group)]
    if not doubled:
        return
    listed = _listed(image.name for group in doubled for image in group)
    text = f"a pair_id may be there only once in a split; these files have the same:{listed}\n"
    images = [image for group in groups for image in group]
    if rules.id_pattern and _all_differ((image.folder, stem_of(image.name)) for image in images):
        rules.refuse(
            f"{text}Their names differ outside the group of own_images.id_pattern {rules.id_pattern!r}; make the group "
            "longer, or leave some files out with a pattern that does not match them"
        )
    paths = [(image.folder.split, image.folder.side, "_".join((*image.folder.rest, image.pair_id))) for image in images]
    if rules.id_from == "name" and _all_differ(paths):
        rules.refuse(
            f"{text}Rename them, or let the pair_id begin with the names of their sub-folders:",
            {"own_images": {"id_from": "path"}},
        )
    apart = propose_names(images) if rules.form in ("left", "right") else None
    if apart:
        rules.refuse(f"{text}Rename or remove all but one of each; or, where they are inputs and targets:", apart)
    rules.refuse(f"{text}Rename or remove all but one of each")


def _refuse_impossible_ids(rules: _Rules, images: list[Image]) -> None:
    for image in images:
        if image.pair_id.startswith("."):
            rules.refuse(
                f"{image.name!r}: its pair_id {image.pair_id!r} begins with a dot, as hidden files do; rename it"
            )
    refuse_unusable((image.pair_id for image in images), rules.path)


def _refuse_unpaired(rules: _Rules, images: list[Image]) -> None:
    """Raise one error where a split has no pair, or where a pattern would pair names that do not pair as they are."""
    ids: dict[Any, dict[str, dict[str, str]]] = defaultdict(lambda: {side: {} for side in SIDES})
    for image in images:
        ids[image.folder.split][image.folder.side][image.pair_id] = image.name
    alone = {
        split: [name for side in SIDES for pair_id, name in sorted(found[side].items()) if pair_id not in paired]
        for split, found in ids.items()
        for paired in [found["inputs"].keys() & found["targets"].keys()]
    }
    if not any(alone.values()):
        return
    sides = _names_by_side(images)
    pattern = propose_pattern(*sides)
    empty = [split for split, found in ids.items() if not found["inputs"].keys() & found["targets"].keys()]
    one_kind = propose_pattern_of_one_kind(*sides) if empty and not pattern else None
    letters = {fold(folder) for folder in rules.folders.values()} == {"a", "b"}
    if not (empty or letters or (pattern and pattern != rules.id_pattern)):
        return
    split = min(empty or [split for split in alone if alone[split]], key=lambda split: SPLITS.index(split or "train"))
    text = _example_of(ids[split], split, len(alone[split]))
    if empty == ["test"]:
        names = sorted(map(split_key, _names_of_splits(images)["test"]))
        rules.refuse(
            f"{text} A test set without targets can be left out:", rules.declare(dict.fromkeys(names, "left_out"))
        )
    if pattern and pattern != rules.id_pattern:
        rules.refuse(f"{text} This pattern pairs them all:", {"own_images": {"id_pattern": pattern}})
    if one_kind and one_kind != rules.id_pattern:
        rules.refuse(
            f"{text} One side has several files for each of the other. This pattern pairs one kind and leaves out the "
            "others; name another kind in it where that one is meant:",
            {"own_images": {"id_pattern": one_kind}},
        )
    if letters:
        rules.refuse(
            f"{text} A and B are unpaired, as CycleGAN's sets are: this project learns from pairs. Where they are "
            "pairs, give both files of each the same name and remove those without a partner"
        )
    rules.refuse(
        f"{text} Rename them, or set download.own_images.id_pattern to a regular expression whose first (group) is "
        "what both names of a pair share"
    )


def _example_of(sides: dict[str, dict[str, str]], split: str | None, alone: int) -> str:
    """Say what does not pair in one split, with the first name on each side."""
    empty = next((side for side in SIDES if not sides[side]), None)
    if empty:
        return f"{split or 'the source'} has {alone} {'targets' if empty == 'inputs' else 'inputs'} and no {empty}."
    paired = sides["inputs"].keys() & sides["targets"].keys()
    what = f"{alone} {'images have' if alone > 1 else 'image has'} no partner" if paired else "no input has a target"
    first = {
        side: next(((name, pair_id) for pair_id, name in sorted(ids.items()) if pair_id not in paired), None)
        for side, ids in sides.items()
    }
    named = [f"the {side[:-1]} {found[0]!r} has the pair_id {found[1]!r}" for side, found in first.items() if found]
    return (
        f"{what}{f' in {split}' if split else ''}. An input and its target have the same name without the ending; here "
        f"{', '.join(named)}."
    )


def _divide(rules: _Rules, images: list[Image]) -> list[Image]:
    """Give images without folders for splits to splits, whole groups at a time."""
    if any(image.folder.split for image in images):
        return images
    ids = {image.pair_id for image in images}
    groups = {pair_id: group_of(pair_id, rules.group_pattern) for pair_id in ids}
    sizes = Counter(groups.values())
    wanted = [split for split, share in rules.split_shares.items() if share > 0]
    if len(sizes) < len(wanted):
        rules.refuse(_too_few(len(ids), len(sizes), wanted, rules.group_pattern))
    splits = divide_groups(dict(sizes), rules.split_shares, rules.seed)
    counted = Counter(splits[group] for group in groups.values())
    rules.notes.append(
        f"There are no folders for splits: own_images.split_shares gives "
        f"{', '.join(f'{split} {counted[split]}' for split in wanted)} of {len(ids)} pairs."
    )
    moved = {
        (folder, split): replace(folder, split=split) for folder in folders_of(images) for split in set(splits.values())
    }
    return [image._replace(folder=moved[image.folder, splits[groups[image.pair_id]]]) for image in images]


def _too_few(pairs: int, groups: int, wanted: list[str], group_pattern: str | None) -> str:
    names = " and ".join([", ".join(wanted[:-1]), wanted[-1]] if len(wanted) > 1 else wanted)
    if pairs < len(wanted):
        return (
            f"{pairs} {'pair' if pairs == 1 else 'pairs'} cannot be divided into {names}; there must be at least "
            f"{len(wanted)}, one for each split with a share above 0 (download.own_images.split_shares)"
        )
    return (
        f"{groups} {'group' if groups == 1 else 'groups'} cannot fill {names}: download.own_images.group_pattern "
        f"{group_pattern!r} finds no more in {pairs} pair_ids, and a group stays in one split; set it to null, or make "
        "its group match a part of the pair_id that differs more"
    )


def _note_left_out(rules: _Rules, left_out: dict[str, str]) -> None:
    for reason, count in sorted(Counter(left_out.values()).items()):
        names = [name for name, why in left_out.items() if why == reason]
        folders = Counter(str(PurePosixPath(name).parent) for name in names)
        rules.notes.append(
            f"{_images_are(count)} left out, {'each ' if count > 1 else ''}since {reason}: {_folders_counted(folders)}."
        )


def _counted(images: list[Image]) -> str:
    return _folders_counted(Counter(str(PurePosixPath(image.name).parent) for image in images))


def _folders_counted(folders: Counter) -> str:
    shown = [
        f"{'the root' if folder == '.' else repr(folder)} ({folders[folder]})" for folder in sorted(folders)[:SHOWN]
    ]
    more = len(folders) - SHOWN
    return ", ".join(shown) + (f" and {more} more folders" if more > 0 else "")


def _listed(names: Iterable[str], form=repr) -> str:
    names = list(names)
    more = f"\n  and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return "".join(f"\n  {form(name)}" for name in names[:SHOWN]) + more


def _images_are(count: int) -> str:
    return f"{count} images are" if count > 1 else "1 image is"


def _all_differ(values: Iterable) -> bool:
    values = list(values)
    return len(set(values)) == len(values)
