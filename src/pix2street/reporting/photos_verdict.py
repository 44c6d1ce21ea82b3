"""The verdict on the photos of a run, in words: how good they are, and what the judge's scores cannot say."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pix2street.core.protocol import has_inputs
from pix2street.reporting.scores import DISTANCE, QUOTED_DISTANCE, formatted, title_of_score

SETS = {
    "mean_color": "mean colours",
    "untrained": "before training",
    "unchanged": "the input unchanged",
    "bicubic": "bicubic enlargements",
    "pixels": "learned from pixels alone",
    "mean_photo": "the mean photo",
}
"""The baselines as the sentence calls them."""

FLOORS = {True: "two halves of the real photos", False: "training photos resampled"}
"""What the floor is, by whether photos were made of inputs."""


def photos_verdict(metrics: Mapping[str, Any]) -> str:
    """Return one sentence on how good the generated photos are, beside a baseline and halves of the real photos.

    It quotes the share of the ceiling, the usefulness and a distance, and for a set without classes L1, distances and
    spread; for a translation also the share that is named as its domain, and L1 where it is judged. A figure that was
    not measured is left out; the text is empty if none was.
    """
    judged, translated = "mean_iou" in metrics["generated"], "unchanged" in metrics["baselines"]
    free = "bicubic" if "bicubic" in metrics["baselines"] else "untrained"
    beside = "unchanged" if translated else "mean_color" if judged else free
    beside = beside if has_inputs(metrics) else "mean_photo"
    predicates = [*_share_of_ceiling(metrics, beside), *_usefulness(metrics)] if judged else []
    predicates += _l1(metrics, beside) if translated or not judged else []
    predicates += _enlarged(metrics)
    predicates += _domain(metrics, beside)
    predicates += [] if judged else _spread(metrics)
    predicates += _distances(metrics, beside)
    return f"The generated photos {_listed(predicates)}." if predicates else ""


def ceiling_warning(metrics: Mapping[str, Any]) -> str:
    """Return a warning about a mean IoU above that of the real photos; empty up to the ceiling."""
    share = metrics["generated"].get("of_ceiling", {}).get("mean_iou")
    if share is None or share <= 1:
        return ""
    return (
        "More typical than real: read Fréchet, KID and usefulness. A judge finds the typical look of a class more "
        "easily than the variety of real photos, so a score above the ceiling is a warning and no praise."
    )


COPIED = 0.5
"""The distance to the nearest training photo, by that of new ones, below which photos count as copies."""
COPIES = 0.1
"""The share of photos nearer to a training photo than 99 % of new ones are above which a model counts as a copier."""


def copying_warning(metrics: Mapping[str, Any]) -> str:
    """Return a warning that photos are copies of training photos; empty where they are not, or it was not measured."""
    generated = metrics["generated"]
    nearest, copies = generated.get("nearest_train"), generated.get("copies")
    if nearest is None or (nearest >= COPIED and copies <= COPIES):
        return ""
    return (
        f"Photos are copies: {copies:.0%} of them are as near to a training photo as 1 % of new photos are, and their "
        f"median distance to the nearest one is {nearest:.2f} of that of new photos. The model knows photos by heart, "
        "and its distances from real ones mean nothing: train on more photos, or for a shorter time."
    )


def not_judged_of(metrics: Mapping[str, Any]) -> Mapping[str, Mapping[str, float]]:
    """Return the classes that count in no mean, by name: `share` of train's pixels, and `iou`, their ceiling."""
    return metrics.get("protocol", {}).get("segmentation", {}).get("not_judged") or {}


def not_judged_in_words(metrics: Mapping[str, Any]) -> list[str]:
    """Return every class that is not judged, with its share of pixels and its ceiling."""
    return [
        f"{name} ({row['share']:.2%} of train's pixels, IoU {formatted(row['iou'])} in real photos)"
        for name, row in not_judged_of(metrics).items()
    ]


def _share_of_ceiling(metrics: Mapping[str, Any], baseline: str) -> list[str]:
    """Return what the sentence says of the mean IoU; this and each of the next returns an empty list for nothing."""
    shares = _of_sets(metrics, lambda score: score.get("of_ceiling", {}).get("mean_iou"))
    if shares["generated"] is None:
        return [f"have a mean IoU of {formatted(metrics['generated']['mean_iou'])}"]
    beside = _beside({SETS[baseline]: shares[baseline]}, "{:.0%}".format)
    return [f"reach {shares['generated']:.0%} of the ceiling, the mean IoU of real photos{beside}"]


