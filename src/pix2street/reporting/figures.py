"""Figures as SVG text: equal input gives equal bytes."""

import io
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import matplotlib as mpl
import pandas as pd
from matplotlib.figure import Figure

from pix2street.models.interface import Term
from pix2street.reporting.curves import Panels, references_of
from pix2street.reporting.scores import title_of

COLORS = {"generated": "#c2410c", "ceiling": "#0f766e", "mean_color": "#64748b", "untrained": "#a1a1aa"}
NOT_JUDGED = "#a1a1aa"
"""The colour of the names of classes that count in no mean."""
CURVE_COLORS = ("#c2410c", "#0f766e", "#2563eb", "#7c3aed", "#ca8a04")
"""Colours of a panel's curves, in order."""
STYLE = {
    "svg.hashsalt": "pix2street",  # otherwise the ids in the file would be random
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#94a3b8",
    "axes.labelcolor": "#64748b",
    "xtick.color": "#64748b",
    "ytick.color": "#64748b",
    "text.color": "#64748b",
    "axes.titlecolor": "#64748b",
    "axes.titlesize": 10,
    "legend.frameon": False,
}


def curves(history: pd.DataFrame, panels: Panels, settings: Mapping[str, Any], columns: int) -> dict[str, str]:
    """Return a figure by title for every panel: a curve for each term, and a dashed line at each reference value.

    Args:
        settings: the settings of the family.
        columns: the number of figures in a row of the page; it does not change the size of letters and lines.
    """
    return {
        title: _panel(history, title, terms, references_of(terms, settings), 10 / columns)
        for title, terms in panels.items()
    }


def _panel(
    history: pd.DataFrame, title: str, terms: Sequence[Term], references: Mapping[float, str], width_in: float
) -> str:
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(width_in, 2.6), layout="constrained")
        axes = figure.subplots()
        for index, term in enumerate(terms):
            color = CURVE_COLORS[index % len(CURVE_COLORS)]
            axes.plot(history["epoch"], history[term.name], color=color, marker=".", label=term.name)
        for value, label in references.items():
            if label:
                axes.axhline(value, color="#94a3b8", linestyle="--", linewidth=1, label=label)
        bottom, top = axes.get_ylim()
        axes.set_ylim(min(0, bottom, *references), 1.08 * max(0, top, *references))
        axes.set_title(title, fontsize=9)
        axes.set_xlabel("epoch")
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.legend(fontsize=8)
        return _svg(figure)


def class_iou(table: pd.DataFrame, not_judged: Collection[str] = ()) -> str:
    """Return IoU by class: a bar for the generated photos, and marks for the ceiling and the baselines.

    Args:
        not_judged: names of classes that count in no mean; they are written in light grey with a note.
    """
    table = table.dropna(subset=["ceiling"]).sort_values("ceiling", kind="stable")
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(10, 0.6 + 0.27 * len(table)), layout="constrained")
        axes = figure.subplots()
        positions = range(len(table))
        axes.barh(positions, table["generated"].fillna(0), color=COLORS["generated"], height=0.55, label="generated")
        for name, mark in {"ceiling": "|", "mean_color": "o", "untrained": "x"}.items():
            if name in table:
                axes.scatter(table[name], positions, marker=mark, s=90 if mark == "|" else 22, color=COLORS[name],
                             linewidths=2 if mark == "|" else 1.2, label=title_of(name), zorder=3)  # fmt: skip
        notes = [" (not judged)" if name in not_judged else "" for name in table["class"]]
        axes.set_yticks(positions, table["class"] + notes)
        for label, note in zip(axes.get_yticklabels(), notes, strict=True):
            if note:
                label.set(color=NOT_JUDGED, style="italic")
        axes.set_xlim(0, 1)
        axes.set_xlabel("intersection over union")
        axes.legend(loc="lower right", fontsize=9)
        return _svg(figure)


def intervals(scores: dict[str, dict]) -> str:
    """Return the scores with 95 % intervals as error bars: a panel for each score, a bar for each set of photos.

    The text is empty if no score has an interval.
    """
    titles = {"mean_iou": "mean IoU", "pixel_accuracy": "per-pixel accuracy", "l1": "L1, less is better"}
    having = {
        key: {name: score for name, score in scores.items() if score.get(f"{key}_interval") and key in score}
        for key in titles
    }
    shown = {key: title for key, title in titles.items() if having[key]}
    if not shown:
        return ""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(3.3 * len(shown), 2.4), layout="constrained")
        for axes, (key, title) in zip(figure.subplots(1, len(shown), squeeze=False)[0], shown.items(), strict=True):
            sets = having[key]
            for position, (name, score) in enumerate(sets.items()):
                low, high = (score[f"{key}_interval"][end] for end in ("low", "high"))
                value, color = score[key], COLORS.get(name, "#64748b")
                # A mean over resamples need not lie within its own quantiles.
                reach = [[max(0, value - low)], [max(0, high - value)]]
                axes.bar(position, value, color=color, alpha=0.75, width=0.6)
                axes.errorbar(position, value, yerr=reach, color="#64748b", capsize=5, linewidth=1.4)
            axes.set_xticks(range(len(sets)), [title_of(name) for name in sets], fontsize=8, rotation=15)
            axes.set_title(title)
        return _svg(figure)


def confusion(table: pd.DataFrame, photos: str) -> str:
    """Return the confusion matrix of a set of photos, as shares of each true class's pixels.

    Classes that do not occur are left out.

    Args:
        table: `truth`, `judged`, and a column of pixels for each set of photos.
        photos: the set, a column of `table`.
    """
    pixels = table.pivot_table(index="truth", columns="judged", values=photos, sort=False).drop(index="void")
    pixels = pixels.loc[pixels.sum(axis=1) > 0, (pixels.sum(axis=0) > 0) | (pixels.columns != "void")]
    shares = pixels.div(pixels.sum(axis=1), axis=0)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(5, 0.9 + 0.2 * len(shares)), layout="constrained")
        axes = figure.subplots()
        mesh = axes.pcolormesh(shares.to_numpy(), cmap="Oranges", vmin=0, vmax=1, edgecolors="#e7e5e4", linewidth=0.4)
        axes.set_yticks([position + 0.5 for position in range(len(shares))], shares.index, fontsize=7)
        axes.set_xticks(
            [position + 0.5 for position in range(shares.shape[1])], shares.columns, fontsize=7, rotation=90
        )
        axes.invert_yaxis()
        axes.set_title(photos)
        figure.colorbar(mesh, ax=axes, shrink=0.6)
        return _svg(figure)


def _svg(figure: Figure) -> str:
    text = io.StringIO()
    figure.savefig(text, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    svg = text.getvalue()
    return svg[svg.index("<svg") :]
