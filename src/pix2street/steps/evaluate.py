"""Evaluate: score the generated photos, the real ones (the ceiling) and the baselines under one protocol."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
from tqdm import tqdm

from pix2street.core.domains import PhotoFolders, Photographed, photographed, read_images
from pix2street.core.errors import UserError
from pix2street.core.pairs import Dataset, Pair, photos_of
from pix2street.core.styles import ONE_STYLE
from pix2street.judges.domain_classifier import DomainClassifier
from pix2street.judges.feature_files import real_features, write_features
from pix2street.judges.inception import Inception, fetch_inception
from pix2street.judges.jury import Jury
from pix2street.metrics import (
    Features,
    Looks,
    Samples,
    Trained,
    diversity,
    domain_accuracy,
    enlargement,
    inception_distances,
    judge_distances,
    normalised,
    pixels,
    segmentation,
    thumbnails,
)
from pix2street.metrics.protocols import shared_protocol
from pix2street.metrics.scoring import floor_of, protocol_of_looks, scores_of
from pix2street.metrics.tables import tables_of
from pix2street.settings.evaluate import Evaluate

STYLES = {
    "palette": "palettes drawn from training photos by seed and pair_id",
    "code": "codes of training photos with similar drawings, drawn by seed and pair_id",
}
"""The styles of inputs in the protocol, in words."""
FLOOR_ALONE = "photos of train, as many as are scored, against the held-out ones"
"""The floor of photos without inputs, in words."""
SHARES = (
    "pixel_accuracy", "pixel_accuracy_with_void", "class_accuracy", "mean_iou", "frequency_weighted_iou",
    "category_mean_iou", "domain_accuracy",
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


@dataclass(frozen=True)
class Named:
    """What a classifier of domains names in photos; empty without one.

    Args:
        photos: by set of photos, as `Samples.named` has it.
        score: how many real images of the subset it names right.
    """

    photos: Mapping[str, tuple[np.ndarray, int]] = field(default_factory=dict)
    score: Mapping[str, Any] = field(default_factory=dict)
    protocol: Mapping[str, Any] = field(default_factory=dict)


def evaluate_photos(
    split_folder: Path,
    segmenter_folder: Path,
    folders: PhotoFolders,
    judged: Path,
    settings: Evaluate,
    *,
    inception: Path | None,
    judge_score: Mapping[str, Any] | None,
    generator: Mapping[str, Any],
) -> tuple[dict[str, Any], dict[str, pd.DataFrame]]:
    """Score all photos of one held-out subset.

    Where no target shows what a photo should be, only sets of photos are compared, without judges.

    Args:
        judged: the folder that gets `<set of photos>/<pair_id>.png`, the class ids that the first judge sees.
        inception: the file `settings.inception`; None fetches the network.
        judge_score: the judges' scores on the real photos of val; None for a set without classes, which has no judge.
        generator: the settings that made the photos, for the protocol.

    Returns:
        The content of `metrics.json`, and the tables beside it by name.

    Raises:
        UserError: the subset has no pairs, photos are missing, too many or of another size, weights or ids are not
            those expected, or the judges are too weak.
    """
    subset = settings.subset
    made = photographed(split_folder, subset, folders.generated / subset, folders.domain)
    pairs, targets = made.pairs, [pair.target_path for pair in made.pairs]
    if not pairs:
        raise UserError(f"evaluate.subset: {subset} has no pairs in this data set; choose the other held-out subset")
    dataset = Dataset.read(split_folder)
    sets = {"generated": folders.generated, **{folder.name: folder for folder in sorted(folders.baselines.iterdir())}}
    photos = {name: photos_of(folder / subset, pairs) for name, folder in sets.items()}
    protocol = shared_protocol(split_folder, dataset, subset, made, generator)
    classes = dataset.classes if made.exact else None
    if classes:
        photos = {"ceiling": targets, **photos}
    measures = {
        name: pixels.measure(paths, targets, dataset.target_frames) if made.exact else {}
        for name, paths in photos.items()
    }
    enlarged, factor = {}, dataset.factor
    if factor > 1:
        inputs = [pair.input_path for pair in pairs]
        enlarged = {name: enlargement.measure(paths, targets, inputs, factor) for name, paths in photos.items()}
    looks = {name: Looks.of(paths, dataset.target_channels) for name, paths in photos.items()}
    real = looks["ceiling"] if "ceiling" in looks else Looks.of(made.real, dataset.target_channels)
    protocol |= protocol_of_looks(real)
    seen = Seen()
    if classes:
        jury = Jury.load(segmenter_folder, classes)
        seen = _look_as_jury(jury, photos, made, judged, folders.draws, settings)
        protocol |= seen.protocol
    named = _name_domains(segmenter_folder, split_folder, photos, made, settings)
    protocol |= named.protocol
    features = {name: [*seen.features.get(name, ())] for name in photos}
    train: Mapping[str, Trained] = {}
    if made.alone:
        features, train = thumbnails.beside_train(split_folder, photos, made.real, dataset.target_channels)
        protocol |= thumbnails.protocol_of(len(made.pairs)) | {"floor": {"photos": FLOOR_ALONE}}
        if dataset.classes:
            protocol |= _look_at_photos_alone(Jury.load(segmenter_folder, dataset.classes), photos, made.real, features)
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
                named=named.photos.get(name),
                enlarged=enlarged.get(name),
                train=train.get(name),
            )
            for name in photos
        }
        scores = {name: scores_of(of_set) for name, of_set in samples.items()}
        floor = floor_of(features["generated"], real, enlarged=factor > 1)
        if made.alone:
            floor = {key: value for key, value in scores["resampled"].items() if key in floor}
    return (
        _metrics(scores, floor, made, settings, protocol, judge_score, named.score),
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
        folders = [draw / settings.subset for draw in sorted(draws.glob("*")) if draw.name != ONE_STYLE]
        drawn = _draws(jury, folders, made.pairs, found["generated"], real)
        protocol["diversity"] = diversity.protocol_of(drawn[0][0], cards)
    return Seen(confusions, features, drawn, tuple(jury.not_judged), protocol)


def _look_at_photos_alone(
    jury: Jury, photos: Mapping[str, Sequence[Path]], real: Sequence[Path], features: Mapping[str, list[Features]]
) -> dict[str, Any]:
    """Append every judge's features of photos without inputs to `features`, and return the protocol of their distances.

    A judge sees a photo alone. It needs a drawing only to say whether what it sees is right.
    """
    levels = jury.judges[0].levels
    if not levels:
        return {}
    true = [judge.judge(real, None) for judge in jury.judges]
    for name, paths in tqdm(photos.items(), desc="judge", unit=" sets"):
        seen = [judge.judge(paths, None) for judge in jury.judges]
        features[name] += judge_distances.features_of(seen, true, levels)
        features[name] += judge_distances.manifold_of(seen, true)
    return judge_distances.protocol_of([judge.card.protocol() for judge in jury.judges], len(real), alone=True)


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


def _name_domains(
    segmenter_folder: Path,
    split_folder: Path,
    photos: Mapping[str, Sequence[Path]],
    made: Photographed,
    settings: Evaluate,
) -> Named:
    """Return what the classifier of domains, if there is one, names in every set of translations."""
    domains = Dataset.read(split_folder).domains
    classifier = DomainClassifier.load(segmenter_folder, domains) if made.domains else None
    if classifier is None:
        return Named()
    target = domains.index(made.domains[1])
    named = {name: (classifier.name(paths), target) for name, paths in photos.items()}
    score = classifier.score(read_images(split_folder, settings.subset))
    protocol = {**domain_accuracy.PROTOCOL, "classifier": asdict(classifier.card)}
    return Named(named, score, {"domain_accuracy": protocol})


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


def _metrics(
    scores: dict[str, dict[str, Any]],
    floor: dict[str, Any],
    made: Photographed,
    settings: Evaluate,
    protocol: dict[str, Any],
    judge_score: Mapping[str, Any] | None,
    domains: Mapping[str, Any],
) -> dict[str, Any]:
    """Return the content of `metrics.json`; each score but the ceiling gets its share of the ceiling.

    Args:
        domains: the score of the classifier of domains, whose ceiling is what it reaches in the target domain; empty
            without one.
    """
    ceiling = dict(scores.get("ceiling", {}))
    if domains:
        ceiling["domain_accuracy"] = domains["by_domain"][made.domains[1]]
    for name, score in scores.items():
        if shared := [key for key in SHARES if ceiling.get(key) and key in score and name != "ceiling"]:
            score["of_ceiling"] = {key: score[key] / ceiling[key] for key in shared}
    main = {name: scores[name] for name in ("generated", "ceiling") if name in scores}
    return {
        "split": settings.subset,
        "pairs": len(made.pairs),
        **main,
        "floor": floor,
        "baselines": {name: score for name, score in scores.items() if name not in main},
        "judge": judge_score_of(judge_score),
        **({"domain_classifier": domains} if domains else {}),
        "protocol": protocol,
    }


def judge_score_of(score: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return the part of `score.json` that `metrics.json` keeps; None for a set without classes, which has no judge."""
    kept = ["split", "images", "judges", "pixel_accuracy", "class_accuracy", "mean_iou"]
    return score and {key: score[key] for key in kept + ["mean_iou_judges"] * (score["judges"] > 1)}
