"""MLflow's store: where it is, a run found or made in it, and what a run is given.

All that is delivered may be delivered twice and is there once.
"""

import contextlib
import fcntl
import hashlib
import os
import re
import shutil
import tempfile
import threading
import uuid
import warnings
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import mlflow
from mlflow import MlflowClient
from mlflow.entities import DatasetInput, InputTag, LoggedModelStatus, Metric, Param, RunTag
from mlflow.exceptions import MlflowException
from mlflow.models import Model
from mlflow.tracking.multimedia import compress_image_size

import pix2street
from pix2street.core.errors import UserError
from pix2street.layout import Layout
from pix2street.tracking import saved_view
from pix2street.tracking.probe import one_line, opening, public
from pix2street.tracking.spool import Spool

EXPERIMENT = "pix2street"
KEY_TAG = "pix2street.key"
WEIGHTS_TAG = "pix2street.weights"
PARAMS_TAG = "pix2street.params"

GENERATOR = "generator"
"""A run's model, and the folder in it that holds what the generator is."""

PROBE_TIMEOUT_S = 5
"""A store of any kind that gives no answer for so long is away; `PIX2STREET_STORE_TIMEOUT_S` sets another limit."""

REFUSALS = ("INVALID_PARAMETER_VALUE", "BAD_REQUEST")
"""What a store answers that will never take an entry."""


