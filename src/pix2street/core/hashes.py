"""Hashes of nested values: equal values have equal hashes, in every process and on every machine."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any


def hash_of(values: Mapping[str, Any]) -> str:
    """Return the SHA-256 of the values as JSON with sorted keys, as 64 hexadecimal digits."""
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def protocol_hash(metrics: Mapping[str, Any]) -> str:
    """Return 12 digits that are equal for evaluations with the same protocol.

    Args:
        metrics: the content of `metrics.json`.
    """
    return hash_of(metrics.get("protocol", {}))[:12]
