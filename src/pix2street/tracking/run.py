"""One MLflow run for each run of the pipeline: what a stage records in it, and when.

Stages are separate processes. They find their run by a note in the workspace, else by two tags that follow from
content: the hash of the trained weights and the hash of all parameters. Where no such run exists (training came from
DVC's cache, the store is new, a parameter after training changed), one is created and everything on disk is recorded
in it first, so every run is complete.

Recording never stops a stage. A spool keeps what a store that is away does not take, and the next recording that
reaches the store delivers it, with the times it had.
"""

import contextlib
import json
import os
import re
import tempfile
import warnings
from dataclasses import asdict, replace
from pathlib import Path
from statistics import stdev
from typing import Any, Self

import mlflow
from mlflow.entities import RunStatus
from mlflow.exceptions import MlflowException

from pix2street.core.errors import UserError
from pix2street.core.files import sha256_of, write_json
from pix2street.core.hashes import hash_of, protocol_hash
from pix2street.core.pairs import Dataset, read_manifest
from pix2street.core.tables import read_table
from pix2street.layout import Layout
from pix2street.reporting.curves import compared_curves, compared_parameters
from pix2street.tracking.delivery import Delivery, deliver_others
from pix2street.tracking.description import (
    LOCK_TAG,
    PROTOCOL_TAG,
    WEIGHTS_TAG,
    RunDescription,
    describe,
    flatten,
    hash_of_weights,
    now_ms,
)
from pix2street.tracking.lockfile import read_hashes
from pix2street.tracking.probe import give_up, one_line
from pix2street.tracking.records import (
    DataInput,
    DataInputs,
    End,
    FileRecord,
    Files,
    GeneratorModel,
    Metrics,
    Point,
    Record,
    Scores,
    Sheet,
    Tags,
)
from pix2street.tracking.spool import NoSpool, Spool
from pix2street.tracking.system_metrics import SystemMetrics


