"""The side of each image, by the folders and names that are set; where these fail, names propose a setting."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import replace
from pathlib import PurePosixPath

from pix2street.core.pairs import SUBSETS
from pix2street.datasets.folder_names import INPUT_WORDS, TARGET_WORDS, fold
from pix2street.datasets.id_patterns import common_start, propose_pattern, stem_of
from pix2street.datasets.reading import SIDES, Changes, Folder, Image, Reading, folders_of, in_folders

FIRST_WORD = re.compile(r"^(?P<word>[^_\-. ]+)[_\-. ]+")
LAST_WORD = re.compile(r"[_\-. ]+(?P<word>[^_\-. ]+)$")


def take_sides(reading: Reading, images: list[Image]) -> list[Image]:
    """Give each image its side, and leave out those that are neither inputs nor targets."""
    of_folders = _read_sides(reading, folders_of(images))
    # The longer of two patterns that match says more: `*_mask.png` beside `*`.
    settings = sorted(reading.folders.items(), key=lambda item: -len(item[1]))
    patterns = {
        side: ".*".join(map(re.escape, fold(setting).split("*"))) for side, setting in settings if "*" in setting
    }
    sides = {}
    for image in images:
        name = fold(image.name.rpartition("/")[2])
        like = (side for side, pattern in patterns.items() if re.fullmatch(pattern, name, re.DOTALL))
        sides[image] = next(like, of_folders[image.folder])
    _refuse_empty_side(reading, images, set(sides.values()))
    folders = _without_wrappers(reading, {(image.folder, side) for image, side in sides.items() if side})
    found = [image._replace(folder=folders[image.folder, side]) for image, side in sides.items() if side]
    neither = [image for image, side in sides.items() if not side]
    _refuse_half_splits(reading, found, neither)
    reading.left_out |= dict.fromkeys((image.name for image in neither), f"it is {_neither(reading)}")
    return found


def _read_sides(reading: Reading, folders: list[Folder]) -> dict[Folder, str]:
    """Return each folder's side: by the names that are set or, where no folder has them, by the letters A and B."""
    words = reading.side_words
    if len(words) < 2:
        return match_sides(reading, folders, words)
    if words["inputs"] == words["targets"]:
        inputs, targets = reading.folders.values()
        reading.refuse(
            f"input_folder {inputs!r} and target_folder {targets!r} name the same folder; each side needs its own"
        )
    sides = match_sides(reading, folders, words)
    if any(sides.values()):
        return sides
    letters = match_sides(reading, folders, {"inputs": ("a",), "targets": ("b",)})
    if not {*SIDES} <= {*letters.values()}:
        return sides
    reading.notes.append("A was read as the inputs and B as the targets (input_folder and target_folder).")
    reading.paired = reading.paired.model_copy(update={"input_folder": "A", "target_folder": "B"})
    return letters


def match_sides(reading: Reading, folders: list[Folder], words: dict[str, tuple[str, ...]]) -> dict[Folder, str]:
    """Return the side or the domain of each folder, which is empty for a folder that belongs to none of them.

    Args:
        words: the words of each side's folders, see `Reading.side_words`.

    Raises:
        ArrangementError: a folder is below those of two sides.
    """
    sides = {}
    for folder in folders:
        indices = {side: _indices_of(folder, key) for side, key in words.items() if key}
        matched = [side for side, found in indices.items() if found]
        if len(matched) > 1:  # one of them may be the name of the whole set
            matched = [side for side in matched if indices[side][-1] >= folder.wrapped]
        if not matched and any(part.split and not part.side for part in folder.parts):
            matched = [side for side, key in words.items() if not key]
        if len(matched) > 1:
            one, other = (reading.folders[side] for side in matched[:2])
            reading.refuse(
                f"{folder.path}/ is below both {one}/ and {other}/; rename one of its folders, so that an image "
                f"{'has one domain' if reading.form == 'domains' else 'is either an input or a target'}"
            )
        sides[folder] = "".join(matched)
    return sides


def _indices_of(folder: Folder, words: tuple[str, ...]) -> list[int]:
    """Return the indices of a folder's parts that are the words of a side, one below the other."""
    worded = [index for index, part in enumerate(folder.parts) if part.side]
    runs = [worded[start : start + len(words)] for start in range(len(worded) - len(words) + 1)]
    return next((run for run in reversed(runs) if tuple(folder.parts[index].side for index in run) == words), [])


def _refuse_empty_side(reading: Reading, images: list[Image], sides: set[str]) -> None:
    """Raise an error where no image is an input or none is a target."""
    missing = [side for side in SIDES if side not in sides]
    if not missing:
        return
    settings = [reading.folders[side] for side in missing]
    like = "whose name is like" if any("*" in setting for setting in settings) else "in a folder named"
    keys = " and ".join(f"download.paired_folder.{SIDES[side]}" for side in missing)
    text = (
        f"there is no image {like} {' or '.join(map(repr, settings))} ({keys}); the images are in "
        f"{in_folders(image.name for image in images)}."
    )
    proposed = propose_sides(images) or propose_names(images)
    if proposed:
        reading.refuse(f"{text} These lines would read inputs and targets:", proposed)
    reading.refuse(
        f"{text} Name the folders of inputs and targets there; where every image holds both halves side by side, set "
        "download.paired_folder.form to left or right, the half that is the input"
    )


