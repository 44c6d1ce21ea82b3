"""Evaluate: score the generated photos, the real ones (the ceiling) and the baselines under one protocol."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
from tqdm import tqdm

from pix2street.core.domains import Photographed, photographed
from pix2street.core.errors import UserError
from pix2street.core.images import read_rgb
from pix2street.core.pairs import Dataset, Pair, photos_of, read_manifest
from pix2street.core.styles import ONE_STYLE
from pix2street.core.tables import as_csv
from pix2street.judges.feature_files import real_features, write_features
from pix2street.judges.inception import Inception, fetch_inception
from pix2street.judges.jury import Jury
from pix2street.metrics import (
    METRICS,
    Features,
    Looks,
    Samples,
    bootstrap,
    diversity,
    frechet,
    inception_distances,
    judge_distances,
    kid,
    mmd,
    normalised,
    pixels,
    segmentation,
    sliced_wasserstein,
    spread,
)
from pix2street.metrics.tables import tables_of
from pix2street.settings.evaluate import Evaluate

GREY = "grey, one channel; networks that look at them (judges, Inception) are shown it in all three of theirs"
"""A line that only the protocol of a set with grey targets has."""

STYLES = {
    "palette": "palettes drawn from training photos by seed and pair_id",
    "code": "codes of training photos with similar drawings, drawn by seed and pair_id",
}
"""The styles of inputs in the protocol, in words."""
SHARES = (
    "pixel_accuracy", "pixel_accuracy_with_void", "class_accuracy", "mean_iou", "frequency_weighted_iou",
    "category_mean_iou",
)  # fmt: skip
"""Scores that `metrics.json` also holds as a share of the ceiling."""


@dataclass(frozen=True)
class Seen:
    """What a jury sees in every set of photos; empty for a set without classes, which has no jury.

    Args:
        confusions, features: by set of photos; a judge that was not trained here has no features.
        draws: of the generated photos.
        protocol: the protocol of the judges' scores, by metric.
    """

    confusions: Mapping[str, np.ndarray] = field(default_factory=dict)
    features: Mapping[str, Sequence[Features]] = field(default_factory=dict)
    draws: Sequence[tuple[np.ndarray, np.ndarray]] = ()
    not_judged: Sequence[str] = ()
    protocol: Mapping[str, Any] = field(default_factory=dict)


def evaluate_photos(
    split_folder: Path,
    segmenter_folder: Path,
    generated: Path,
    baselines: Path,
    judged: Path,
    settings: Evaluate,
    *,
    inception: Path | None,
    judge_score: Mapping[str, Any] | None,
    generator: Mapping[str, Any],
    draws: Path | None = None,
) -> tuple[dict[str, Any], dict[str, pd.DataFrame]]:
    """Score all photos of one held-out subset.

    Where no target shows what a photo should be, only sets of photos are compared, without judges.

    Args:
        generated: the folder of the generator's photos, `<subset>/<pair_id>.png`.
        baselines: a folder with a folder for each baseline, arranged like `generated`.
        judged: the folder that gets `<set of photos>/<pair_id>.png`, the class ids that the first judge sees.
        inception: the file `settings.inception`; None fetches the network.
        judge_score: the judges' scores on the real photos of val; None for a set without classes, which has no judge.
        generator: the settings that made the photos, for the protocol.
        draws: a folder with a folder for each further draw of the first drawings, arranged like `generated`; empty for
            a generator without noise, None if none were asked for. Its folder `one_style` is no draw.

    Returns:
        The content of `metrics.json`, and the tables beside it by name.

    Raises:
        UserError: the subset has no pairs, photos are missing, too many or of another size, weights or ids are not
            those expected, or the judges are too weak.
    """
    subset = settings.subset
    made = photographed(split_folder, subset, generated / subset)
    pairs, targets = made.pairs, [pair.target_path for pair in made.pairs]
    if not pairs:
        raise UserError(f"evaluate.subset: {subset} has no pairs in this data set; choose the other held-out subset")
    dataset = Dataset.read(split_folder)
    folders = {"generated": generated, **{folder.name: folder for folder in sorted(baselines.iterdir())}}
    photos = {name: photos_of(folder / subset, pairs) for name, folder in folders.items()}
    protocol = _shared_protocol(split_folder, dataset, subset, made, generator)
    classes = dataset.classes if made.exact else None
    if classes:
        photos = {"ceiling": targets, **photos}
    measures = {name: pixels.measure(paths, targets) if made.exact else {} for name, paths in photos.items()}
    looks = {name: Looks.of(paths, dataset.target_channels) for name, paths in photos.items()}
    real = looks["ceiling"] if "ceiling" in looks else Looks.of(made.real, dataset.target_channels)
    protocol |= {"sliced_wasserstein": sliced_wasserstein.protocol_of(real.patches), "spread": spread.PROTOCOL}
    seen = Seen()
    if classes:
        jury = Jury.load(segmenter_folder, classes)
        seen = _look_as_jury(jury, photos, made, judged, draws, settings)
        protocol |= seen.protocol
    features = {name: [*seen.features.get(name, ())] for name in photos}
    with TemporaryDirectory() as scratch:
        if settings.fid:
            network = Inception(fetch_inception(inception))
            protocol |= _look_through_inception(network, photos, made.real, features, settings, Path(scratch))
        samples = {
            name: Samples(
                measures[name],
                seen.confusions.get(name),
                classes,
                features[name],
                seen.not_judged,
                looks=(looks[name], real),
                draws=seen.draws if name == "generated" else (),
            )
            for name in photos
        }
        scores = {name: _score(of_set) for name, of_set in samples.items()}
        floor = _floor(features["generated"], real)
    return (
        _metrics(scores, floor, subset, len(pairs), protocol, judge_score),
        tables_of(scores, samples, [pair.pair_id for pair in pairs]),
    )


def _look_as_jury(
    jury: Jury,
    photos: Mapping[str, Sequence[Path]],
    made: Photographed,
    judged: Path,
    draws: Path | None,
    settings: Evaluate,
) -> Seen:
    """Return what every judge sees in every set of photos, and in further draws of the first drawings."""
    confusions, found = _judge(jury, photos, made.labels, judged, settings)
    first, cards = jury.judges[0], [judge.card.protocol() for judge in jury.judges]
    of_jury = {"judge": cards[0], "judges": cards, "not_judged": dict(jury.not_judged)}
    names = first.classes.evaluated_names
    protocol = {"segmentation": {**segmentation.PROTOCOL, "classes": names, **of_jury}}
    if not first.levels:
        return Seen(confusions, not_judged=tuple(jury.not_judged), protocol=protocol)
    real, drawn = found["ceiling"], []
    features = {name: judge_distances.features_of(seen, real, first.levels) for name, seen in found.items()}
    protocol |= judge_distances.protocol_of(cards, len(made.pairs))
    if draws:
        folders = [draw / settings.subset for draw in sorted(draws.iterdir()) if draw.name != ONE_STYLE]
        drawn = _draws(jury, folders, made.pairs, found["generated"], real)
        protocol["diversity"] = diversity.protocol_of(drawn[0][0], cards)
    return Seen(confusions, features, drawn, tuple(jury.not_judged), protocol)


def _judge(
    jury: Jury, photos: Mapping[str, Sequence[Path]], truths: Sequence[Path], judged: Path, settings: Evaluate
) -> tuple[dict[str, np.ndarray], dict[str, list[np.ndarray | None]]]:
    """Return every judge's confusion matrices of every set of photos, and its features, as `Segmenter.judge` does.

    The real photos come first, so that weak judges are refused before they see the others.

    Args:
        truths: the class ids of each photo.
        judged: the folder that gets what the first judge sees.
    """
    confusions, seen = {}, {}
    with TemporaryDirectory() as of_others:
        for name in tqdm(photos, desc="judges" if len(jury.judges) > 1 else "judge", unit=" sets"):
            matrices, seen[name] = [], []
            for index, judge in enumerate(jury.judges):
                folder = (Path(of_others) / str(index) if index else judged) / name
                seen[name].append(judge.judge(photos[name], folder))
                views = [folder / path.name for path in photos[name]]
                matrices.append(segmentation.measure(truths, views, judge.classes))
            confusions[name] = np.stack(matrices)
            if name == "ceiling":
                _refuse_weak_judges(confusions[name], jury, settings)
    return confusions, seen


def _draws(
    jury: Jury,
    folders: Sequence[Path],
    pairs: Sequence[Pair],
    generated: Sequence[np.ndarray],
    real: Sequence[np.ndarray],
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return each judge's normalised features of several photos of the first drawings, as `Samples.draws` has them.

    The first of the K photos of a drawing is the generated one. D is 0 without `folders`.

    Args:
        folders: a folder for each further draw.
        generated, real: each judge's features of all generated and of all real photos.
    """
    count = len([*folders[0].iterdir()]) if folders else 0
    photos, drawn = [photos_of(folder, pairs[:count]) for folder in folders], []
    for judge, made, true in zip(jury.judges, generated, real, strict=True):
        every = np.stack([made[:count], *(judge.judge(paths, None) for paths in photos)], axis=1)
        drawn.append((normalised(every, true), normalised(true, true)))
    return drawn


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
    protocol, count = {}, len(photos["generated"])
    for resize in settings.fid:
        keys = inception_distances.keys_of(network.sha256, network.published, resize, settings.subset, count)
        protocol |= inception_distances.protocol_of(network.sha256, resize, keys, count, len(targets))
        real = real_features(network, resize, targets)
        for name, paths in photos.items():
            made = real
            if name != "ceiling":
                blocks = tqdm(network.features(paths, resize), desc=f"inception, {resize}: {name}", unit=" batches")
                made = write_features(scratch / f"{name}_{resize}.npy", blocks, len(paths))
            features[name].append(Features(keys, made, real))
    return protocol


