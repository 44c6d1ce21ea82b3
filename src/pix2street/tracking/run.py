"""One MLflow run for each run of the pipeline; what it is given is said here, store.py gives it.

Stages are processes of their own. They find their run by a note in the workspace, else by two tags that follow from
content: the hash of the trained weights and the hash of all parameters. Where no such run exists (training came from
DVC's cache, the store is new, a parameter after training changed), one is made and what is on disk is recorded in it
first: every run is complete.

Recording never stops a stage: what a store that is away does not take is kept in a spool, and recorded by the next
recording that reaches it, with the times it had. All that is recorded may be recorded twice and is there once.
"""

import contextlib
import json
import os
import re
import subprocess
import tempfile
import time
import uuid
import warnings
from pathlib import Path
from typing import Any, Self

import mlflow
import pandas as pd
from mlflow.entities import RunStatus
from mlflow.exceptions import MlflowException
from mlflow.tracking.context.registry import resolve_tags

from pix2street.core.errors import UserError
from pix2street.core.files import sha256_of, write_json
from pix2street.core.hashes import hash_of, protocol_hash
from pix2street.core.pairs import Dataset, read_manifest
from pix2street.core.tables import read_table
from pix2street.layout import Layout
from pix2street.tracking.lockfile import read_hashes
from pix2street.tracking.probe import give_up, one_line
from pix2street.tracking.spool import Spool
from pix2street.tracking.store import EXPERIMENT, PARAMS_TAG, WEIGHTS_TAG, Delivery, connect, store_key
from pix2street.tracking.system_metrics import SystemMetrics

TRAINING_TAG = "pix2street.training"
PROTOCOL_TAG = "pix2street.protocol"
LOCK_TAG = "dvc.lock"