def _without_wrappers(reading: Reading, sides: Iterable[tuple[Folder, str]]) -> dict[tuple[Folder, str], Folder]:
    """Remove from each folder's rest the names of its side, and those above all folders of this side and no other."""
    words = reading.side_words
    taken = {}
    for folder, side in sides:
        named = {folder.parts[index].name for index in _indices_of(folder, words.get(side, ()))}
        rest = tuple(name for name in folder.rest if name not in named)
        taken[folder, side] = replace(folder, side=side, rest=rest)
    for side in SIDES:
        own = {key: folder for key, folder in taken.items() if folder.side == side}
        others = {name for folder in taken.values() if folder.side != side for name in folder.rest}
        rests = [folder.rest for folder in own.values()]
        shared = common_start(rests)
        wrappers = next((index for index in range(shared) if rests[0][index] in others), shared)
        taken |= {key: replace(folder, rest=folder.rest[wrappers:]) for key, folder in own.items()}
    return taken


def _refuse_half_splits(reading: Reading, images: list[Image], neither: list[Image]) -> None:
    """Raise an error where a split lacks one side and images of it are in neither folder."""
    have = {(image.folder.split, image.folder.side) for image in images}
    for split in SUBSETS:
        others = [image for image in neither if image.folder.split == split]
        missing = [side for side in SIDES if (split, side) not in have]
        if not others or not missing:
            continue
        names = " and ".join(f"{side} ({SIDES[side]}: {reading.folders[side]})" for side in missing)
        out = {PurePosixPath(image.folder.path).name: "left_out" for image in others} if split == "test" else {}
        reading.refuse(
            f"{split} has no {names}, but images in {in_folders(image.name for image in others)} that are "
            f"{_neither(reading)}. Give the folders the same names in every split, and name them in "
            "download.paired_folder.input_folder and target_folder" + (", or leave these out:" if out else ""),
            reading.declare(out) if out else None,
        )


def _neither(reading: Reading) -> str:
    inputs, targets = reading.folders.values()
    if "*" in inputs + targets:
        return f"neither an input ({inputs}) nor a target ({targets})"
    return f"in neither {inputs}/ nor {targets}/"


def refuse_parallel_folders(reading: Reading, images: list[Image]) -> None:
    """Raise an error where images should hold both halves, but inputs and targets are separate files."""
    letters = {part.side for folder in folders_of(images) for part in folder.parts if part.split} >= {"a", "b"}
    proposed = (
        propose_sides(images, known_only=True)
        or propose_names(images, known_only=True)
        or (_apart_as("A", "B") if letters else None)
    )
    if proposed:
        reading.refuse(
            f"download.paired_folder.form: {reading.form} says that every image holds both halves, but inputs and "
            f"targets are separate files in {in_folders(image.name for image in images)}. Where they are not, say "
            "in own_images.split_folders that these folders are ordinary; otherwise these lines read them:",
            proposed,
        )


def propose_sides(images: list[Image], known_only: bool = False) -> Changes | None:
    """Propose two folders whose images pair by name, the one with a usual word for inputs as the input."""
    stems: dict[str, Counter] = defaultdict(Counter)
    shown: dict[str, str] = {}
    members: dict[str, set[str]] = defaultdict(set)
    for image in images:
        for part in image.folder.parts:
            if part.side:
                stems[part.side][image.folder.split, stem_of(image.name)] += 1
                members[part.side].add(image.name)
                shown[part.side] = min(shown.get(part.side, part.name), part.name) if not part.split else part.side
    inputs = [side for side in sorted(stems) if side.replace("_", "") in INPUT_WORDS]
    targets = [side for side in sorted(stems) if side.replace("_", "") in TARGET_WORDS]
    candidates = [(one, other) for one in inputs for other in targets]
    # A sequence's folders hold equal names too: words that say nothing must fit without a rest.
    unknown = [] if known_only or len(stems) > 12 else [(a, b) for a in sorted(stems) for b in sorted(stems) if a < b]
    for one, other in candidates + unknown:
        if members[one] & members[other]:
            continue
        needed = 0.5 if (one, other) in candidates else 1.0
        shared = (stems[one] & stems[other]).total()
        if shared >= needed * max(stems[one].total(), stems[other].total()) or propose_pattern(
            *([stem for _, stem in stems[side].elements()] for side in (one, other))
        ):
            return _apart_as(shown[one], shown[other])
    return None


def propose_names(images: list[Image], known_only: bool = False) -> Changes | None:
    """Propose patterns for inputs and targets in one folder: by a word at an end of their names, or by the ending."""
    stems = {image.name: stem_of(image.name) for image in images}
    marked: dict[str, dict[str, str]] = defaultdict(dict)
    for name, stem in stems.items():
        for match in filter(None, (FIRST_WORD.search(stem), LAST_WORD.search(stem))):
            marked[match["word"].casefold()][name] = match.group()
    for word in INPUT_WORDS[known_only:]:  # a mere letter A in a name says little
        texts = set(marked[word].values())
        pattern = len(texts) == 1 and propose_pattern(
            list(marked[word]), [name for name in stems if name not in marked[word]]
        )
        if pattern:
            text = texts.pop()
            setting = f"*{text}.*" if LAST_WORD.fullmatch(text) else f"{text}*"
            return {**_apart_as(setting, "*"), "own_images": {"id_pattern": pattern}}
    endings = Counter(PurePosixPath(name).suffix.lower() for name in stems)
    by_stem = Counter((image.folder, stems[image.name]) for image in images)
    if not known_only and len(endings) == 2 and ".png" in endings and set(by_stem.values()) == {2}:
        return _apart_as("*.png", f"*{next(ending for ending in endings if ending != '.png')}")
    return None


def _apart_as(inputs: str, targets: str) -> Changes:
    """Return the settings that read inputs and targets as separate files."""
    return {"paired_folder": {"form": "folders", "input_folder": inputs, "target_folder": targets}}
