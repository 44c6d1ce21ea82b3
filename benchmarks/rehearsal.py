"""A rehearsal of a profile that reads Cityscapes: all its stages, on a few drawn frames, on this machine.

    python benchmarks/rehearsal.py cityscapes_oasis --out rehearsal

copies the project to the folder, draws frames of the official size into two archives laid out like the official ones,
chooses the profile there by `pix2street use`, makes it small, and runs `dvc repro`. The sizes of the split, the family,
the data's encoding, losses, rates and checks are those of the profile. Numbers of pairs, epochs, filters and judges are
smaller, nothing is fetched, and every change is printed. It tells whether the profile
runs to its end on the real archives' form; the photos are those of a training of a few steps.
"""

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from cityscapes import HEIGHT_PX, WIDTH_PX, write_archives
from dvc.utils.hydra import apply_overrides

from pix2street.core.yaml import load_yaml

ROOT = Path(__file__).parents[1]
FILTERS, BATCH = 4, 4
"""The most filters of a network, but for the judges, and the largest batch of a rehearsal."""


def copy_project(out: Path) -> None:
    """Copy what the pipeline needs to `out`, a repository of its own."""
    for name in ("pipeline", "profiles", "src", "data/source", "data/judge", ".dvc/config", ".dvc/plots", ".dvcignore"):
        source, target = ROOT / name, out / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info", "*.zip"))
        else:
            shutil.copy(source, target)
    for name in (".gitignore", "dvc.yaml", "params.yaml"):
        shutil.copy(ROOT / name, out)
    run(out, "git", "init", "-q")


def changes_of(values: dict[str, Any], train: int, val: int) -> dict[str, Any]:
    """Return the keys of `params.yaml` that a rehearsal changes, with their new values.

    Args:
        values: those of the profile.
        train, val: the numbers of frames.
    """
    family = values["train"]["model"]
    changes = {
        "download.path": "data/source",
        "download.cityscapes.train_pairs": train,
        "download.cityscapes.val_pairs": val,
        "validate.min_train_pairs": 1,
        "validate.max_class_distance": 1.0,  # the shares of classes in a few frames are not those of the set
        "segment.judges": 1,
        "segment.filters": 8,
        "segment.epochs": 2,
        "train.run.epochs": 1,
        "train.run.batch": min(values["train"]["run"]["batch"], BATCH),
        "train.run.sample_every_epochs": 1,
        "train.data.holdout_pairs": 2,
        "train.device.device": "auto",
        "generate.draw_pairs": 1,
        "evaluate.min_ceiling": 0.0,
        "evaluate.fid": [],
        "report.sample_pairs": val,
    }
    for key, value in values["train"][family].items():
        if key.endswith("_filters"):
            changes[f"train.{family}.{key}"] = min(value, FILTERS)
    return changes


def run(folder: Path, *command: str) -> None:
    """Run a command in the copy, with the copy's code and a tracking store of its own."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("MLFLOW_", "DVC_", "GIT_"))}
    path = f"{Path(sys.executable).parent}{os.pathsep}{clean['PATH']}"
    environment = clean | {"PATH": path, "PYTHONPATH": str(folder / "src")}
    if failed := subprocess.run(command, cwd=folder, env=environment, check=False).returncode:
        raise SystemExit(f"rehearsal: `{' '.join(command)}` ended with {failed} in {folder}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("profile", metavar="PROFILE", help="one whose data set is cityscapes")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="it must not exist")
    parser.add_argument("--frames", type=int, default=24, help="an eighth of them is in val; default: %(default)s")
    parser.add_argument("--size", type=int, nargs=2, default=(HEIGHT_PX, WIDTH_PX), metavar=("HEIGHT", "WIDTH"))
    parser.add_argument("--stage", help="the last stage to run; default: all")
    arguments = parser.parse_args()
    out = arguments.out.resolve()
    if out.exists():
        parser.error(f"--out: {out} exists; remove it or name another folder")
    copy_project(out)
    run(out, "pix2street", "use", arguments.profile)
    params = out / "params.yaml"
    values = load_yaml(params.read_text(encoding="utf-8"), params.name)
    if values["download"]["dataset"] != "cityscapes":
        parser.error(f"{arguments.profile} does not read Cityscapes; choose one of the profiles whose data set it is")
    train = write_archives(out / "data/source", arguments.frames, *arguments.size)
    changes = changes_of(values, train, arguments.frames - train)
    print("\nthe rehearsal changes:")
    for key, value in changes.items():
        print(f"  {key}: {value}", flush=True)
    apply_overrides(params, [f"{key}={value}" for key, value in changes.items()])
    run(out, "dvc", "repro", *([arguments.stage] if arguments.stage else []))
    print(f"\nrehearsed: {arguments.profile}, {train} frames of train and {arguments.frames - train} of val; see {out}")


if __name__ == "__main__":
    main()
