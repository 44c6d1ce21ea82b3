"""Evaluate: score the generated photos, the real ones (the ceiling) and the baselines under one protocol."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
from tqdm import tqdm

from pix2street.core.errors import UserError
from pix2street.core.images import read_rgb
from pix2street.core.pairs import Dataset, Pair, read_manifest, read_pairs
from pix2street.core.tables import as_csv
from pix2street.judges.controls import controls_of, judged_by_controls
from pix2street.judges.feature_files import real_features, write_features
from pix2street.judges.inception import Inception, fetch_inception
from pix2street.judges.jury import Jury
from pix2street.judges.segmenter import Segmenter
from pix2street.metrics import METRICS, Features, Samples, bootstrap, frechet, kid, pixels, segmentation, usefulness
from pix2street.settings.evaluate import Evaluate
from pix2street.settings.segment import Segment

RESIZED = {
    "tf": "TensorFlow 1 bilinear to 299x299, as TTUR",
    "clean": "PIL bicubic, antialiased, to 299x299, as clean-fid",
}
GREY = "grey, one channel; networks that look at them (judge, Inception) are shown it in all three of theirs"
"""A line that only the protocol of a set with grey targets has."""
SHARES = (
    "pixel_accuracy", "pixel_accuracy_with_void", "class_accuracy", "mean_iou", "frequency_weighted_iou",
    "category_mean_iou",
)  # fmt: skip
"""Scores that `metrics.json` also holds as a share of the ceiling."""


def evaluate_photos(
    split_folder: Path,
    segmenter_folder: Path,
    generated: Path,
    baselines: Path,
    judged: Path,
    settings: Evaluate,
    *,
    segment: Segment | None,
    inception: Path | None,
    judge_score: Mapping[str, Any] | None,
    generator: Mapping[str, Any],
) -> tuple[dict[str, Any], dict[str, pd.DataFrame]]:
    """Score all photos of one held-out subset.

    Args:
        generated: the folder of the generator's photos, `<subset>/<pair_id>.png`.
        baselines: a folder with a folder for each baseline, arranged like `generated`.
        judged: the folder that gets `<set of photos>/<pair_id>.png`, the class ids that the judge sees.
        segment: the training of the judges that `settings.usefulness` asks for; None where it is false.
        inception: the file `settings.inception`; None fetches the network.
        judge_score: the judge's score on real photos; None for a set without classes, which has no judge.
        generator: the settings that made the photos, for the protocol.

    Returns:
        The content of `metrics.json`, and the tables beside it by name.

    Raises:
        UserError: the subset has no pairs, photos are missing, too many or of another size, weights or ids are not
            those expected, the judge is too weak, or a set without classes is asked for its usefulness.
    """
    subset = settings.subset
    pairs = read_pairs(split_folder, subset)
    if not pairs:
        raise UserError(f"evaluate.subset: {subset} has no pairs in this data set; choose the other held-out subset")
    dataset = Dataset.read(split_folder)
    if settings.usefulness and not dataset.classes:
        raise UserError(
            "evaluate.usefulness: must be false for a data set without classes, because a judge learns classes from "
            "photos, but is true; set it to false"
        )
    targets = [pair.target_path for pair in pairs]
    folders = {"generated": generated, **{folder.name: folder for folder in sorted(baselines.iterdir())}}
    photos = {name: _photos(folder / subset, targets) for name, folder in folders.items()}
    protocol = _pixels_protocol(split_folder, dataset, subset, targets, generator)
    if dataset.classes:
        photos = {"ceiling": targets, **photos}
    measures = {name: pixels.measure(paths, targets) for name, paths in photos.items()}
    confusions, features = {}, {name: [] for name in photos}
    if dataset.classes:
        jury = Jury.load(segmenter_folder, dataset.classes)
        judge = jury.judges[0]
        confusions, features = _judge(judge, photos, pairs, judged, settings)
        protocol |= _judge_protocol(judge, features, len(pairs))
    with TemporaryDirectory() as scratch:
        if settings.fid:
            network = Inception(fetch_inception(inception))
            protocol |= _look_through_inception(network, photos, targets, features, settings, Path(scratch))
        samples = {
            name: Samples(measures[name], confusions.get(name), dataset.classes, features[name]) for name in photos
        }
        scores = {name: _score(of_set) for name, of_set in samples.items()}
        floor = _floor(features["generated"], len(pairs))
    metrics = _metrics(scores, floor, subset, len(pairs), protocol, judge_score)
    if settings.usefulness:
        _add_usefulness(metrics, split_folder, folders, pairs, jury, segment)
    return metrics, _tables(scores, samples, [pair.pair_id for pair in pairs])


def _judge(
    judge: Segmenter, photos: Mapping[str, Sequence[Path]], pairs: Sequence[Pair], judged: Path, settings: Evaluate
) -> tuple[dict[str, np.ndarray], dict[str, list[Features]]]:
    """Return the confusion matrices of every set of photos, and its features if the judge has features.

    The real photos come first, so that a weak judge is refused before it sees the others.
    """
    truths = [pair.input_path for pair in pairs]
    confusions, seen = {}, {}
    for name in tqdm(photos, desc="judge", unit=" sets"):
        seen[name] = judge.judge(photos[name], judged / name)
        confusions[name] = segmentation.measure(truths, [judged / name / truth.name for truth in truths], judge.classes)
        if name == "ceiling":
            _refuse_a_weak_judge(segmentation.scores_of(confusions[name].sum(axis=0), judge.classes), settings)
    keys = {"frechet": "frechet_segmenter"}
    features = {
        name: [] if of_photos is None else [Features(keys, of_photos, seen["ceiling"])]
        for name, of_photos in seen.items()
    }
    return confusions, features


def _look_through_inception(
    network: Inception,
    photos: Mapping[str, Sequence[Path]],
    targets: Sequence[Path],
    features: Mapping[str, list[Features]],
    settings: Evaluate,
    scratch: Path,
) -> dict[str, Any]:
    """Append the network's features of every set of photos to `features`, and return the protocol of their scores.

    Args:
        scratch: an empty folder that holds the features of all photos but the real ones.
    """
    protocol = {}
    for resize in settings.fid:
        keys = _inception_keys(network, resize, f"{settings.subset}{len(targets)}")
        protocol |= _inception_protocol(network, resize, keys, len(targets))
        real = real_features(network, resize, targets)
        for name, paths in photos.items():
            made = real
            if name != "ceiling":
                blocks = tqdm(network.features(paths, resize), desc=f"inception, {resize}: {name}", unit=" batches")
                made = write_features(scratch / f"{name}_{resize}.npy", blocks, len(paths))
            features[name].append(Features(keys, made, real))
    return protocol


def _photos(folder: Path, targets: Sequence[Path]) -> list[Path]:
    """Return the photo of each target; raise `UserError` if the folder does not hold exactly those."""
    found = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    wanted = {target.name for target in targets}
    if found != wanted:
        faults = [
            f"{len(names)} {what} ({', '.join(sorted(names)[:3])}{', ...' if len(names) > 3 else ''})"
            for what, names in {"missing": wanted - found, "too many": found - wanted}.items()
            if names
        ]
        raise UserError(
            f"{folder}: must hold one photo for each of the {len(wanted)} pairs; {', '.join(faults)}; run `generate` "
            "again"
        )
    return [folder / target.name for target in targets]


def _refuse_a_weak_judge(ceiling: Mapping[str, Any], settings: Evaluate) -> None:
    """Raise `UserError` if the mean IoU of real photos is below `min_ceiling`."""
    reached = ceiling["mean_iou"]
    if reached is None or reached < settings.min_ceiling:
        said = "no evaluated class at all" if reached is None else f"mean IoU {reached:.3f}"
        raise UserError(
            f"evaluate.min_ceiling: the judge sees {said} in the real photos of {settings.subset}, but must reach "
            f"{settings.min_ceiling:g}, because a weak judge's scores mean nothing; train it longer or larger "
            "(segment.epochs, segment.filters), choose another (segment.judge), or lower the limit"
        )


def _pixels_protocol(
    split_folder: Path, dataset: Dataset, subset: str, targets: Sequence[Path], generator: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the protocol of the scores without a network, and the part that all scores share.

    That part names the pairs, their size, and the settings that made the photos.
    """
    height, width = read_rgb(targets[0]).shape[:2]
    rows = read_manifest(split_folder)
    rows = rows[(rows["split"] == subset) & rows["fault"].isna()]
    columns = rows[["pair_id", "input_sha256", "target_sha256"]]
    shared = {
        "dataset": dataset.name,
        "split": subset,
        "pairs": len(rows),
        "pairs_sha256": hashlib.sha256(as_csv(columns).encode()).hexdigest(),
        "height_px": height,
        "width_px": width,
        "photos_resized": "bicubic, antialiased",
        "classes_resized": "nearest",
        "generator": dict(generator),
        **({"photos": GREY} if dataset.target_channels == 1 else {}),
    }
    return {"shared": shared, "intervals": bootstrap.PROTOCOL, "pixels": pixels.PROTOCOL}


