"""The quality of photos against the time of training, for several configurations under one judge.

    python benchmarks/quality.py --cpu-seconds 200 --seeds 0 1 2
    python benchmarks/quality.py --row "resize: train.pix2pix.upsample=resize" --row "default:" --keep photos
    python benchmarks/quality.py --command "mine: python trainer.py {split} {seconds} {photos}" --wall-seconds 600
    python benchmarks/quality.py --score-only photos --judges another/segmenter

Every row is trained for the same time, with seed 0 all rows, then with seed 1 and so on, each in its own process.
After some shares of the time the photos of the held-out subset are made, which takes no time of the training. At the
end all photos are scored as `evaluate` scores them. The table is printed, and written with all scores as JSON; a figure
lies beside it. A command is run anew for every share of the time.
"""

import argparse
import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from quality_trial import (
    PARTS,
    Command,
    Folder,
    Row,
    Trial,
    parse_command,
    parse_row,
    parts_until,
    read_rows,
    training_name,
)
from step import machine

from pix2street.core.errors import UserError
from pix2street.core.files import read_json, sha256_of, write_bytes, write_json
from pix2street.stage import load_quietly, with_clear_errors

HERE = Path(__file__).parent
ROWS = HERE / "quality.yaml"
LATE = 1.1
"""The share of its time above which a training is said to have taken too long."""
NAMED = 3


def train_rows(
    rows: Sequence[Row | Command], seeds: Sequence[int], trial: Trial, folder: Folder, environment: Mapping[str, str]
) -> list[dict]:
    """Train every row with every seed, a seed at a time; return the records.

    A training whose record is in `folder` is not done again.

    Args:
        environment: the variables that commands get.
    """
    data = sha256_of(Path(trial.split) / "manifest.csv")
    records = []
    for seed in seeds:
        for row in rows:
            name = training_name(row.name, seed)
            text = row.params(Path(trial.params)) if isinstance(row, Row) else ""
            job = {**asdict(trial), "words": row.words, "text": text, "data": data}
            path = folder.record(name)
            if path.exists() and (record := read_json(path, dict))["job"] == job:
                print(f"{name}: trained already, {path}", flush=True)
            else:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.unlink(missing_ok=True)
                if isinstance(row, Row):
                    done = _train(text, seed, trial, folder, name)
                else:
                    done = _run(row, seed, trial, folder, environment)
                record = {"row": row.name, "seed": seed, "job": job, **done}
                write_json(path, record)
                _tell(name, record, trial)
            records.append(record)
    return records


def _tell(name: str, record: Mapping[str, Any], trial: Trial) -> None:
    last = record["points"][-1]
    steps = f", {last['steps']} steps" if "steps" in last else ""
    print(f"{name}: {last['cpu']:.1f} CPU-s, {last['wall']:.1f} s{steps}", flush=True)
    for point in record["points"]:
        wanted = point["share"] * trial.budget_s
        if not trial.steps and point[trial.clock] > LATE * wanted:
            print(f"{name}: took {point[trial.clock]:.1f} s where it had {wanted:g}; its scores are flattered")


def _train(text: str, seed: int, trial: Trial, folder: Folder, name: str) -> dict:
    """Train with these parameters and this seed in a process of its own; return what it says of itself."""
    record = folder.record(name).with_suffix(".part")
    folders = [folder.photos(name, share, trial.subset) for share in trial.shares]
    job = {**asdict(trial), "params": text, "seed": seed, "folders": list(map(str, folders)), "record": str(record)}
    done = subprocess.run([sys.executable, HERE / "quality_worker.py"], input=json.dumps(job), text=True, check=False)
    if done.returncode:
        raise UserError(f"{name}: the training ended with {done.returncode}; the lines above say why")
    found = read_json(record, dict)
    record.unlink()
    return found


