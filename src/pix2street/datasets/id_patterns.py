"""Patterns that find a pair_id in a file's name, for pairs whose two names differ before or after it."""

import re
from collections import Counter
from collections.abc import Collection, Sequence

SEPARATORS = "_-. "


def stem_of(name: str) -> str:
    """Return the name of a file without its folders and its ending."""
    last = name.rpartition("/")[2]
    dot = last.rfind(".")
    return last[:dot] if 0 < dot < len(last) - 1 else last


def common_start(sequences: Collection[Sequence]) -> int:
    """Return the number of items with which all sequences begin."""
    first, last = min(sequences), max(sequences)
    return next(
        (index for index, items in enumerate(zip(first, last, strict=False)) if len(set(items)) > 1), len(first)
    )


def find_id(stem: str, id_pattern: str | None) -> str | None:
    """Return the pair_id in a name: the whole name if there is no pattern, None if the pattern finds nothing."""
    if id_pattern is None:
        return stem
    match = re.search(id_pattern, stem)
    return match and match.group(1)


def propose_pattern(inputs: Sequence[str], targets: Sequence[str]) -> str | None:
    """Find a pattern under which every input has one target, and every target one input.

    The names on each side may begin and end with text that is the same for all of that side, e.g. `_gtFine_labelIds`
    for inputs and `_leftImg8bit` for targets.

    Returns:
        a regular expression whose first group is the pair_id; None if no such pattern pairs all names, or if the names
        of the two sides are equal already.
    """
    sides = [[stem_of(name) for name in names] for names in (inputs, targets)]
    if not all(sides) or len(sides[0]) != len(sides[1]) or Counter(sides[0]) == Counter(sides[1]):
        return None
    for ends in (("suffix",), ("prefix",), ("suffix", "prefix")):
        pattern = _pattern_for(sides, ends)
        if pattern and _pairs_all(sides, pattern):
            return pattern
    return None


def propose_pattern_of_one_kind(inputs: Sequence[str], targets: Sequence[str]) -> str | None:
    """Find a pattern that pairs a single kind of file, where one side has several kinds for each file of the other.

    Cityscapes has `x_gtFine_color`, `x_gtFine_instanceIds` and `x_gtFine_labelIds` for each `x_leftImg8bit`. The kind
    whose name comes first in the alphabet is taken.
    """
    fewer, more = sorted(([stem_of(name) for name in names] for names in (inputs, targets)), key=len)
    if not fewer or len(more) % len(fewer) or len(more) == len(fewer):
        return None
    kinds = Counter(stem[index:] for stem in more for index in range(1, len(stem)) if stem[index] in SEPARATORS)
    for kind in sorted(kind for kind, count in kinds.items() if count == len(fewer)):
        pattern = propose_pattern([stem for stem in more if stem.endswith(kind)], fewer)
        if pattern and not any(find_id(stem, pattern) for stem in more if not stem.endswith(kind)):
            return pattern
    return None


def _pairs_all(sides: list[list[str]], pattern: str) -> bool:
    ids = [[find_id(stem, pattern) for stem in stems] for stems in sides]
    distinct = all(len(set(found)) == len(set(stems)) for found, stems in zip(ids, sides, strict=True))
    return distinct and all(ids[0]) and Counter(ids[0]) == Counter(ids[1])


def _pattern_for(sides: list[list[str]], ends: tuple[str, ...]) -> str | None:
    """Return the pattern that takes off, at these ends, what all names of one side share and the other side lacks."""
    affixes = {"prefix": ["", ""], "suffix": ["", ""]}
    for end in ends:
        turn = -1 if end == "suffix" else 1
        turned = [[stem[::turn] for stem in stems] for stems in sides]
        starts = [stems[0][: common_start(stems)] for stems in turned]
        affixes[end] = [affix[::turn] for affix in _differing(*starts)]
        sides = [
            [stem[: len(stem) - len(affix)] if end == "suffix" else stem[len(affix) :] for stem in stems]
            for stems, affix in zip(sides, affixes[end], strict=True)
        ]
    if not any(affixes["prefix"] + affixes["suffix"]):
        return None
    return f"^{_either(affixes['prefix'])}(.+{'?' if any(affixes['suffix']) else ''}){_either(affixes['suffix'])}$"


def _differing(first: str, second: str) -> tuple[str, str]:
    """Cut off the whole words that both beginnings share at their ends: they belong to the pair_ids."""
    shared = common_start([first[::-1], second[::-1]])
    while shared and not (_begins_word(first, len(first) - shared) and _begins_word(second, len(second) - shared)):
        shared -= 1
    # A separator at the beginning of the pair_id is taken off as well.
    while shared and first[len(first) - shared] in SEPARATORS:
        shared -= 1
    return first[: len(first) - shared], second[: len(second) - shared]


def _begins_word(text: str, index: int) -> bool:
    return index == 0 or _kind(text[index - 1]) != _kind(text[index]) or not text[index].isalnum()


def _kind(character: str) -> str:
    return "letter" if character.isalpha() else "digit" if character.isalnum() else "separator"


def _either(affixes: list[str]) -> str:
    """Return an expression that matches either affix; one of them may be empty."""
    parts = sorted({re.escape(affix) for affix in affixes if affix}, key=lambda part: (-len(part), part))
    if not parts:
        return ""
    return f"(?:{'|'.join(parts)}){'' if all(affixes) else '?'}"
