"""Descriptions of runs: all that is needed to find a run in a store, now or later, or to create it."""

import os
import subprocess
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from mlflow.tracking.context.registry import resolve_tags
from pydantic import ConfigDict, TypeAdapter

from pix2street.core.files import sha256_of
from pix2street.core.hashes import hash_of
from pix2street.layout import Layout
from pix2street.tracking.store import EXPERIMENT, store_key

KEY_TAG = "pix2street.key"
WEIGHTS_TAG = "pix2street.weights"
PARAMS_TAG = "pix2street.params"
TRAINING_TAG = "pix2street.training"
PROTOCOL_TAG = "pix2street.protocol"
DVC_EXPERIMENT_TAG = "dvc.exp"
LOCK_TAG = "dvc.lock"


@dataclass(frozen=True, kw_only=True)
class RunDescription:
    """A run as it is described beside what it owes, and how far its recording is."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    key: str
    """The run's name in the spool and, as a tag, in the store."""
    store: str
    """The store that the run belongs to; see `store_key`."""
    weights: str | None
    """The SHA-256 of the weights that the run is searched by; None while they are trained."""
    start_ms: int
    name: str
    tags: dict[str, str]
    params: dict[str, str]
    curves: tuple[str, ...] = ()
    """Columns of the training's history that the experiment's saved view shows."""
    parameters: tuple[str, ...] = ()
    """Parameters that the experiment's saved view shows."""
    run_id: str | None = None
    """The run's id in the store; None until it is found or created, as is `experiment_id`."""
    experiment_id: str | None = None
    making: bool = False
    """The store was asked to create the run: one that has the run's key is new."""
    made: bool = False
    """The run was created for this description, so it held nothing before."""
    whole: bool = False
    """Every record of the run's beginning was recorded or kept."""
    ended: bool = False
    """The run's end was recorded."""

    @property
    def identity(self) -> list[str | None]:
        """The values that must be equal for a later stage to belong to a run."""
        return [self.store, self.weights, self.tags[PARAMS_TAG], self.tags.get(DVC_EXPERIMENT_TAG, "")]


description_from = TypeAdapter(RunDescription).validate_python
"""The function that reads a description from its JSON; it raises pydantic's ValidationError."""


def describe(
    layout: Layout,
    params: dict[str, Any],
    *,
    curves: Sequence[str],
    parameters: Sequence[str],
    weights: str | None = None,
    training: str = "",
) -> RunDescription:
    """Return the description of a run that begins now.

    Args:
        params: all sections of `params.yaml`.
        curves, parameters: see `saved_view.view_tag`.
        training: the key of the training's checkpoints.
    """
    git = ["git", "-C", str(layout.root)]
    written_by_dvc = [":!dvc.lock", ":!reports", ":(exclude,glob)**/.gitignore"]
    dirty = _output_of([*git, "status", "--porcelain", "--untracked-files=no", "--", ".", *written_by_dvc])
    experiment = os.environ.get("DVC_EXP_NAME", "")
    tags = {
        **resolve_tags(),
        PARAMS_TAG: hash_of(params),
        "git.commit": _output_of([*git, "rev-parse", "HEAD"]),
        "git.dirty": str(bool(dirty)).lower(),
        DVC_EXPERIMENT_TAG: experiment,
        TRAINING_TAG: training,
    }
    key = uuid.uuid4().hex
    return RunDescription(
        key=key,
        store=store_key(),
        weights=weights,
        start_ms=now_ms(),
        # MLflow's own names use Python's random numbers, which a training seeds: all its runs would have one name.
        name=experiment or f"{params.get('download', {}).get('dataset', EXPERIMENT)}-{key[:6]}",
        tags={tag: value for tag, value in tags.items() if value},
        params={name: str(value) for name, value in flatten(params).items()},
        curves=tuple(curves),
        parameters=tuple(parameters),
    )


def flatten(values: dict[str, Any]) -> dict[str, Any]:
    """Return nested dicts as one, with keys joined by dots."""
    return pd.json_normalize(values, sep=".").to_dict("records")[0]


def hash_of_weights(generator_folder: Path) -> str | None:
    """Return the SHA-256 of the weights; None where a workspace holds none, because its stage does not need them."""
    weights = generator_folder / "generator.weights.h5"
    return sha256_of(weights) if weights.exists() else None


def now_ms() -> int:
    """Return the time in milliseconds, as MLflow counts it."""
    return time.time_ns() // 1_000_000


def _output_of(command: list[str]) -> str:
    """Return what a command prints; nothing where it fails or is missing."""
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""
