"""Which files are translated and where their photos go: settled, with every refusal, before a network is loaded."""

import glob
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Literal

from pix2street.errors import UserError
from pix2street.images import IMAGE_SUFFIXES
from pix2street.pairs import refuse_unusable

Existing = Literal["refuse", "replace", "keep"]


@dataclass(frozen=True)
class Found:
    """An image to translate, and its photo's path below the output folder, without its suffix."""

    path: Path
    name: Path


@dataclass(frozen=True)
class Job:
    """One photo to make: of which file, with which seed (None for the generator's own), and where it goes."""

    source: Path
    seed: int | None
    photo: Path


def find_inputs(arguments: Sequence[str], out: Path) -> list[Found]:
    """The images that files, folders and globs mean, in order, each once.

    A file is taken whatever its suffix. Of a folder all images at any depth are taken, hidden ones apart, of a glob
    all that match; they keep their place below the folder, or below the part of the glob without wildcards. What lies
    in an output folder there was made before and is none.

    Raises:
        UserError: an argument means nothing, or the output folder is itself a folder of inputs.
    """
    found = {}
    for argument in arguments:
        path = Path(argument)
        if path.is_dir():
            shown = (one for one in path.rglob("*") if not _is_hidden(one.relative_to(path)))
            images = _images_below(path, shown, out)
        elif path.exists():
            images = iter([Found(path, Path(path.stem))])
        elif glob.has_magic(argument):
            folder = Path(*takewhile(lambda part: not glob.has_magic(part), path.parts))
            images = _images_below(folder, map(Path, glob.glob(argument, recursive=True)), out)
        else:
            raise UserError(f"{argument}: no such file or folder")
        before = len(found)
        named = {(image.path.resolve(), image.name): image for image in images}
        found |= {key: image for key, image in named.items() if key not in found}
        if not named and len(found) == before:
            raise UserError(f"{argument}: no image there; a file's name must end in one of {', '.join(IMAGE_SUFFIXES)}")
    return list(found.values())


def _images_below(folder: Path, paths: Iterable[Path], out: Path) -> Iterator[Found]:
    place = out.resolve()
    if place == folder.resolve():
        raise UserError(f"--out: {out} is a folder of inputs, photos must not lie among them; name another folder")
    made_there = place.is_relative_to(folder.resolve())
    for path in sorted(paths):
        if path.suffix.lower() not in IMAGE_SUFFIXES or not path.is_file():
            continue
        if not (made_there and path.resolve().is_relative_to(place)):
            name = path.relative_to(folder)
            yield Found(path, name.with_name(name.stem))


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def plan(images: Sequence[Found], out: Path, seeds: Sequence[int | None], existing: Existing) -> list[Job]:
    """A photo for every image and seed, `<name>.png`; of several seeds `<name>_seed<seed>.png`.

    Args:
        existing: what is done about photos that exist: nothing is made and an error says so, they are made again, or
            they are kept and what is missing is made.

    Raises:
        UserError: two photos would have one name, one cannot have its name, one would take the place of an input, or
            one exists.
    """
    if out.exists() and not out.is_dir():
        raise UserError(f"--out: {out} is a file, it must be a folder; name another")
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
                raise UserError(f"{job.photo}: is an input, a photo would take its place; name another folder as --out")
            jobs[job.photo] = job
    there = [photo for photo in jobs if photo.exists()]
    if there and existing == "refuse":
        more = f" and {len(there) - 1} more of the photos" if len(there) > 1 else ""
        raise UserError(
            f"{there[0]}{more}: exists; add --replace to make it again, --keep to make only what is missing, or name "
            "another folder as --out"
        )
    return [job for job in jobs.values() if existing != "keep" or job.photo not in there]
