"""Scores as rows of a table that people read."""

import re
from collections.abc import Mapping
from typing import Any

from pix2street.core.pairs import Dataset
from pix2street.core.protocol import has_exact_targets, has_inputs

TITLES = {
    "mean_iou": ("mean IoU", "0 to 1"),
    "frequency_weighted_iou": ("frequency-weighted IoU", "0 to 1"),
    "category_mean_iou": ("mean IoU of categories", "0 to 1"),
    "pixel_accuracy": ("per-pixel accuracy", "0 to 1, void left out"),
    "pixel_accuracy_with_void": ("per-pixel accuracy, void counted as wrong", "0 to 1"),
    "class_accuracy": ("class accuracy", "0 to 1"),
    "l1": ("L1", "0 to 2, less is better"),
    "psnr": ("PSNR", "dB"),
    "ssim": ("SSIM", "-1 to 1"),
    "psnr_luma": ("PSNR of luma, border cut", "dB"),
    "ssim_luma": ("SSIM of luma, border cut", "-1 to 1"),
    "consistency": ("L1 of the reduced photo and its input", "0 to 2, less is better"),
    "frechet_detail": ("Fréchet distance of fine details", "less is better"),
    "kid_detail": ("kernel distance (KID) of fine details", "less is better"),
    "usefulness": ("usefulness", "0 to 1, real photos have 1"),
    "frechet_segmenter": ("Fréchet distance, judge's features", "less is better, no FID"),
    "mmd_segmenter": ("kernel distance, judge's features", "0 to 2, less is better"),
    "swd": ("sliced Wasserstein distance, mean over levels", "x 1,000, less is better"),
    "color_spread": ("spread of mean colour, relative to real photos", "1 is right"),
    "contrast_spread": ("spread of contrast, relative to real photos", "1 is right"),
    "frechet_light": ("Fréchet distance of mean colour and contrast", "less is better"),
    "frechet_thumbnail": ("Fréchet distance, thumbnails", "less is better, no FID"),
    "kid_thumbnail": ("KID, thumbnails", "less is better"),
    "precision_segmenter": ("precision, judge's features", "0 to 1"),
    "recall_segmenter": ("recall, judge's features", "0 to 1"),
    "precision_thumbnail": ("precision, thumbnails", "0 to 1"),
    "recall_thumbnail": ("recall, thumbnails", "0 to 1"),
    "nearest_train": ("distance to the nearest training photo", "1 is that of new photos, 0 a copy"),
    "copies": ("photos as near to a training photo as 1 % of new ones", "0 to 1, near 0.01 is right"),
    "domain_accuracy": ("photos named as the target domain", "0 to 1"),
    "cycle_l1": ("L1 of inputs gone forth and back", "0 to 2, a low one alone proves nothing"),
    "moving_l1": ("L1 of moving pixels", "0 to 2, less is better"),
    "sharpness": ("sharpness, relative to true frames", "1 is right"),
    "diversity": ("diversity of photos of one drawing", "0 to 1, relative to real photos of different drawings"),
}
TITLES_OF_SETS = {
    "mean_color": "mean colour", "unchanged": "input unchanged", "color_transfer": "colours transferred",
    "lanczos": "Lanczos", "pixels": "learned from pixels alone",
    "last_frame": "last frame again", "mean_frame": "mean of the past", "optical_flow": "optical flow",
    "resampled": "training photos resampled", "mean_photo": "mean photo",
}  # fmt: skip
COUNTS = {
    "images": ("images", ""),
    "evaluated_pixels": ("evaluated pixels", ""),
    "void_pixels": ("void pixels", ""),
}
LESS_IS_BETTER = (
    "l1", "frechet_segmenter", "mmd_segmenter", "swd", "frechet_light", "cycle_l1", "consistency", "frechet_detail",
    "kid_detail", "moving_l1", "frechet_thumbnail", "kid_thumbnail", "copies",
)  # fmt: skip
SPREADS = ("color_spread", "contrast_spread", "sharpness", "nearest_train")
QUOTED_DISTANCE = "mmd_segmenter"
"""The distance from the real photos that the report quotes in a sentence: judges agree on the order that it gives."""
DISTANCE = re.compile(r"^(fid|kid|frechet_\w{8}|mmd_\w{8})_(tf|clean)_([a-z]+)(\d+)(_std)?$")
LEVEL = re.compile(r"^swd_(\d+)$")
ENOUGH_IMAGES = 2048


