"""Models that kept their limits, as versions in MLflow's registry.

The newest version has the alias `candidate`, the version in use `champion`. A version is the model that a run
recorded. Two tags identify it, the hashes of its weights and of all parameters, so a stage that runs again makes no
second version.
"""

import contextlib
import io
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import mlflow
from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion

from pix2street.core.errors import UserError
from pix2street.layout import Layout
from pix2street.reporting.comparison import Comparison, Result, as_text, compare
from pix2street.reporting.scores import title_of_score
from pix2street.tracking.description import PARAMS_TAG, PROTOCOL_TAG, WEIGHTS_TAG
from pix2street.tracking.probe import one_line
from pix2street.tracking.retrieval import fetch_run
from pix2street.tracking.store import clear_store_errors, connect_registry

CANDIDATE = "candidate"
CHAMPION = "champion"
OF_THE_RUN = (WEIGHTS_TAG, PARAMS_TAG, PROTOCOL_TAG, "git.commit", "git.dirty")
"""Tags that a version takes from its run."""
UNCHANGED = "the registry was not asked or changed"
AGAIN = "to register it run `dvc repro --force --single-item register` when the store answers"


def register_accepted(layout: Layout, run_id: str | None, model: str, decision: Mapping[str, Any]) -> None:
    """Make the run's model a version of `model` and the candidate; print what was done, or why not.

    Args:
        run_id: the run's id; None where the store did not take the run.
        decision: the content of `decision.json`.
    """
    if run_id is None:
        print(f"registry: no version of {model}, since its run is not recorded; {AGAIN}")
        return
    try:
        print(_register(connect_registry(layout), run_id, model, decision))
    # Registries fail in the ways of MLflow, of HTTP and of each database; none of them is the pipeline's failure.
    except Exception as error:  # noqa: BLE001
        print(f"registry: {model} is not the candidate ({one_line(error)}); {AGAIN}")


def withdraw_refused(layout: Layout, run_id: str | None, model: str, decision: Mapping[str, Any]) -> None:
    """Take the alias of the candidate from the run's model, which may have it from before it was measured anew.

    The terminal says whether that was done.
    """
    if run_id is None:
        return
    try:
        client = connect_registry(layout)
        tags = _tags_of(client, run_id, decision)
        version = _version_of(client, model, tags)
        if version is not None and _aliases_of(client, model).get(CANDIDATE) == version:
            client.delete_registered_model_alias(model, CANDIDATE)
            _set_tags(client, model, version, tags)
            print(f"registry: version {version} of {model} is no longer the {CANDIDATE}")
    except Exception as error:  # noqa: BLE001
        print(f"registry: whether {model} is still the {CANDIDATE} was not asked ({one_line(error)})")


def promote(layout: Layout, model: str, promote_by: Sequence[str], force: bool) -> None:
    """Make the candidate the champion, unless it is worse than the present one; print what was done.

    Args:
        promote_by: scores; the first that both have decides.
        force: promote even a worse candidate, or one that cannot be compared.

    Raises:
        UserError: no version is the candidate, the two cannot be compared, or the candidate is worse; no alias moved.
    """
    with clear_store_errors(UNCHANGED):
        client = connect_registry(layout)
        aliases = _aliases_of(client, model)
    if CANDIDATE not in aliases:
        raise UserError(
            f"{model}: no version has the alias {CANDIDATE}; run `dvc repro`, reports/register/decision.json then says "
            "whether the model was accepted"
        )
    candidate, champion = aliases[CANDIDATE], aliases.get(CHAMPION)
    if candidate == champion:
        print(f"version {candidate} of {model} is the champion already; nothing was changed")
        return
    if champion is not None:
        _hold_against_the_champion(client, layout, model, (champion, candidate), promote_by, force)
    with clear_store_errors(UNCHANGED):
        client.set_registered_model_alias(model, CHAMPION, candidate)
    was = "it is the first" if champion is None else f"before it was version {champion}"
    print(f"version {candidate} of {model} is now the champion; {was}")


