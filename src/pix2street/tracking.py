"""One MLflow run for each run of the pipeline; with registry.py the only place that knows MLflow.

Stages are processes of their own. They find their run by two tags that follow from content: the hash of the trained
weights and the hash of all parameters. Where no such run exists (training came from DVC's cache, the store is new, a
parameter after training changed), one is made and what is on disk is recorded in it first: every run is complete.

Recording never stops a stage: what could not be recorded is said on the terminal.
"""

import contextlib
import fcntl
import io
import os
import subprocess
import time
import uuid
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, Self

import mlflow
import numpy as np
import pandas as pd
from mlflow.entities import Metric, RunStatus
from mlflow.models import ModelSignature
from mlflow.types import Schema, TensorSpec

from pix2street.errors import UserError
from pix2street.files import sha256_of
from pix2street.hashes import hash_of, protocol_hash
from pix2street.images import read_rgb
from pix2street.layout import Layout

EXPERIMENT = "pix2street"
WEIGHTS_TAG = "pix2street.weights"
PARAMS_TAG = "pix2street.params"
TRAINING_TAG = "pix2street.training"
PROTOCOL_TAG = "pix2street.protocol"


class Run:
    """A run under recording. After the first trouble with the store nothing more is tried, so nothing is slowed."""

    def __init__(self, layout: Layout, params: dict[str, Any]):
        """Args: params, all of `params.yaml` as nested dicts."""
        self._layout = layout
        self._params = params
        self._lost: list[str] = []
        self._reason = ""

    @classmethod
    def start(cls, layout: Layout, params: dict[str, Any], training: str) -> Self:
        """A new run, for a training that begins or goes on; `training` is the key of its checkpoints.

        What an interrupted process left running is closed: the new run gets the epochs that it had.
        """
        run = cls(layout, params)

        def begin():
            run._close_interrupted(training)
            run._create({TRAINING_TAG: training})

        run._try("the run", begin)
        return run

    @classmethod
    def of_weights(cls, layout: Layout, params: dict[str, Any]) -> Self:
        """The run of these weights under these parameters; made from what is on disk where there is none."""
        run = cls(layout, params)
        run._try("the run", run._find)
        if mlflow.active_run() is None and not run._lost:
            run._try("the run", run._create)
            run._try("the epochs", run._record_epochs)
            run.record_training(layout.generator)
        return run

    def finish(self, status: int = RunStatus.FINISHED) -> None:
        """Close the run and say what was not recorded."""
        self._try("the end of the run", lambda: mlflow.end_run(RunStatus.to_string(status)))
        if self._lost:
            print(f"tracking: not recorded: {', '.join(dict.fromkeys(self._lost))} ({self._reason})")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind, error, traceback) -> None:
        self.finish(RunStatus.FAILED if kind else RunStatus.FINISHED)

    def record_epoch(self, epoch: int, losses: dict[str, float], sheet: Path | None) -> None:
        """One epoch's losses, and its contact sheet where it has one."""

        def record():
            now_ms = time.time_ns() // 1_000_000
            metrics = [Metric(f"train/{name}", value, now_ms, epoch) for name, value in losses.items()]
            mlflow.MlflowClient().log_batch(self._run_id, metrics=metrics)
            if sheet is not None:
                mlflow.log_image(read_rgb(sheet), key="samples", step=epoch)

        self._try(f"epoch {epoch}", record)

    def _record_epochs(self) -> None:
        """All epochs as they are on disk."""
        for row in pd.read_csv(self._layout.history).to_dict("records"):
            sheet = self._layout.samples / f"epoch_{row['epoch']:04.0f}.png"
            self.record_epoch(int(row.pop("epoch")), row, sheet if sheet.exists() else None)

    def record_training(self, generator_folder: Path) -> None:
        """The validation verdict, the model, and the tag by which later stages find this run."""
        self._try("the validation verdict", lambda: mlflow.log_artifact(self._layout.verdict, "validate"))
        self._try("the model", lambda: self._record_model(generator_folder))
        self._try("the weights' tag", lambda: mlflow.set_tag(WEIGHTS_TAG, _weights_of(generator_folder)))

    def record_metrics(self, metrics: dict[str, Any]) -> None:
        """Every number of `metrics.json` under its path, and the files themselves, unless the run has these.

        Runs whose `PROTOCOL_TAG` is equal were measured alike: only their numbers may be compared.
        """

        def record():
            numbers = {k.replace(".", "/"): v for k, v in _flatten(metrics).items() if isinstance(v, (int, float))}
            if not numbers.items() <= mlflow.get_run(self._run_id).data.metrics.items():
                mlflow.log_metrics(numbers)
                mlflow.log_artifacts(self._layout.evaluated, "evaluate")
                mlflow.set_tag(PROTOCOL_TAG, protocol_hash(metrics))

        self._try("the metrics", record)

    def record_report(self) -> None:
        """The report's page and summary."""
        self._try("the report", lambda: mlflow.log_artifacts(self._layout.report_page.parent, "report"))

    def record_decision(self) -> None:
        """Which limits the model keeps."""
        self._try("the decision", lambda: mlflow.log_artifact(self._layout.decision, "register"))

    @property
    def id(self) -> str | None:
        """Its id in the store; None where the store did not take all that came before."""
        return None if self._lost else self._run_id

    def _try(self, what: str, record: Callable[[], None]) -> None:
        if self._lost:
            self._lost.append(what)
            return
        try:
            record()
        # Stores fail in the ways of MLflow, of HTTP, of each database and of each artifact store.
        except Exception as error:  # noqa: BLE001
            self._lost.append(what)
            self._reason = f"{type(error).__name__}: {error}".splitlines()[0]

    @property
    def _run_id(self) -> str:
        return mlflow.active_run().info.run_id

    def _close_interrupted(self, training: str) -> None:
        left = mlflow.search_runs(
            [_experiment_id(self._layout)],
            filter_string=f"tags.`{TRAINING_TAG}` = '{training}' and attributes.status = 'RUNNING'",
            output_format="list",
        )
        for run in left:
            mlflow.MlflowClient().set_terminated(run.info.run_id, RunStatus.to_string(RunStatus.KILLED))

    def _create(self, more_tags: dict[str, str] | None = None) -> None:
        git = ["git", "-C", str(self._layout.root)]
        written_by_dvc = [":!dvc.lock", ":!reports", ":(exclude,glob)**/.gitignore"]
        dirty = _output_of([*git, "status", "--porcelain", "--untracked-files=no", "--", ".", *written_by_dvc])
        tags = {
            PARAMS_TAG: hash_of(self._params),
            "git.commit": _output_of([*git, "rev-parse", "HEAD"]),
            "git.dirty": str(bool(dirty)).lower(),
            "dvc.exp": os.environ.get("DVC_EXP_NAME", ""),
            **(more_tags or {}),
        }
        # MLflow takes names from Python's random numbers, which a training seeds: all its runs would have one.
        dataset = self._params.get("download", {}).get("dataset", EXPERIMENT)
        run = mlflow.start_run(
            experiment_id=_experiment_id(self._layout),
            run_name=os.environ.get("DVC_EXP_NAME") or f"{dataset}-{uuid.uuid4().hex[:6]}",
            tags={key: value for key, value in tags.items() if value},
        )
        mlflow.log_params(_flatten(self._params), run_id=run.info.run_id)

    def _find(self) -> None:
        found = mlflow.search_runs(
            [_experiment_id(self._layout)],
            filter_string=f"tags.`{WEIGHTS_TAG}` = '{_weights_of(self._layout.generator)}' "
            f"and tags.`{PARAMS_TAG}` = '{hash_of(self._params)}'",
            order_by=["attributes.start_time DESC"],
            max_results=1,
            output_format="list",
        )
        if found:
            mlflow.start_run(run_id=found[0].info.run_id)

    def _record_model(self, generator_folder: Path) -> None:
        from pix2street.generators.inference import as_inference
        from pix2street.networks import load_network

        generate = self._params["generate"]
        network = load_network(generator_folder, "generator")
        inference = as_inference(network, generate["norm"], generate["dropout"])
        shapes = [(-1, *shape[1:]) for shape in (inference.input_shape, inference.output_shape)]
        schemas = [Schema([TensorSpec(np.dtype("float32"), shape)]) for shape in shapes]
        # Keras lists every tensor it exports on standard output.
        with contextlib.redirect_stdout(io.StringIO()):
            mlflow.keras.log_model(
                inference,
                name="generator",
                signature=ModelSignature(*schemas),
                pip_requirements=[f"{name}=={version(name)}" for name in ("keras", "tensorflow", "numpy")],
                save_exported_model=True,
            )


