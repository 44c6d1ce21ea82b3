"""The comparison that a user wants first, as a saved view of MLflow's page of runs: scores, losses, pictures.

The page keeps its saved views in tags of the experiment: JSON with a name and the page's state, deflated.
"""

import base64
import json
import zlib
from typing import Any

VIEW = "comparison"
TAG = f"mlflow.sharedViewState.{VIEW}"
QUERY = f"?viewStateShareKey={VIEW}&compareRunsMode=CHART"
"""What opens the view, after the address of an experiment's runs."""

SCORES = ("mean_iou", "of_ceiling/mean_iou", "l1", "frechet_segmenter")
FIDS = ("fid_tf_val500", "fid_clean_val500")
"""As Cityscapes' 500 photos have it. A chart of what no run has is not shown."""
CURVES = ("gen_l1", "holdout_l1", "disc_real_accuracy", "diversity")
FIRST_SHEET = 2
"""The first epoch that the default configuration draws: where the slider stands."""
PARAMETERS = ("download.dataset", "train.l1_weight", "train.upsample", "train.epochs", "train.seed")


def view_tag() -> str:
    """The value of `TAG`."""
    view = {"name": "Comparison", "createdAt": 0, "updatedAt": 0, "state": _packed(_state())}
    return json.dumps(view)


def _state() -> dict[str, Any]:
    columns = [f"params.`{name}`" for name in PARAMETERS] + [f"metrics.`generated/{name}`" for name in SCORES]
    bars = [_chart("BAR", "scores", f"generated/{name}") for name in SCORES + FIDS]
    lines = [_chart("LINE", "curves", f"train/{name}") for name in CURVES]
    image = {
        **_card("IMAGE", "samples", "samples"),
        "imageKeys": ["samples"],
        "step": FIRST_SHEET,
        "showRunParams": False,
    }
    sections = [
        _section("scores", "Scores of the held-out photos", 4, 300),
        _section("samples", "Contact sheets: input, target, generated", 1, 640),
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
        "isAccordionReordered": True,  # else the sections are sorted by name, among those of all other metrics
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