class Delivery:
    """The store, and one run in it: found, or made with the start time it had."""

    def __init__(self, layout: Layout, about: dict[str, Any], spool: Spool | None):
        """Args: about, where the found or made run is noted; its copy in `spool` as well."""
        self._about = about
        self._spool = spool
        self._client = connect(layout)
        if about["run_id"] is None:
            self._experiment_id = experiment_of(layout)
            self._find_or_make()
        self._experiment_id = about["experiment_id"]
        self._run_id = about["run_id"]

    def deliver_owed(self) -> list[str]:
        """Record all that the spool holds; why the store will never take what it refused."""
        refused = []
        for name, entry in self._spool.entries() if self._spool else []:
            if self._about["made"] or not entry.get("only_if_made"):
                refused += self.deliver(entry)
            self._spool.drop(name)
        return refused

    def deliver(self, entry: dict[str, Any]) -> list[str]:
        """Record one entry; a second time changes nothing. Why, where the store will never take it."""
        try:
            self._deliver(entry)
        except UserError as error:
            return [str(error)]
        except MlflowException as error:
            if error.error_code not in REFUSALS:
                raise
            return [one_line(error)]
        return []

    def _deliver(self, entry: dict[str, Any]) -> None:
        client, run_id = self._client, self._run_id
        match entry["kind"]:
            case "metrics":
                # A store has a metric of one key, step, time and value once.
                self._log_metrics([Metric(*metric) for metric in entry["metrics"]])
            case "tags":
                client.log_batch(run_id, tags=[RunTag(*tag) for tag in entry["tags"].items()])
            case "files":
                log = client.log_artifacts if Path(entry["path"]).is_dir() else client.log_artifact
                log(run_id, entry["path"], entry["to"])
            case "sheet":
                self._deliver_sheet(entry)
            case "inputs":
                client.log_inputs(run_id, [_as_input(one) for one in entry["inputs"]])
            case "model":
                self._deliver_model(entry)
            case "scores":
                numbers = entry["numbers"]
                if not numbers.items() <= client.get_run(run_id).data.metrics.items():
                    client.log_artifacts(run_id, entry["path"], entry["to"])
                    client.log_batch(run_id, tags=[RunTag(*tag) for tag in entry["tags"].items()])
                    metrics = [Metric(name, value, entry["ms"], 0) for name, value in numbers.items()]
                    self._log_metrics(metrics)
            case "end":
                client.set_terminated(run_id, entry["status"], entry["ms"])
                self._note(ended=True)

    def _log_metrics(self, metrics: list[Metric]) -> None:
        # A server takes no more than a thousand at once.
        for start in range(0, len(metrics), 1000):
            self._client.log_batch(self._run_id, metrics=metrics[start : start + 1000])

    def _find_or_make(self) -> None:
        about = self._about
        found = self._search(f"tags.`{KEY_TAG}` = '{about['key']}'")
        made = bool(found) and about["making"]
        if not found and about["weights"]:
            mine = (
                f"tags.`{WEIGHTS_TAG}` = '{about['weights']}' and tags.`{PARAMS_TAG}` = '{about['tags'][PARAMS_TAG]}'"
            )
            # An experiment has a run of its own, even where another one trained the same.
            mine += f" and tags.`dvc.exp` = '{about['tags']['dvc.exp']}'" if "dvc.exp" in about["tags"] else ""
            found = self._search(mine)
        if not found:
            self._note(making=True)
            found = [
                self._client.create_run(
                    self._experiment_id, about["start_ms"], {**about["tags"], KEY_TAG: about["key"]}, about["name"]
                )
            ]
            made = True
        run_id = found[0].info.run_id
        if made:
            params = [Param(name, str(value)) for name, value in about["params"].items()]
            for start in range(0, len(params), 100):
                self._client.log_batch(run_id, params=params[start : start + 100])
        self._note(run_id=run_id, experiment_id=self._experiment_id, made=made)

    def _note(self, **changes: Any) -> None:
        self._about.update(changes)
        if self._spool is not None:
            self._spool.about = self._about

    def _search(self, query: str) -> list[mlflow.entities.Run]:
        newest = ["attributes.start_time DESC"]
        return self._client.search_runs([self._experiment_id], query, max_results=1, order_by=newest)

    def _deliver_sheet(self, entry: dict[str, Any]) -> None:
        """As `log_image` with a step does, under a name that is the same every time."""
        name = f"samples+step+{entry['step']}+timestamp+{entry['ms']}+{uuid.UUID(self._about['key'])}"
        with tempfile.TemporaryDirectory() as folder:
            shutil.copyfile(entry["path"], Path(folder) / f"{name}.png")
            compress_image_size(mlflow.Image(entry["path"]).to_pil()).save(Path(folder) / f"{name}+compressed.webp")
            self._client.log_artifacts(self._run_id, folder, "images")
        self._client.set_tag(self._run_id, "mlflow.loggedImages", True)

    def _deliver_model(self, entry: dict[str, Any]) -> None:
        """A model that serves itself: the generator's files, the code that loads them, and pinned libraries."""
        from pix2street.inference import serving

        client, run_id = self._client, self._run_id
        found = client.search_logged_models([self._experiment_id], f"source_run_id = '{run_id}'")
        if any(model.status == LoggedModelStatus.READY for model in found):
            return
        for model in found:
            client.delete_logged_model(model.model_id)
        with tempfile.TemporaryDirectory() as folder:
            generator = Path(folder) / GENERATOR
            generator.mkdir()
            for name in serving.FILES:
                if not (source := Path(entry["path"]) / name).is_file():
                    raise UserError(f"the model has no {name}; run `dvc repro`, which trains it anew")
                shutil.copyfile(source, generator / name)
            params = client.get_run(run_id).data.params
            model = client.create_logged_model(self._experiment_id, GENERATOR, run_id, params=params)
            # MLflow asks for an example, which would be a request of its own to keep.
            with warnings.catch_warnings(action="ignore", category=UserWarning):
                Model.log(
                    None,
                    mlflow.pyfunc,
                    run_id=run_id,
                    name=GENERATOR,
                    model_id=model.model_id,
                    loader_module=serving.__name__,
                    data_path=str(generator),
                    code_paths=[str(Path(pix2street.__file__).parent)],
                    signature=serving.SIGNATURE,
                    pip_requirements=[f"{name}=={version(name)}" for name in ("mlflow", *serving.LIBRARIES)],
                )


def _as_input(entry: dict[str, Any]) -> DatasetInput:
    tags = {"mlflow.data.context": entry["context"], "sha256": entry["sha256"]}
    return DatasetInput(mlflow.entities.Dataset(**entry["dataset"]), [InputTag(*tag) for tag in tags.items()])


