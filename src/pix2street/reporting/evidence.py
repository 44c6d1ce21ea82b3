"""The evidence that the page, the summary and the model card are made of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pandas as pd

from pix2street.core.pairs import Dataset
from pix2street.core.protocol import has_inputs
from pix2street.models import open_family
from pix2street.reporting.domains import classifier_in_words, cycle_note, domains_in_words
from pix2street.reporting.examples import Example
from pix2street.reporting.frames import horizons_in_words
from pix2street.reporting.photos_verdict import ceiling_warning, copying_warning, not_judged_in_words, photos_verdict
from pix2street.reporting.scores import fid_warning, grey_note, pairs_note, score_rows, title_of
from pix2street.reporting.training_verdict import diagnostics_verdict, faults_in_words, verdict
from pix2street.reporting.usefulness import usefulness_in_words

if TYPE_CHECKING:
    from pix2street.models.interface import Family


@dataclass(frozen=True)
class Evidence:
    """The outputs of one run that the report shows.

    Args:
        params: all of `params.yaml`.
        verdict: the verdict of `validate`.
        history: a row for each epoch.
        sheets: contact sheets as PNG by epoch.
        metrics: the content of `metrics.json`; the report leaves out missing scores.
        class_iou: a row for each class, a column for each set of photos; empty for a set without classes.
        confusion: pixels by `truth` and `judged`, a column for each set of photos; empty for a set without classes.
        extremes: examples under a title, e.g. `best`, `worst`.
        versions: the versions of the packages that computed it, by name.
        styles: the first drawing in several styles, and then several drawings in one; empty without styles.
        grids: photos with mixed and with truncated styles, PNG by name; empty for photos of inputs.
        domains: images of the first domain with their translations to the others; empty for a generator of one.
        videos: pairs of frames, see `frames.read_videos`; empty without videos.
    """

    params: Mapping[str, Any]
    dataset: Dataset
    verdict: Mapping[str, Any]
    history: pd.DataFrame
    sheets: Mapping[int, bytes]
    metrics: Mapping[str, Any]
    class_iou: pd.DataFrame
    confusion: pd.DataFrame
    examples: Sequence[Example]
    extremes: Mapping[str, Sequence[Example]]
    versions: Mapping[str, str]
    styles: Sequence[Example] = ()
    domains: Sequence[Example] = ()
    videos: Sequence[Example] = ()
    grids: Mapping[str, bytes] = field(default_factory=dict)

    @property
    def family(self) -> "Family":
        """The family of the model that was trained."""
        return open_family(self.params["train"]["model"])

    @property
    def settings(self) -> Mapping[str, Any]:
        """The settings of the family."""
        return self.params["train"][self.params["train"]["model"]]

    @property
    def scores(self) -> dict[str, Mapping[str, Any]]:
        """The scores of every set of photos, the generated ones first."""
        names = [name for name in ("generated", "ceiling") if name in self.metrics]
        return {name: self.metrics[name] for name in names} | self.metrics["baselines"]

    @property
    def game(self) -> str:
        """The verdict on the last epoch, in words."""
        return verdict(self.history.iloc[-1], self.family.TERMS, self.settings)

    def shared(self) -> dict[str, Any]:
        """Return what the page, the summary and the model card show alike, by its name in their templates."""
        floor = self.metrics.get("floor", {})
        return {
            "params": self.params,
            "dataset": self.dataset,
            "family": self.family,
            "settings": self.settings,
            "verdict": self.verdict,
            "pairs": self.verdict["pairs"],
            "metrics": self.metrics,
            "judge": self.metrics.get("protocol", {}).get("segmentation", {}).get("judge"),
            "scores": score_rows(self.scores, floor),
            "scored": [*map(title_of, self.scores), *(["floor"] if floor else [])],
            "absent": self.metrics["generated"].get("absent_classes", []),
            "photos_verdict": photos_verdict(self.metrics),
            "diagnostics": diagnostics_verdict(self.history.iloc[-1]),
            "faults": faults_in_words(self.history.iloc[-1]),
            "ceiling_warning": ceiling_warning(self.metrics),
            "not_judged": not_judged_in_words(self.metrics),
            "fid_warning": fid_warning(self.metrics),
            "grey_note": grey_note(self.dataset),
            "pairs_note": pairs_note(self.metrics),
            "unit": "pairs" if has_inputs(self.metrics) and not self.dataset.domains else "images",
            "alone": not has_inputs(self.metrics),
            "copying": copying_warning(self.metrics),
            "task": self.dataset.direction if has_inputs(self.metrics) else "photos without inputs",
            "domains_in_words": domains_in_words(self.metrics),
            "horizons_in_words": horizons_in_words(self.metrics),
            "classifier": classifier_in_words(self.metrics),
            "cycle_note": cycle_note(self.metrics),
            "game": self.game,
            "usefulness": usefulness_in_words(self.metrics),
            "versions": self.versions,
        }
