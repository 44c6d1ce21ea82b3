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

SCORES = {
    "mean_iou": "mean IoU",
    "of_ceiling/mean_iou": "mean IoU, share of ceiling",
    "l1": "L1",
    "frechet_segmenter": "Fréchet, judge's features",
}
FIDS = {"fid_tf_val500": "FID (tf)", "fid_clean_val500": "FID (clean)"}
"""As Cityscapes' 500 photos have it. A chart of what no run has is not shown."""
CURVES = {
    "gen_l1": "L1 in training",
    "holdout_l1": "L1 on pairs kept apart",
    "disc_real_accuracy": "real photos recognised",
    "diversity": "diversity",
}
PARAMETERS = ("download.dataset", "train.l1_weight", "train.upsample", "train.epochs", "train.seed")


def view_tag() -> str:
    """The value of `TAG`."""
    view = {"name": "Comparison", "createdAt": 0, "updatedAt": 0, "state": _packed(_state())}
    return json.dumps(view)


def _state() -> dict[str, Any]:
    columns = [f"params.`{name}`" for name in PARAMETERS] + [f"metrics.`generated/{name}`" for name in SCORES]
    bars = [_chart("BAR", "scores", f"generated/{name}", title) for name, title in (SCORES | FIDS).items()]
    lines = [_chart("LINE", "curves", f"train/{name}", title) for name, title in CURVES.items()]
    image = {**_card("IMAGE", "samples", "samples"), "imageKeys": ["samples"], "step": 0, "showRunParams": True}
    sections = {"scores": "Scores of the held-out photos", "samples": "Contact sheets", "curves": "Epoch by epoch"}
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
        "compareRunSections": [_section(key, name) for key, name in sections.items()],
    }


def _section(key: str, name: str) -> dict[str, Any]:
    return {"uuid": key, "name": name, "display": True, "isReordered": False, "deleted": False, "isGenerated": False}


def _card(kind: str, section: str, name: str) -> dict[str, Any]:
    card = {"uuid": f"{kind}-{name}", "type": kind, "runsCountToCompare": 10, "metricSectionId": section}
    return {**card, "deleted": False, "isGenerated": False}


def _chart(kind: str, section: str, metric: str, title: str) -> dict[str, Any]:
    card = {**_card(kind, section, metric), "metricKey": metric, "displayName": title}
    if kind == "BAR":
        return card
    axes = {"xAxisKey": "step", "xAxisScaleType": "linear", "scaleType": "linear", "yAxisKey": "metric"}
    return {**card, **axes, "lineSmoothness": 0, "selectedMetricKeys": [metric], "yAxisExpressions": [], "range": {}}


def _packed(state: dict[str, Any]) -> str:
    return f"deflate;{base64.b64encode(zlib.compress(json.dumps(state).encode())).decode()}"
