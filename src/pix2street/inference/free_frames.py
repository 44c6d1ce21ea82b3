"""Next frames that no network makes: the baselines that a model of videos must be better than."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from scipy.ndimage import map_coordinates
from skimage.color import rgb2gray
from skimage.registration import optical_flow_tvl1

from pix2street.core.frames import FrameCounts, stacked, unstacked
from pix2street.core.images import read_rgb
from pix2street.core.pairs import Pair, write_photos


def write_free_frames(frames: FrameCounts, subsets: Mapping[str, Sequence[Pair]], folder: Path) -> None:
    """Write `<baseline>/<subset>/<pair_id>.png` for every input of each subset, the next frames one under the other.

    `last_frame` is the last frame of the input again and again, `mean_frame` the mean of its frames, and
    `optical_flow` what `flow_on` makes of its last two; an input of one frame has no motion.
    """
    makers = {"last_frame": _repeat_last, "mean_frame": _repeat_mean}
    if frames.frames_in > 1:
        makers["optical_flow"] = flow_on
    for subset, pairs in subsets.items():
        for name, make in makers.items():

            def draw(pair: Pair, make=make) -> np.ndarray:
                return stacked(make(unstacked(read_rgb(pair.input_path), frames.frames_in), frames.frames_out))

            with ThreadPoolExecutor() as pool:
                write_photos(folder / name / subset, pairs, pool.map(draw, pairs))


def _repeat_last(past: np.ndarray, count: int) -> np.ndarray:
    return np.repeat(past[-1:], count, axis=0)


def _repeat_mean(past: np.ndarray, count: int) -> np.ndarray:
    return np.repeat(np.rint(past.mean(axis=0, keepdims=True)).astype(np.uint8), count, axis=0)


def flow_on(past: np.ndarray, count: int) -> list[np.ndarray]:
    """Return next frames in which the motion between the last two goes on.

    The motion of each place is the optical flow from the last frame to the one before, by the library's TV-L1 (Zach et
    al. 2007, "A duality based approach for realtime TV-L1 optical flow"). It stays what it is at each place of the
    picture, as when a camera drives on, so what a next frame shows is found by following the flow back to the last
    frame. What comes in at the borders, or was covered, is not known; the nearest known place is shown.

    Args:
        past: `[frames, H, W, 3]` uint8, at least two frames.
    """
    before, last = (rgb2gray(frame).astype(np.float64) for frame in past[-2:])
    flow = optical_flow_tvl1(last, before)
    colors = np.moveaxis(past[-1].astype(np.float64), -1, 0)
    places = np.indices(last.shape).astype(np.float64)
    frames = []
    for _ in range(count):
        places += np.stack([map_coordinates(axis, places, order=1, mode="nearest") for axis in flow])
        channels = [map_coordinates(channel, places, order=1, mode="nearest") for channel in colors]
        frames.append(np.clip(np.rint(np.stack(channels, axis=-1)), 0, 255).astype(np.uint8))
    return frames
