"""The usefulness of photos for people: a row for each control, and the result in a sentence."""

from collections.abc import Callable, Mapping
from typing import Any

from pix2street.reporting.scores import formatted

CONTROLS = {
    "real": "real photos",
    "generated": "generated photos",
    "real_and_generated": "real and generated photos in turns",
    "mean_color": "mean colours",
    "untrained": "photos by the generator before training",
    "shuffled": "real photos with the drawings of other pairs",
}
"""Photos that a judge was trained on, as people read them."""


def control_rows(metrics: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return a row for each control: `name`, `mean_iou` and `share` with their intervals, and a bar's `width`.

    The width is a share in CSS, of the highest mean IoU. There are no rows where usefulness was not measured.
    """
    scores = metrics.get("usefulness", {})
    most = max((score["mean_iou"] or 0 for score in scores.values()), default=0)
    return [
        {
            "name": CONTROLS.get(name, name),
            "mean_iou": formatted(score["mean_iou"]),
            "within": _range(score["mean_iou_interval"], formatted),
            "share": _percent(score["share_of_real"]),
            "share_within": _range(score["share_of_real_interval"], _percent),
            "width": f"{(score['mean_iou'] or 0) / most:.1%}" if most else "0%",
        }
        for name, score in scores.items()
    ]


def usefulness_in_words(metrics: Mapping[str, Any]) -> str:
    """Return what a judge learns from the generated photos in a sentence; empty where usefulness was not measured."""
    scores = metrics.get("usefulness", {})
    if "generated" not in scores:
        return ""
    shares = {name: _percent(score["share_of_real"]) for name, score in scores.items()}
    return (
        "A judge that was trained on the generated photos of train sees real photos with mean IoU "
        f"{formatted(scores['generated']['mean_iou'])}, {shares['generated']} of what one trained on real photos sees; "
        f"trained on both it reaches {shares['real_and_generated']}, and one that knows only where things usually are "
        f"reaches {shares['shuffled']}."
    )


def _range(interval: Mapping[str, float] | None, shown: Callable[[float], str]) -> str:
    return f"{shown(interval['low'])}–{shown(interval['high'])}" if interval else ""


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{share:.0%}"
