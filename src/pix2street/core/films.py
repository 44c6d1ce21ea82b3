"""Films, decoded frame by frame."""

from collections.abc import Iterator
from typing import BinaryIO

import av
import numpy as np

from pix2street.core.errors import UserError


def frames_of(title: str, film: BinaryIO) -> Iterator[np.ndarray]:
    """Yield the frames of a film's first video, `[H, W, 3]` uint8, upright as its camera says.

    Args:
        title: the film's name in errors.

    Raises:
        UserError: the film has no video or no frames, or cannot be decoded.
    """
    count = 0
    try:
        with av.open(film) as container:
            if not container.streams.video:
                raise UserError(f"{title}: the film has sound alone; leave it out")
            for frame in container.decode(video=0):
                count += 1
                yield np.ascontiguousarray(np.rot90(frame.to_ndarray(format="rgb24"), round(frame.rotation / 90)))
    except av.FFmpegError as error:
        raise UserError(
            f"{title}: the film cannot be decoded after frame {count} ({error.strerror}); convert it (ffmpeg -i old.avi"
            " new.mp4), or leave it out"
        ) from error
    if not count:
        raise UserError(f"{title}: the film has no frames; leave it out")
