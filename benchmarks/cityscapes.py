"""The time that preparing Cityscapes takes, beside the time that decoding its frames takes.

    python benchmarks/cityscapes.py --frames 64 --rounds 3

draws frames of the official size into two archives laid out like the official ones, then times, in turn, decoding every
frame on all cores, the download stage that also reduces and writes it, and split. It prints medians and ratios.
"""

import argparse
import json
import os
import resource
import statistics
import tempfile
import time
import zipfile
from concurrent.futures import ProcessPoolExecutor
from functools import lru_cache, partial
from pathlib import Path

import numpy as np

from pix2street.core.archives import random_reader
from pix2street.core.decoding import decode
from pix2street.core.images import png_bytes
from pix2street.core.limits import Limits
from pix2street.datasets.cityscapes import ARCHIVES, fetch
from pix2street.datasets.synthetic_streets.scene import draw_scene
from pix2street.params import read_params
from pix2street.steps.split import split_pairs

HEIGHT_PX, WIDTH_PX = 1024, 2048
LIMITS = Limits(500_000, 64.0, 100.0)
reader = lru_cache(random_reader)


def encode_frame(index: int, height_px: int, width_px: int) -> tuple[bytes, bytes]:
    """Return photo and labels of one frame as PNG; grain brings the photo to the 2 to 3 MB of a real one."""
    photo, ids = draw_scene(0, index, height_px, width_px)
    grain = np.random.default_rng(index).integers(-2, 3, photo.shape)
    return png_bytes(np.clip(photo + grain, 0, 255).astype(np.uint8)), png_bytes(ids)


def write_archives(folder: Path, frames: int, height_px: int = HEIGHT_PX, width_px: int = WIDTH_PX) -> int:
    """Write the two archives, and return the number of frames in train; the others are in val."""
    encode = partial(encode_frame, height_px=height_px, width_px=width_px)
    train = frames - max(1, frames // 8)
    with (
        zipfile.ZipFile(folder / ARCHIVES["leftImg8bit"], "w") as photos,
        zipfile.ZipFile(folder / ARCHIVES["gtFine"], "w") as labels,
        ProcessPoolExecutor(os.cpu_count()) as pool,
    ):
        for index, (photo, ids) in enumerate(pool.map(encode, range(frames))):
            place = f"{'train/aachen/aachen' if index < train else 'val/lindau/lindau'}_{index:06d}_000019"
            photos.writestr(f"leftImg8bit/{place}_leftImg8bit.png", photo)
            labels.writestr(f"gtFine/{place}_gtFine_labelIds.png", ids)
    return train


def decode_frame(folder: Path, names: tuple[str, str]) -> int:
    """Decode one frame, drop it, and return how many bytes it has."""
    return sum(
        decode(reader(folder / ARCHIVES[part])(name), name).nbytes
        for part, name in zip(("leftImg8bit", "gtFine"), names, strict=True)
    )


def decode_all(folder: Path) -> None:
    names = [sorted(zipfile.ZipFile(folder / ARCHIVES[part]).namelist()) for part in ("leftImg8bit", "gtFine")]
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(partial(decode_frame, folder), list(zip(*names, strict=True)), chunksize=4))


def seconds(work) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--size", type=int, nargs=2, default=(256, 256), metavar=("HEIGHT", "WIDTH"))
    arguments = parser.parse_args()
    height_px, width_px = arguments.size
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        train = write_archives(folder, arguments.frames)
        size = {"height_px": height_px, "width_px": width_px}
        pairs = {"train_pairs": train, "val_pairs": arguments.frames - train}
        params = read_params(Path(__file__).parents[1] / "params.yaml")
        settings = params.download.cityscapes.model_copy(update=size | pairs | {"site": "http://127.0.0.1:9"})
        working = params.split.model_copy(update=size)
        times: dict[str, list[float]] = {"decode": [], "download": [], "split": []}
        for turn in range(arguments.rounds + 1):
            ready, split = folder / f"ready_{turn}", folder / f"split_{turn}"
            ready.mkdir()
            split.mkdir()
            round_times = {"decode": seconds(lambda: decode_all(folder))}
            round_times["download"] = seconds(lambda ready=ready: fetch(ready, folder, LIMITS, settings).write(ready))
            round_times["split"] = seconds(lambda ready=ready, split=split: split_pairs(ready, split, working))
            for key, value in round_times.items() if turn else ():  # the first round warms the file cache
                times[key].append(value)
        medians = {key: statistics.median(values) for key, values in times.items()}
        result = {
            "frames": arguments.frames,
            "archive_mib": round(sum((folder / name).stat().st_size for name in ARCHIVES.values()) / 2**20, 1),
            "cores": os.cpu_count(),
            "frames_per_s": {key: round(arguments.frames / value, 2) for key, value in medians.items()},
            "download_to_decode": round(medians["download"] / medians["decode"], 3),
            "download_and_split_to_decode": round((medians["download"] + medians["split"]) / medians["decode"], 3),
            "peak_mib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        }
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
