"""A user's own side-by-side images: a folder, a zip or a tar, with `train/ val/ test/` inside or flat."""

import io
import tarfile
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd

from pix2street.classes import VOID, ClassEntry, ClassTable, cityscapes_classes
from pix2street.errors import UserError
from pix2street.images import IMAGE_SUFFIXES
from pix2street.pairs import SPLITS, Dataset, Half

NOT_IMAGES_SHOWN = 5


def fetch(
    folder: Path,
    *,
    path: Path,
    title: str,
    licence: str,
    home_page: str,
    input_half: Half,
    classes: str,
    group_pattern: str | None,
    split_shares: dict[str, float],
    seed: int,
) -> Dataset:
    """Copy the images, byte for byte, into the splits they stand in; a flat source is divided by share and seed.

    Raises:
        UserError: nothing there, a pair_id that stands twice, images both inside and outside split folders, or too
            few groups to give every split one.
    """
    with _open_source(path) as (names, read):
        table = _class_table(path, classes, names, read)
        dataset = Dataset("paired_folder", title, licence, home_page, input_half, group_pattern, table)
        images = [name for name in names if PurePosixPath(name).suffix.lower() in IMAGE_SUFFIXES]
        _report_others(path, sorted({*names} - {*images, classes}))
        if not images:
            raise UserError(
                f"{path}: no images found ({', '.join(IMAGE_SUFFIXES)}); put side-by-side pairs there, mend "
                "download.paired_folder.path, or choose download.dataset: synthetic_streets"
            )
        _refuse_doubles(path, images)
        splits = _splits_of(path, images, dataset, split_shares, seed)
        for split in set(splits.values()):
            (folder / split).mkdir()
        for name, split in splits.items():
            image = PurePosixPath(name)
            (folder / split / f"{image.stem}{image.suffix.lower()}").write_bytes(read(name))
    return dataset


Source = tuple[list[str], Callable[[str], bytes]]


@contextmanager
def _open_source(path: Path) -> Iterator[Source]:
    """The names of all regular files, sorted, and a function that reads one. Hidden files are passed over."""
    if path.is_dir():
        names = [file.relative_to(path).as_posix() for file in path.rglob("*") if file.is_file()]
        yield _visible(names), lambda name: (path / name).read_bytes()
    elif not path.exists():
        raise UserError(f"{path}: no such folder or archive; mend download.paired_folder.path in params.yaml")
    elif zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            yield _visible([info.filename for info in archive.infolist() if not info.is_dir()]), archive.read
    elif tarfile.is_tarfile(path):
        with tarfile.open(path) as archive:
            members = {member.name: member for member in archive if member.isfile()}
            yield _visible(list(members)), lambda name: archive.extractfile(members[name]).read()
    else:
        raise UserError(f"{path}: neither a folder nor a zip nor a tar; mend download.paired_folder.path")


def _visible(names: list[str]) -> list[str]:
    return sorted(name for name in names if not any(part.startswith(".") for part in PurePosixPath(name).parts))


def _report_others(path: Path, others: list[str]) -> None:
    if others:
        shown = ", ".join(others[:NOT_IMAGES_SHOWN]) + (", ..." if len(others) > NOT_IMAGES_SHOWN else "")
        print(f"{path}: passed over {len(others)} files that are no images: {shown}")


def _refuse_doubles(path: Path, images: list[str]) -> None:
    counts = Counter(PurePosixPath(name).stem for name in images)
    doubles = [name for name in images if counts[PurePosixPath(name).stem] > 1]
    if doubles:
        listed = "\n".join(f"  {name}" for name in doubles)
        raise UserError(f"{path}: a pair_id (the name without its ending) must stand once; rename or remove:\n{listed}")


def _splits_of(
    path: Path, images: list[str], dataset: Dataset, split_shares: dict[str, float], seed: int
) -> dict[str, str]:
    """Each image's split: the folder it stands in, or its group's share of a flat source."""
    folders = {name: PurePosixPath(name).parent.name for name in images}
    outside = [name for name in images if folders[name] not in SPLITS]
    if not outside:
        return folders
    if len(outside) < len(images):
        listed = "\n".join(f"  {name}" for name in outside)
        raise UserError(
            f"{path}: either all images stand in train/, val/ or test/ or none does; these do not:\n{listed}"
        )
    groups = pd.Series({name: dataset.group_of(PurePosixPath(name).stem) for name in images})
    split_of_group = divide_groups(groups.value_counts(sort=False).to_dict(), split_shares, seed)
    return groups.map(split_of_group).to_dict()


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
            f"{len(sizes)} groups cannot fill {len(wanted)} splits; set download.paired_folder.group_pattern to null "
            "or make it match shorter parts of the pair_id"
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


def _class_table(path: Path, classes: str, names: list[str], read: Callable[[str], bytes]) -> ClassTable | None:
    """The table that `download.paired_folder.classes` names; a file of its own stands in the source."""
    if classes == "none":
        return None
    if classes in ("cityscapes", "cityscapes_evaluated"):
        return cityscapes_classes(evaluated_only=classes == "cityscapes_evaluated")
    if classes not in names:
        raise UserError(f"{path}: no class table {classes} in it; put it there or mend download.paired_folder.classes")
    columns = ["id", "name", "red", "green", "blue", "evaluated"]
    try:
        rows = pd.read_csv(io.BytesIO(read(classes)), usecols=columns)[columns].to_dict("records")
    except ValueError as error:
        raise UserError(f"{classes}: a class table has the columns {', '.join(columns)} ({error})") from error
    entries = []
    for row in rows:
        numbers = [row[column] for column in ("id", "red", "green", "blue")]
        if any(number not in range(256) for number in numbers) or row["evaluated"] not in (0, 1):
            raise UserError(f"{classes}: ids and colours are 0 to 255, evaluated is 0 or 1; mend {row}")
        class_id, *color = (int(number) for number in numbers)
        entries.append(ClassEntry(class_id, str(row["name"]), tuple(color), bool(row["evaluated"])))
    if len({entry.id for entry in entries}) < len(entries) or any(entry.id == VOID for entry in entries):
        raise UserError(f"{classes}: every class needs an id of its own below {VOID}")
    return ClassTable(tuple(entries))
