"""The differences between the protocols of two evaluations, in words."""

from collections.abc import Mapping
from typing import Any

import pandas as pd


def unlike_protocols(a: Mapping[str, Any], b: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return the differences in words by part of the protocol; a part that only one run has is not compared.

    Other facts of another version follow from the version and are not listed, apart from the judges.
    """
    differing: dict[str, list[str]] = {}
    for part in [part for part in a if part in b]:
        left, right = (_facts(part, protocol[part]) for protocol in (a, b))
        keys = [key for key in dict.fromkeys([*left, *right]) if left.get(key) != right.get(key)]
        if f"{part}.version" in keys:
            keys = [key for key in keys if key in (f"{part}.version", f"{part}.judges")]
        if keys:
            differing[part] = [f"{key}: {' and '.join(_in_words(left.get(key), right.get(key)))}" for key in keys]
    return differing


def _facts(part: str, protocol: Any) -> dict[str, Any]:
    """Return the facts of a part of a protocol by dotted key; the judges, `judge` in former versions, are one fact."""
    if not isinstance(protocol, Mapping):
        return {part: protocol}
    facts = {key: value for key, value in protocol.items() if key not in ("judge", "judges")}
    cards = protocol.get("judges") or [protocol["judge"]] if {"judge", "judges"} & {*protocol} else []
    if "not_judged" in facts:  # shares and IoU follow from the judges
        facts["not_judged"] = ", ".join(facts["not_judged"]) or "none"
    facts = pd.json_normalize({part: facts}).to_dict("records")[0]
    return facts | ({f"{part}.judges": cards} if cards else {})


def _in_words(*facts: Any) -> list[str]:
    """Return unlike facts in unlike words.

    Judges are named by their kind and the beginning of their weights' hash, unless that would name both in one way.
    """
    words = [
        ", ".join(f"{card['name']} {card['weights_sha256'][:8]}" for card in fact)
        if isinstance(fact, list) and fact and all(isinstance(card, Mapping) for card in fact)
        else str(fact)
        for fact in facts
    ]
    return words if len({*words}) > 1 else [*map(str, facts)]