class Run:
    """A run under recording. A store that is away is tried again after ever more recordings, so nothing is slowed."""

    def __init__(self, layout: Layout, about: dict[str, Any]):
        """Claims the run's spool.

        Args:
            about: all that is needed to find the run or to make it; see `_about`.
        """
        self._layout = layout
        self._kept: list[str] = []
        self._lost: list[str] = []
        self._reason = ""
        self._failures = 0
        self._to_skip = 0
        self._system: SystemMetrics | None = None
        self._about = about
        self._spool: Spool | None = None
        try:
            self._spool = Spool.claim(layout.spool / about["key"], about)
            self._about = {**self._spool.about, "ended": False}
            self._spool.about = self._about
        except OSError as error:  # a full or read-only disk
            self._reason = one_line(error)

    @classmethod
    def start(cls, layout: Layout, params: dict[str, Any], training: str) -> Self:
        """A new run, for a training that begins or goes on; `training` is the key of its checkpoints.

        What an interrupted process left running is closed: the new run gets the epochs that it had. From here to
        `finish` a thread takes samples of processor, memory, disk, network and GPU.
        """
        run = cls(layout, {**_about(layout, params, {TRAINING_TAG: training}), "whole": True})
        if run._reach("the run", None):
            _deliver_others(layout)
        run._record_data()
        if os.environ.get("MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING", "true").lower() != "false":
            with contextlib.suppress(Exception):  # what MLflow needs for this is no reason to end a training
                run._system = SystemMetrics()
                run._system.start()
        return run

    @classmethod
    def of_weights(cls, layout: Layout, params: dict[str, Any]) -> Self:
        """The run of these weights under these parameters; made from what is on disk where there is none."""
        about = _about(layout, params, weights=_weights_of(layout.generator))
        with contextlib.suppress(OSError, ValueError, KeyError):
            note = json.loads(layout.run_note.read_text(encoding="utf-8"))
            if note["about"] == _identity(about):
                about["key"] = note["key"]
        run = cls(layout, about)
        reached = run._reach("the run", None)
        run._write_note(about["weights"])
        # Where nobody knows whether the run exists, that is decided when the store is back.
        if not run._about["whole"] and (run._about["made"] or not reached):
            run._record_what_is_there({} if reached else {"only_if_made": True})
        run._about["whole"] = True
        run._save_about()
        if reached:
            _deliver_others(layout)
        return run

    def finish(self, status: int = RunStatus.FINISHED) -> None:
        """Close the run and say what was not recorded."""
        self._record_system(last=True)
        self._to_skip = 0
        self._record("the end of the run", {"kind": "end", "status": RunStatus.to_string(status), "ms": _now_ms()})
        if self._spool is not None:
            if self._spool.entries():
                self._spool.close()
            else:
                self._kept.clear()
                self._spool.remove()
        if self._kept:
            print(f"tracking: kept for later: {_list(self._kept)} ({self._reason}); `pix2street sync` records it")
        if self._lost:
            print(f"tracking: not recorded: {_list(self._lost)} ({self._reason})")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind, error, traceback) -> None:
        self.finish(RunStatus.FAILED if kind else RunStatus.FINISHED)

    def record_epoch(self, epoch: int, losses: dict[str, float], sheet: Path | None) -> None:
        """One epoch's losses, and its contact sheet where it has one."""
        self._record_epoch(epoch, losses, sheet, _now_ms())
        self._record_system()

    def record_training(self, generator_folder: Path) -> None:
        """The validation verdict, the model, and the tag by which later stages find this run."""
        self._record_training(generator_folder)
        self._write_note(_weights_of(generator_folder))

    def record_metrics(self, metrics: dict[str, Any]) -> None:
        """Every number of `metrics.json` under its path, and the files themselves, unless the run has these.

        Runs whose `PROTOCOL_TAG` is equal were measured alike: only their numbers may be compared.
        """
        numbers = {_metric_name(k): v for k, v in _flatten(metrics).items() if isinstance(v, (int, float))}
        protocol = {PROTOCOL_TAG: protocol_hash(metrics)}
        scores = {"kind": "scores", "numbers": numbers, "tags": protocol, "ms": _now_ms()}
        self._record("the metrics", {**scores, "path": str(self._layout.evaluated), "to": "evaluate"})

    def record_report(self) -> None:
        """The report's page, summary and pictures."""
        report = {"kind": "files", "path": str(self._layout.report_page.parent), "to": "report"}
        self._record("the report", report)

    def record_hashes(self, current: str) -> None:
        """The hashes of every stage's dependencies and outs, up to those of `current`, the stage that runs."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "lock.json"
            try:
                hashes = read_hashes(self._layout.root, current)
                write_json(path, hashes)
            except (OSError, KeyError, TypeError) as error:  # not run by DVC: an out is missing, dvc.lock is damaged
                self._lose("the hashes", one_line(error))
                return
            self._record("the hashes", {"kind": "files", "path": str(path), "to": "dvc"})
        tags = {f"{LOCK_TAG}.{stage}": hash_of(entry)[:12] for stage, entry in hashes.items()}
        self._record("the hashes", {"kind": "tags", "tags": tags})

    def record_decision(self) -> None:
        """Which limits the model keeps."""
        self._record("the decision", {"kind": "files", "path": str(self._layout.decision), "to": "register"})

    @property
    def id(self) -> str | None:
        """Its id in the store; None where the store has not taken all that came before."""
        return None if self._kept or self._lost else self._about["run_id"]

    def _record_what_is_there(self, condition: dict[str, Any]) -> None:
        """Data, epochs and model as they are on disk; all in one moment, so that a second time changes nothing."""
        self._record_data(**condition)
        if self._layout.history.exists():
            for row in read_table(self._layout.history).to_dict("records"):
                sheet = self._layout.samples / f"epoch_{row['epoch']:04.0f}.png"
                epoch, ms = int(row.pop("epoch")), self._about["start_ms"]
                self._record_epoch(epoch, row, sheet if sheet.exists() else None, ms, **condition)
        else:
            self._lose("the epochs", f"there is no {self._layout.history}")
        self._record_training(self._layout.generator, **condition)

    def _record_epoch(
        self, epoch: int, losses: dict[str, float], sheet: Path | None, ms: int, **condition: Any
    ) -> None:
        metrics = [(f"train/{name}", value, ms, epoch) for name, value in losses.items()]
        self._record(f"epoch {epoch}", {"kind": "metrics", "metrics": metrics, **condition})
        if sheet is not None:
            picture = {"kind": "sheet", "path": str(sheet), "ms": ms, "step": epoch}
            self._record(f"epoch {epoch}", {**picture, **condition})

    def _record_training(self, generator_folder: Path, **condition: Any) -> None:
        verdict = {"kind": "files", "path": str(self._layout.verdict), "to": "validate"}
        self._record("the validation verdict", {**verdict, **condition})
        self._record("the model", {"kind": "model", "path": str(generator_folder), **condition})
        if weights := _weights_of(generator_folder):
            self._record("the weights' tag", {"kind": "tags", "tags": {WEIGHTS_TAG: weights}, **condition})

    def _record_data(self, **condition: Any) -> None:
        """Which data: an MLflow data set for each split, identified by the hash of the manifest, which lists every
        file's hash."""
        manifest = self._layout.split / "manifest.csv"
        if not manifest.exists():
            return
        name, sha256, rows = Dataset.read(self._layout.split).name, sha256_of(manifest), read_manifest(manifest.parent)
        source = manifest.relative_to(self._layout.root).as_posix()
        inputs = []
        try:
            for split, rows_of_split in rows.groupby("split"):
                with warnings.catch_warnings(action="ignore"):  # that whole numbers cannot be missing
                    data = mlflow.data.from_pandas(rows_of_split, source, name=f"{name}/{split}", digest=sha256[:36])
                    inputs.append({"dataset": data.to_dict(), "context": split, "sha256": sha256})
        except MlflowException as error:
            self._lose("the data set", one_line(error))
            return
        self._record("the data set", {"kind": "inputs", "inputs": inputs, **condition})

    def _record_system(self, last: bool = False) -> None:
        """What the sampling thread has taken; `last` ends it."""
        if self._system is None:
            return
        metrics = self._system.finish() if last else self._system.taken()
        if last:
            self._system = None
        if metrics:
            self._record("system metrics", {"kind": "metrics", "metrics": metrics})

    def _record(self, what: str, entry: dict[str, Any]) -> None:
        """Record an entry after all that is owed; keep it where the store is away or not due to be tried."""
        if "path" in entry and not Path(entry["path"]).exists():
            self._lose(what, f"there is no {entry['path']}")
            return
        if self._to_skip:
            self._to_skip -= 1
        elif self._reach(what, entry):
            return
        try:
            if self._spool is None:
                raise OSError(self._reason)
            self._spool.append(entry)
            self._kept.append(what)
        except OSError as error:
            self._lose(what, self._reason or one_line(error))

    def _lose(self, what: str, reason: str) -> None:
        self._lost.append(what)
        self._reason = reason

    def _reach(self, what: str, entry: dict[str, Any] | None) -> bool:
        """Deliver all that is owed, then `entry`; whether the store was there."""
        # Stores fail in the ways of MLflow, of HTTP, of each database and of each artifact store.
        try:
            delivery = Delivery(self._layout, self._about, self._spool)
            refused = delivery.deliver_owed()
            if entry is not None:
                refused += delivery.deliver(entry)
        except Exception as error:  # noqa: BLE001
            self._reason = one_line(error)
            if isinstance(error, MlflowException):  # the store was opened, and then failed, perhaps after seconds
                self._reason = give_up(mlflow.get_tracking_uri(), error, "failed")
            if entry is None:
                (self._kept if self._spool else self._lost).append(what)
            self._failures += 1
            # 3, 15, 63, ... recordings are kept without asking: a training asks a store that is gone a few times.
            self._to_skip = 4**self._failures - 1
            return False
        self._failures = 0
        if refused:
            self._lose(what, refused[-1])
        return True

    def _save_about(self) -> None:
        if self._spool is not None:
            with contextlib.suppress(OSError):
                self._spool.about = self._about

    def _write_note(self, weights: str | None) -> None:
        """Tell later stages in this workspace that these weights are this run's."""
        note = {"key": self._about["key"], "about": _identity({**self._about, "weights": weights})}
        with contextlib.suppress(OSError):
            write_json(self._layout.run_note, note)