def _run(row: Command, seed: int, trial: Trial, folder: Folder, environment: Mapping[str, str]) -> dict[str, Any]:
    """Run a command anew for every share of the time; return how long it took.

    Raises:
        UserError: it cannot be started, fails, or writes other photos than those of the subset.
    """
    points = []
    for share in trial.shares:
        photos = folder.photos(training_name(row.name, seed), share, trial.subset)
        photos.mkdir(parents=True, exist_ok=True)
        for old in photos.iterdir():
            old.unlink()
        values = {"split": trial.split, "subset": trial.subset, "seconds": f"{share * trial.budget_s:g}"}
        words = row.filled({**values, "photos": photos, "seed": seed, "clock": trial.clock})
        begin = time.perf_counter()
        try:
            process = subprocess.Popen(words, env=environment)
        except OSError as error:
            raise UserError(f"row {row.name}: {words[0]} cannot be started ({error.strerror}); fix it") from error
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise UserError(
                f"row {row.name}: `{shlex.join(words)}` ended with {process.returncode}; run it by hand to see why"
            )
        took = {"cpu": usage.ru_utime + usage.ru_stime, "wall": time.perf_counter() - begin}
        refuse_wrong_photos(row.name, photos, Path(trial.split), trial.subset)
        points.append({"share": share, **took})
    return {"part_steps": [], "points": points}


def refuse_wrong_photos(name: str, folder: Path, split: Path, subset: str) -> None:
    """Raise `UserError` if `folder` does not hold exactly one photo of the right size for each pair of the subset.

    Args:
        name: the name of the row that wrote them.
    """
    from pix2street.core.images import read_photo
    from pix2street.core.pairs import read_pairs

    targets = {f"{pair.pair_id}.png": pair.target_path for pair in read_pairs(split, subset)}
    found = {path.name for path in folder.iterdir()}
    for what, names in {
        "lacks": sorted(targets.keys() - found),
        "has too many:": sorted(found - targets.keys()),
    }.items():
        if names:
            some = ", ".join(names[:NAMED]) + (", ..." if len(names) > NAMED else "")
            raise UserError(
                f"row {name}: {folder} must hold `<pair_id>.png` for each of the {len(targets)} pairs of {subset}, and "
                f"nothing else; it has {len(found)} files and {what} {some}; fix the command"
            )
    for file, target in targets.items():
        sizes = [f"{height}x{width}" for height, width, _ in (read_photo(p).shape for p in (folder / file, target))]
        if sizes[0] != sizes[1]:
            raise UserError(f"row {name}: {folder / file} must have {sizes[1]} px, but has {sizes[0]}; fix the command")


def report(records: Sequence[Mapping], metrics: Mapping, judges: Path, out: Path) -> None:
    """Write the scores as JSON and a figure beside it; print the table, and the command that repeats each row."""
    from quality_table import agreement, as_agreement_table, as_table, draw, summaries

    found = summaries(records, metrics)
    for name, row in found["rows"].items():
        own = [record for record in records if record["row"] == name]
        job = own[0]["job"]
        trial = Trial(**{key: job[key] for key in Trial.__dataclass_fields__})
        more = ["--judges", str(judges), "--out", f"{name.replace(' ', '_')}.json"]
        row["command"] = trial.command(job["words"], [record["seed"] for record in own], *more)
        for training in row["trainings"]:
            exact = replace(trial, steps=training.pop("part_steps") or trial.steps)
            training["command"] = exact.command(job["words"], [training["seed"]], *more)
    setting = {key: job[key] for key in ("split", "subset", "data", "clock", "budget_s")} | {"judges": str(judges)}
    found = {"machine": machine(), "setting": setting, "protocol": metrics["protocol"], **found}
    found["agreement_of_judges"] = agreement(found)
    write_json(out, found)
    figure = out.with_suffix(".svg")
    write_bytes(figure, draw(found))
    print(as_table(found), "", *(f"{name}:\n  {row['command']}" for name, row in found["rows"].items()), sep="\n")
    if found["agreement_of_judges"]:
        print("", as_agreement_table(found["agreement_of_judges"]), sep="\n")
    print(f"\n{out} has all scores, and the command that repeats each training step by step; {figure} shows them")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--row", action="append", default=[], metavar="'NAME: KEY=VALUE ...'", help="a configuration")
    parser.add_argument("--command", action="append", default=[], metavar="'NAME: COMMAND'", help="another trainer")
    parser.add_argument("--rows", type=Path, help="a YAML file of rows; benchmarks/quality.yaml if no row is named")
    parser.add_argument("--params", default="params.yaml", help="what the rows change")
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--cpu-seconds", type=float, help="the time of each training, summed over threads; 200")
    length.add_argument("--wall-seconds", type=float, help="the same as time that passes")
    parser.add_argument("--at", type=float, nargs="+", default=[0.25, 0.5, 0.75, 1.0], help="shares of the time")
    parser.add_argument("--steps", type=int, nargs="+", default=[], help="steps to train, or of each part, not by time")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--split", default="data/split", help="a split folder")
    parser.add_argument("--subset", default="val", choices=("val", "test"), help="the pairs to make photos of")
    parser.add_argument("--judges", type=Path, default=Path("models/segmenter"))
    parser.add_argument("--keep", type=Path, help="keep photos here; trainings that are here are not done again")
    parser.add_argument("--score-only", type=Path, metavar="FOLDER", help="train nothing, score what --keep kept")
    parser.add_argument("--out", type=Path, default=HERE / "quality.json")
    return parser


