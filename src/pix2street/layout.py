"""Every path of the pipeline, relative to the repository's root: each stage has its own folders."""

import os
from dataclasses import dataclass
from pathlib import Path

TABLES = ("images", "class_iou", "class_pixels", "confusion", "domains", "horizons")
"""The tables of `evaluate`."""


@dataclass(frozen=True)
class Layout:
    """The paths below `root` to which the stages write."""

    root: Path

    @property
    def outputs(self) -> dict[str, list[Path]]:
        """The outputs of every stage, as `dvc.yaml` lists them."""
        tables = [self.evaluated / f"{name}.csv" for name in TABLES]
        return {
            "download": [self.downloaded],
            "split": [self.split],
            "validate": [self.verdict, self.validation_page, self.passed],
            "segment": [self.segmenter],
            "train": [self.generator, self.history, self.samples],
            "generate": [self.generated, self.baselines],
            "evaluate": [self.judged, self.metrics, *tables],
            "report": [
                self.report_page,
                self.report_samples,
                self.strip,
                self.report_summary,
                self.model_card,
                self.curves,
            ],
            "register": [self.decision],
        }

    def stage_of(self, path: Path) -> str | None:
        """Return the stage that makes `path` or a folder above it, or None."""
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
        """Overrides that can be written into `params.yaml`, `<name>.yaml` each."""
        return self.root / "profiles"

    @property
    def downloaded(self) -> Path:
        """Side-by-side images, `{train,val,test}/<pair_id>.<ext>`, and `dataset.json`."""
        return self.root / "data/downloaded"

    @property
    def split(self) -> Path:
        """`{train,val,test}/{inputs,targets}/<pair_id>.png`, `manifest.csv`, `edges.bin` and `dataset.json`."""
        return self.root / "data/split"

    @property
    def verdict(self) -> Path:
        """The result of the validation, check by check."""
        return self.root / "reports/validate/verdict.json"

    @property
    def validation_page(self) -> Path:
        """The verdict for a person: checks, offending rows, pictures."""
        return self.root / "reports/validate/index.html"

    @property
    def passed(self) -> Path:
        """The hash of the manifest that passed validation; later stages depend on it."""
        return self.root / "reports/validate/passed.json"

    @property
    def data_docs(self) -> Path:
        """Great Expectations' own pages; not a DVC output, because they hold times and ids."""
        return self.root / "reports/validate/data_docs"

    @property
    def segmenter(self) -> Path:
        """The jury: `score.json`, and a folder `judge_<n>` for each judge, with its network, weights and card.

        For a set with domains also `domains`, the classifier that names them, with the same files.
        """
        return self.root / "models/segmenter"

    @property
    def checkpoints(self) -> Path:
        """Checkpoints of unfinished trainings; not a DVC output. DVC's temporary workspaces share the repository's."""
        return Path(os.environ.get("DVC_ROOT") or self.root) / ".checkpoints"

    @property
    def spool(self) -> Path:
        """Records that a store has yet to get; not a DVC output. DVC's temporary workspaces share the repository's."""
        return Path(os.environ.get("DVC_ROOT") or self.root) / ".mlflow_spool"

    @property
    def run_note(self) -> Path:
        """The id of the run to which the weights in this workspace belong; not a DVC output."""
        return self.root / ".mlflow_run.json"

    @property
    def generator(self) -> Path:
        """`generator.json` and `generator.weights.h5`."""
        return self.root / "models/generator"

    @property
    def history(self) -> Path:
        """A table with a row for each epoch."""
        return self.root / "reports/train/history.csv"

    @property
    def samples(self) -> Path:
        """Contact sheets `epoch_<n>.png`: input, target and generated of a fixed list of validation pairs."""
        return self.root / "reports/train/samples"

    @property
    def generated(self) -> Path:
        """Photos by the trained generator, `{val,test}/<pair_id>.png`; for their usefulness also `train/`."""
        return self.root / "data/generated"

    @property
    def baselines(self) -> Path:
        """Photos that cost no training, `<baseline>/<subset>/<pair_id>.png`, subsets as in `generated`.

        The baselines are `untrained`, and `mean_color` for drawings, `unchanged` and `color_transfer` for translations
        between domains, or `resampled` and `mean_photo` for photos without inputs.
        """
        return self.root / "data/baselines"

    @property
    def latents(self) -> Path:
        """Grids of photos with mixed and with truncated styles; only a generator without inputs has them."""
        return self.generated / "latents"

    @property
    def draws(self) -> Path:
        """Further photos of the first inputs, `<k>/{val,test}/<pair_id>.png`, and with styles also `one_style/`.

        The folder is missing for a generator with neither noise nor styles.
        """
        return self.generated / "draws"

    @property
    def domains(self) -> Path:
        """Translations to every domain, `<domain>/{generated,baselines/<baseline>}/{val,test}/<pair_id>.png`.

        The folder is missing for a generator that is told no domain.
        """
        return self.generated / "domains"

    @property
    def cycled(self) -> Path:
        """Inputs forth and back, `{val,test}/<pair_id>.png`; missing for a generator without a way back."""
        return self.generated / "cycled"

    @property
    def judged(self) -> Path:
        """The class ids that the judge sees, `<set of photos>/<pair_id>.png`: generated, ceiling and each baseline."""
        return self.root / "data/judged"

    @property
    def evaluated(self) -> Path:
        """`metrics.json` and `TABLES`."""
        return self.root / "reports/evaluate"

    @property
    def metrics(self) -> Path:
        return self.evaluated / "metrics.json"

    @property
    def report_page(self) -> Path:
        return self.root / "reports/report/index.html"

    @property
    def report_samples(self) -> Path:
        """The pictures on the page, `<pair_id>/<caption>.png`; see `pairs.plain_name`."""
        return self.root / "reports/report/samples"

    @property
    def strip(self) -> Path:
        """Drawings, their photos and the real ones, as one picture."""
        return self.root / "reports/report/strip.png"

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
        """The limits, which of them the model keeps, and whether it is accepted."""
        return self.root / "reports/register/decision.json"
