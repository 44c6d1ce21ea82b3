"""The time and memory of `split` and `validate` on sets of many small pairs, and of DVC on their files.

    python benchmarks/large_sets.py large --pairs 2500 10000 40000 --side 64 --dvc

makes a set of each size below the folder `large`, runs both stages in processes of their own, and prints a table in
Markdown: seconds, CPU-seconds with those of all workers, and the memory of the largest process. With `--dvc` it also
runs `dvc repro validate` in a copy of the project with everything to do and then with nothing to do. With
`--also CHECKOUT`, another checkout of this repository, both take turns in `--rounds` rounds, and the table has the
medians of either.

A pair is put together from two drawn streets, cut at a random column, each rolled, mirrored or not, and made darker or
brighter. So a set of 140,000 pairs is made in minutes from a hundred streets. No subset shares a street with
another, and a fifth of the pairs is in val.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from functools import cache, partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from dvc.utils.hydra import apply_overrides
from rehearsal import ROOT, copy_project
from tqdm import tqdm

from pix2street.core.classes import cityscapes_classes
from pix2street.core.images import write_png
from pix2street.core.pairs import Dataset
from pix2street.datasets.synthetic_streets import FIRST_SCENES
from pix2street.datasets.synthetic_streets.scene import draw_scene

STREETS = 60
"""The streets of a subset, from which its pairs are put together."""

STAGES = ("split", "validate")
SEEDS = {"train": 0, "val": 1}
"""The subsets, and a number of each on which its pairs depend."""


class Cost(NamedTuple):
    """What one process with its children took: `peak_mib` is the memory of the largest of them."""

    seconds: float
    cpu_seconds: float
    peak_mib: float


@cache
def street(subset: str, index: int, side_px: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the photo of a street and its drawing, each `[side, side, 3]` uint8."""
    photo, ids = draw_scene(0, FIRST_SCENES[subset] + index, side_px, side_px)
    return photo, cityscapes_classes().to_colors(ids)


