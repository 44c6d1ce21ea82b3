"""Images by their names, and what looks like inputs and targets among them where the settings name neither."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, NamedTuple

from pix2street.datasets.folder_names import INPUT_WORDS, TARGET_WORDS, FolderName
from pix2street.datasets.id_patterns import propose_pattern, stem_of

FIRST_WORD = re.compile(r"^(?P<word>[^_\-. ]+)[_\-. ]+")
LAST_WORD = re.compile(r"[_\-. ]+(?P<word>[^_\-. ]+)$")
Changes = dict[str, dict[str, Any]]


@dataclass(frozen=True, eq=False)
class Folder:
    """One folder that holds images; each is one object, so that half a million names are told apart quickly.

    Args:
        parts: what each name on its path says.
        wrapped: how many of them all images share.
        rest: the names on its path that say neither split nor side, without such wrappers.
    """

    path: str
    parts: tuple[FolderName, ...]
    wrapped: int
    split: str | None
    side: str = ""
    rest: tuple[str, ...] = ()


class Image(NamedTuple):
    """An image in the source by its name, the folder it is in, and its pair_id once that is known."""

    name: str
    folder: Folder
    pair_id: str = ""

    @property
    def place(self) -> str:
        """Where it goes below the downloaded folder, without its ending."""
        return "/".join(part for part in (self.folder.split, self.folder.side, self.pair_id) if part)


def folders_of(images: Iterable[Image]) -> list[Folder]:
    """Return each folder once, in the order of the images."""
    return list(dict.fromkeys(image.folder for image in images))


def propose_sides(images: list[Image], known_only: bool = False) -> Changes | None:
    """Find two folders whose images pair by name; which one is the input follows the usual words."""
    known = {part.side.replace("_", "") for folder in folders_of(images) for part in folder.parts}
    if known_only and not (known & {*INPUT_WORDS} and known & {*TARGET_WORDS}):
        return None
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
            return apart_as(shown[one], shown[other])
    return None


def propose_names(images: list[Image], known_only: bool = False) -> Changes | None:
    """Find inputs and targets beside each other in one folder: by a word at an end of their names, or by the ending."""
    stems = {image.name: stem_of(image.name) for image in images}
    marked: dict[str, dict[str, str]] = defaultdict(dict)
    for name, stem in stems.items():
        for match in filter(None, (FIRST_WORD.search(stem), LAST_WORD.search(stem))):
            marked[match["word"].casefold()][name] = match.group()
    for word in INPUT_WORDS[known_only:]:  # in a name, the letter A alone says little
        texts = set(marked[word].values())
        pattern = len(texts) == 1 and propose_pattern(
            list(marked[word]), [name for name in stems if name not in marked[word]]
        )
        if pattern:
            text = texts.pop()
            setting = f"*{text}.*" if LAST_WORD.fullmatch(text) else f"{text}*"
            return {**apart_as(setting, "*"), "own_images": {"id_pattern": pattern}}
    endings = Counter(PurePosixPath(name).suffix.lower() for name in stems)
    by_stem = Counter((image.folder, stems[image.name]) for image in images)
    if not known_only and len(endings) == 2 and ".png" in endings and set(by_stem.values()) == {2}:
        return apart_as("*.png", f"*{next(ending for ending in endings if ending != '.png')}")
    return None


def apart_as(inputs: str, targets: str) -> Changes:
    """Return the settings that read inputs and targets as files of their own."""
    return {"paired_folder": {"form": "folders", "input_folder": inputs, "target_folder": targets}}
