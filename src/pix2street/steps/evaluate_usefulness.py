"""Evaluate, on demand: what judges learn about real photos from the photos of train that the generator makes."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pix2street.core.errors import UserError
from pix2street.core.pairs import Dataset, photos_of, read_pairs
from pix2street.judges.controls import controls_of, judged_by_controls
from pix2street.judges.jury import Jury
from pix2street.metrics import segmentation, usefulness
from pix2street.settings.segment import Segment


def with_usefulness(
    metrics: Mapping[str, Any],
    split_folder: Path,
    segmenter_folder: Path,
    generated: Path,
    baselines: Path,
    segment: Segment,
) -> dict[str, Any]:
    """Return the content of `metrics.json` with the usefulness of every set of photos.

    `usefulness` has the scores of every control, see `controls_of`, and each set of photos has its share of `real` as
    one of its scores. The real photos are those of the subset that `metrics` are about.

    Args:
        generated, baselines: folders as in `PhotoFolders`, with photos of train.
        segment: the training of a judge.

    Raises:
        UserError: the set has no classes, or photos of train are missing or too many.
    """
    classes = Dataset.read(split_folder).classes
    if classes is None:
        raise UserError(
            "evaluate.usefulness: must be false for a data set without classes, because a judge learns classes from "
            "photos, but is true; set it to false"
        )
    if "translation" in metrics["protocol"]["shared"]:
        raise UserError(
            "evaluate.usefulness: must be false for translations between domains, because a judge learns from photos "
            "of every drawing, but is true; set it to false"
        )
    train, held_out = (read_pairs(split_folder, subset) for subset in ("train", metrics["split"]))
    folders = {"generated": generated, **{folder.name: folder for folder in sorted(baselines.iterdir())}}
    photos = {name: photos_of(folder / "train", train) for name, folder in folders.items()}
    controls = controls_of(train, photos, segment.seed)
    not_judged = Jury.load(segmenter_folder, classes).not_judged
    judged = judged_by_controls(controls, [pair.target_path for pair in held_out], classes, segment)
    truths = [pair.input_path for pair in held_out]
    confusions = {name: segmentation.measure(truths, paths, classes) for name, paths in judged}
    scores = usefulness.score(confusions, classes, not_judged)
    protocol = {
        **usefulness.PROTOCOL,
        "controls": list(controls),
        "tested_on": f"the real photos of {metrics['split']}",
        "not_judged": list(not_judged),
        "pairs": len(train),
        "updates": segment.epochs * -(-len(train) // segment.batch),
        "judge": {
            "filters": segment.filters,
            "epochs": segment.epochs,
            "batch": segment.batch,
            "learning_rate": segment.learning_rate,
            "seed": segment.seed,
        },
    }
    return {
        **metrics,
        "generated": _with_share(metrics["generated"], scores["generated"]),
        "ceiling": _with_share(metrics["ceiling"], scores["real"]),
        "baselines": {name: _with_share(of_set, scores[name]) for name, of_set in metrics["baselines"].items()},
        "usefulness": scores,
        "protocol": {**metrics["protocol"], "usefulness": protocol},
    }


def _with_share(of_set: Mapping[str, Any], of_control: Mapping[str, Any]) -> dict[str, Any]:
    """Return the scores of a set of photos with the share of the judge that was trained on such photos."""
    share = {"usefulness": of_control["share_of_real"], "usefulness_interval": of_control["share_of_real_interval"]}
    return {**of_set, **share}
