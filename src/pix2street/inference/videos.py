"""Films and folders of frames, continued by a generator of next frames."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pix2street.core.decoding import Stored
from pix2street.core.errors import UserError
from pix2street.core.files import write_bytes
from pix2street.core.films import frames_of
from pix2street.core.formats import HEAD_BYTES, VIDEO, format_of, stem_of
from pix2street.core.frames import FrameCounts, in_order, stacked, unstacked
from pix2street.core.images import png_bytes, webp_bytes
from pix2street.inference.inputs import read_input, to_input
from pix2street.inference.jobs import Existing, Found
from pix2street.inference.translator import Translator

FRAME_MS = 200
"""How long a film shows a frame."""


@dataclass(frozen=True)
class Video:
    """The last frames of a film or of a folder, in the order of time.

    Args:
        source: the film or the folder.
        name: the path of its results below the output folder.
        frames: files, or the frames of a film.
    """

    source: Path
    name: Path
    frames: tuple[Path | Stored, ...]


def find_videos(images: Sequence[Found], frames: FrameCounts) -> list[Video]:
    """Return a video for each film, and for each folder that holds images; its last frames are an input.

    Raises:
        UserError: a film or a folder has too few frames, or a film cannot be decoded.
    """
    folders: dict[Path, list[Found]] = {}
    videos = []
    for image in images:
        if _is_film(image.path):
            videos.append(_of_film(image, frames))
        else:
            folders.setdefault(image.path.parent, []).append(image)
    for folder, found in folders.items():
        found = sorted(found, key=lambda image: in_order(image.path.name))
        files = tuple(found[number].path for number in _last(folder, len(found), frames))
        videos.append(Video(folder, found[0].name.parent, files))
    return videos


def _is_film(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return format_of(path.name, file.read(HEAD_BYTES)) is VIDEO
    except OSError:
        return False


def _of_film(film: Found, frames: FrameCounts) -> Video:
    """Return the last frames of a film, which is decoded as a stream."""
    longest = (frames.frames_in - 1) * frames.step + 1
    with film.path.open("rb") as file:
        kept = deque(frames_of(str(film.path), file), maxlen=longest)
    numbers = _last(film.path, len(kept), frames)
    return Video(film.path, film.name, tuple(Stored(kept[number]) for number in numbers))


def _last(source: Path, count: int, frames: FrameCounts) -> range:
    """Return the numbers of the frames that are the input, of so many; raise an error where they are too few."""
    numbers = frames.last_inputs(count)
    if numbers.start < 0:
        raise UserError(
            f"{source}: holds {count} {'frame' if count == 1 else 'frames'}, but the generator sees "
            f"{frames.frames_in} of a video, every {frames.step}. one; give it longer videos, each a film or a folder"
        )
    return numbers


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
            raise UserError(
                f"{film}: would be the film of several videos; name the folder that holds all folders, or rename a film"
            )
        if film.exists() and existing == "refuse":
            raise UserError(f"{film} exists; add --replace to make it again, --keep to make only what is missing")
    made = []
    for video, film in zip(videos, films, strict=True):
        if film.exists() and existing == "keep":
            continue
        past = [_read(translator, frame, video.source) for frame in video.frames]
        if len({frame.shape for frame in past}) > 1:
            raise UserError(f"{video.source}: its last frames must have one size, but have several")
        photo = translator.translate(stacked(past), stem_of(video.source.name))
        following = unstacked(photo, translator.card.counts[1])
        for number, frame in enumerate(following, 1):
            write_bytes(film.parent / f"next_{number}.png", png_bytes(frame))
        write_bytes(film, webp_bytes([*past, *following], FRAME_MS))
        made.append(film)
    return made


def _read(translator: Translator, frame: Path | Stored, source: Path) -> np.ndarray:
    if isinstance(frame, Path):
        return read_input(translator.card, frame, "whole")[0]
    return to_input(translator.card, frame, str(source), "whole")