def _trial(options: argparse.Namespace) -> Trial:
    clock, budget_s = ("wall", options.wall_seconds) if options.wall_seconds else ("cpu", options.cpu_seconds or 200.0)
    shares = options.at
    parts = parts_until(shares)
    rising = all(early < late for early, late in pairwise([0, *parts]))
    if not rising or parts[-1] < 2 or shares[-1] > 1 or budget_s <= 0:
        raise UserError(
            f"--at: must be rising shares of a time above 0, {1 / PARTS:g} apart or more, the last from {2 / PARTS:g} "
            f"to 1; they are {shares}"
        )
    if options.steps and (len(options.steps) not in (1, parts[-1]) or min(options.steps) < 0 or not any(options.steps)):
        wanted = f"one number above 0, or that of each of {parts[-1]} parts"
        raise UserError(f"--steps: must be {wanted}; it is {options.steps}")
    where = (options.split, options.subset, options.params)
    return Trial(*where, clock, budget_s, shares, options.steps)


def _refuse_unusable(split: Path, subset: str, judges: Path) -> None:
    """Raise `UserError` for what would be found only when all trainings are done."""
    from pix2street.core.pairs import Dataset, read_pairs

    if not (split / "manifest.csv").is_file():
        raise UserError(f"{split}: must be a split folder, but has no manifest.csv; run `dvc repro split`")
    if not read_pairs(split, subset):
        raise UserError(f"--subset: {subset} has no pairs in {split}; choose the other one")
    if Dataset.read(split).classes and not judges.is_dir():
        raise UserError(f"--judges: {judges} must be the folder of a judge, but is none; run `dvc repro segment`")


def _train_all(options: argparse.Namespace, folder: Folder, environment: Mapping[str, str]) -> list[dict]:
    trial = _trial(options)
    _refuse_unusable(Path(trial.split), trial.subset, options.judges)
    rows = [*map(parse_row, options.row), *map(parse_command, options.command)]
    if options.rows or not rows:
        rows = [*read_rows(options.rows or ROWS), *rows]
    if len({row.name for row in rows}) < len(rows):
        raise UserError("two rows have the same name; rename one")
    for row in rows:
        if isinstance(row, Row):
            row.params(Path(trial.params))  # a fault of the last row must not show after hours
    return train_rows(rows, options.seeds, trial, folder, environment)


def main() -> None:
    options, environment = _parser().parse_args(), dict(os.environ)
    with with_clear_errors("quality", Path.cwd()), TemporaryDirectory() as scratch:
        folder = Folder(options.score_only or options.keep or Path(scratch))
        records = folder.records() if options.score_only else _train_all(options, folder, environment)
        if not records:
            raise UserError(f"{folder.root}: holds no records of trainings; name a folder that --keep has filled")
        load_quietly("tensorflow")
        from quality_scores import score

        metrics = score(records, folder, options.judges, Path(options.params))
        report(records, metrics, options.judges, options.out)


if __name__ == "__main__":
    main()
