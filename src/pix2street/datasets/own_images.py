"""What `paired_folder`, `colorization` and `sketches` share: a user's images go into splits, byte for byte."""

from collections import Counter
from collections.abc import Collection
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd

from pix2street.accounting import in_words, settle
from pix2street.archives import Limits, Source, open_source
from pix2street.errors import UserError
from pix2street.formats import HEAD_BYTES, READ_HERE_NAMES, ending_for, has_image_ending, why_no_image
from pix2street.pairs import SPLITS, group_of, refuse_unusable

LINKS_SHOWN = 3


def images_of(source: Source, tables: Collection[str] = ()) -> tuple[list[str], dict[str, str]]:
    """Return the names of all images and, for every other file, why it is none.

    A name that ends as images do is taken for one: `split` decodes it. Of all others the content decides.

    Args:
        tables: files that are read for something else.

    Raises:
        UserError: there is no image, or the name of one is no UTF-8.
    """
    images, others = [], dict(source.left_out)
    for name in source.names:
        if name in tables:
            others[name] = "the class table"
        elif why := _why_not(source, name):
            others[name] = why
        else:
            images.append(name)
    if not images:
        raise UserError(
            f"{source.path}: no images found{_what_is_there(others)}; put {READ_HERE_NAMES} images there, "
            "fix download.path, or choose download.dataset: synthetic_streets"
        )
    return images, others


def _why_not(source: Source, name: str) -> str:
    if has_image_ending(name):
        return ""
    try:
        return why_no_image(name, source.head(name))
    except OSError as error:
        return f"cannot be read ({error.strerror})"


def _what_is_there(others: dict[str, str]) -> str:
    if not others:
        return ", it is empty"
    first = f"{next(iter(others))!r}{', ...' if len(others) > 1 else ''}"
    return f", but {in_words(Counter(others.values()))} ({first})"


def pair_ids(path: Path, *sides: list[str]) -> dict[str, str]:
    """Each image's pair_id: its name without the ending, behind its split where the same name stands in two splits.

    Args:
        sides: all images, or inputs and targets apart.

    Raises:
        UserError: a pair_id that stands twice in one split and side, or a name that can be none.
    """
    refuse_unusable((str(PurePosixPath(name).with_suffix("")) for names in sides for name in names), path)
    places = pd.DataFrame(
        [(name, side) for side, names in enumerate(sides) for name in names], columns=["name", "side"]
    )
    places["stem"] = [PurePosixPath(name).stem for name in places["name"]]
    places["split"] = [split_in(name) or "" for name in places["name"]]
    doubles = places[places.duplicated(["stem", "split", "side"], keep=False)]
    if len(doubles):
        listed = "\n".join(f"  {name}" for name in doubles["name"])
        raise UserError(f"{path}: a pair_id (the name without its ending) must stand once; rename or remove:\n{listed}")
    if places.duplicated(["stem", "side"]).any():
        places["stem"] = places["split"] + "_" + places["stem"]
        refuse_unusable(places["stem"], path)
    return dict(zip(places["name"], places["stem"], strict=True))


def split_in(name: str) -> str | None:
    """The split folder that an image stands in, however deep."""
    return next((part for part in PurePosixPath(name).parts[:-1] if part in SPLITS), None)


def divide(
    path: Path, ids: dict[str, str], group_pattern: str | None, split_shares: dict[str, float], seed: int
) -> dict[str, str]:
    """Each image's split: the folder it stands in, or its group's share of a source without split folders.

    Args:
        ids: pair_id by image name.

    Raises:
        UserError: images inside and outside of split folders, or too few groups to give every split one.
    """
    outside = [name for name in ids if split_in(name) is None]
    if not outside:
        return {name: split_in(name) for name in ids}
    if len(outside) < len(ids):
        listed = "\n".join(f"  {name}" for name in outside)
        raise UserError(
            f"{path}: either all images stand in train/, val/ or test/ or none does; these do not:\n{listed}"
        )
    groups = pd.Series({name: group_of(pair_id, group_pattern) for name, pair_id in ids.items()})
    pairs = pd.Series(ids).groupby(groups).nunique()
    return groups.map(divide_groups(pairs.to_dict(), split_shares, seed)).to_dict()


def divide_groups(sizes: dict[str, int], split_shares: dict[str, float], seed: int) -> dict[str, str]:
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
        raise UserError(
            f"{len(sizes)} groups cannot fill {len(wanted)} splits; set download.own_images.group_pattern to null or "
            "make it match shorter parts of the pair_id"
        )
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


def copy_images(source: Source, folder: Path, places: dict[str, str], left_out: dict[str, str]) -> None:
    """Write each image to its place below `folder`, e.g. `train/inputs/<pair_id>`, and account for all files.

    An image keeps its ending where images end so; any other gets that of its content.

    Args:
        places: of all images that are taken.
        left_out: the reason for every other file of the source.
    """
    for place in {PurePosixPath(place).parent for place in places.values()}:
        (folder / place).mkdir(parents=True, exist_ok=True)
    for name, content in source.read(places.keys()):
        (folder / f"{places[name]}{ending_for(name, content[:HEAD_BYTES])}").write_bytes(content)
    if source.linked:
        # The folder is a dependency of the stage, and DVC looks at no folder behind a link in it.
        print(
            f"{source.path}: links to folders are followed ({', '.join(map(repr, source.linked[:LINKS_SHOWN]))}"
            f"{', ...' if len(source.linked) > LINKS_SHOWN else ''}); DVC does not see a change behind them, so run "
            "`dvc repro --force download` after one"
        )
    settle(folder, source.path, {*source.names, *source.left_out}, places, left_out)


def fetch_photos(
    folder: Path,
    *,
    path: Path,
    limits: Limits,
    group_pattern: str | None,
    split_shares: dict[str, float],
    seed: int,
) -> None:
    """Copy a source's photos, byte for byte, to `folder/<split>/<pair_id>.<ext>`; the inputs are drawn from them later.

    Raises:
        UserError: nothing there, a pair_id that stands twice, images both inside and outside split folders, or too
            few groups to give every split one.
    """
    with open_source(path, limits) as source:
        images, others = images_of(source)
        ids = pair_ids(path, images)
        splits = divide(path, ids, group_pattern, split_shares, seed)
        copy_images(source, folder, {name: f"{splits[name]}/{pair_id}" for name, pair_id in ids.items()}, others)
