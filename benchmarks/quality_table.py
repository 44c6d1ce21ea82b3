"""The scores of a trial against time: means and spreads over seeds, a table, and a figure."""

import io
import math
import statistics
from collections.abc import Mapping, Sequence
from fnmatch import fnmatch
from itertools import combinations
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from quality_trial import set_name, training_name
from scipy import stats

from pix2street.reporting.figures import CURVE_COLORS, STYLE
from pix2street.reporting.scores import title_of_score

SHOWN = (
    "of_ceiling.mean_iou", "mean_iou", "frechet_segmenter", "mmd_segmenter", "swd*", "l1", "ssim", "*_spread",
    "diversity",
)  # fmt: skip
"""The scores of the table and the figure, those that there are; the JSON holds all."""
HIDDEN = ("*_interval*", "*_std", "images", "*_pixels")
"""The numbers that are left out of the JSON, too."""
COLORS = (*CURVE_COLORS, "#db2777", "#0891b2", "#65a30d", "#92400e")
COLUMNS = 3


def numbers_of(scores: Mapping[str, Any], prefix: str = "") -> dict[str, float]:
    """Return all finite numbers of nested scores by their dotted names, without intervals and counts.

    The numbers of a list, such as those of several judges, are named by their places: `mean_iou_judges.0`.
    """
    found = {}
    for key, value in scores.items():
        name = f"{prefix}{key}"
        if isinstance(value, list):
            found |= numbers_of(dict(enumerate(value)), f"{name}.")
        elif isinstance(value, Mapping):
            found |= numbers_of(value, f"{name}.")
        elif isinstance(value, int | float) and math.isfinite(value):
            found[name] = float(f"{value:.5g}")
    return {name: value for name, value in found.items() if not any(fnmatch(name, hidden) for hidden in HIDDEN)}


def summaries(records: Sequence[Mapping], metrics: Mapping[str, Any]) -> dict[str, Any]:
    """Return the ceiling, the mean colours, and for each row its trainings and the summary of every moment.

    Args:
        metrics: what `quality_scores.score` returns for these records.
    """
    sets, rows = metrics["baselines"], {}
    for record in records:
        row = rows.setdefault(record["row"], {"trainings": []})
        training = training_name(record["row"], record["seed"])
        points = [
            {**point, "scores": numbers_of(sets[set_name(training, point["share"])])} for point in record["points"]
        ]
        row["trainings"].append({"seed": record["seed"], "part_steps": record["part_steps"], "points": points})
    clock = records[0]["job"]["clock"]
    for row in rows.values():
        points = [point for training in row["trainings"] for point in training["points"]]
        row["points"] = [
            _summary([point for point in points if point["share"] == share], clock)
            for share in sorted({point["share"] for point in points})
        ]
    return {
        "ceiling": numbers_of(metrics.get("ceiling", {})),
        "mean_color": numbers_of(sets.get("mean_color", {})),
        "rows": rows,
    }


def _summary(points: Sequence[Mapping], clock: str) -> dict[str, Any]:
    """Return the means over the seeds of one moment, and the spread of every score."""
    names = [name for name in points[0]["scores"] if all(name in point["scores"] for point in points)]
    scores = {name: [point["scores"][name] for point in points] for name in names}
    return {
        "share": points[0]["share"],
        "seconds": round(statistics.mean(point[clock] for point in points), 1),
        **({"steps": round(statistics.mean(point["steps"] for point in points))} if "steps" in points[0] else {}),
        "scores": {
            name: {
                "mean": float(f"{statistics.mean(values):.5g}"),
                "std": float(f"{statistics.stdev(values):.3g}") if len(values) > 1 else None,
                "least": min(values),
                "most": max(values),
            }
            for name, values in scores.items()
        },
    }


def shown_scores(found: Mapping[str, Any]) -> list[str]:
    """Return the names of the scores to show, in the order of `SHOWN`."""
    first = next(iter(found["rows"].values()))["points"][0]["scores"]
    return list(dict.fromkeys(name for pattern in SHOWN for name in first if fnmatch(name, pattern)))


def as_table(found: Mapping[str, Any]) -> str:
    """Return a table in Markdown: mean and, behind it, standard deviation over the seeds; first the controls."""
    names = shown_scores(found)
    unit = {"cpu": "CPU-s", "wall": "s"}[found["setting"]["clock"]]
    lines = [f"| row | {unit} | steps | seeds | {' | '.join(names)} |", f"|---|{'---:|' * (3 + len(names))}"]
    for control in ("ceiling", "mean_color"):
        if scores := found[control]:
            cells = (f"{scores[name]:.3g}" if name in scores else "" for name in names)
            lines.append(f"| {title_of_set(control)} | | | | {' | '.join(cells)} |")
    for name, row in found["rows"].items():
        for point in row["points"]:
            scores = (point["scores"].get(score) for score in names)
            head = [name, f"{point['seconds']:.4g}", str(point.get("steps", "")), str(len(row["trainings"]))]
            lines.append(f"| {' | '.join([*head, *map(_cell, scores)])} |")
    return "\n".join(lines)