def deliver_all(layout: Layout) -> int:
    """Record all that was kept for this store while it was away; how many runs that were.

    What is kept for other stores stays, and what another process works on.

    Raises:
        UserError: the store cannot be reached, or does not take all.
    """
    try:
        connect(layout)
        delivered, errors = _deliver_others(layout)
    except Exception as error:
        raise UserError(f"nothing was recorded, all is kept in {layout.spool}: {one_line(error)}") from error
    if errors:
        raise UserError(f"not all was recorded, the rest is kept in {layout.spool}: {one_line(errors[0])}")
    return delivered


def _deliver_others(layout: Layout) -> tuple[int, list[Exception]]:
    """What other processes left behind: an interrupted run is closed; how many runs were recorded, and what failed."""
    delivered, errors = 0, []
    for spool in Spool.unclaimed(layout.spool):
        try:
            about = spool.about
            # One that is not whole waits for its stage, which will be run again.
            if about["store"] != store_key() or not about["whole"]:
                continue
            owed = spool.entries()
            if owed[-1][1]["kind"] != "end" if owed else not about["ended"]:
                spool.append({"kind": "end", "status": RunStatus.to_string(RunStatus.KILLED), "ms": _now_ms()})
            Delivery(layout, about, spool).deliver_owed()
            spool.remove()
            delivered += 1
        except Exception as error:  # noqa: BLE001
            errors.append(error)
            if len(errors) == 3:  # the store is away again; one run that fails by itself holds up no other
                break
        finally:
            spool.close()
    return delivered, errors


