"""The photos to make: their inputs and their paths, with every refusal, before a network is loaded."""

import glob
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import takewhile
from pathlib import Path
from typing import Literal

from pix2street.core.accounting import in_words
from pix2street.core.errors import UserError
from pix2street.core.folders import Tree, walk
from pix2street.core.formats import (
    DANGLING,
    HEAD_BYTES,
    HIDDEN,
    READ_HERE_NAMES,
    has_image_ending,
    stem_of,
    why_no_image,
    why_unwanted,
)
from pix2street.core.pairs import refuse_unusable

Existing = Literal["refuse", "replace", "keep"]

MAX_LINKED = 500_000
"""The most files and folders that may be reached through links to folders."""


@dataclass(frozen=True)
class Found:
    """An image to translate.

    Args:
        name: the path of its photo below the output folder, without suffix.
    """

    path: Path
    name: Path


@dataclass(frozen=True)
class Job:
    """One photo to make.

    Args:
        seed: sets its noise and its style; None for the seed of `generate`.
    """

    source: Path
    seed: int | None
    photo: Path


def find_inputs(arguments: Sequence[str], out: Path) -> list[Found]:
    """Return the images that files, folders and globs name, in order and each once; print what was left out and why.

    A named file is always taken. A folder gives its images at every depth, except hidden ones and litter, and a glob
    gives those that match. Their photos keep the path below the folder, or below the part of the glob without
    wildcards. Images in the output folder are earlier photos, which are left out. Links are followed.

    Raises:
        UserError: an argument names no image, or the output folder is itself a folder of inputs.
    """
    found: dict[tuple[Path, Path], Found] = {}
    left_out: dict[Path, str] = {}
    for argument in arguments:
        path = Path(argument)
        others: dict[Path, str] = {}
        if path.is_dir():
            _refuse_as_output(path, out)
            tree = walk(path, MAX_LINKED)
            images, others = _sort_out(path, [path / name for name in tree.names], out)
            others |= {path / name: why for name, why in tree.left_out.items()}
        elif path.exists():
            images = [Found(path, Path(path.stem))]
        elif glob.has_magic(argument):
            folder = Path(*takewhile(lambda part: not glob.has_magic(part), path.parts))
            _refuse_as_output(folder, out)
            images, others = _sort_out(folder, map(Path, _matches(argument)), out)
        else:
            raise UserError(f"{argument}: no such file or folder")
        before = len(found)
        named = {(image.path.resolve(), image.name): image for image in images}
        found |= {key: image for key, image in named.items() if key not in found}
        if not named and len(found) == before:
            instead = in_words(Counter(others.values())) or "nothing"
            raise UserError(f"{argument}: holds no image, but {instead}; name {READ_HERE_NAMES} images")
        left_out |= others
    left_out = {path: why for path, why in left_out.items() if path not in {image.path for image in found.values()}}
    if left_out:
        print(f"left out: {in_words(Counter(left_out.values()))}")
    return list(found.values())


def _refuse_as_output(folder: Path, out: Path) -> None:
    if out.resolve() == folder.resolve():
        raise UserError(f"--out: {out} is a folder of inputs, and photos must not lie among them; name another folder")


def _sort_out(folder: Path, paths: Iterable[Path], out: Path) -> tuple[list[Found], dict[Path, str]]:
    """Return the images among files, in order, and why each other file is none; folders are skipped."""
    photos = out.resolve() if out.resolve().is_relative_to(folder.resolve()) else None
    images, others = [], {}
    for path in sorted(paths):
        name = path.relative_to(folder)
        if why := _why_not(path, name.as_posix(), photos):
            others[path] = why
        elif path.is_file():
            images.append(Found(path, name.with_name(stem_of(name.name))))
    return images, others


def _why_not(path: Path, name: str, photos: Path | None) -> str:
    """Return why a file is no image to translate, "" where it is one or a folder.

    Args:
        photos: the output folder, where it lies below the folder of inputs.
    """
    if (why := why_unwanted(name)) and why != HIDDEN:
        return why
    if not path.is_file():
        return "" if path.is_dir() else "no regular file" if path.exists() else DANGLING
    if photos is not None and path.resolve().is_relative_to(photos):
        return "in the output folder"
    if has_image_ending(path.name):
        return ""
    try:
        with path.open("rb") as file:
            return why_no_image(path.name, file.read(HEAD_BYTES))
    except OSError as error:
        return f"cannot be read ({error.strerror})"


def _matches(pattern: str) -> Iterator[str]:
    """Yield what a glob matches; `**` follows links, but unlike that of `glob` never in a circle."""
    parts = Path(pattern).parts
    if "**" not in parts:
        yield from glob.iglob(pattern)
        return
    deep = parts.index("**")
    head = str(Path(*parts[:deep]))
    for folder in glob.iglob(head) if glob.has_magic(head) else [head]:
        tree = walk(Path(folder), MAX_LINKED) if Path(folder).is_dir() else Tree([], {}, [])
        for name in (*tree.names, *tree.left_out):
            if _fits(name.rstrip("/").split("/"), parts[deep:]):
                yield str(Path(folder, name))


def _fits(parts: Sequence[str], patterns: Sequence[str]) -> bool:
    """Return whether a path's parts match a glob's; a wildcard matches no dot in front."""
    if not (patterns and parts):
        return not parts and all(pattern == "**" for pattern in patterns)
    shown = not parts[0].startswith(".")
    if patterns[0] == "**":
        return _fits(parts, patterns[1:]) or (shown and _fits(parts[1:], patterns))
    fits = fnmatchcase(parts[0], patterns[0]) and (shown or patterns[0].startswith("."))
    return fits and _fits(parts[1:], patterns[1:])


def plan(images: Sequence[Found], out: Path, seeds: Sequence[int | None], existing: Existing) -> list[Job]:
    """Return a job for every image and seed; its photo is `<name>.png`, with several seeds `<name>_seed<seed>.png`.

    Args:
        existing: "refuse" raises an error where a photo exists, "replace" makes it again, and "keep" leaves it out of
            the jobs.

    Raises:
        UserError: two photos would have one name, a photo cannot have its name, would replace an input, or exists.
    """
    if out.exists() and not out.is_dir():
        raise UserError(f"--out: {out} is a file and must be a folder; name another")
    jobs: dict[Path, Job] = {}
    inputs = {image.path.resolve() for image in images}
    for image in images:
        for seed in seeds:
            name = f"{image.name}_seed{seed}" if len(seeds) > 1 else str(image.name)
            refuse_unusable([name], image.path.parent)
            job = Job(image.path, seed, out / f"{name}.png")
            if job.photo in jobs:
                raise UserError(
                    f"{jobs[job.photo].source} and {job.source}: both their photos would be {job.photo}; rename one, "
                    "or name the folder that holds both or a quoted glob, whose sub-folders are kept"
                )
            if job.photo.resolve() in inputs:
                raise UserError(f"{job.photo}: is an input, which a photo would replace; name another folder as --out")
            jobs[job.photo] = job
    made = [photo for photo in jobs if photo.exists()]
    if made and existing == "refuse":
        exists = f"and {len(made) - 1} more of the photos exist" if len(made) > 1 else "exists"
        raise UserError(
            f"{made[0]} {exists}; add --replace to make them again, --keep to make only what is missing, or name "
            "another folder as --out"
        )
    return [job for job in jobs.values() if existing != "keep" or job.photo not in made]