class Run:
    """A run under recording. A silent store is asked again after ever more records, so nothing is slowed."""

    def __init__(self, layout: Layout, description: RunDescription):
        """Claim the run's spool; `start` and `of_weights` also open its store."""
        self._layout = layout
        self._kept: list[str] = []
        self._lost: list[str] = []
        self._reason = ""
        self._failures = 0
        self._to_skip = 0
        self._system: SystemMetrics | None = None
        self._spool: Spool | NoSpool
        try:
            self._spool = Spool.claim(layout.spool / description.key, description)
            self._spool.note(ended=False)
        except (OSError, UserError) as error:  # a full or read-only disk, a damaged description
            self._reason = one_line(error)
            self._spool = NoSpool(description, self._reason)

    @classmethod
    def start(cls, layout: Layout, params: dict[str, Any], training: str) -> Self:
        """Begin a new run, for a training that begins or resumes; `training` is the key of its checkpoints.

        The run of an interrupted process is closed, and the new run also gets the epochs that it had. From here to
        `finish` a thread takes samples of processor, memory, disk, network and GPU.
        """
        view = {"curves": compared_curves(), "parameters": compared_parameters()}
        run = cls(layout, replace(describe(layout, params, training=training, **view), whole=True))
        if run._reach("the run", None):
            deliver_others(layout)
        run._record_data()
        if os.environ.get("MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING", "true").lower() != "false":
            with contextlib.suppress(Exception):  # MLflow's needs for this are no reason to end a training
                run._system = SystemMetrics()
                run._system.start()
        return run

    @classmethod
    def of_weights(cls, layout: Layout, params: dict[str, Any]) -> Self:
        """Return the run of these weights under these parameters; where none exists, it is created from the disk."""
        view = {"curves": compared_curves(), "parameters": compared_parameters()}
        description = describe(layout, params, weights=hash_of_weights(layout.generator), **view)
        run = cls(layout, _with_key_of_note(layout, description))
        reached = run._reach("the run", None)
        run._write_note(description.weights)
        # While nobody knows whether the run exists, the records wait; they are dropped if it does.
        if not run._spool.description.whole and (run._spool.description.made or not reached):
            run._record_everything_on_disk(only_if_made=not reached)
        with contextlib.suppress(OSError):
            run._spool.note(whole=True)
        if reached:
            deliver_others(layout)
        return run

    def finish(self, status: int = RunStatus.FINISHED) -> None:
        """Close the run and print what was not recorded."""
        self._record_system(last=True)
        self._to_skip = 0
        self._record("the end of the run", End(status=RunStatus.to_string(status), ms=now_ms()))
        if self._spool.is_empty():
            self._kept.clear()
            self._spool.remove()
        else:
            self._spool.close()
        if self._kept:
            print(f"tracking: kept for later: {_list(self._kept)} ({self._reason}); `pix2street sync` records it")
        if self._lost:
            print(f"tracking: not recorded: {_list(self._lost)} ({self._reason})")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind, error, traceback) -> None:
        self.finish(RunStatus.FAILED if kind else RunStatus.FINISHED)

    def record_epoch(self, epoch: int, losses: dict[str, float], sheet: Path | None) -> None:
        """Record one epoch's losses, and its contact sheet where it has one."""
        self._record_epoch(epoch, losses, sheet, now_ms())
        self._record_system()

    def record_training(self, generator_folder: Path) -> None:
        """Record the validation verdict, the model, and the tag by which later stages find this run."""
        self._record_training(generator_folder)
        self._write_note(hash_of_weights(generator_folder))

    def record_metrics(self, metrics: dict[str, Any]) -> None:
        """Record the scores of `metrics.json`, and the files themselves, unless the run has these.

        A score's name is its path. The values of a jury's judges become their standard deviation, `<score>_judges_std`.
        Runs whose `PROTOCOL_TAG` is equal were measured alike: only their numbers may be compared.
        """
        scores = Scores(
            path=self._layout.evaluated,
            to="evaluate",
            numbers=_numbers_of({key: value for key, value in metrics.items() if key != "protocol"}),
            tags={PROTOCOL_TAG: protocol_hash(metrics)},
            ms=now_ms(),
        )
        self._record("the metrics", scores)

    def record_report(self) -> None:
        """Record the report's page, summary and pictures."""
        self._record("the report", Files(path=self._layout.report_page.parent, to="report"))

    def record_hashes(self, current: str) -> None:
        """Record the hashes of every stage's dependencies and outputs, up to those of `current`, which runs."""
        try:
            hashes = {stage: asdict(one) for stage, one in read_hashes(self._layout.root, current).items()}
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "lock.json"
                write_json(path, hashes)
                self._record("the hashes", Files(path=path, to="dvc"))
        except (OSError, UserError) as error:
            self._lose("the hashes", one_line(error))
            return
        tags = {f"{LOCK_TAG}.{stage}": hash_of(entry)[:12] for stage, entry in hashes.items()}
        self._record("the hashes", Tags(tags=tags))

    def record_decision(self) -> None:
        """Record which limits the model keeps."""
        self._record("the decision", Files(path=self._layout.decision, to="register"))

    @property
    def id(self) -> str | None:
        """The run's id in the store; None where the store has not taken everything so far."""
        return None if self._kept or self._lost else self._spool.description.run_id

    def _record_everything_on_disk(self, *, only_if_made: bool) -> None:
        """Record data, epochs and model as the disk has them; all at one time, so that a repetition changes nothing."""
        self._record_data(only_if_made)
        if self._layout.history.exists():
            for row in read_table(self._layout.history).to_dict("records"):
                sheet = self._layout.samples / f"epoch_{row['epoch']:04.0f}.png"
                epoch, ms = int(row.pop("epoch")), self._spool.description.start_ms
                self._record_epoch(epoch, row, sheet if sheet.exists() else None, ms, only_if_made)
        else:
            self._lose("the epochs", f"{self._layout.history} is missing")
        self._record_training(self._layout.generator, only_if_made)

    def _record_epoch(
        self, epoch: int, losses: dict[str, float], sheet: Path | None, ms: int, only_if_made: bool = False
    ) -> None:
        points = tuple(Point(f"train/{name}", value, ms, epoch) for name, value in losses.items())
        self._record(f"epoch {epoch}", Metrics(metrics=points, only_if_made=only_if_made))
        if sheet is not None:
            self._record(f"epoch {epoch}", Sheet(path=sheet, step=epoch, ms=ms, only_if_made=only_if_made))

    def _record_training(self, generator_folder: Path, only_if_made: bool = False) -> None:
        verdict = Files(path=self._layout.verdict, to="validate", only_if_made=only_if_made)
        self._record("the validation verdict", verdict)
        self._record("the model", GeneratorModel(path=generator_folder, only_if_made=only_if_made))
        if weights := hash_of_weights(generator_folder):
            self._record("the weights' tag", Tags(tags={WEIGHTS_TAG: weights}, only_if_made=only_if_made))

    def _record_data(self, only_if_made: bool = False) -> None:
        """Record an MLflow data set for each subset, identified by the hash of the manifest that lists all files."""
        manifest = self._layout.split / "manifest.csv"
        if not manifest.exists():
            return
        name, sha256, rows = Dataset.read(self._layout.split).name, sha256_of(manifest), read_manifest(manifest.parent)
        source = manifest.relative_to(self._layout.root).as_posix()
        inputs = []
        try:
            for subset, some in rows.groupby("split"):
                with warnings.catch_warnings(action="ignore"):  # MLflow says that whole numbers cannot be missing
                    data = mlflow.data.from_pandas(some, source, name=f"{name}/{subset}", digest=sha256[:36])
                    inputs.append(DataInput(data.to_dict(), subset, sha256))
        except MlflowException as error:
            self._lose("the data set", one_line(error))
            return
        self._record("the data set", DataInputs(inputs=tuple(inputs), only_if_made=only_if_made))

    def _record_system(self, last: bool = False) -> None:
        """Record the samples of the thread so far; `last` ends the thread."""
        if self._system is None:
            return
        points = self._system.finish() if last else self._system.taken()
        if last:
            self._system = None
        if points:
            self._record("system metrics", Metrics(metrics=tuple(points)))

    def _record(self, what: str, record: Record) -> None:
        """Send the kept records and then this one; keep it if the store does not answer or is not to be asked yet.

        Args:
            what: the record's name in messages.
        """
        if isinstance(record, FileRecord) and not record.path.exists():
            self._lose(what, f"{record.path} is missing")
            return
        if self._to_skip:
            self._to_skip -= 1
        elif self._reach(what, record):
            return
        try:
            self._spool.append(record)
            self._kept.append(what)
        except OSError as error:
            self._lose(what, self._reason or one_line(error))

    def _lose(self, what: str, reason: str) -> None:
        self._lost.append(what)
        self._reason = reason

    def _reach(self, what: str, record: Record | None) -> bool:
        """Deliver the kept records, then `record`; return whether the store answered."""
        # Stores fail in the ways of MLflow, of HTTP, of each database and of each artifact store.
        try:
            delivery = Delivery(self._layout, self._spool)
            refused = delivery.deliver_owed()
            if record is not None:
                refused += delivery.deliver(record)
        except Exception as error:  # noqa: BLE001
            self._reason = one_line(error)
            if isinstance(error, MlflowException):  # the store was opened, and then failed, perhaps after seconds
                self._reason = give_up(mlflow.get_tracking_uri(), error, "failed")
            if record is None:
                (self._kept if self._spool.keeps else self._lost).append(what)
            self._failures += 1
            # 3, 15, 63, ... records are kept without asking: a training asks a store that is away only a few times.
            self._to_skip = 4**self._failures - 1
            return False
        self._failures = 0
        if refused:
            self._lose(what, refused[-1])
        return True

    def _write_note(self, weights: str | None) -> None:
        """Tell later stages in this workspace that these weights belong to this run."""
        description = self._spool.description
        note = {"key": description.key, "about": replace(description, weights=weights).identity}
        with contextlib.suppress(OSError):
            write_json(self._layout.run_note, note)