def _refuse_weak_judges(ceiling: np.ndarray, jury: Jury, settings: Evaluate) -> None:
    """Raise `UserError` if the jury's mean IoU of real photos is below `min_ceiling`; matrices as in `Samples`."""
    classes = jury.judges[0].classes
    reached = segmentation.jury_scores(ceiling.sum(axis=1), classes, jury.not_judged)["mean_iou"]
    if reached is None or reached < settings.min_ceiling:
        said = "no evaluated class at all" if reached is None else f"mean IoU {reached:.3f}"
        said = f"the judge sees {said}" if len(jury.judges) == 1 else f"{len(jury.judges)} judges see on average {said}"
        raise UserError(
            f"evaluate.min_ceiling: {said} in the real photos of {settings.subset}, but must reach "
            f"{settings.min_ceiling:g}, because a weak judge's scores mean nothing; train it longer or larger "
            "(segment.epochs, segment.filters), choose another (segment.judge), or lower the limit"
        )


def style_of(style: str) -> dict[str, str]:
    """Return the line of the protocol about `train.data.style`; a protocol without styles has none."""
    return {} if style == "none" else {"style": STYLES[style]}


def _shared_protocol(
    split_folder: Path, dataset: Dataset, subset: str, made: Photographed, generator: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the protocol of the scores against targets, if there are any, and the part that all scores share.

    That part names the pairs, their size, and the settings that made the photos.
    """
    height, width = read_rgb(made.real[0]).shape[:2]
    rows = read_manifest(split_folder)
    rows = rows[(rows["split"] == subset) & rows["fault"].isna()]
    if made.domains:
        rows = rows[rows["domain"].isin(made.domains)]
    columns = rows[["pair_id", "input_sha256", "target_sha256"]]
    shared = {
        "dataset": dataset.name,
        "split": subset,
        "pairs": len(made.pairs),
        "pairs_sha256": hashlib.sha256(as_csv(columns).encode()).hexdigest(),
        "height_px": height,
        "width_px": width,
        "photos_resized": "bicubic, antialiased",
        "classes_resized": "nearest",
        "generator": dict(generator),
        **({"photos": GREY} if dataset.target_channels == 1 else {}),
        **made.protocol(),
    }
    protocol = {"shared": shared, "intervals": bootstrap.PROTOCOL}
    return {**protocol, "pixels": pixels.PROTOCOL} if made.exact else protocol


def _score(samples: Samples) -> dict[str, Any]:
    """Return the scores of a set of photos by every metric that applies to it."""
    scores: dict[str, Any] = {"images": len(samples.looks[0].light)}
    for name, metric in METRICS.items():
        if samples.confusions is not None or name != "segmentation":
            scores.update(metric.score(samples))
    return scores


def _floor(features: Sequence[Features], real: Looks) -> dict[str, Any]:
    """Return the distances between two random halves of the real photos, and the spread of one to that of the other."""
    first, second = map(np.sort, np.array_split(np.random.default_rng(0).permutation(len(real.light)), 2))
    halves = [Features(f.distances, f.targets[first], f.targets[second]) for f in features]
    samples = Samples(features=halves, looks=(real.some(first), real.some(second)))
    scores = {"images": len(first)}
    for metric in (frechet, kid, mmd, sliced_wasserstein, spread):
        scores.update(metric.score(samples))
    return scores


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


def judge_score_of(score: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return the part of `score.json` that `metrics.json` keeps; None for a set without classes, which has no judge."""
    kept = ["split", "images", "judges", "pixel_accuracy", "class_accuracy", "mean_iou"]
    return score and {key: score[key] for key in kept + ["mean_iou_judges"] * (score["judges"] > 1)}
