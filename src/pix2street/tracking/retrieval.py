"""Copies of what a run or the registry holds: evaluation, report and generator."""

import re
from collections.abc import Sequence
from pathlib import Path

import mlflow
from mlflow.entities import LoggedModelStatus, Run
from mlflow.exceptions import MlflowException

from pix2street.core.errors import UserError
from pix2street.layout import Layout
from pix2street.tracking.probe import one_line
from pix2street.tracking.records import GENERATOR
from pix2street.tracking.store import EXPERIMENT, clear_store_errors, connect, connect_registry


@clear_store_errors("the run was not read")
def fetch_run(layout: Layout, run: str, folder: Path, parts: Sequence[str] = ("evaluate", "report")) -> None:
    """Copy what a run recorded of its evaluation and its report to `folder/{evaluate,report}`.

    Args:
        run: its id, the beginning of its id, or its name; the newest of several runs with one name.
        parts: the folders that are copied.

    Raises:
        UserError: no run or several are meant, the run has no such part, or the store is away.
    """
    run_id = _run_of(layout, run).info.run_id
    recorded = {item.path for item in mlflow.MlflowClient().list_artifacts(run_id)}
    for part in parts:
        if part not in recorded:
            raise UserError(f"{run}: has recorded no {part}; run `dvc repro` to its end")
        mlflow.artifacts.download_artifacts(run_id=run_id, artifact_path=part, dst_path=str(folder))


@clear_store_errors("the model was not read")
def fetch_generator(layout: Layout, model: str, folder: Path) -> Path:
    """Copy the generator that a run recorded into `folder`; return its folder there, which is like `models/generator`.

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


def _run_of(layout: Layout, run: str) -> Run:
    """Return the run that is meant; see `fetch_run`."""
    experiment = connect(layout).get_experiment_by_name(EXPERIMENT)
    runs = []
    if experiment is not None:
        newest_first = ["attributes.start_time DESC"]
        runs = mlflow.search_runs([experiment.experiment_id], order_by=newest_first, output_format="list")
    found = [one for one in runs if one.info.run_name == run][:1]
    found = found or [one for one in runs if one.info.run_id.startswith(run)]
    if len(found) != 1:
        names = ", ".join(f"{one.info.run_id[:8]} ({one.info.run_name})" for one in (found or runs)[:5]) or "none"
        if found:
            raise UserError(f"{run}: the ids of {len(found)} runs begin so: {names}; write more of the id")
        raise UserError(
            f"{run}: no run of experiment {EXPERIMENT} has this name or an id that begins so; the newest are {names}"
        )
    return found[0]


def _logged_at(layout: Layout, run: str) -> str:
    """Return the address of the files of a run's model; see `fetch_generator`."""
    info = _run_of(layout, run).info
    for logged in mlflow.MlflowClient().search_logged_models([info.experiment_id], f"source_run_id = '{info.run_id}'"):
        if logged.status == LoggedModelStatus.READY:
            return logged.artifact_location
    raise UserError(f"{run}: has recorded no model; run `dvc repro` to its end, or `pix2street sync`")


def _version_at(layout: Layout, model: str) -> str:
    """Return the address of the files of a version in the registry; see `fetch_generator`."""
    match = re.fullmatch(r"models:/+([^/@]+)(?:@([^/@]+)|/(\d+))", model)
    if match is None:
        raise UserError(
            f"{model}: a version in the registry is models:/NAME@ALIAS or models:/NAME/VERSION, as models:/pix2street@"
            "champion"
        )
    name, alias, number = match.groups()
    client = connect_registry(layout)
    models = {one.name: one for one in client.search_registered_models()}
    if name not in models:
        raise UserError(
            f"{model}: the registry has no model {name}, it has {', '.join(models) or 'none'}; `dvc repro` registers "
            "a model that keeps its limits"
        )
    versions = {str(one.version) for one in client.search_model_versions(f"name = '{name}'")}
    aliases = {one: str(version) for one, version in models[name].aliases.items()}
    if number is None:
        number = aliases.get(alias)
    if number not in versions:
        known = [*(f"@{one}" for one in aliases), *(f"/{one}" for one in sorted(versions, key=int))]
        raise UserError(
            f"{model}: {name} has {', '.join(known) or 'no version'}; name one of these, `pix2street promote` makes "
            "the candidate the champion"
        )
    return client.get_model_version_download_uri(name, number)
