"""Report: one page a person reads, and a summary for a pull request."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined

from pix2street.core.images import data_uri
from pix2street.core.pairs import Dataset
from pix2street.reporting import figures
from pix2street.reporting.examples import Example
from pix2street.reporting.published import published_rows
from pix2street.reporting.scores import fid_warning, formatted, grey_note, score_rows, title_of
from pix2street.reporting.training_verdict import verdict as verdict_on

ENCODINGS = {"color": "colours", "onehot": "one-hot classes"}


def render_report(
    *,
    params: dict[str, Any],
    dataset: Dataset,
    verdict: dict[str, Any],
    history: pd.DataFrame,
    sheets: dict[int, bytes],
    metrics: dict[str, Any],
    class_iou: pd.DataFrame,
    confusion: pd.DataFrame,
    examples: Sequence[Example],
    extremes: Mapping[str, Sequence[Example]],
    versions: dict[str, str],
) -> tuple[str, str]:
    """The page as HTML and the summary as Markdown; equal values give equal text. Whatever metrics lack is left out.

    Args:
        params: all of `params.yaml`.
        sheets: contact sheets as PNG by epoch.
        class_iou: a row a class, a column a set of photos; empty for a set without classes.
        confusion: pixels by `truth` and `judged`, a column a set of photos; empty for a set without classes.
        extremes: examples under a title, e.g. `best`, `worst`.
    """
    names = [name for name in ("generated", "ceiling") if name in metrics]
    scores = {name: metrics[name] for name in names} | metrics["baselines"]
    game = verdict_on(history.iloc[-1])
    shared = {
        "headline": _headline(metrics),
        "scores": score_rows(scores, metrics.get("floor", {})),
        "scored": [*map(title_of, scores), *(["floor"] if metrics.get("floor") else [])],
        "fid_warning": fid_warning(metrics),
    }
    environment = Environment(
        loader=PackageLoader("pix2street", "reporting"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    page = environment.get_template("page.html.jinja").render(
        **shared,
        params=params,
        dataset=dataset,
        pairs=verdict["pairs"],
        grey_note=grey_note(dataset),
        encoding=ENCODINGS[params["train"]["data"]["encoding"]],
        metrics=metrics,
        judge=metrics.get("protocol", {}).get("segmentation", {}).get("judge"),
        protocol=pd.json_normalize(metrics.get("protocol", {}), sep=".").to_dict("records"),
        examples=_embedded(examples),
        extremes={title: _embedded(some) for title, some in extremes.items() if some},
        sheets=[(epoch, data_uri(sheets[epoch], "png")) for epoch in sorted(sheets, reverse=True)],
        game=game,
        losses_svg=figures.losses(history, params["train"]["pix2pix"]["disc_loss_weight"]),
        diagnostics_svg=figures.diagnostics(history),
        intervals_svg=figures.intervals(scores),
        class_iou_svg="" if class_iou.empty else figures.class_iou(class_iou),
        confusion_svgs={} if confusion.empty else {n: figures.confusion(confusion, n) for n in names},
        iou_columns=[title_of(name) for name in class_iou.columns],
        iou_rows=[[row[0], *map(formatted, row[1:])] for row in class_iou.itertuples(index=False)],
        absent=metrics["generated"].get("absent_classes", []),
        published=[
            {**row, **{key: formatted(row[key]) for key in ("pixel_accuracy", "class_accuracy", "mean_iou", "fid")}}
            for row in published_rows(metrics, dataset.classes)
        ],
        verdict=verdict,
        parameters={
            section: pd.json_normalize(values, sep=".").to_dict("records")[0] for section, values in params.items()
        },
        versions=versions,
    )
    summary = _summary(dataset, metrics, verdict, params, game, **shared)
    return page, summary


def _embedded(examples: Sequence[Example]) -> list[Example]:
    return [
        Example(e.pair_id, {caption: data_uri(png, "png") for caption, png in e.images.items()}, e.note)
        for e in examples
    ]


def _headline(metrics: dict[str, Any]) -> list[dict[str, str]]:
    generated, baselines = metrics["generated"], metrics["baselines"]
    l1 = {"value": formatted(generated.get("l1")), "label": "L1, of 0 to 2"}
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
            "value": formatted(baselines.get("mean_color", {}).get("mean_iou")),
            "label": "mean IoU of mean colours",
        },
        {"value": formatted(baselines.get("untrained", {}).get("mean_iou")), "label": "mean IoU before training"},
        l1,
    ]


def _summary(dataset, metrics, verdict, params, game, *, headline, scores, scored, fid_warning) -> str:
    lines = [
        f"## pix2street: {dataset.title}",
        "",
        f"{dataset.direction.capitalize()}: {params['train']['run']['epochs']} epochs on {verdict['pairs']['train']} "
        f"pairs at {params['split']['height_px']} × {params['split']['width_px']} px; scored on {metrics['pairs']} "
        f"pairs of `{metrics['split']}`.",
        "",
        f"**{headline[0]['value']} {headline[0]['label']}**, "
        + ", ".join(f"{figure['value']} {figure['label']}" for figure in headline[1:])
        + ".",
        "",
        f"| metric | {' | '.join(scored)} |",
        f"|---|{'---:|' * len(scored)}",
        *(f"| {row['name']} | {' | '.join(map(_in_one, row['cells']))} |" for row in scores),
        "",
        *([fid_warning, ""] if fid_warning else []),
        game,
        "",
        f"Validation {'passed' if verdict['success'] else 'failed'}: {len(verdict['checks'])} checks on "
        f"{verdict['files']['checked']} files{_waived(verdict['waived'])}.",
    ]
    if note := grey_note(dataset):
        lines += ["", note]
    if dataset.classes is None:
        lines += ["", "The data set has no classes: what needs a judge is left out."]
    return "\n".join(lines) + "\n"


def _in_one(cell: tuple[str, str]) -> str:
    value, detail = cell
    return f"{value} ({detail})" if detail else value


def _waived(waived: dict[str, list[str]]) -> str:
    names = [f"{kind} {', '.join(waived[kind])}" for kind in ("checks", "pairs") if waived[kind]]
    return f"; waived: {'; '.join(names)}" if names else ""