def _about(
    layout: Layout, params: dict[str, Any], more_tags: dict[str, str] | None = None, weights: str | None = None
) -> dict[str, Any]:
    """All that is needed to find a run, now or later, or to make it: plain values."""
    git = ["git", "-C", str(layout.root)]
    written_by_dvc = [":!dvc.lock", ":!reports", ":(exclude,glob)**/.gitignore"]
    dirty = _output_of([*git, "status", "--porcelain", "--untracked-files=no", "--", ".", *written_by_dvc])
    tags = {
        **resolve_tags(),
        PARAMS_TAG: hash_of(params),
        "git.commit": _output_of([*git, "rev-parse", "HEAD"]),
        "git.dirty": str(bool(dirty)).lower(),
        "dvc.exp": os.environ.get("DVC_EXP_NAME", ""),
        **(more_tags or {}),
    }
    key = uuid.uuid4().hex
    # MLflow's own names come from Python's random numbers, which a training seeds: all its runs would have one name.
    name = os.environ.get("DVC_EXP_NAME") or f"{params.get('download', {}).get('dataset', EXPERIMENT)}-{key[:6]}"
    return {
        "key": key,
        "store": store_key(),
        "weights": weights,
        "start_ms": _now_ms(),
        "name": name,
        "tags": {key: value for key, value in tags.items() if value},
        "params": {name: str(value) for name, value in _flatten(params).items()},
        "run_id": None,
        "making": False,
        "made": False,
        "whole": False,
        "ended": False,
    }


def _identity(about: dict[str, Any]) -> list[str]:
    """What must be equal for a later stage to belong to a run."""
    return [about["store"], about["weights"], about["tags"][PARAMS_TAG], about["tags"].get("dvc.exp", "")]


def _flatten(values: dict[str, Any]) -> dict[str, Any]:
    """Nested dicts -> one, with keys joined by dots."""
    return pd.json_normalize(values, sep=".").to_dict("records")[0]


def _metric_name(key: str) -> str:
    """Return a key of `_flatten` as a path that MLflow takes; what may not be in it, such as a comma, becomes `_`."""
    parts = re.sub(r"[^\w\-./: ]", "_", key).replace(".", "/").split("/")
    return "/".join(part for part in parts if part)


def _weights_of(generator_folder: Path) -> str | None:
    """The weights' hash; None where there are none, as in a workspace that holds a stage's dependencies alone."""
    weights = generator_folder / "generator.weights.h5"
    return sha256_of(weights) if weights.exists() else None


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _list(whats: list[str]) -> str:
    names = list(dict.fromkeys(whats))
    return ", ".join(names if len(names) <= 8 else [*names[:4], f"{len(names) - 8} more", *names[-4:]])


def _output_of(command: list[str]) -> str:
    """What a command prints; nothing where it fails or is missing."""
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""