def _judge_protocol(judge: Segmenter, features: Mapping[str, Sequence[Features]], images: int) -> dict[str, Any]:
    """Return the protocol of the judge's scores, by metric."""
    card, names = judge.card.protocol(), judge.classes.evaluated_names
    parts = {"segmentation": {**segmentation.PROTOCOL, "classes": names, "judge": card}}
    for of_judge in features["ceiling"]:
        key = of_judge.distances["frechet"]
        parts[key] = {**frechet.PROTOCOL, "scores": [key], "judge": card, "photos": images, "targets": images}
    return parts


def _inception_protocol(network: Inception, resize: str, keys: Mapping[str, str], images: int) -> dict[str, Any]:
    """Return the protocol of the scores that use the network's features, by score."""
    details = {"network_sha256": network.sha256, "photos_resized": RESIZED[resize]}
    details |= {"photos": images, "targets": images}
    return {
        keys["frechet"]: {**frechet.PROTOCOL, "scores": [keys["frechet"]], **details},
        keys["kid"]: {**kid.PROTOCOL, "scores": [keys["kid"], f"{keys['kid']}_std"], **details},
    }


def _inception_keys(network: Inception, resize: str, images: str) -> dict[str, str]:
    """Return the keys of the distances, which are called FID and KID only if the network is the published one."""
    names = {"frechet": "fid", "kid": "kid"}
    if not network.published:
        names = {"frechet": f"frechet_{network.sha256[:8]}", "kid": f"mmd_{network.sha256[:8]}"}
    return {metric: f"{name}_{resize}_{images}" for metric, name in names.items()}