def store_of(layout: Layout) -> MlflowClient:
    """The store that `layout` records in, for what is no run; its registry may be elsewhere (MLFLOW_REGISTRY_URI)."""
    experiment_of(layout)
    registry = mlflow.get_registry_uri()
    if registry != mlflow.get_tracking_uri():
        with opening(registry, _limit_s()):
            return MlflowClient()
    return MlflowClient()


@contextlib.contextmanager
def clear_store_errors(undone: str) -> Iterator[None]:
    """Whatever the store raises is a UserError, which begins with what was left `undone`."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        raise UserError(
            f"{undone} ({one_line(error)}); run again when the store answers, or name another in MLFLOW_TRACKING_URI"
        ) from error


@clear_store_errors("the run was not read")
def fetch_run(layout: Layout, run: str, folder: Path, parts: Sequence[str] = ("evaluate", "report")) -> None:
    """Copy what a run recorded of its evaluation and its report to `folder/{evaluate,report}`.

    Args:
        run: its id, the beginning of its id, or its name; of several runs of one name the newest.
        parts: what is copied.

    Raises:
        UserError: no run or several are meant, it has no such part, or the store is away.
    """
    run_id = _run_of(layout, run).info.run_id
    there = {item.path for item in mlflow.MlflowClient().list_artifacts(run_id)}
    for part in parts:
        if part not in there:
            raise UserError(f"{run}: has recorded no {part}; run `dvc repro` to its end")
        mlflow.artifacts.download_artifacts(run_id=run_id, artifact_path=part, dst_path=str(folder))


@clear_store_errors("the model was not read")
def fetch_generator(layout: Layout, model: str, folder: Path) -> Path:
    """Copy the generator that a run recorded into `folder`; where it is, a folder such as `models/generator`.

    Args:
        model: a run as in `fetch_run`, or a version in the registry: `models:/NAME@ALIAS` or `models:/NAME/VERSION`.

    Raises:
        UserError: no run or several are meant, the registry has no such model, alias or version, the run has no model,
            or one that another version of this project recorded otherwise, or the store is away.
    """
    files = _version_at(layout, model) if model.startswith("models:") else _logged_at(layout, model)
    try:
        mlflow.artifacts.download_artifacts(artifact_uri=f"{files}/data/{GENERATOR}", dst_path=str(folder))
    except (MlflowException, OSError) as error:
        raise UserError(
            f"{model}: its model holds no {GENERATOR} that can be used ({one_line(error)}); models recorded by older "
            "versions of this project do not: run `dvc repro` and name the run that it records"
        ) from error
    return folder / GENERATOR


def _run_of(layout: Layout, run: str) -> mlflow.entities.Run:
    """See `fetch_run`."""
    experiment = experiment_of(layout)
    runs = mlflow.search_runs([experiment], order_by=["attributes.start_time DESC"], output_format="list")
    found = [one for one in runs if one.info.run_name == run][:1]
    found = found or [one for one in runs if one.info.run_id.startswith(run)]
    if len(found) != 1:
        fault = "no run" if not found else f"{len(found)} runs"
        names = ", ".join(f"{one.info.run_id[:8]} ({one.info.run_name})" for one in runs[:5]) or "none"
        raise UserError(
            f"{run}: {fault} of experiment {EXPERIMENT} has this name or an id that begins so; the newest are {names}"
        )
    return found[0]


def _logged_at(layout: Layout, run: str) -> str:
    """Where the files of a run's model are; see `fetch_generator`."""
    info = _run_of(layout, run).info
    for logged in mlflow.MlflowClient().search_logged_models([info.experiment_id], f"source_run_id = '{info.run_id}'"):
        if logged.status == LoggedModelStatus.READY:
            return logged.artifact_location
    raise UserError(f"{run}: has recorded no model; run `dvc repro` to its end, or `pix2street sync`")