def _register(client: MlflowClient, run_id: str, model: str, decision: Mapping[str, Any]) -> str:
    tags = _tags_of(client, run_id, decision)
    version = _version_of(client, model, tags)
    if version is not None:
        _set_tags(client, model, version, tags)
    else:
        experiment_id = client.get_run(run_id).info.experiment_id
        logged = client.search_logged_models([experiment_id], f"source_run_id = '{run_id}'")
        if not logged:
            raise UserError("its run holds no model")
        # MLflow prints on standard error what the line below prints on standard output.
        with contextlib.redirect_stderr(io.StringIO()):
            version = mlflow.register_model(f"models:/{logged[0].model_id}", model, tags=tags).version
    client.set_registered_model_alias(model, CANDIDATE, version)
    return f"registry: version {version} of {model} is the {CANDIDATE}; `pix2street promote` makes it the {CHAMPION}"


def _tags_of(client: MlflowClient, run_id: str, decision: Mapping[str, Any]) -> dict[str, str]:
    of_the_run = client.get_run(run_id).data.tags
    limits = {f"register.{limit['rule']}.{limit['score']}": _as_tag(limit) for limit in decision["limits"]}
    return {key: of_the_run[key] for key in OF_THE_RUN if key in of_the_run} | limits


def _version_of(client: MlflowClient, model: str, tags: Mapping[str, str]) -> str | None:
    """Return the version of these weights under these parameters; None if the registry has none."""
    same = " and ".join(f"tag.`{key}` = '{tags[key]}'" for key in (WEIGHTS_TAG, PARAMS_TAG))
    found = client.search_model_versions(f"name = '{model}' and {same}")
    return str(found[0].version) if found else None


def _set_tags(client: MlflowClient, model: str, version: str, tags: Mapping[str, str]) -> None:
    for key, value in tags.items():
        client.set_model_version_tag(model, version, key, value)


def _as_tag(limit: Mapping[str, Any]) -> str:
    return limit["why"] or f"{limit['value']:.6g}, limit {limit['limit']:g}"


def _aliases_of(client: MlflowClient, model: str) -> dict[str, str]:
    """Return the version of each alias; empty for an unknown model."""
    found = client.search_registered_models(f"name = '{model}'")
    return {alias: str(version) for alias, version in found[0].aliases.items()} if found else {}


def _hold_against_the_champion(
    client: MlflowClient, layout: Layout, model: str, versions: Sequence[str], promote_by: Sequence[str], force: bool
) -> None:
    """Print how champion and candidate compare.

    Raises:
        UserError: they cannot be compared, or the candidate is worse, and it is not forced.
    """
    try:
        with clear_store_errors(UNCHANGED):
            champion, candidate = (_result_of(layout, client.get_model_version(model, number)) for number in versions)
        comparison = compare(champion, candidate, force)
        print(as_text(comparison), end="\n\n")
        _refuse_a_worse(comparison, promote_by)
    except UserError as error:
        if not force:
            raise
        print(f"forced, although: {error}")


def _result_of(layout: Layout, version: ModelVersion) -> Result:
    with tempfile.TemporaryDirectory() as folder:
        fetch_run(layout, version.run_id, Path(folder), ["evaluate"])
        name = f"version {version.version} (run {version.run_id[:8]})"
        return Result.read(name, Path(folder) / "evaluate", Path(folder) / "report/samples")


def _refuse_a_worse(comparison: Comparison, promote_by: Sequence[str]) -> None:
    rows = {row.score: row for row in comparison.rows if row.difference is not None and not row.unlike}
    row = next((rows[score] for score in promote_by if score in rows), None)
    if row is None:
        raise UserError(
            f"register.promote_by: both must have one of {', '.join(promote_by)}, measured alike; they share "
            f"{', '.join(rows) or 'none'}; name another, or use --force"
        )
    if row.worse:
        raise UserError(
            f"{comparison.b.name} is worse than the champion, {comparison.a.name}: {title_of_score(row.score)} "
            f"{row.b:.6g} after {row.a:.6g}; the champion stays; train a better one, or use --force"
        )
