"""Register: compare a model's scores with limits that were written before it ran."""

import re
from collections.abc import Mapping
from typing import Any

import pandas as pd

from pix2street.core.hashes import protocol_hash
from pix2street.core.protocol import has_exact_targets, has_inputs
from pix2street.metrics import diversity, judge_distances, pixels, segmentation, usefulness
from pix2street.settings.register import Register

JUDGED = {
    *segmentation.PROTOCOL["scores"], *judge_distances.DISTANCES, *diversity.PROTOCOL["scores"],
    *usefulness.PROTOCOL["scores"],
}  # fmt: skip
"""The scores that need a judge, and hence a set with classes."""
PIXELS = pixels.PROTOCOL["scores"]
"""The scores that need a target of each input."""
DISTANCES = ("fid", "kid", "frechet_", "mmd_")
RULES = {"max": "at most", "min": "at least", "min_of_ceiling": "share of the ceiling, at least"}
"""The keys of `params.yaml`, in words."""


def decide(metrics: Mapping[str, Any], weights_sha256: str, register: Register) -> dict[str, Any]:
    """Compare every score with its limit; accept the model unless a limit fails. A value equal to its limit passes.

    A limit fails if its score is missing, or is that of a class that is not judged. Limits of the judges' scores do not
    apply to a data set without classes, and those of L1, PSNR and SSIM to one without pairs; neither do shares of the
    ceiling and scores that need a drawing to photos without inputs.

    Args:
        metrics: the content of `metrics.json`.
        weights_sha256: the SHA-256 of the weights that were scored.
        register: the limits by score; a dot names a part of a score, e.g. `iou.car`.

    Returns:
        The content of `decision.json`; `passed` is None for a limit that does not apply.
    """
    limits = [_hold(rule, score, limit, metrics) for rule in RULES for score, limit in getattr(register, rule).items()]
    return {
        "accepted": all(limit["passed"] is not False for limit in limits),
        "limits": limits,
        "weights_sha256": weights_sha256,
        "protocol": protocol_hash(metrics),
    }


def as_text(decision: Mapping[str, Any]) -> str:
    """Return the decision for the terminal: a line, and a table of the limits."""
    limits = decision["limits"]
    held = sum(limit["passed"] is not None for limit in limits)
    if not limits:
        return "accepted: no limit is written in `register`"
    said = "accepted" if decision["accepted"] else "refused"
    said += "" if held else ": no limit applies to this data set"
    rows = [
        [limit["score"], RULES[limit["rule"]], _short(limit["limit"]), _short(limit["value"]), _outcome(limit)]
        for limit in limits
    ]
    table = pd.DataFrame(rows, columns=["score", "limit", "", "value", " "])
    return f"{said}\n{table.to_string(index=False)}"


def failures_of(decision: Mapping[str, Any]) -> list[str]:
    """Return a line for each limit that the model does not keep."""
    return [
        f"register.{limit['rule']}.{limit['score']}: "
        + (limit["why"] or f"{_short(limit['value'])}, must be {_in_words(limit)}")
        for limit in decision["limits"]
        if limit["passed"] is False
    ]


def _hold(rule: str, score: str, limit: float, metrics: Mapping[str, Any]) -> dict[str, Any]:
    generated = metrics["generated"]
    values = generated.get("of_ceiling", {}) if rule == "min_of_ceiling" else generated
    value, why, passed = _value_of(values, score), "", None
    if not_judged := _why_it_is_not_judged(score, metrics.get("protocol", {})):
        why, passed = not_judged, False
    elif value is not None:
        passed = value <= limit if rule == "max" else value >= limit
    elif metrics["judge"] is None and (rule == "min_of_ceiling" or _name_of(score) in JUDGED):
        why = "does not apply: the data set has no classes"
    elif not has_inputs(metrics) and (rule == "min_of_ceiling" or _name_of(score) in {*JUDGED, *PIXELS}):
        why = "does not apply: the photos have no inputs"
    elif _name_of(score) in PIXELS and not has_exact_targets(metrics):
        why = "does not apply: the data set has no pairs"
    else:
        why, passed = _why_it_is_missing(rule, score, generated, values), False
    return {"score": score, "rule": rule, "limit": limit, "value": value, "passed": passed, "why": why}


def _value_of(values: Any, score: str) -> float | None:
    for key in score.split("."):
        values = values.get(key) if isinstance(values, Mapping) else None
    return values if isinstance(values, int | float) else None


def _name_of(score: str) -> str:
    return re.sub("_(interval|judges)$", "", score.split(".")[0])


def _why_it_is_not_judged(score: str, protocol: Mapping[str, Any]) -> str:
    name, _, part = score.partition(".")
    row = protocol.get("segmentation", {}).get("not_judged", {}).get(part)
    if name != "iou" or row is None:
        return ""
    return (
        f"not judged: the judges see it in real photos with IoU {row['iou']:.3f} only; remove the limit, or train "
        "stronger judges (segment.epochs, segment.filters)"
    )


def _why_it_is_missing(rule: str, score: str, generated: Mapping[str, Any], values: Mapping[str, Any]) -> str:
    measured = [name for name, value in values.items() if isinstance(value, int | float)]
    name, _, part = score.partition(".")
    if isinstance(generated.get(name), list):
        return f"a list, whose values no limit can hold; {_name_of(score)} is the mean over the judges"
    parts = generated.get(name)
    if part and isinstance(parts, Mapping) and part not in parts:
        return f"no class or part of this name; {name} has {', '.join(parts) or 'none'}"
    if name in generated:
        return "has no share of the ceiling" if rule == "min_of_ceiling" else "has no value in these photos"
    if name.startswith(DISTANCES) and rule != "min_of_ceiling":
        measured = [name for name in measured if name.startswith(DISTANCES)]
        return f"not measured; set evaluate.fid (measured: {', '.join(measured) or 'none'})"
    if name in usefulness.PROTOCOL["scores"] and rule != "min_of_ceiling":
        return "not measured; set evaluate.usefulness to true"
    return f"no score of this name; measured: {', '.join(measured) or 'none'}"


def _outcome(limit: Mapping[str, Any]) -> str:
    outcome = {True: "passed", False: "failed", None: ""}[limit["passed"]]
    return ": ".join(filter(None, (outcome, limit["why"])))


def _in_words(limit: Mapping[str, Any]) -> str:
    share = " of the ceiling" if limit["rule"] == "min_of_ceiling" else ""
    return f"{'at most' if limit['rule'] == 'max' else 'at least'} {_short(limit['limit'])}{share}"


def _short(value: float | None) -> str:
    return "–" if value is None else f"{value:.6g}"
