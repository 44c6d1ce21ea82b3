"""The saved view of MLflow's page of runs that compares scores, losses and pictures.

The page keeps its saved views in tags of the experiment: JSON with a name and the page's deflated state.
"""

import base64
import json
import zlib
from collections.abc import Sequence
from typing import Any

VIEW = "comparison"
TAG = f"mlflow.sharedViewState.{VIEW}"
QUERY = f"?viewStateShareKey={VIEW}&compareRunsMode=CHART"
"""The query that opens the view, after the address of an experiment's runs."""

SCORES = ("mean_iou", "of_ceiling/mean_iou", "l1", "mmd_segmenter")
FIDS = ("fid_tf_val500", "fid_clean_val500")
"""Scores over Cityscapes' 500 validation photos. The page hides the chart of a score that no run has."""
FIRST_SHEET = 2
"""The first epoch that the default configuration draws, which is the slider's first position."""


def view_tag(curves: Sequence[str], parameters: Sequence[str]) -> str:
    """Return the value of `TAG`.

    Args:
        curves: columns of the training's history, such as a loss; each has a chart over the epochs.
        parameters: dotted keys of `params.yaml`; each is a column of the view's table.
    """
    state = _packed(_state(curves, parameters))
    return json.dumps({"name": "Comparison", "createdAt": 0, "updatedAt": 0, "state": state})


def may_replace(tag: str | None) -> bool:
    """Return whether the present value of `TAG` is missing or one of `view_tag`; a view that a user saved stays.

    MLflow's page writes the time of saving into a view, and `view_tag` writes 0.
    """
    if tag is None:
        return True
    try:
        return json.loads(tag)["updatedAt"] == 0
    except (ValueError, KeyError, TypeError):
        return False


def _state(curves: Sequence[str], parameters: Sequence[str]) -> dict[str, Any]:
    columns = [f"params.`{name}`" for name in parameters] + [f"metrics.`generated/{name}`" for name in SCORES]
    bars = [_chart("BAR", "scores", f"generated/{name}") for name in SCORES + FIDS]
    lines = [_chart("LINE", "curves", f"train/{name}") for name in curves]
    image = {
        **_card("IMAGE", "samples", "samples"),
        "imageKeys": ["samples"],
        "step": FIRST_SHEET,
        "showRunParams": False,
    }
    sections = [
        _section("scores", "Scores of the held-out photos", 4, 300),
        _section("samples", "Contact sheets: input, target, generated, and the target's way back", 1, 640),
        _section("curves", "Epoch by epoch", 2, 300),
    ]
    return {
        "searchFilter": "",
        "orderByKey": "attributes.start_time",
        "orderByAsc": False,
        "startTime": "ALL",
        "lifecycleFilter": "Active",
        "datasetsFilter": [],
        "modelVersionFilter": "All Runs",
        "selectedColumns": columns,
        "runsHiddenMode": "FIRST_10_RUNS",
        "hideEmptyCharts": True,
        "isAccordionReordered": True,  # else the page sorts the sections by name, among those of all other metrics
        "compareRunCharts": [*bars, image, *lines],
        "compareRunSections": sections,
    }


def _section(key: str, name: str, columns: int, height_px: int) -> dict[str, Any]:
    shown = {"display": True, "columns": columns, "cardHeight": height_px}
    return {"uuid": key, "name": name, **shown, "isReordered": False, "deleted": False, "isGenerated": False}


def _card(kind: str, section: str, name: str) -> dict[str, Any]:
    card = {"uuid": f"{kind}-{name}", "type": kind, "runsCountToCompare": 10, "metricSectionId": section}
    return {**card, "deleted": False, "isGenerated": False}


def _chart(kind: str, section: str, metric: str) -> dict[str, Any]:
    card = {**_card(kind, section, metric), "metricKey": metric}
    if kind == "BAR":
        return card
    axes = {"xAxisKey": "step", "xAxisScaleType": "linear", "scaleType": "linear", "yAxisKey": "metric"}
    return {**card, **axes, "lineSmoothness": 0, "selectedMetricKeys": [metric], "yAxisExpressions": [], "range": {}}


def _packed(state: dict[str, Any]) -> str:
    return f"deflate;{base64.b64encode(zlib.compress(json.dumps(state).encode())).decode()}"
