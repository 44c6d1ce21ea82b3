"""Every path of the pipeline, as a function of the repository's root: one verb, one place."""

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Layout:
    """Where each stage puts its result below `root`."""

    root: Path

    @property
    def outputs(self) -> dict[str, list[Path]]:
        """The outputs of every stage, as `dvc.yaml` lists them."""
        tables = [self.evaluated / f"{name}.csv" for name in ("images", "class_iou", "class_pixels", "confusion")]
        return {
            "download": [self.downloaded],
            "split": [self.split],
            "validate": [self.verdict, self.validation_page, self.passed],
            "segment": [self.segmenter],
            "train": [self.generator, self.history, self.samples],
            "generate": [self.generated, self.baselines],
            "evaluate": [self.judged, self.metrics, *tables],
            "report": [self.report_page, self.report_samples, self.report_summary, self.model_card, self.curves],
            "register": [self.decision],
        }

    def stage_of(self, path: Path) -> str | None:
        """Return the stage that makes `path`, or the folder that it lies in; None where no stage does."""
        path = self.root / path
        for stage, outputs in self.outputs.items():
            if any(path.is_relative_to(output) for output in outputs):
                return stage
        return None

    @property
    def params(self) -> Path:
        return self.root / "params.yaml"

    @property
    def profiles(self) -> Path:
        """`<name>.yaml`: overrides that can be written into `params.yaml`."""
        return self.root / "profiles"

    @property
    def downloaded(self) -> Path:
        """`{train,val,test}/<pair_id>.<ext>` side-by-side images and `dataset.json`."""
        return self.root / "data/downloaded"

    @property
    def split(self) -> Path:
        """`{train,val,test}/{inputs,targets}/<pair_id>.png`, `manifest.csv` and `dataset.json`."""
        return self.root / "data/split"

    @property
    def verdict(self) -> Path:
        """What validation found, check by check."""
        return self.root / "reports/validate/verdict.json"

    @property
    def validation_page(self) -> Path:
        """The verdict for a person: checks, offending rows, pictures."""
        return self.root / "reports/validate/index.html"

    @property
    def passed(self) -> Path:
        """The hash of the manifest that passed validation; later stages wait for it."""
        return self.root / "reports/validate/passed.json"

    @property
    def data_docs(self) -> Path:
        """Great Expectations' own pages: not an out, since they hold times and ids."""
        return self.root / "reports/validate/data_docs"

    @property
    def segmenter(self) -> Path:
        """The judge: `segmenter.json`, `segmenter.weights.h5`, `judge.json`, `score.json`."""
        return self.root / "models/segmenter"

    @property
    def checkpoints(self) -> Path:
        """Of trainings that are not done: no out. DVC's temporary workspaces share those of the repository."""
        return Path(os.environ.get("DVC_ROOT") or self.root) / ".checkpoints"

    @property
    def spool(self) -> Path:
        """What runs still owe a store that was away: no out. Temporary workspaces share that of the repository."""
        return Path(os.environ.get("DVC_ROOT") or self.root) / ".mlflow_spool"

    @property
    def run_note(self) -> Path:
        """Which run the weights in this workspace belong to: no out."""
        return self.root / ".mlflow_run.json"

    @property
    def generator(self) -> Path:
        """`generator.json` and `generator.weights.h5`."""
        return self.root / "models/generator"

    @property
    def history(self) -> Path:
        """One row an epoch."""
        return self.root / "reports/train/history.csv"

    @property
    def samples(self) -> Path:
        """`epoch_<n>.png`: input | target | generated of a fixed list of validation pairs."""
        return self.root / "reports/train/samples"

    @property
    def generated(self) -> Path:
        """`{val,test}/<pair_id>.png` by the trained generator."""
        return self.root / "data/generated"

    @property
    def baselines(self) -> Path:
        """`{mean_color,untrained}/{val,test}/<pair_id>.png`: what costs nothing."""
        return self.root / "data/baselines"

    @property
    def judged(self) -> Path:
        """`{generated,ceiling,mean_color,untrained}/<pair_id>.png`: the class ids that the judge sees in each photo."""
        return self.root / "data/judged"

    @property
    def evaluated(self) -> Path:
        """`metrics.json`, and a table each: `images`, `class_iou`, `class_pixels`, `confusion`."""
        return self.root / "reports/evaluate"

    @property
    def metrics(self) -> Path:
        return self.evaluated / "metrics.json"

    @property
    def report_page(self) -> Path:
        return self.root / "reports/report/index.html"

    @property
    def report_samples(self) -> Path:
        """`<pair_id>/<caption>.png`: the pictures on the page; see `pairs.plain_name`."""
        return self.root / "reports/report/samples"

    @property
    def curves(self) -> Path:
        """`<panel>.csv` with `epoch`, `term` and `value`: what `dvc plots` draws of the history."""
        return self.root / "reports/report/curves"

    @property
    def report_summary(self) -> Path:
        return self.root / "reports/report/summary.md"

    @property
    def model_card(self) -> Path:
        return self.root / "reports/report/model_card.md"

    @property
    def decision(self) -> Path:
        """Which limits the model keeps, and whether it is accepted."""
        return self.root / "reports/register/decision.json"