def store_of(layout: Layout) -> mlflow.MlflowClient:
    """The store that `layout` records in, for what is no run."""
    _experiment_id(layout)
    return mlflow.MlflowClient()


def fetch_run(layout: Layout, run: str, folder: Path, parts: Sequence[str] = ("evaluate", "report")) -> None:
    """Copy what a run recorded of its evaluation and its report to `folder/{evaluate,report}`.

    Args:
        run: its id, the beginning of its id, or its name; of several runs of one name the newest.
        parts: what is copied.

    Raises:
        UserError: no run or several are meant, or it has no such part.
    """
    experiment = _experiment_id(layout)
    runs = mlflow.search_runs([experiment], order_by=["attributes.start_time DESC"], output_format="list")
    found = [one for one in runs if one.info.run_name == run][:1]
    found = found or [one for one in runs if one.info.run_id.startswith(run)]
    if len(found) != 1:
        fault = "no run" if not found else f"{len(found)} runs"
        names = ", ".join(f"{one.info.run_id[:8]} ({one.info.run_name})" for one in runs[:5]) or "none"
        raise UserError(
            f"{run}: {fault} of experiment {EXPERIMENT} has this name or an id that begins so; the newest are {names}"
        )
    run_id = found[0].info.run_id
    there = {item.path for item in mlflow.MlflowClient().list_artifacts(run_id)}
    for part in parts:
        if part not in there:
            raise UserError(f"{run}: has recorded no {part}; run `dvc repro` to its end")
        mlflow.artifacts.download_artifacts(run_id=run_id, artifact_path=part, dst_path=str(folder))


