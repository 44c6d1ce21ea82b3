"""Street scenes drawn by this project in the classes and colours of Cityscapes: photo left, labels right.

- `scene`: one scene, and the order in which its parts are drawn
- `world`: the camera and its canvas, sky, ground, road and sidewalks
- `roadside`: buildings, hedges, walls and fences
- `things`: how a thing that faces the camera is drawn, and its shadow
- `furniture`: trees, lamp posts, signs, traffic lights
- `traffic`: cars, trucks, buses, trains, motorcycles, bicycles
- `people`: people on foot, and the figure of a rider
- `light`: the sun, a drawn hour, haze, and the camera's lens and sensor
- `hours`: hours and weathers that have names, in which one scene is seen several times
- `textures`: colours, grids of lines and noise that all of them use
"""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from tqdm import tqdm

from pix2street.core.classes import cityscapes_classes
from pix2street.core.errors import UserError
from pix2street.core.frames import GROUP_PATTERN, FrameCounts
from pix2street.core.images import write_png
from pix2street.core.pairs import Dataset
from pix2street.core.workers import in_processes
from pix2street.datasets.synthetic_streets.scene import draw_drive, draw_hours, draw_scene
from pix2street.settings.download import Frames, SyntheticStreets

FIRST_SCENES = {"train": 0, "val": 1_000_000, "test": 2_000_000}
"""The index of each split's first scene: a split keeps its scenes when another one grows."""


def fetch(folder: Path, settings: SyntheticStreets, frames: Frames | None = None) -> Dataset:
    """Draw the scenes on all cores; each depends only on the seed and on its index.

    With domains every scene is drawn in each of these hours: `<split>/<hour>/<hour>_<scene>.png`. With
    `settings.frames` every scene is a drive down its street, `<split>/<scene>/<frame>.png`, and `frames` says which of
    them make a pair.

    Raises:
        UserError: a drive is too short for a pair of such `frames`.
    """
    counted = FrameCounts(**frames.model_dump()) if settings.frames and frames else None
    if counted and settings.frames < counted.span:
        raise UserError(
            f"download.synthetic_streets.frames: {settings.frames} frames are too few for a pair, which takes "
            f"{counted.span} of them (download.frames); draw longer drives"
        )
    draw_one = _write_drive if counted else _write_scene
    _draw_all(folder, settings, draw_one, settings.domains or [""])
    if counted:
        return Dataset(
            name="synthetic_streets",
            title="Synthetic drives",
            direction="past to next frames",
            licence="Apache-2.0",
            home_page="",
            input_from="frames",
            group_pattern=GROUP_PATTERN,
            frames=counted,
        )
    return Dataset(
        name="synthetic_streets",
        title="Synthetic streets",
        direction=_direction(settings.domains),
        licence="Apache-2.0",
        home_page="",
        input_from="right",
        classes=cityscapes_classes(),
        domains=tuple(settings.domains),
        scenes=bool(settings.domains),
    )


def draw_photos(folder: Path, settings: SyntheticStreets) -> None:
    """Draw the photos of the same scenes without their labels: `<split>/<scene>.png`; domains are not drawn."""
    _draw_all(folder, settings, _write_photo, [""])


def _draw_all(folder: Path, settings: SyntheticStreets, write: Callable[..., None], below: Sequence[str]) -> None:
    """Draw every scene of each split by `write(folder, settings, scene)`; `below` are a split's folders."""
    counts = {"train": settings.train_pairs, "val": settings.val_pairs, "test": settings.test_pairs}
    scenes = [(split, first + i) for split, first in FIRST_SCENES.items() for i in range(counts[split])]
    for split in {split for split, _ in scenes}:
        for name in below:
            (folder / split / name).mkdir(parents=True)
    draw = partial(write, folder, settings)
    for _ in tqdm(in_processes(draw, scenes), desc="draw", total=len(scenes), unit=" scenes"):
        pass


def _direction(domains: Sequence[str]) -> str:
    """Return the usual task on the set in words."""
    if not domains:
        return "labels to street"
    return " to ".join(domains) if len(domains) == 2 else f"between {', '.join(domains)}"


def _write_drive(folder: Path, settings: SyntheticStreets, scene: tuple[str, int]) -> None:
    split, index = scene
    video = folder / split / f"drive_{index:07d}"
    video.mkdir()
    photos = draw_drive(settings.seed, index, settings.height_px, settings.width_px, settings.frames)
    for number, photo in enumerate(photos):
        write_png(video / f"{number + 1:04d}.png", photo)


def _write_scene(folder: Path, settings: SyntheticStreets, scene: tuple[str, int]) -> None:
    split, index = scene
    name, size = _name(index), (settings.height_px, settings.width_px)
    if settings.domains:
        photos, labels = draw_hours(settings.seed, index, *size, settings.domains)
        paths = [folder / split / hour / f"{hour}_{name}.png" for hour in settings.domains]
    else:
        photo, labels = draw_scene(settings.seed, index, *size)
        photos, paths = [photo], [folder / split / f"{name}.png"]
    colors = cityscapes_classes().to_colors(labels)
    for path, photo in zip(paths, photos, strict=True):
        write_png(path, np.concatenate([photo, colors], axis=1))


def _write_photo(folder: Path, settings: SyntheticStreets, scene: tuple[str, int]) -> None:
    split, index = scene
    photo, _ = draw_scene(settings.seed, index, settings.height_px, settings.width_px)
    write_png(folder / split / f"{_name(index)}.png", photo)


def _name(index: int) -> str:
    return f"street_{index:07d}"