def agreement(found: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """Return, by score, whether the judges of a jury agree on the photos of all trainings and moments.

    `rank` is Spearman's correlation of two judges' orders, the mean over pairs of judges; `least` is that of the pair
    that agrees least. `apart` is the mean deviation of the judges' values, divided by the deviation of the photos' own.
    Without several judges, or with fewer than three sets of photos, nothing is returned.
    """
    trainings = [training for row in found["rows"].values() for training in row["trainings"]]
    sets = [point["scores"] for training in trainings for point in training["points"]]
    judged = sorted({name.rpartition(".")[0] for name in sets[0] if "_judges." in name})
    found_in = {name: [key for key in sets[0] if key.startswith(f"{name}.")] for name in judged}
    agreements = {}
    for name, keys in found_in.items() if len(sets) > 2 else ():
        values = np.array([[of_set[key] for key in keys] for of_set in sets])
        ranks = [stats.spearmanr(*values[:, pair].T).statistic for pair in combinations(range(len(keys)), 2)]
        apart = values.std(axis=1, ddof=1).mean() / max(values.mean(axis=1).std(ddof=1), 1e-12)
        agreements[name.removesuffix("_judges")] = {
            "rank": float(np.mean(ranks)), "least": float(min(ranks)), "apart": float(apart)
        }  # fmt: skip
    return agreements


def as_agreement_table(agreements: Mapping[str, Mapping[str, float]]) -> str:
    """Return the agreement of the judges as a table in Markdown; the scores on which they agree best come first."""
    lines = ["| score | rank agreement | of the worst pair | judges apart |", "|---|---:|---:|---:|"]
    for name, values in sorted(agreements.items(), key=lambda item: -item[1]["rank"]):
        lines.append(f"| {name} | {values['rank']:.3f} | {values['least']:.3f} | {values['apart']:.3f} |")
    return "\n".join(lines)


def _cell(score: Mapping[str, float] | None) -> str:
    if not score:
        return ""
    return f"{score['mean']:.3g}" + (f" ± {score['std']:.1g}" if score["std"] is not None else "")


def title_of_set(control: str) -> str:
    """Return what people call a control."""
    return {"ceiling": "real photos", "mean_color": "mean colours"}[control]


def draw(found: Mapping[str, Any]) -> bytes:
    """Return an SVG with a panel for each score: a curve for each row, from least to most over the seeds."""
    names = shown_scores(found)
    columns = min(COLUMNS, len(names))
    lines = -(-len(names) // columns)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(3.6 * columns, 2.7 * lines + 0.5), layout="constrained")
        panels = figure.subplots(lines, columns, squeeze=False).ravel()
        for axes, name in zip(panels, names, strict=False):
            _draw_panel(axes, name, found)
        for axes in panels[len(names) :]:
            axes.set_visible(False)
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=min(4, len(labels)), fontsize=8)
        picture = io.BytesIO()
        figure.savefig(picture, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    return picture.getvalue()


def _draw_panel(axes: Any, name: str, found: Mapping[str, Any]) -> None:
    """Draw one score of all rows, with dashed lines at the controls."""
    for color, (row_name, row) in zip(COLORS * len(found["rows"]), found["rows"].items(), strict=False):
        points = [point for point in row["points"] if name in point["scores"]]
        seconds = [point["seconds"] for point in points]
        values, least, most = ([point["scores"][name][key] for point in points] for key in ("mean", "least", "most"))
        axes.plot(seconds, values, color=color, marker=".", label=row_name)
        axes.fill_between(seconds, least, most, color=color, alpha=0.15, linewidth=0)
    for control, style in {"ceiling": "--", "mean_color": ":"}.items():
        value = 1.0 if (control, name[:11]) == ("ceiling", "of_ceiling.") else found[control].get(name)
        if found[control] and value is not None:
            axes.axhline(value, color="#475569", linestyle=style, linewidth=1.2, label=title_of_set(control))
    title = title_of_score(name.removeprefix("of_ceiling."))
    axes.set_title(f"{title}, share of the ceiling" if name.startswith("of_ceiling.") else title, fontsize=9)
    axes.set_xlim(left=0)
    axes.set_xlabel({"cpu": "CPU-seconds of training", "wall": "seconds of training"}[found["setting"]["clock"]])
