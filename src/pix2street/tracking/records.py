"""Everything that is recorded in a run: one frozen class for each kind of record.

A record is written to the spool as the JSON of its fields, `kind` among them, and read back by `record_from`. `send`
gives it to the store. A record may be sent twice, after an interruption; the second time changes nothing.
"""

import shutil
import tempfile
import uuid
import warnings
from abc import ABC, abstractmethod
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import mlflow
from mlflow import MlflowClient
from mlflow.entities import DatasetInput, InputTag, LoggedModelStatus, Metric, RunTag
from mlflow.exceptions import MlflowException
from mlflow.models import Model
from mlflow.tracking.multimedia import compress_image_size
from pydantic import ConfigDict, Field, TypeAdapter

import pix2street
from pix2street.core.errors import UserError

GENERATOR = "generator"
"""The name of a run's model, and of the folder in it that holds the generator's files."""

METRICS_AT_ONCE = 1000
"""The number of metrics that a server takes in one request."""


@dataclass(frozen=True)
class Target:
    """The run in the store that records are sent to; `key` names it before the store gives it an id."""

    client: MlflowClient
    experiment_id: str
    run_id: str
    key: str

    def log_metrics(self, metrics: list[Metric]) -> None:
        for start in range(0, len(metrics), METRICS_AT_ONCE):
            self.client.log_batch(self.run_id, metrics=metrics[start : start + METRICS_AT_ONCE])

    def log_tags(self, tags: dict[str, str]) -> None:
        self.client.log_batch(self.run_id, tags=[RunTag(*tag) for tag in tags.items()])


@dataclass(frozen=True, kw_only=True)
class Record(ABC):
    """A record; one with `only_if_made` is dropped if the store already had the run."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    only_if_made: bool = False

    @abstractmethod
    def send(self, target: Target) -> None:
        """Give the store this record."""


@dataclass(frozen=True, kw_only=True)
class FileRecord(Record):
    """A record that sends the file or folder at `path`; the spool keeps a copy of it."""

    path: Path


class Point(NamedTuple):
    """One value of a metric."""

    name: str
    value: float
    ms: int
    step: int


@dataclass(frozen=True, kw_only=True)
class Metrics(Record):
    """Values of metrics; a store keeps one value for each name, step, time and value."""

    metrics: tuple[Point, ...]
    kind: Literal["metrics"] = "metrics"

    def send(self, target: Target) -> None:
        target.log_metrics([Metric(*point) for point in self.metrics])


@dataclass(frozen=True, kw_only=True)
class Tags(Record):
    """Tags of the run."""

    tags: dict[str, str]
    kind: Literal["tags"] = "tags"

    def send(self, target: Target) -> None:
        target.log_tags(self.tags)


@dataclass(frozen=True, kw_only=True)
class Files(FileRecord):
    """A file, or the files of a folder, in the folder `to` of the run's artifacts."""

    to: str
    kind: Literal["files"] = "files"

    def send(self, target: Target) -> None:
        log = target.client.log_artifacts if self.path.is_dir() else target.client.log_artifact
        log(target.run_id, str(self.path), self.to)


@dataclass(frozen=True, kw_only=True)
class Scores(FileRecord):
    """The numbers of `metrics.json` and the folder of their tables; not sent to a run that has numbers and tags."""

    to: str
    numbers: dict[str, float]
    tags: dict[str, str]
    ms: int
    kind: Literal["scores"] = "scores"

    def send(self, target: Target) -> None:
        known = target.client.get_run(target.run_id).data
        if self.numbers.items() <= known.metrics.items() and self.tags.items() <= known.tags.items():
            return
        target.client.log_artifacts(target.run_id, str(self.path), self.to)
        target.log_tags(self.tags)
        target.log_metrics([Metric(name, value, self.ms, 0) for name, value in self.numbers.items()])


