"""Figures as SVG text: equal input gives equal bytes."""

import io
import math

import matplotlib as mpl
import pandas as pd
from matplotlib.figure import Figure

from pix2street.reporting.scores import title_of
from pix2street.reporting.training_verdict import FAULT_LIMITS

COLORS = {"generated": "#c2410c", "ceiling": "#0f766e", "mean_color": "#64748b", "untrained": "#a1a1aa"}
STYLE = {
    "svg.hashsalt": "pix2street",  # ids within the file would be random
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


def losses(history: pd.DataFrame, disc_loss_weight: float) -> str:
    """The single GAN terms against ln 2, the discriminator's total against its own reference, and L1."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(10, 3), layout="constrained")
        terms, total, l1 = figure.subplots(1, 3)
        for name, color in {"gen_gan": "#c2410c", "disc_real": "#0f766e", "disc_generated": "#2563eb"}.items():
            terms.plot(history["epoch"], history[name], color=color, label=name, marker=".")
        terms.axhline(math.log(2), color="#94a3b8", linestyle="--", linewidth=1, label="ln 2")
        terms.set_title("single GAN terms")
        terms.legend(fontsize=8)
        reference = 2 * math.log(2) * disc_loss_weight
        total.plot(history["epoch"], history["disc_total"], color="#2563eb", marker=".", label="disc_total")
        label = "2 ln 2" if disc_loss_weight == 1 else f"2 ln 2 x {disc_loss_weight:g}"
        total.axhline(reference, color="#94a3b8", linestyle="--", linewidth=1, label=label)
        total.set_title("the discriminator's sum")
        total.legend(fontsize=8)
        l1.plot(history["epoch"], history["gen_l1"], color="#c2410c", marker=".", label="in training")
        if "holdout_l1" in history:
            l1.plot(history["epoch"], history["holdout_l1"], color="#0f766e", marker=".", label="pairs kept apart")
        l1.set_title("L1, 0 to 2")
        l1.legend(fontsize=8)
        for axes in (terms, total, l1):
            axes.set_ylim(0, 1.08 * axes.get_ylim()[1])
            axes.set_xlabel("epoch")
            axes.xaxis.get_major_locator().set_params(integer=True)
        return _svg(figure)


def diagnostics(history: pd.DataFrame) -> str:
    """What `training/diagnostics.py` measures after every epoch: four panels, each beside what a fault would be."""
    panels = {
        "patches told right": {"disc_real_accuracy": "real", "disc_generated_accuracy": "generated"},
        "photos differ, as real ones do: 1": {"diversity": "diversity", "sensitivity": "sensitivity"},
        "saturated pixels, less real ones": {"saturated_share": None},
        "checkerboard, dB above real": {"checkerboard": None},
    }
    colors = ("#0f766e", "#c2410c")
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(10, 2.6), layout="constrained")
        for axes, (title, lines) in zip(figure.subplots(1, len(panels)), panels.items(), strict=True):
            for color, (column, label) in zip(colors, lines.items(), strict=False):
                axes.plot(history["epoch"], history[column], color=color, marker=".", label=label)
                if column in FAULT_LIMITS:
                    axes.axhline(FAULT_LIMITS[column], color="#94a3b8", linestyle="--", linewidth=1)
            if len(lines) > 1:
                axes.set_ylim(0, max(1.05, 1.05 * axes.get_ylim()[1]))
                axes.legend(fontsize=8)
            axes.set_title(title, fontsize=9)
            axes.set_xlabel("epoch")
            axes.xaxis.get_major_locator().set_params(integer=True)
        return _svg(figure)


def class_iou(table: pd.DataFrame) -> str:
    """IoU by class: a bar for the generated photos, a mark each for the ceiling and the baselines."""
    table = table.dropna(subset=["ceiling"]).sort_values("ceiling", kind="stable")
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(10, 0.6 + 0.27 * len(table)), layout="constrained")
        axes = figure.subplots()
        places = range(len(table))
        axes.barh(places, table["generated"].fillna(0), color=COLORS["generated"], height=0.55, label="generated")
        for name, mark in {"ceiling": "|", "mean_color": "o", "untrained": "x"}.items():
            if name in table:
                axes.scatter(table[name], places, marker=mark, s=90 if mark == "|" else 22, color=COLORS[name],
                             linewidths=2 if mark == "|" else 1.2, label=title_of(name), zorder=3)  # fmt: skip
        axes.set_yticks(places, table["class"])
        axes.set_xlim(0, 1)
        axes.set_xlabel("intersection over union")
        axes.legend(loc="lower right", fontsize=9)
        return _svg(figure)


def intervals(scores: dict[str, dict]) -> str:
    """Scores that have one with their 95 % intervals as error bars, a panel a score; sets of photos side by side."""
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
            there = having[key]
            for place, (name, score) in enumerate(there.items()):
                low, high = (score[f"{key}_interval"][end] for end in ("low", "high"))
                value, color = score[key], COLORS.get(name, "#64748b")
                # A mean over resamples need not lie within its own quantiles.
                reach = [[max(0, value - low)], [max(0, high - value)]]
                axes.bar(place, value, color=color, alpha=0.75, width=0.6)
                axes.errorbar(place, value, yerr=reach, color="#64748b", capsize=5, linewidth=1.4)
            axes.set_xticks(range(len(there)), [title_of(name) for name in there], fontsize=8, rotation=15)
            axes.set_title(title)
        return _svg(figure)


def confusion(table: pd.DataFrame, photos: str) -> str:
    """What each true class is judged to be in a set of photos, as shares of its pixels; classes without truth left out.

    Args:
        table: `truth`, `judged` and pixels in a column a set of photos.
        photos: the set, a column of `table`.
    """
    pixels = table.pivot_table(index="truth", columns="judged", values=photos, sort=False).drop(index="void")
    pixels = pixels.loc[pixels.sum(axis=1) > 0, (pixels.sum(axis=0) > 0) | (pixels.columns != "void")]
    shares = pixels.div(pixels.sum(axis=1), axis=0)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(5, 0.9 + 0.2 * len(shares)), layout="constrained")
        axes = figure.subplots()
        mesh = axes.pcolormesh(shares.to_numpy(), cmap="Oranges", vmin=0, vmax=1, edgecolors="#e7e5e4", linewidth=0.4)
        axes.set_yticks([place + 0.5 for place in range(len(shares))], shares.index, fontsize=7)
        axes.set_xticks([place + 0.5 for place in range(shares.shape[1])], shares.columns, fontsize=7, rotation=90)
        axes.invert_yaxis()
        axes.set_title(photos)
        figure.colorbar(mesh, ax=axes, shrink=0.6)
        return _svg(figure)


def _svg(figure: Figure) -> str:
    text = io.StringIO()
    figure.savefig(text, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    svg = text.getvalue()
    return svg[svg.index("<svg") :]
