"""The model card: what a generator is for, what it was trained on, how good it is and what nobody has measured.

Sections as Mitchell et al. have them ("Model cards for model reporting", 2019, section 4).
"""

from collections.abc import Mapping
from typing import Any

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined

from pix2street.core.pairs import Dataset
from pix2street.reporting.scores import fid_warning, formatted, grey_note, score_rows, title_of, title_of_score
from pix2street.reporting.training_verdict import verdict as verdict_on

# Which way a score is good: 1 where more is better.
SIGNS = {"mean_iou": 1, "pixel_accuracy": 1, "l1": -1, "psnr": 1, "ssim": 1, "frechet_segmenter": -1}


def as_model_card(
    *,
    params: Mapping[str, Any],
    dataset: Dataset,
    verdict: Mapping[str, Any],
    history: pd.DataFrame,
    metrics: Mapping[str, Any],
    class_iou: pd.DataFrame,
    versions: Mapping[str, str],
) -> str:
    """Markdown with a head for model hubs; equal values give equal text.

    Args:
        params: all of `params.yaml`.
        class_iou: a row a class, a column a set of photos; empty for a set without classes.
    """
    scores = {name: metrics[name] for name in ("generated", "ceiling") if name in metrics} | metrics["baselines"]
    checks, failed = verdict["checks"], [name for names in verdict["waived"].values() for name in names]
    environment = Environment(
        loader=PackageLoader("pix2street", "reporting"), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.get_template("model_card.md.jinja").render(
        dataset=dataset,
        summary=_summary(metrics),
        train=params["train"],
        generate=params["generate"],
        size=params["split"],
        input=_input(dataset, params["train"]["data"]["encoding"]),
        grey_note=grey_note(dataset),
        versions=versions,
        pairs=verdict["pairs"],
        validation=f"{len(checks)} checks looked at {verdict['files']['checked']} files before the training"
        f"{'; let pass all the same: ' + ', '.join(failed) if failed else ', and all passed'}.",
        metrics=metrics,
        judge=metrics.get("protocol", {}).get("segmentation", {}).get("judge"),
        intervals=metrics.get("protocol", {}).get("intervals", ""),
        scores=score_rows(scores, metrics.get("floor", {})),
        scored=[*map(title_of, scores), *(["floor"] if metrics.get("floor") else [])],
        drawn=dataset.name == "synthetic_streets",
        beaten=_where_mean_colors_are_ahead(metrics),
        fid_warning=fid_warning(metrics),
        fid=params["evaluate"]["fid"],
        columns=[title_of(name) for name in class_iou.columns[1:]],
        # A bar would end its cell.
        classes=[
            [str(row[0]).replace("|", "\\|"), *map(formatted, row[1:])] for row in class_iou.itertuples(index=False)
        ],
        absent=metrics["generated"].get("absent_classes", []),
        game=verdict_on(history.iloc[-1]),
    )


def _summary(metrics: Mapping[str, Any]) -> str:
    generated = metrics["generated"]
    if "mean_iou" not in generated:
        return f"L1 to the real photos: {formatted(generated.get('l1'))} of 2."
    share = generated.get("of_ceiling", {}).get("mean_iou")
    of_ceiling = f", {share:.0%} of what the judge sees in real photos" if share is not None else ""
    return f"Mean IoU {formatted(generated['mean_iou'])}{of_ceiling}; L1 {formatted(generated.get('l1'))} of 2."


def _where_mean_colors_are_ahead(metrics: Mapping[str, Any]) -> list[str]:
    generated, colors = metrics["generated"], metrics["baselines"].get("mean_color", {})
    both = [key for key in SIGNS if generated.get(key) is not None and colors.get(key) is not None]
    return [title_of_score(key) for key in both if SIGNS[key] * (colors[key] - generated[key]) > 0]


def _input(dataset: Dataset, encoding: str) -> str:
    if dataset.classes is None:
        return {"grey": "a grey photo", "edges": "a drawing of edges"}.get(dataset.input_from, "a picture in colours")
    shown = "each in its colour" if encoding == "color" else "a channel each"
    return f"a map of {len(dataset.classes.entries)} classes, {shown}"
