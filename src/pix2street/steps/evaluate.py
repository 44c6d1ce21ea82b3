"""Evaluate: score the generated photos, the real ones (the ceiling) and the baselines under one judge."""

from pathlib import Path

import numpy as np
import pandas as pd

from pix2street.classes import ClassTable
from pix2street.errors import UserError
from pix2street.files import sha256_of
from pix2street.images import read_ids
from pix2street.judges.segmenter import Segmenter
from pix2street.metrics import METRICS, NEED_CLASSES, Samples
from pix2street.metrics.l1 import RANGE as L1_RANGE
from pix2street.networks import load_network
from pix2street.pairs import Dataset, read_pairs

WEIGHTS = "segmenter.weights.h5"


def evaluate_photos(
    split_folder: Path,
    segmenter_folder: Path,
    generated: Path,
    baselines: Path,
    *,
    split: str,
    judge_score: dict | None,
) -> tuple[dict, pd.DataFrame]:
    """Score all photos of one held-out split.

    Args:
        generated: `<split>/<pair_id>.png` of the trained generator.
        baselines: a folder a baseline, each like `generated`.
        judge_score: the judge's own score on real photos; None for a set without classes, which only has L1.

    Returns:
        The content of `metrics.json`, and each class's IoU in a column a set of photos (empty without classes).
    """
    pairs = read_pairs(split_folder, split)
    if not pairs:
        raise UserError(f"evaluate.split: {split}, but the data set has no pairs there; choose the other split")
    classes = Dataset.read(split_folder).classes
    targets = [pair.target_path for pair in pairs]
    folders = {"generated": generated, **{folder.name: folder for folder in sorted(baselines.iterdir())}}
    photos = {name: [folder / split / path.name for path in targets] for name, folder in folders.items()}
    if classes is None:
        scores = {name: _score(Samples(paths, targets)) for name, paths in photos.items()}
    else:
        judge = Segmenter(load_network(segmenter_folder, "segmenter"))
        truth = np.stack([classes.to_evaluated(read_ids(pair.input_path)) for pair in pairs])
        names = classes.evaluated_names
        real = judge.judge(targets)
        scores = {
            "ceiling": _score(Samples(targets, targets, names, truth, real.classes, real.features, real.features))
        }
        for name, paths in photos.items():
            seen = judge.judge(paths)
            scores[name] = _score(Samples(paths, targets, names, truth, seen.classes, seen.features, real.features))
    return _metrics(scores, split, len(pairs), segmenter_folder, judge_score), _class_iou(scores, classes)


def _score(samples: Samples) -> dict:
    scores = {"images": len(samples.photos)}
    for name, score in METRICS.items():
        if samples.truth is not None or name not in NEED_CLASSES:
            scores.update(score(samples))
    return scores


def _metrics(scores: dict[str, dict], split: str, pairs: int, segmenter_folder: Path, judge_score: dict | None) -> dict:
    judge = judge_score and {
        "name": "segmenter",
        "weights_sha256": sha256_of(segmenter_folder / WEIGHTS),
        **{key: judge_score[key] for key in ("pixel_accuracy", "class_accuracy", "mean_iou")},
    }
    main = {name: scores[name] for name in ("generated", "ceiling") if name in scores}
    baselines = {name: score for name, score in scores.items() if name not in main}
    return {"split": split, "pairs": pairs, "l1_range": L1_RANGE, "judge": judge, **main, "baselines": baselines}


def _class_iou(scores: dict[str, dict], classes: ClassTable | None) -> pd.DataFrame:
    names = classes.evaluated_names if classes else []
    order = [name for name in ("generated", "ceiling", "mean_color", "untrained") if "iou" in scores.get(name, {})]
    return pd.DataFrame(
        {"class": names, **{name: [scores[name]["iou"].get(label) for label in names] for name in order}}
    )