def _score(samples: Samples) -> dict[str, Any]:
    """Return the scores of a set of photos by every metric that applies to it."""
    scores: dict[str, Any] = {"images": len(samples.pixels["l1"])}
    for name, metric in METRICS.items():
        if samples.confusions is not None or name != "segmentation":
            scores.update(metric.score(samples))
    return scores


def _floor(real: Sequence[Features], count: int) -> dict[str, Any]:
    """Return the distances between two random halves of the real photos."""
    first, second = np.array_split(np.random.default_rng(0).permutation(count), 2)
    halves = [Features(f.distances, f.targets[np.sort(first)], f.targets[np.sort(second)]) for f in real]
    halves = Samples(features=halves)
    return {"images": len(first), **frechet.score(halves), **kid.score(halves)} if real else {}


def _metrics(
    scores: dict[str, dict[str, Any]],
    floor: dict[str, Any],
    subset: str,
    pairs: int,
    protocol: dict[str, Any],
    judge_score: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """Return the content of `metrics.json`; each score but the ceiling gets its share of the ceiling."""
    ceiling = scores.get("ceiling", {})
    for score in scores.values():
        if ceiling and score is not ceiling:
            score["of_ceiling"] = {name: score[name] / ceiling[name] for name in SHARES if ceiling[name]}
    main = {name: scores[name] for name in ("generated", "ceiling") if name in scores}
    return {
        "split": subset,
        "pairs": pairs,
        **main,
        "floor": floor,
        "baselines": {name: score for name, score in scores.items() if name not in main},
        "judge": judge_score_of(judge_score),
        "protocol": protocol,
    }


def _add_usefulness(
    metrics: dict[str, Any],
    split_folder: Path,
    folders: Mapping[str, Path],
    pairs: Sequence[Pair],
    jury: Jury,
    segment: Segment,
) -> None:
    """Add what judges learn from every set of photos of train, see `controls_of`, to the content of `metrics.json`.

    `usefulness` has the scores of every control, and each set of photos has its share as one of its scores.

    Args:
        folders: the folder of every set of photos, by its name.
        pairs: the real photos that the judges look at.
    """
    train, classes = read_pairs(split_folder, "train"), jury.judges[0].classes
    targets = [pair.target_path for pair in train]
    photos = {name: _photos(folder / "train", targets) for name, folder in folders.items()}
    controls = controls_of(train, photos, segment.seed)
    truths = [pair.input_path for pair in pairs]
    confusions = {
        name: segmentation.measure(truths, judged, classes)
        for name, judged in judged_by_controls(controls, [pair.target_path for pair in pairs], classes, segment)
    }
    metrics["usefulness"] = usefulness.score(confusions, classes, jury.not_judged)
    metrics["protocol"]["usefulness"] = {
        **usefulness.PROTOCOL,
        "controls": list(controls),
        "tested_on": f"the real photos of {metrics['split']}",
        "not_judged": list(jury.not_judged),
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
    sets = {"real": metrics["ceiling"], "generated": metrics["generated"], **metrics["baselines"]}
    for name, scores in sets.items():
        of_control = metrics["usefulness"][name]
        scores |= {
            "usefulness": of_control["share_of_real"],
            "usefulness_interval": of_control["share_of_real_interval"],
        }


def judge_score_of(score: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return the part of `score.json` that `metrics.json` keeps; None for a set without classes, which has no judge."""
    kept = ("split", "images", "pixel_accuracy", "class_accuracy", "mean_iou")
    return score and {key: score[key] for key in kept}


def _tables(scores: dict[str, dict], samples: dict[str, Samples], pair_ids: list[str]) -> dict[str, pd.DataFrame]:
    """Return the tables by name.

    `images` has a row for each generated photo. The other tables are empty for a set without classes: `class_iou`,
    `class_pixels` with the right, true and judged pixels of each class in each generated photo, and `confusion`.
    """
    generated, classes = samples["generated"], samples["generated"].classes
    images = pd.DataFrame({"pair_id": pair_ids, **generated.pixels})
    names = classes.evaluated_names if classes else []
    order = [name for name in ("generated", "ceiling", "mean_color", "untrained") if "iou" in scores.get(name, {})]
    class_iou = pd.DataFrame({"class": names, **{name: list(scores[name]["iou"].values()) for name in order}})
    if not classes:
        columns = {"class_pixels": ["pair_id", "class", "right", "true", "judged"], "confusion": ["truth", "judged"]}
        empty = {name: pd.DataFrame(columns=header) for name, header in columns.items()}
        return {"images": images, "class_iou": class_iou, **empty}
    counts = segmentation.counts_of(generated.confusions)
    # Each row of the identity matrix selects one photo.
    images["pixel_accuracy"], images["mean_iou"] = segmentation.resampled(counts, np.eye(counts.shape[1]))
    index = pd.MultiIndex.from_product([pair_ids, names], names=["pair_id", "class"])
    columns = dict(zip(("right", "true", "judged"), counts.reshape(3, -1), strict=True))
    class_pixels = pd.DataFrame(columns, index=index).reset_index()
    cells = pd.MultiIndex.from_product([[*names, "void"], [*names, "void"]], names=["truth", "judged"])
    sums = {name: samples[name].confusions.sum(axis=0).ravel() for name in ("generated", "ceiling")}
    confusion = pd.DataFrame(sums, index=cells).reset_index()
    return {"images": images, "class_iou": class_iou, "class_pixels": class_pixels, "confusion": confusion}