def _version_at(layout: Layout, model: str) -> str:
    """Where the files of a version in the registry are; see `fetch_generator`."""
    match = re.fullmatch(r"models:/+([^/@]+)(?:@([^/@]+)|/(\d+))", model)
    if match is None:
        raise UserError(
            f"{model}: a version in the registry is models:/NAME@ALIAS or models:/NAME/VERSION, as models:/pix2street@"
            "champion"
        )
    name, alias, number = match.groups()
    client = store_of(layout)
    models = {one.name: one for one in client.search_registered_models()}
    if name not in models:
        raise UserError(
            f"{model}: the registry has no model {name}, it has {', '.join(models) or 'none'}; `dvc repro` registers "
            "one that keeps its limits"
        )
    versions = {str(one.version) for one in client.search_model_versions(f"name = '{name}'")}
    aliases = {one: str(version) for one, version in models[name].aliases.items()}
    if number is None:
        number = aliases.get(alias)
    if number not in versions:
        there = [*(f"@{one}" for one in aliases), *(f"/{one}" for one in sorted(versions, key=int))]
        raise UserError(
            f"{model}: {name} has {', '.join(there) or 'no version'}; name one of these, `pix2street promote` makes "
            "the candidate the champion"
        )
    return client.get_model_version_download_uri(name, number)


def store_key() -> str:
    """Which store is meant, without what its address may hold of a password."""
    address = os.environ.get("MLFLOW_TRACKING_URI")
    return hashlib.sha256(public(address).encode()).hexdigest()[:16] if address else "own"


def connect(layout: Layout) -> MlflowClient:
    """The store that MLFLOW_TRACKING_URI names, else SQLite at the repository's root.

    Raises:
        StoreAway: it cannot be opened.
    """
    root, address = _root(layout), os.environ.get("MLFLOW_TRACKING_URI")
    own = root / "mlflow.db"
    mlflow.set_tracking_uri(address or f"sqlite:///{own}")
    if not address:
        # MLflow puts it into the environment, where it would look like the user's choice from now on.
        os.environ.pop("MLFLOW_TRACKING_URI", None)
        _make_once(own)
    with opening(mlflow.get_tracking_uri(), _limit_s()), _one_at_a_time(root):
        return MlflowClient()


def _limit_s() -> float:
    """How long a store is waited for."""
    text = os.environ.get("PIX2STREET_STORE_TIMEOUT_S", str(PROBE_TIMEOUT_S))
    try:
        limit_s = float(text)
    except ValueError:
        limit_s = 0.0
    if not 0 < limit_s <= threading.TIMEOUT_MAX:
        raise UserError(f"PIX2STREET_STORE_TIMEOUT_S: must be a number of seconds above 0, it is {text}")
    return limit_s


def _make_once(own: Path) -> None:
    """The checkout's own store is there, whole."""
    if own.exists():
        return
    with _one_at_a_time(own.parent):
        if not own.exists():
            half_made = own.with_suffix(".db.new")
            half_made.unlink(missing_ok=True)
            with opening(f"sqlite:///{half_made}", _limit_s()):
                MlflowClient(f"sqlite:///{half_made}")
            half_made.rename(own)


@contextlib.contextmanager
def _one_at_a_time(root: Path) -> Iterator[None]:
    """Hold other processes off.

    The first client of an SQLite store makes its tables; two at the same time break it, and so does one that is killed.
    """
    with (root / ".mlflow.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def experiment_of(layout: Layout) -> str:
    """The experiment in the store, with the view that compares its runs; made where there is none."""
    client = connect(layout)
    experiment = client.get_experiment_by_name(EXPERIMENT)
    if experiment is None:
        artifacts = None if os.environ.get("MLFLOW_TRACKING_URI") else (_root(layout) / "mlartifacts").as_uri()
        try:
            return client.create_experiment(EXPERIMENT, artifacts, {saved_view.TAG: saved_view.view_tag()})
        except MlflowException as error:
            # Another process, or another checkout, was first.
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
            experiment = client.get_experiment_by_name(EXPERIMENT)
    if saved_view.TAG not in experiment.tags:
        client.set_experiment_tag(experiment.experiment_id, saved_view.TAG, saved_view.view_tag())
    return experiment.experiment_id


def _root(layout: Layout) -> Path:
    """DVC runs queued experiments in temporary workspaces and says where the repository is."""
    return Path(os.environ.get("DVC_ROOT") or layout.root).resolve()