def pair_of(subset: str, number: int, side_px: int) -> np.ndarray:
    """Return a photo and its drawing side by side, `[side, 2 * side, 3]` uint8; it depends on the arguments alone."""
    rng = np.random.default_rng([SEEDS[subset], number])
    cut = int(rng.integers(side_px // 4, 3 * side_px // 4))
    parts = []
    for columns in (slice(cut), slice(cut, None)):
        halves = street(subset, int(rng.integers(STREETS)), side_px)
        roll, turn = int(rng.integers(side_px)), rng.choice([-1, 1])
        parts.append([np.roll(half, roll, axis=1)[:, ::turn][:, columns] for half in halves])
    photo, drawing = (np.concatenate(sides, axis=1) for sides in zip(*parts, strict=True))
    return np.concatenate([(photo * rng.uniform(0.8, 1)).astype(np.uint8), drawing], axis=1)


def make_set(folder: Path, pairs: int, side_px: int) -> None:
    """Write a set as `download` leaves it: `{train,val}/<pair_id>.png` side by side, and `dataset.json`."""
    held_out = pairs // 5
    numbers = [(subset, i) for subset, count in (("train", pairs - held_out), ("val", held_out)) for i in range(count)]
    for subset in SEEDS:
        (folder / subset).mkdir(parents=True)
    Dataset("large", "Large set", "labels to street", "own", "", "right", classes=cityscapes_classes()).write(folder)
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        made = pool.map(partial(_write_pair, folder, side_px), numbers, chunksize=64)
        for _ in tqdm(made, desc="make", total=len(numbers), unit=" pairs"):
            pass


def _write_pair(folder: Path, side_px: int, number: tuple[str, int]) -> None:
    subset, index = number
    write_png(folder / subset / f"{subset}_{index:06d}.png", pair_of(subset, index, side_px))


def measure(command: list[str], folder: Path, checkout: Path) -> Cost:
    """Run a command in `folder` with the code of `checkout`; raise SystemExit with what it printed if it fails."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("MLFLOW_", "DVC_", "GIT_"))}
    path = f"{Path(sys.executable).parent}{os.pathsep}{clean['PATH']}"
    log = folder / "log.txt"
    with log.open("w", encoding="utf-8") as stream:
        start = time.perf_counter()
        environment = clean | {"PATH": path, "PYTHONPATH": str(checkout / "src")}
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=stream, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
    if status:
        raise SystemExit(f"{' '.join(command)} failed in {folder}:\n{log.read_text(encoding='utf-8')[-4000:]}")
    return Cost(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def median(costs: list[Cost]) -> Cost:
    """Return the median of each figure."""
    return Cost(*map(statistics.median, zip(*costs, strict=True)))


def time_stages(project: Path, checkouts: list[Path], rounds: int) -> dict[tuple[Path, str], Cost]:
    """Return the cost of each stage with the code of each checkout, which take turns."""
    found = {(checkout, stage): [] for checkout in checkouts for stage in STAGES}
    for _ in range(rounds):
        for checkout in checkouts:
            shutil.rmtree(project / "data/split", ignore_errors=True)
            for stage in STAGES:
                script = str(checkout / f"pipeline/{stage}.py")
                found[checkout, stage].append(measure([sys.executable, script], project, checkout))
    return {key: median(costs) for key, costs in found.items()}


def time_dvc(project: Path) -> dict[str, Cost]:
    """Return what `dvc repro validate` takes with everything to do, and with nothing, in a copy of the project."""
    shutil.rmtree(project / "data/split")
    shutil.move(project / "data/downloaded", project / "data/source/images")
    (project / "data/source/images/dataset.json").unlink()
    repro = [sys.executable, "-m", "dvc", "repro", "validate"]
    return {name: measure(repro, project, project) for name in ("everything", "nothing")}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="it must not exist")
    parser.add_argument("--pairs", type=int, nargs="+", default=[2500, 10_000])
    parser.add_argument("--side", type=int, default=64, metavar="PX")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--also", type=Path, metavar="CHECKOUT", help="of this repository, whose code takes turns")
    parser.add_argument("--dvc", action="store_true", help="run `dvc repro validate`, too")
    options = parser.parse_args()
    if options.folder.exists():
        parser.error(f"{options.folder} exists; remove it or name another folder")
    checkouts = [*([options.also.resolve()] if options.also else []), ROOT]
    print(
        "| pairs | what | seconds | CPU-seconds | CPU-ms a pair | peak MiB |\n|---:|---|---:|---:|---:|---:|",
        flush=True,
    )
    for pairs in options.pairs:
        project = options.folder.resolve() / str(pairs)
        project.mkdir(parents=True)
        copy_project(project)
        size = [f"split.{side}_px={options.side}" for side in ("height", "width")]
        # At few pixels thin classes are seams, and among thousands of pairs of few streets some fit as well exchanged.
        changes = [
            "download.dataset=paired_folder",
            "download.path=data/source",
            "validate.waive.checks=[seams, fit]",
            *size,
        ]
        apply_overrides(project / "params.yaml", changes)
        make_set(project / "data/downloaded", pairs, options.side)
        for (checkout, stage), cost in time_stages(project, checkouts, options.rounds).items():
            show(pairs, f"`{stage}`, {checkout.name}" if options.also else f"`{stage}`", cost)
        if options.dvc:
            for name, cost in time_dvc(project).items():
                show(pairs, f"`dvc repro`, {name} to do", cost)


def show(pairs: int, what: str, cost: Cost) -> None:
    """Print a row of the table."""
    figures = f"{cost.seconds:.1f} | {cost.cpu_seconds:.1f} | {1e3 * cost.cpu_seconds / pairs:.1f}"
    print(f"| {pairs:,} | {what} | {figures} | {cost.peak_mib:.0f} |", flush=True)


if __name__ == "__main__":
    main()
