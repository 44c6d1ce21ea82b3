"""The model card: the purpose of a generator, its training data, its quality, and what nobody has measured.

The sections are those of Mitchell et al. ("Model cards for model reporting", 2019, section 4).
"""

from collections.abc import Mapping
from typing import Any

from pix2street.core.pairs import Dataset
from pix2street.reporting.evidence import Evidence
from pix2street.reporting.scores import TITLES, formatted, shortfall, title_of, title_of_score
from pix2street.reporting.templates import fill


def as_model_card(evidence: Evidence) -> str:
    """Return the card as Markdown with a head for model hubs; equal values give equal text."""
    metrics, class_iou = evidence.metrics, evidence.class_iou
    return fill(
        "model_card.md.jinja",
        **evidence.shared(),
        input=_input(evidence.dataset, evidence.params["train"]["data"]["encoding"]),
        let_pass=[name for names in evidence.verdict["waived"].values() for name in names],
        intervals=metrics.get("protocol", {}).get("intervals", ""),
        drawn=evidence.dataset.name == "synthetic_streets",
        beaten=_where_mean_colors_are_ahead(metrics),
        columns=[title_of(name) for name in class_iou.columns[1:]],
        # A vertical bar would end the cell of the table.
        classes=[
            [str(row[0]).replace("|", "\\|"), *map(formatted, row[1:])] for row in class_iou.itertuples(index=False)
        ],
    )


def _where_mean_colors_are_ahead(metrics: Mapping[str, Any]) -> list[str]:
    """Return the scores in which photos of mean colours are better than the generated ones."""
    generated, colors = metrics["generated"], metrics["baselines"].get("mean_color", {})
    both = [key for key in TITLES if generated.get(key) is not None and colors.get(key) is not None]
    return [title_of_score(key) for key in both if shortfall(key, colors[key]) < shortfall(key, generated[key])]


def _input(dataset: Dataset, encoding: str) -> str:
    """Return the generator's input in words."""
    if dataset.classes is None:
        drawn = {"grey": "a grey photo", "edges": "a drawing of edges", "reduced": "a small photo"}
        return drawn.get(dataset.input_from, "a picture in colours")
    shown = "each in its colour" if encoding == "color" else "a channel each"
    return f"a map of {len(dataset.classes.entries)} classes, {shown}"