def score_rows(scores: Mapping[str, Mapping[str, Any]], floor: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return a row for each score: `name`, `note`, a cell for every set of photos, and last one for the floor.

    A cell is the value, and in words its 95 % interval, its share of the ceiling, and the range of its judges.
    """
    keys = {key for score in scores.values() for key in score}
    levels = sorted(filter(LEVEL.match, keys), key=lambda key: -int(LEVEL.match(key)[1]))
    found = [key for key in sorted(keys) if DISTANCE.match(key) and not key.endswith("_std")]
    titles = TITLES | {key: (title_of_score(key), "x 1,000, less is better") for key in levels}
    titles |= {key: (title_of_score(key), "less is better") for key in found} | COUNTS
    rows = []
    for key in [key for key in titles if key in keys]:
        title, note = titles[key]
        cells = [_cell(score, key) for score in scores.values()]
        cells += [_cell(floor, key)] if floor else []
        rows.append({"name": title, "note": note, "cells": cells})
    return rows


def title_of_score(key: str) -> str:
    """Return a score's key as people read it; an unknown key stays itself."""
    if match := DISTANCE.match(key):
        name, resize, split, count, deviation = match.groups()
        words = {"frechet": "Fréchet distance", "mmd": "kernel distance"}
        name = f"{words[name[:-9]]}, network {name[-8:]}" if name[:-9] in words else name.upper()
        return f"{name}, {resize} resizing, {count} of {split}{', standard deviation' if deviation else ''}"
    if match := LEVEL.match(key):
        return f"sliced Wasserstein distance, level of {match[1]} px"
    if (base := key.removesuffix("_std")) != key and base in TITLES:
        return f"{TITLES[base][0]}, standard deviation"
    return (TITLES | COUNTS).get(key, (key, ""))[0]


def shortfall(key: str, value: float) -> float:
    """Return how far a score is from good, on its own scale: only differences of two shortfalls have a meaning.

    Less of a distance and of L1 is better, a spread is best at 1, and more of every other score is better.
    """
    if key in SPREADS:
        return abs(value - 1)
    return value if key in LESS_IS_BETTER or DISTANCE.match(key) or LEVEL.match(key) else -value


def fid_warning(metrics: Mapping[str, Any]) -> str:
    """Return a warning about FIDs of fewer than 2,048 images; empty without such FIDs."""
    found = [match for key in metrics["generated"] if (match := DISTANCE.match(key))]
    if not found or (count := int(found[0][4])) >= ENOUGH_IMAGES:
        return ""
    return (
        f"Over {count} images, fewer than Inception's {ENOUGH_IMAGES:,} features, covariances are singular and a "
        "Fréchet distance is biased upwards: it can be compared only at equal numbers of images, never with values "
        "over thousands. The floor (two halves of the real photos, each of half the images) shows the size of that "
        "bias; the kernel distance has none."
    )


NO_INPUTS_NOTE = (
    "Photos are made of latents, without inputs. L1, PSNR and SSIM need a real photo of the same scene, and accuracy "
    "and IoU a drawing, so that they are left out, with the ceiling. Distances hold the photos against real ones as "
    "sets; their floor is that of training photos against the held-out ones. Copies of training photos reach that "
    "floor, too. The distance to the nearest training photo therefore stands beside it, and the baseline of training "
    "photos shows what it is for copies."
)


def pairs_note(metrics: Mapping[str, Any]) -> str:
    """Return what is not measured in a translation without exact targets; empty where targets are exact."""
    if has_exact_targets(metrics):
        return ""
    if not has_inputs(metrics):
        return NO_INPUTS_NOTE
    source, target = (metrics["protocol"]["shared"]["translation"][key] for key in ("from", "to"))
    return (
        f"This data set has no pairs: nobody knows what a photo of {source} should become. The real photo beside an "
        f"input is some photo of {target}, not the truth. L1, PSNR and SSIM are left out. Distances and spreads hold "
        f"the generated photos against real ones of {target} as sets, and none says whether a photo kept what its "
        "input shows. The sliced Wasserstein distance does not see a colour that all photos share; the Fréchet "
        "distance of mean colour and contrast sees nothing else."
    )


def grey_note(dataset: Dataset) -> str:
    """Return how grey photos are made and measured; empty for a set of RGB targets."""
    if dataset.target_channels != 1:
        return ""
    return (
        "Targets and generated photos are grey: one channel, over which L1, PSNR and SSIM are taken. Networks that "
        "look at photos (judge, Inception) are shown it three times, as red, green and blue."
    )


def formatted(value: float | None) -> str:
    """Return a score with three decimals, or two digits where it is very small, a count with none; a dash for None."""
    if value is None or value != value:
        return "–"
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.2g}" if 0 < abs(value) < 0.001 else f"{value:.3f}"


def title_of(photos: str) -> str:
    """Return the name of a set of photos as people read it."""
    return TITLES_OF_SETS.get(photos, photos)


def _cell(score: Mapping[str, Any], key: str) -> tuple[str, str]:
    details = []
    if f"{key}_std" in score:
        details.append(f"± {formatted(score[f'{key}_std'])}")
    if interval := score.get(f"{key}_interval"):
        details.append(f"{formatted(interval['low'])}–{formatted(interval['high'])}")
    if share := score.get("of_ceiling", {}).get(key):
        details.append(f"{share:.0%}")
    of_judges = [value for value in score.get(f"{key}_judges", []) if value is not None]
    if len(of_judges) > 1:
        details.append(f"judges {formatted(min(of_judges))}–{formatted(max(of_judges))}")
    return formatted(score.get(key)), ", ".join(details)
