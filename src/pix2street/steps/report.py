"""Report: a page for people, and a summary for a pull request."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from pix2street.core.images import data_uri
from pix2street.core.protocol import has_exact_targets, has_inputs
from pix2street.reporting import figures
from pix2street.reporting.curves import panels_of
from pix2street.reporting.domains import domain_columns, domain_rows
from pix2street.reporting.evidence import Evidence
from pix2street.reporting.examples import Example
from pix2street.reporting.frames import horizon_columns, horizon_rows
from pix2street.reporting.photos_verdict import SETS, not_judged_of
from pix2street.reporting.published import published_rows
from pix2street.reporting.scores import formatted, title_of, title_of_score
from pix2street.reporting.templates import fill
from pix2street.reporting.usefulness import control_rows

ENCODINGS = {"color": "colours", "onehot": "one-hot classes"}
CURVES_IN_A_ROW = (4, 3)
"""The possible numbers of curves in a row of the page; the one that fills the last row better is used."""

WIDEST_PHOTO_PX = 396
"""The width of a column of photos on the widest page; photos that fit twice are enlarged by whole numbers."""


def render_report(evidence: Evidence) -> tuple[str, str]:
    """Return the page as HTML and the summary as Markdown; equal values give equal text."""
    shared = evidence.shared() | {"headline": _headline(evidence.metrics)}
    metrics, params = evidence.metrics, evidence.params
    page = fill(
        "page.html.jinja",
        **shared,
        **_figures(evidence),
        encoding=ENCODINGS[params["train"]["data"]["encoding"]],
        protocol=pd.json_normalize(metrics.get("protocol", {}), sep=".").to_dict("records"),
        controls=control_rows(metrics),
        examples=_embedded(evidence.examples),
        enlarged=2 * params["split"]["width_px"] <= WIDEST_PHOTO_PX,
        styles=_embedded(evidence.styles),
        grids={name: data_uri(png, "png") for name, png in evidence.grids.items()},
        domain_examples=_embedded(evidence.domains),
        domain_titles=[title_of_score(key) for key in domain_columns(metrics)],
        domain_rows=domain_rows(metrics),
        videos=[
            replace(
                example,
                images={
                    "frames": data_uri(example.images["frames"], "png"),
                    "film": data_uri(example.images["film"], "webp"),
                },
            )
            for example in evidence.videos
        ],
        horizon_titles=[title_of_score(key) for key in horizon_columns(metrics)],
        horizon_rows=horizon_rows(metrics),
        extremes={title: _embedded(some) for title, some in evidence.extremes.items() if some},
        sheets=[(epoch, data_uri(evidence.sheets[epoch], "png")) for epoch in sorted(evidence.sheets, reverse=True)],
        iou_columns=[title_of(name) for name in evidence.class_iou.columns],
        iou_rows=[[row[0], *map(formatted, row[1:])] for row in evidence.class_iou.itertuples(index=False)],
        several_judges=any(len(values) > 1 for key, values in metrics["generated"].items() if key.endswith("_judges")),
        names_not_judged=[*not_judged_of(metrics)],
        published=[
            {**row, **{key: formatted(row[key]) for key in ("pixel_accuracy", "class_accuracy", "mean_iou", "fid")}}
            for row in published_rows(metrics, evidence.dataset.classes)
        ],
        parameters={
            section: pd.json_normalize(values, sep=".").to_dict("records")[0] for section, values in params.items()
        },
    )
    return page, fill("summary.md.jinja", **shared)


def _figures(evidence: Evidence) -> dict[str, Any]:
    """Return every figure of the page as SVG, by its name in the template."""
    photos = [name for name in ("generated", "ceiling") if name in evidence.metrics]
    class_iou, confusion = evidence.class_iou, evidence.confusion
    panels = panels_of(evidence.family.TERMS, evidence.history, evidence.settings)
    columns = min(CURVES_IN_A_ROW, key=lambda columns: -len(panels) % columns)
    return {
        "curve_columns": columns,
        "curve_svgs": figures.curves(evidence.history, panels, evidence.settings, columns),
        "intervals_svg": figures.intervals(evidence.scores),
        "class_iou_svg": "" if class_iou.empty else figures.class_iou(class_iou, not_judged_of(evidence.metrics)),
        "confusion_svgs": {} if confusion.empty else {name: figures.confusion(confusion, name) for name in photos},
    }


def _embedded(examples: Sequence[Example]) -> list[Example]:
    """Return the examples with their images as data URIs."""
    return [
        replace(example, images={caption: data_uri(png, "png") for caption, png in example.images.items()})
        for example in examples
    ]


def _headline(metrics: dict[str, Any]) -> list[dict[str, str]]:
    """Return the figures at the top of the page, the most important first."""
    generated, baselines = metrics["generated"], metrics["baselines"]
    if not has_inputs(metrics):
        sets = {
            "Fréchet distance of thumbnails": generated.get("frechet_thumbnail"),
            "of training photos resampled": baselines["resampled"].get("frechet_thumbnail"),
            "of the mean photo": baselines["mean_photo"].get("frechet_thumbnail"),
            "distance to the nearest training photo; 1 is new": generated.get("nearest_train"),
        }
        return [{"value": formatted(value), "label": label} for label, value in sets.items()]
    if not has_exact_targets(metrics):
        sets = {
            "sliced Wasserstein distance": generated,
            "of the input unchanged": baselines.get("unchanged", {}),
            "before training": baselines.get("untrained", {}),
            "of two halves of the real photos": metrics.get("floor", {}),
        }
        return [{"value": formatted(score.get("swd")), "label": label} for label, score in sets.items()]
    free = "unchanged" if "unchanged" in baselines else "mean_color"
    l1 = {"value": formatted(generated.get("l1")), "label": "L1, of 0 to 2"}
    if "psnr_luma" in generated:
        return _headline_of_enlargements(generated, baselines)
    if "mean_iou" not in generated:
        return [l1, {"value": formatted(baselines.get("untrained", {}).get("l1")), "label": "L1 before training"}]
    share = generated.get("of_ceiling", {}).get("mean_iou")
    interval = generated.get("mean_iou_interval")
    within = f" (95 %: {formatted(interval['low'])}–{formatted(interval['high'])})" if interval else ""
    return [
        {"value": formatted(generated["mean_iou"]), "label": f"mean IoU of the generated photos{within}"},
        {
            "value": formatted(metrics.get("ceiling", {}).get("mean_iou")),
            "label": "mean IoU of real photos, the ceiling",
        },
        {"value": "none" if share is None else f"{share:.0%}", "label": "of the ceiling"},
        {
            "value": formatted(baselines.get(free, {}).get("mean_iou")),
            "label": f"mean IoU of {SETS[free]}",
        },
        {"value": formatted(baselines.get("untrained", {}).get("mean_iou")), "label": "mean IoU before training"},
        l1,
    ]


def _headline_of_enlargements(generated: dict[str, Any], baselines: dict[str, Any]) -> list[dict[str, str]]:
    """Return the distance of details and the PSNR of enlarged photos, each beside an earlier phase and bicubic ones."""
    others = {"learned from pixels alone": baselines.get("pixels", {}), "of bicubic": baselines["bicubic"]}
    sets = {"": generated, **{f", {name}": score for name, score in others.items()}}
    scores = {"frechet_detail": "Fréchet distance of fine details", "psnr_luma": "dB, PSNR of luma"}
    return [
        {"value": formatted(score.get(key)), "label": f"{title}{whose}"}
        for key, title in scores.items()
        for whose, score in sets.items()
        if score
    ]