def _usefulness(metrics: Mapping[str, Any]) -> list[str]:
    measured = metrics.get("usefulness") or {}
    shares = {name: (control or {}).get("share_of_real") for name, control in measured.items()}
    if shares.get("generated") is None:
        return []
    others = {SETS["mean_color"]: shares.get("mean_color"), "real photos with other drawings": shares.get("shuffled")}
    beside = _beside(others, "{:.0%}".format)
    return [f"are {shares['generated']:.0%} as useful as real photos to train a judge with{beside}"]


def _l1(metrics: Mapping[str, Any], baseline: str) -> list[str]:
    values = _of_sets(metrics, lambda score: score.get("l1"))
    if values["generated"] is None:
        return []
    beside = _beside({SETS[baseline]: values[baseline]}, formatted)
    return [f"differ from the real photos by an L1 of {formatted(values['generated'])} of 2{beside}"]


def _enlarged(metrics: Mapping[str, Any]) -> list[str]:
    """Return the PSNR of enlarged photos, which falls where a model invents details, beside that of soft ones."""
    values = _of_sets(metrics, lambda score: score.get("psnr_luma"))
    if values["generated"] is None:
        return []
    beside = _beside({SETS[name]: values[name] for name in ("bicubic", "pixels")}, "{:.1f} dB".format)
    return [f"have a PSNR of {values['generated']:.1f} dB on luma{beside}"]


def _domain(metrics: Mapping[str, Any], baseline: str) -> list[str]:
    values = _of_sets(metrics, lambda score: score.get("domain_accuracy"))
    if values["generated"] is None:
        return []
    beside = _beside({SETS[baseline]: values[baseline]}, "{:.0%}".format)
    return [f"are named as the target domain in {values['generated']:.0%} of the cases{beside}"]


def _spread(metrics: Mapping[str, Any]) -> list[str]:
    values = {name: metrics["generated"].get(f"{name}_spread") for name in ("color", "contrast")}
    words = {"color": "mean colour", "contrast": "contrast"}
    found = [f"{value:.0%} in {words[name]}" for name, value in values.items() if value is not None]
    return [f"have, of the real photos' spread, {' and '.join(found)}"] if found else []


def _quoted_distances(generated: Mapping[str, Any]) -> list[str]:
    """Return the distance of the judge, or, without one, the distances that need no judge."""
    if generated.get(QUOTED_DISTANCE) is not None:
        return [QUOTED_DISTANCE]
    fids = [key for key in sorted(generated) if DISTANCE.match(key) and not key.endswith("_std")]
    keys = ("frechet_detail", "swd", "frechet_light", *fids[:1])
    return [key for key in keys if isinstance(generated.get(key), int | float)]


def _distances(metrics: Mapping[str, Any], baseline: str) -> list[str]:
    """Return the distances from the real photos, each beside those of a baseline and of halves of the real photos."""
    found = []
    for key in _quoted_distances(metrics["generated"]):
        beside = {
            SETS[baseline]: metrics["baselines"].get(baseline, {}).get(key),
            FLOORS[has_inputs(metrics)]: (metrics.get("floor") or {}).get(key),
        }
        found.append(f"{formatted(metrics['generated'][key])}{_beside(beside, formatted, title_of_score(key))}")
    return [f"have a distance from the real photos of {' and of '.join(found)}"] if found else []


def _of_sets(metrics: Mapping[str, Any], value_of: Callable[[Mapping], float | None]) -> dict[str, float | None]:
    """Return a value of the generated photos and of each baseline; None where it was not measured."""
    sets = {"generated": metrics["generated"], **{name: metrics["baselines"].get(name, {}) for name in SETS}}
    return {name: value_of(score) for name, score in sets.items()}


def _beside(values: Mapping[str, float | None], in_words: Callable[[float], str], *notes: str) -> str:
    """Return notes and known values in brackets; nothing where there are none."""
    parts = [*notes, *(f"{name}: {in_words(value)}" for name, value in values.items() if value is not None)]
    return f" ({'; '.join(parts)})" if parts else ""


def _listed(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])}, and {parts[-1]}"
