"""A fact of the protocol of scores that decides which scores there are."""

from collections.abc import Mapping
from typing import Any

NO_INPUTS = "none: each photo is of a latent, and only sets of photos are compared"
"""A line that only the protocol of photos without inputs has."""


def has_exact_targets(metrics: Mapping[str, Any]) -> bool:
    """Return whether photos were compared with their targets, by the protocol in the content of `metrics.json`.

    Only photos without inputs, and translations between domains without known scenes, were not.
    """
    shared = metrics.get("protocol", {}).get("shared", {})
    return has_inputs(metrics) and shared.get("translation", {}).get("exact", True)


def has_inputs(metrics: Mapping[str, Any]) -> bool:
    """Return whether photos were made of inputs, by the protocol in the content of `metrics.json`."""
    return "inputs" not in metrics.get("protocol", {}).get("shared", {})
