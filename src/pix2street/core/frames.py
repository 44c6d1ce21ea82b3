"""Frames of videos: which of them make a pair, and how several make one image.

A pair's input is its first frames and its target the next ones. Each is one image on disk, its frames one under the
other in the order of time.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

LEFT_OVER = "no pair takes this frame of its video"
"""Why `split` leaves a frame out."""

GROUP_PATTERN = r"^(.+)_\d+$"
"""What names the video in a pair_id, so that a whole video stays in one subset."""


@dataclass(frozen=True)
class FrameCounts:
    """The frames of a pair.

    Args:
        frames_in, frames_out: how many the input and the target have.
        step: from one frame of a pair to the next, in frames of the video.
        every: from the beginning of one pair to that of the next.
    """

    frames_in: int
    frames_out: int
    step: int
    every: int

    @property
    def span(self) -> int:
        """The frames of a video from a pair's first to its last."""
        return (self.frames_in + self.frames_out - 1) * self.step + 1

    def starts(self, length: int) -> range:
        """Return the number of the first frame of every pair of a video of this length, counted from 0."""
        return range(0, length - self.span + 1, self.every)

    def of_pair(self, start: int) -> range:
        """Return the numbers of a pair's frames in the order of time, those of the input first."""
        return range(start, start + self.span, self.step)

    def last_inputs(self, length: int) -> range:
        """Return the numbers of the last frames of a video that can be an input; it may be too short for them."""
        first = length - 1 - (self.frames_in - 1) * self.step
        return range(first, length, self.step)


class Window(NamedTuple):
    """A pair as frames on disk.

    Args:
        fresh: how many of the files no earlier pair of the video has.
    """

    pair_id: str
    split: str
    files: tuple[Path, ...]
    fresh: int


def find_windows(videos: Sequence[Path], frames: FrameCounts) -> tuple[list[Window], list[Path]]:
    """Return the pairs of all videos, and the frames that no pair takes.

    Args:
        videos: folders `<split>/<video>` of frames, whose order is that of their names; see `in_order`.
    """
    windows, rest = [], []
    for video in videos:
        files, taken = sorted(video.iterdir(), key=lambda path: in_order(path.name)), set()
        for start in frames.starts(len(files)):
            numbers = {*frames.of_pair(start)}
            some = tuple(files[number] for number in sorted(numbers))
            pair_id = f"{video.name}_{start + 1:05d}"
            windows.append(Window(pair_id, video.parent.name, some, len(numbers - taken)))
            taken |= numbers
        rest += [path for number, path in enumerate(files) if number not in taken]
    return windows, rest


def in_order(name: str) -> tuple[Any, ...]:
    """Return what names of frames are sorted by: frame_2 comes before frame_10."""
    parts = re.split(r"(\d+)", name.casefold())
    return (*((int(part) if part.isdigit() else part) for part in parts), name)


def stacked(frames: Sequence[np.ndarray]) -> np.ndarray:
    """Return frames `[H, W, C]` one under the other, `[frames * H, W, C]`."""
    return np.concatenate(frames)


def unstacked(pixels: np.ndarray, count: int) -> np.ndarray:
    """Return the frames of an image, `[count, H, W, C]`, from `[count * H, W, C]`."""
    return pixels.reshape(count, len(pixels) // count, *pixels.shape[1:])


def beside(pixels: np.ndarray, count: int, gap_px: int = 0) -> np.ndarray:
    """Return an image whose frames are in a row, white `gap_px` between them, of one whose frames are in a column."""
    frames = unstacked(pixels, count)
    gap = np.full((frames.shape[1], gap_px, *frames.shape[3:]), 255, pixels.dtype)
    parts: Iterator[np.ndarray] = (part for frame in frames for part in (gap, frame))
    return np.concatenate([*parts][1:], axis=1)
