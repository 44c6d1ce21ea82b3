"""MLflow's store: its address, how it is opened, and the project's experiment in it."""

import contextlib
import fcntl
import hashlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import mlflow
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from pix2street.core.errors import UserError
from pix2street.layout import Layout
from pix2street.tracking import saved_view
from pix2street.tracking.probe import one_line, opening, public

EXPERIMENT = "pix2street"

PROBE_TIMEOUT_S = 5
"""A store of any kind is away if it gives no answer for so long; `PIX2STREET_STORE_TIMEOUT_S` sets another limit."""


def store_key() -> str:
    """Return a name of the store that is meant; it does not reveal a password in the store's address."""
    address = os.environ.get("MLFLOW_TRACKING_URI")
    return hashlib.sha256(public(address).encode()).hexdigest()[:16] if address else "own"


def connect(layout: Layout) -> MlflowClient:
    """Open the store that MLFLOW_TRACKING_URI names, else SQLite at the repository's root.

    Raises:
        StoreAway: it cannot be opened.
    """
    root, address = _root(layout), os.environ.get("MLFLOW_TRACKING_URI")
    own = root / "mlflow.db"
    mlflow.set_tracking_uri(address or f"sqlite:///{own}")
    if not address:
        # MLflow sets the variable itself, and it would look like the user's choice from now on.
        os.environ.pop("MLFLOW_TRACKING_URI", None)
        _create_once(own)
    with opening(mlflow.get_tracking_uri(), _limit_s()), _one_at_a_time(root):
        return MlflowClient()


def connect_registry(layout: Layout) -> MlflowClient:
    """Open the store and its registry, which may have another address (MLFLOW_REGISTRY_URI).

    Raises:
        StoreAway: one of them cannot be opened.
    """
    client = connect(layout)
    registry = mlflow.get_registry_uri()
    if registry == mlflow.get_tracking_uri():
        return client
    with opening(registry, _limit_s()):
        return MlflowClient()


def experiment_of(layout: Layout, client: MlflowClient, view: str | None) -> str:
    """Return the id of the project's experiment, which is created where the store has none.

    Args:
        view: the tag of the view that compares its runs; it replaces an earlier one of this project, so that the view
            follows the families' terms. None leaves the experiment as it is.
    """
    experiment = client.get_experiment_by_name(EXPERIMENT)
    tags = {} if view is None else {saved_view.TAG: view}
    if experiment is None:
        artifacts = None if os.environ.get("MLFLOW_TRACKING_URI") else (_root(layout) / "mlartifacts").as_uri()
        try:
            return client.create_experiment(EXPERIMENT, artifacts, tags)
        except MlflowException as error:
            # Another process, or another checkout, was first.
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
            experiment = client.get_experiment_by_name(EXPERIMENT)
    present = experiment.tags.get(saved_view.TAG)
    if view not in (None, present) and saved_view.may_replace(present):
        client.set_experiment_tag(experiment.experiment_id, saved_view.TAG, view)
    return experiment.experiment_id


@contextlib.contextmanager
def clear_store_errors(undone: str) -> Iterator[None]:
    """Turn every error of the store into a UserError, which begins with what was left `undone`."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        raise UserError(
            f"{undone} ({one_line(error)}); run again when the store answers, or name another in MLFLOW_TRACKING_URI"
        ) from error


def _limit_s() -> float:
    """Return how long a store may take to answer.

    Raises:
        UserError: PIX2STREET_STORE_TIMEOUT_S is no such limit.
    """
    text = os.environ.get("PIX2STREET_STORE_TIMEOUT_S", str(PROBE_TIMEOUT_S))
    try:
        limit_s = float(text)
    except ValueError:
        limit_s = 0.0
    if not 0 < limit_s <= threading.TIMEOUT_MAX:
        raise UserError(
            f"PIX2STREET_STORE_TIMEOUT_S: must be a number of seconds above 0, but is {text}; set another, or unset it "
            f"for {PROBE_TIMEOUT_S}"
        )
    return limit_s


def _create_once(own: Path) -> None:
    """Create the checkout's own store if it is missing; no other process ever sees half of it."""
    if own.exists():
        return
    with _one_at_a_time(own.parent):
        if not own.exists():
            incomplete = own.with_suffix(".db.new")
            incomplete.unlink(missing_ok=True)
            with opening(f"sqlite:///{incomplete}", _limit_s()):
                MlflowClient(f"sqlite:///{incomplete}")
            incomplete.rename(own)


@contextlib.contextmanager
def _one_at_a_time(root: Path) -> Iterator[None]:
    """Hold other processes off.

    The first client of an SQLite store creates its tables. Two clients at the same time damage the store, and so does
    one that is killed.
    """
    with (root / ".mlflow.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _root(layout: Layout) -> Path:
    """Return the repository's root, which DVC names in the temporary workspace of a queued experiment."""
    return Path(os.environ.get("DVC_ROOT") or layout.root).resolve()