@dataclass(frozen=True, kw_only=True)
class Sheet(FileRecord):
    """An epoch's contact sheet, under `samples` with a slider for the epoch."""

    step: int
    ms: int
    kind: Literal["sheet"] = "sheet"

    def send(self, target: Target) -> None:
        """Do what `MlflowClient.log_image` does, under a name that is the same at every try."""
        name = f"samples+step+{self.step}+timestamp+{self.ms}+{uuid.UUID(target.key)}"
        with tempfile.TemporaryDirectory() as folder:
            shutil.copyfile(self.path, Path(folder) / f"{name}.png")
            image = compress_image_size(mlflow.Image(str(self.path)).to_pil())
            image.save(Path(folder) / f"{name}+compressed.webp")
            target.client.log_artifacts(target.run_id, folder, "images")
        target.client.set_tag(target.run_id, "mlflow.loggedImages", True)


@dataclass(frozen=True)
class DataInput:
    """A subset of the data: an MLflow data set as a mapping, the subset's name and the SHA-256 of the manifest."""

    dataset: dict[str, Any]
    context: str
    sha256: str

    def as_mlflow(self) -> DatasetInput:
        tags = {"mlflow.data.context": self.context, "sha256": self.sha256}
        return DatasetInput(mlflow.entities.Dataset(**self.dataset), [InputTag(*tag) for tag in tags.items()])


@dataclass(frozen=True, kw_only=True)
class DataInputs(Record):
    """The data that a run was trained and measured with."""

    inputs: tuple[DataInput, ...]
    kind: Literal["inputs"] = "inputs"

    def send(self, target: Target) -> None:
        inputs = [one.as_mlflow() for one in self.inputs]
        try:
            target.client.log_inputs(target.run_id, inputs)
        except MlflowException:
            # MLflow inserts a data set that it did not find, and fails where another run did so at the same moment.
            target.client.log_inputs(target.run_id, inputs)


@dataclass(frozen=True, kw_only=True)
class GeneratorModel(FileRecord):
    """A model that serves itself: the generator's files, the code that loads them, and pinned libraries."""

    kind: Literal["model"] = "model"

    def send(self, target: Target) -> None:
        """Log the model, unless the run has it; an incomplete one from an interrupted try is removed.

        Raises:
            UserError: a file that the model needs is missing.
        """
        from pix2street.inference import serving

        client, run_id = target.client, target.run_id
        found = client.search_logged_models([target.experiment_id], f"source_run_id = '{run_id}'")
        if any(model.status == LoggedModelStatus.READY for model in found):
            return
        for model in found:
            client.delete_logged_model(model.model_id)
        with tempfile.TemporaryDirectory() as folder:
            generator = Path(folder) / GENERATOR
            generator.mkdir()
            for name in (*serving.FILES, *serving.OPTIONAL_FILES):
                if (source := self.path / name).is_file():
                    (generator / name).parent.mkdir(exist_ok=True)
                    shutil.copyfile(source, generator / name)
                elif name in serving.FILES:
                    raise UserError(f"the model has no {name}; run `dvc repro`, which trains it anew")
            params = client.get_run(run_id).data.params
            model = client.create_logged_model(target.experiment_id, GENERATOR, run_id, params=params)
            # MLflow asks for an input example, which would be kept as a second request beside the signature.
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
                    signature=serving.signature_of(generator),
                    pip_requirements=[f"{name}=={version(name)}" for name in ("mlflow", *serving.LIBRARIES)],
                )


@dataclass(frozen=True, kw_only=True)
class End(Record):
    """The end of a run, with its status."""

    status: str
    ms: int
    kind: Literal["end"] = "end"

    def send(self, target: Target) -> None:
        target.client.set_terminated(target.run_id, self.status, self.ms)


record_from = TypeAdapter(
    Annotated[Metrics | Tags | Files | Scores | Sheet | DataInputs | GeneratorModel | End, Field(discriminator="kind")]
).validate_python
"""The function that reads a record from its JSON; it raises pydantic's ValidationError."""