def _with_key_of_note(layout: Layout, description: RunDescription) -> RunDescription:
    """Return the description under the key of the run that the workspace's note names, if that run is meant."""
    with contextlib.suppress(OSError, ValueError, KeyError):
        note = json.loads(layout.run_note.read_text(encoding="utf-8"))
        if note["about"] == description.identity:
            return replace(description, key=note["key"])
    return description


def _numbers_of(metrics: dict[str, Any]) -> dict[str, float]:
    """Return every number by its name in the store, and the deviation (of a sample) of every jury's values."""
    numbers = {}
    for key, value in flatten(metrics).items():
        if isinstance(value, int | float):
            numbers[_metric_name(key)] = value
        elif key.endswith("_judges") and len(known := [one for one in value if one is not None]) > 1:
            numbers[_metric_name(f"{key}_std")] = stdev(known)
    return numbers


def _metric_name(key: str) -> str:
    """Return a key of `flatten` as a path that MLflow takes; a character that it refuses, such as a comma, is `_`."""
    parts = re.sub(r"[^\w\-./: ]", "_", key).replace(".", "/").split("/")
    return "/".join(part for part in parts if part)


def _list(names: list[str]) -> str:
    names = list(dict.fromkeys(names))
    return ", ".join(names if len(names) <= 8 else [*names[:4], f"{len(names) - 8} more", *names[-4:]])
