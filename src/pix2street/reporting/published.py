"""Published results for Cityscapes, each with the differences between its protocol and the one at hand."""

from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from pix2street.core.classes import ClassTable, cityscapes_classes
from pix2street.core.tables import parse_table

TEXT_COLUMNS = ("method", "judge", "judged_px", "void", "source")
SCORES = ("pixel_accuracy", "class_accuracy", "mean_iou", "fid")


def published_rows(metrics: Mapping[str, Any], classes: ClassTable | None) -> list[dict[str, Any]]:
    """Return each result's method, scores and source, and how its protocol `differs` from that of `metrics`.

    The list is empty for data whose evaluated classes are not Cityscapes'. Accuracies and IoU are from 0 to 1.
    """
    if classes is None or classes.evaluated_names != cityscapes_classes().evaluated_names:
        return []
    text = files("pix2street.reporting").joinpath("published.csv").read_text(encoding="utf-8")
    table = parse_table(text, TEXT_COLUMNS, "published.csv")
    protocol = metrics.get("protocol", {})
    shared, judge = protocol.get("shared", {}), protocol.get("segmentation", {}).get("judge", {})
    ours = {
        "data": f"{shared.get('dataset', 'unknown')} {shared.get('split', '')}, {metrics['pairs']} photos",
        "judge": judge.get("name", "none"),
        "judged at": f"{judge['height_px']}x{judge['width_px']}" if judge else "none",
        "void": "left out",
    }
    rows = []
    for row in table.astype(object).where(table.notna(), None).to_dict("records"):
        theirs = {
            "data": "cityscapes val, 500 photos",
            "judge": row["judge"],
            "judged at": row["judged_px"],
            "void": row["void"],
        }
        differs = [f"{what} {theirs[what]} (here {ours[what]})" for what in ours if theirs[what] != ours[what]]
        if "photos" in shared:
            differs.append("photos in colour (here grey)")
        if row["fid"] is not None:
            differs.append("FID by PyTorch's port of the network and PIL's resizing")
        rows.append({**{key: row[key] for key in ("method", *SCORES, "source")}, "differs": differs})
    return rows
