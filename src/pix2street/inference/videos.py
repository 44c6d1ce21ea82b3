"""Folders of frames, continued by a generator of next frames."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pix2street.core.errors import UserError
from pix2street.core.files import write_bytes
from pix2street.core.frames import FrameCounts, in_order, stacked, unstacked
from pix2street.core.images import png_bytes, webp_bytes
from pix2street.inference.inputs import read_input
from pix2street.inference.jobs import Existing, Found
from pix2street.inference.translator import Translator

FRAME_MS = 200
"""How long a film shows a frame."""


@dataclass(frozen=True)
class Video:
    """The last frames of a folder, in the order of time.

    Args:
        name: the path of its folder below that of the inputs; empty for the folder of the inputs itself.
    """

    folder: Path
    name: Path
    files: tuple[Path, ...]


def find_videos(images: Sequence[Found], frames: FrameCounts) -> list[Video]:
    """Return a video for each folder that holds images, whose last frames are an input.

    Raises:
        UserError: a folder has too few frames.
    """
    folders: dict[Path, list[Found]] = {}
    for image in images:
        folders.setdefault(image.path.parent, []).append(image)
    videos = []
    for folder, found in folders.items():
        found = sorted(found, key=lambda image: in_order(image.path.name))
        numbers = frames.last_inputs(len(found))
        if numbers.start < 0:
            raise UserError(
                f"{folder}: holds {len(found)} {'frame' if len(found) == 1 else 'frames'}, but the generator sees "
                f"{frames.frames_in} of a video, every {frames.step}. one; give it longer videos, a folder each"
            )
        videos.append(Video(folder, found[0].name.parent, tuple(found[number].path for number in numbers)))
    return videos


def continue_videos(translator: Translator, videos: Sequence[Video], out: Path, existing: Existing) -> list[Path]:
    """Write the next frames of every video, `<name>/next_1.png` and so on, and `<name>/film.webp`, past and next.

    Returns:
        The films.

    Raises:
        UserError: a film exists and may not be replaced, two videos would have one, or frames of a video cannot be
            read or have several sizes.
    """
    films = [out / video.name / "film.webp" for video in videos]
    for film in films:
        if films.count(film) > 1:
            raise UserError(f"{film}: would be the film of several folders; name the folder that holds all of them")
        if film.exists() and existing == "refuse":
            raise UserError(f"{film} exists; add --replace to make it again, --keep to make only what is missing")
    made = []
    for video, film in zip(videos, films, strict=True):
        if film.exists() and existing == "keep":
            continue
        past = [read_input(translator.card, path, "whole")[0] for path in video.files]
        if len({frame.shape for frame in past}) > 1:
            raise UserError(f"{video.folder}: its last frames must have one size, but have several")
        photo = translator.translate(stacked(past), video.folder.name)
        following = unstacked(photo, translator.card.counts[1])
        for number, frame in enumerate(following, 1):
            write_bytes(film.parent / f"next_{number}.png", png_bytes(frame))
        write_bytes(film, webp_bytes([*past, *following], FRAME_MS))
        made.append(film)
    return made
