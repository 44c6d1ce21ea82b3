"""A fact of the protocol of scores that decides which scores there are."""

from collections.abc import Mapping
from typing import Any


def has_exact_targets(metrics: Mapping[str, Any]) -> bool:
    """Return whether photos were compared with their targets, by the protocol in the content of `metrics.json`.

    Only translations between domains without known scenes were not.
    """
    return metrics.get("protocol", {}).get("shared", {}).get("translation", {}).get("exact", True)
