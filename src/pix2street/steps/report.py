"""Report: one page a person reads, and a summary for a pull request."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined

from pix2street.gan.verdict import verdict as verdict_on
from pix2street.images import data_uri, png_bytes, read_ids, read_rgb
from pix2street.pairs import Dataset, read_pairs
from pix2street.reporting import figures

METRICS = {
    "mean_iou": ("mean IoU", "0 to 1"),
    "pixel_accuracy": ("per-pixel accuracy", "0 to 1"),
    "class_accuracy": ("class accuracy", "0 to 1"),
    "l1": ("L1", "0 to 2, less is better"),
    "frechet_segmenter": ("Fréchet distance, judge's features", "less is better"),
    "images": ("images", ""),
    "evaluated_pixels": ("evaluated pixels", ""),
    "void_pixels": ("void pixels", ""),
}
BASELINES = ("mean_color", "untrained")
ENCODINGS = {"color": "colours", "onehot": "one-hot classes"}


@dataclass(frozen=True)
class Example:
    """One held-out pair: its pictures, PNG by caption, in the order in which they are shown."""

    pair_id: str
    images: dict[str, bytes]


def read_examples(split: Path, generated: Path, baselines: Path, held_out: str, count: int) -> list[Example]:
    """`count` pairs spread evenly over a held-out split: input, target, generated and each baseline."""
    pairs = read_pairs(split, held_out)
    classes = Dataset.read(split).classes
    photos = {"generated": generated}
    photos |= {_title(name): baselines / name for name in BASELINES if (baselines / name).exists()}
    examples = []
    for index in np.unique(np.linspace(0, len(pairs) - 1, count, dtype=int)):
        pair = pairs[index]
        drawing = classes.to_colors(read_ids(pair.input_path)) if classes else read_rgb(pair.input_path)
        paths = {"target": pair.target_path}
        paths |= {caption: folder / held_out / f"{pair.pair_id}.png" for caption, folder in photos.items()}
        images = {"input": png_bytes(drawing), **{caption: path.read_bytes() for caption, path in paths.items()}}
        examples.append(Example(pair.pair_id, images))
    return examples


def render_report(
    *,
    params: dict[str, Any],
    dataset: Dataset,
    verdict: dict[str, Any],
    history: pd.DataFrame,
    sheets: dict[int, bytes],
    metrics: dict[str, Any],
    class_iou: pd.DataFrame,
    examples: Sequence[Example],
    versions: dict[str, str],
) -> tuple[str, str]:
    """The page as HTML and the summary as Markdown; equal values give equal text.

    Args:
        params: all of `params.yaml`.
        sheets: contact sheets as PNG by epoch.
        class_iou: a row a class, a column a set of photos; empty for a set without classes.
    """
    names = [name for name in ("generated", "ceiling") if name in metrics]
    scores = {name: metrics[name] for name in names} | metrics["baselines"]
    game = verdict_on(history.iloc[-1])
    shared = {
        "headline": _headline(metrics),
        "scores": _score_rows(scores),
        "scored": [_title(name) for name in scores],
    }
    environment = Environment(
        loader=PackageLoader("pix2street", "reporting"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    page = environment.get_template("page.html.jinja").render(
        **shared,
        params=params,
        dataset=dataset,
        pairs=verdict["pairs"],
        encoding=ENCODINGS[params["train"]["input_encoding"]],
        metrics=metrics,
        captions=list(examples[0].images) if examples else [],
        examples=[Example(e.pair_id, {c: data_uri(png, "png") for c, png in e.images.items()}) for e in examples],
        sheets=[(epoch, data_uri(sheets[epoch], "png")) for epoch in sorted(sheets, reverse=True)],
        game=game,
        losses_svg=figures.losses(history, params["train"]["disc_loss_weight"]),
        diagnostics_svg=figures.diagnostics(history),
        class_iou_svg="" if class_iou.empty else figures.class_iou(class_iou),
        iou_columns=[_title(name) for name in class_iou.columns],
        iou_rows=[[row[0], *map(_number, row[1:])] for row in class_iou.itertuples(index=False)],
        absent=metrics["generated"].get("absent_classes", []),
        verdict=verdict,
        parameters={
            section: pd.json_normalize(values, sep=".").to_dict("records")[0] for section, values in params.items()
        },
        versions=versions,
    )
    summary = _summary(dataset, metrics, verdict, params, game, **shared)
    return page, summary


def _headline(metrics: dict[str, Any]) -> list[dict[str, str]]:
    generated = metrics["generated"]
    l1 = {"value": _number(generated["l1"]), "label": "L1, of 0 to 2"}
    if not metrics["judge"]:
        return [l1, {"value": _number(metrics["baselines"]["untrained"]["l1"]), "label": "L1 before training"}]
    ceiling, baselines = metrics["ceiling"]["mean_iou"], metrics["baselines"]
    share = f"{generated['mean_iou'] / ceiling:.0%}" if ceiling else "none"
    return [
        {"value": _number(generated["mean_iou"]), "label": "mean IoU of the generated photos"},
        {"value": _number(ceiling), "label": "mean IoU of real photos, the ceiling"},
        {"value": share, "label": "of the ceiling"},
        {"value": _number(baselines["mean_color"]["mean_iou"]), "label": "mean IoU of mean colours"},
        {"value": _number(baselines["untrained"]["mean_iou"]), "label": "mean IoU before training"},
        l1,
    ]


def _score_rows(scores: dict[str, dict]) -> list[dict[str, Any]]:
    return [
        {"name": title, "note": note, "cells": [_number(score.get(key)) for score in scores.values()]}
        for key, (title, note) in METRICS.items()
        if any(key in score for score in scores.values())
    ]


def _summary(dataset, metrics, verdict, params, game, *, headline, scores, scored) -> str:
    lines = [
        f"## pix2street: {dataset.title}",
        "",
        f"{dataset.direction.capitalize()}: {params['train']['epochs']} epochs on {verdict['pairs']['train']} pairs at "
        f"{params['split']['height_px']} × {params['split']['width_px']} px; scored on {metrics['pairs']} pairs of "
        f"`{metrics['split']}`.",
        "",
        f"**{headline[0]['label']}: {headline[0]['value']}**, "
        + ", ".join(f"{figure['label']}: {figure['value']}" for figure in headline[1:])
        + ".",
        "",
        f"| metric | {' | '.join(scored)} |",
        f"|---|{'---:|' * len(scored)}",
        *(f"| {row['name']} | {' | '.join(row['cells'])} |" for row in scores),
        "",
        game,
        "",
        f"Validation {'passed' if verdict['success'] else 'failed'}: {len(verdict['checks'])} checks on "
        f"{verdict['files']['checked']} files{_waived(verdict['waived'])}.",
    ]
    if not metrics["judge"]:
        lines += ["", "The data set has no classes: what needs a judge is left out."]
    return "\n".join(lines) + "\n"


def _waived(waived: dict[str, list[str]]) -> str:
    names = [f"{kind} {', '.join(waived[kind])}" for kind in ("checks", "pairs") if waived[kind]]
    return f"; waived: {'; '.join(names)}" if names else ""


def _title(name: str) -> str:
    return {"mean_color": "mean colour"}.get(name, name)


def _number(value: float | None) -> str:
    """Three decimals for a score, none for a count, a dash for what is not there."""
    if value is None or value != value:
        return "–"
    return f"{value:,}" if isinstance(value, int) else f"{value:.3f}"