def _flatten(values: dict[str, Any]) -> dict[str, Any]:
    """Nested dicts -> one, with keys joined by dots."""
    return pd.json_normalize(values, sep=".").to_dict("records")[0]


def _experiment_id(layout: Layout) -> str:
    """The experiment in the store that MLFLOW_TRACKING_URI names, else in SQLite at the repository's root."""
    # DVC runs queued experiments in temporary workspaces and says where the repository is.
    root = Path(os.environ.get("DVC_ROOT") or layout.root).resolve()
    own_store = "MLFLOW_TRACKING_URI" not in os.environ
    if own_store:
        mlflow.set_tracking_uri(f"sqlite:///{root / 'mlflow.db'}")
    with (root / ".mlflow.lock").open("w") as lock:
        # Two processes that create one SQLite store at the same time break it.
        fcntl.flock(lock, fcntl.LOCK_EX)
        experiment = mlflow.get_experiment_by_name(EXPERIMENT)
        if experiment is not None:
            return experiment.experiment_id
        return mlflow.create_experiment(EXPERIMENT, (root / "mlartifacts").as_uri() if own_store else None)


def _weights_of(generator_folder: Path) -> str:
    return sha256_of(generator_folder / "generator.weights.h5")


def _output_of(command: list[str]) -> str:
    """What a command prints; nothing where it fails or is missing."""
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""
