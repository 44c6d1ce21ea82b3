"""Segmentation scores from confusion matrices, as Cityscapes' evaluation defines them.

Pixels whose true class is not evaluated (void) count only in `pixel_accuracy_with_void`. A class that is absent from
truth and judgement has no IoU; its score is null, and the mean leaves it out. Means over classes also leave out the
classes that are not judged, because even real photos do not show them to the judges.
"""

from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from pix2street.core.classes import ClassTable
from pix2street.core.errors import UserError
from pix2street.core.images import read_ids
from pix2street.metrics.bootstrap import SEED_OF_JUDGES, interval_of, resamples
from pix2street.metrics.samples import Samples, mean_of, mean_of_judges

PROTOCOL = {
    "version": 3,
    "scores": [
        "pixel_accuracy", "pixel_accuracy_with_void", "class_accuracy", "mean_iou", "frequency_weighted_iou",
        "category_mean_iou", "iou", "category_iou",
    ],
    "void": "left out; pixel_accuracy_with_void counts it as wrong",
    "absent_classes": "no IoU, out of the mean",
    "several_judges": f"the mean of their scores; intervals draw judges as well as images, seed {SEED_OF_JUDGES}",
}  # fmt: skip


def score(samples: Samples) -> dict:
    """Return the scores of `PROTOCOL`, with intervals of pixel accuracy and mean IoU over photos and judges."""
    matrices, not_judged = samples.confusions, samples.not_judged
    draws = resamples(matrices.shape[1]), resamples(len(matrices), SEED_OF_JUDGES)
    in_mean = counted(samples.classes.evaluated_names, not_judged)
    pixel_accuracy, mean_iou = resampled(counts_of(matrices), *draws, in_mean)
    return {
        **jury_scores(matrices.sum(axis=1, dtype=np.int64), samples.classes, not_judged),
        "pixel_accuracy_interval": interval_of(pixel_accuracy),
        "mean_iou_interval": interval_of(mean_iou),
    }


def measure(truths: Sequence[Path], judged: Sequence[Path], classes: ClassTable) -> np.ndarray:
    """Return the confusion matrix of each photo, see `confusion_matrix`: `[N, C + 1, C + 1]` int32.

    Args:
        truths, judged: paths of class-id images, one channel.

    Raises:
        UserError: two images differ in size, or a file holds an id that no class has.
    """

    def matrix(*paths: Path) -> np.ndarray:
        try:
            return confusion_matrix(*map(read_ids, paths), classes, paths).astype(np.int32)
        except ValueError as error:
            raise UserError(str(error)) from error

    with ThreadPoolExecutor() as pool:
        return np.stack(list(pool.map(matrix, truths, judged)))


def confusion_matrix(
    truth: np.ndarray, judged: np.ndarray, classes: ClassTable, names: Sequence = ("truth", "judged")
) -> np.ndarray:
    """Return how many pixels have each true class (rows) and each judged class (columns): `[C + 1, C + 1]` int64.

    The evaluated classes are in the table's order; the last row and column count classes that are not evaluated.

    Args:
        truth, judged: class ids of one shape, uint8.
        names: the names of the two in errors.

    Raises:
        ValueError: the shapes differ, or an id has no class.
    """
    if truth.shape != judged.shape:
        sizes = ["x".join(map(str, ids.shape)) for ids in (judged, truth)]
        raise ValueError(
            f"{names[1]}: is {sizes[0]} px, {names[0]} is {sizes[1]}; sizes must be equal, make both again"
        )
    count = len(classes.evaluated_names)
    bins = count + 2  # the last bin is for ids without a class
    indices = np.where(classes.known, np.minimum(classes.evaluated, count), count + 1).astype(np.int64)
    joint = np.bincount((indices * bins)[truth].ravel() + indices[judged].ravel(), minlength=bins**2)
    joint = joint.reshape(bins, bins)
    if joint[-1].any() or joint[:, -1].any():
        name, ids = (names[0], truth) if joint[-1].any() else (names[1], judged)
        unknown = np.unique(ids[~classes.known[ids]]).tolist()
        raise ValueError(f"{name}: holds ids that no class has: {unknown}; fix the class table or run its stage again")
    return joint[:-1, :-1]


def jury_scores(matrices: np.ndarray, classes: ClassTable, not_judged: Collection[str] = ()) -> dict:
    """Return the mean of the scores of several judges, see `scores_of`, from the matrix of each, `[J, C + 1, C + 1]`.

    `<score>_judges` lists the judges' own values if there are several judges. A class has the mean of the IoUs that it
    has.
    """
    by_judge = [scores_of(matrix, classes, not_judged) for matrix in matrices]
    scores: dict[str, Any] = {}
    for key, first in by_judge[0].items():
        values = [score[key] for score in by_judge]
        if isinstance(first, dict):
            scores[key] = {name: mean_of([value[name] for value in values]) for name in first}
        elif first is None or isinstance(first, float):
            scores |= mean_of_judges(key, values)
        else:
            scores[key] = first
    scores["absent_classes"] = [name for name, iou in scores["iou"].items() if iou is None]
    return scores


def scores_of(matrix: np.ndarray, classes: ClassTable, not_judged: Collection[str] = ()) -> dict:
    """Return the scores of a confusion matrix, see `confusion_matrix`; a score without any pixel is None.

    The class accuracy and the mean IoU leave the classes in `not_judged` out.

    With n_ij pixels of evaluated class i judged as j, t_i = sum_j n_ij (all columns) and v void pixels (Long et al.
    2015, section 5): pixel accuracy = sum_i n_ii / sum_i t_i, with void / (sum_i t_i + v); class accuracy = mean of
    n_ii / t_i over classes with truth; IoU_i = n_ii / (t_i + sum_j n_ji - n_ii), with j over evaluated rows only;
    frequency-weighted IoU = sum_i t_i IoU_i / sum_i t_i. A category's IoU is that of the union of its classes.
    """
    names = np.array(classes.evaluated_names)
    hit, truth, judged = _marginals(matrix)
    iou = _share(hit, truth + judged - hit)
    known, of_jury = np.isfinite(iou), counted(names, not_judged)
    in_truth, in_mean = (truth > 0) & of_jury, known & of_jury
    categories = np.array([entry.category for entry in classes.entries if entry.evaluated])
    named = [name for name in dict.fromkeys(categories.tolist()) if name]
    by_category = {name: _category_iou(matrix, categories == name) for name in named}
    present = [value for value in by_category.values() if value is not None]
    evaluated, void = int(truth.sum()), int(matrix[-1].sum())
    return {
        "pixel_accuracy": float(hit.sum() / evaluated) if evaluated else None,
        "pixel_accuracy_with_void": float(hit.sum() / (evaluated + void)) if evaluated else None,
        "class_accuracy": float((hit / np.maximum(truth, 1))[in_truth].mean()) if in_truth.any() else None,
        "mean_iou": float(iou[in_mean].mean()) if in_mean.any() else None,
        "frequency_weighted_iou": float((truth * np.nan_to_num(iou)).sum() / evaluated) if evaluated else None,
        "category_mean_iou": float(np.mean(present)) if present else None,
        "iou": dict(zip(names.tolist(), [float(x) if np.isfinite(x) else None for x in iou], strict=True)),
        "absent_classes": names[~known].tolist(),
        "category_iou": by_category,
        "evaluated_pixels": evaluated,
        "void_pixels": void,
    }


def counted(names: Sequence[str], not_judged: Collection[str]) -> np.ndarray:
    """Return whether each class counts in means of classes, `[C]` bool."""
    return ~np.isin(names, list(not_judged))


def counts_of(matrices: np.ndarray) -> np.ndarray:
    """Return the right, true and judged pixels of each class, `[3, ..., C]`, without void, of `[..., C + 1, C + 1]`."""
    return np.stack(_marginals(matrices))


def resampled(
    counts: np.ndarray, photos: np.ndarray, judges: np.ndarray, in_mean: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the pixel accuracy and the mean IoU of every resample, `[R]` each: means over the judges in it.

    Args:
        counts: the result of `counts_of` for J judges and N photos, `[3, J, N, C]`.
        photos, judges: how often each photo and each judge occurs in each resample, `[R, N]` and `[R, J]`.
        in_mean: whether each class counts in the mean IoU, `[C]`, see `counted`.
    """
    hit, truth, judged = (photos @ part for part in counts)  # [J, R, C] each
    iou = _share(hit, truth + judged - hit)
    known = np.isfinite(iou) & in_mean
    mean_iou = _share(np.where(known, iou, 0).sum(axis=-1), known.sum(axis=-1))
    return tuple(_mean_of(values, judges.T) for values in (_share(hit.sum(axis=-1), truth.sum(axis=-1)), mean_iou))


def _mean_of(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the weighted mean of the finite values `[J, R]` over the judges, `[R]`; NaN where there is none."""
    weights = weights * np.isfinite(values)
    return _share((weights * np.nan_to_num(values)).sum(axis=0), weights.sum(axis=0))


def _marginals(matrices: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the right, true and judged pixels of each class."""
    evaluated = matrices[..., :-1, :].astype(np.int64)
    hit = np.diagonal(evaluated[..., :-1], axis1=-2, axis2=-1)
    return hit, evaluated.sum(axis=-1), evaluated[..., :-1].sum(axis=-2)


def _category_iou(matrix: np.ndarray, inside: np.ndarray) -> float | None:
    """Return the IoU of the union of the classes `inside`; None if they are absent."""
    matrix = matrix[:-1]
    truth, judged = matrix[inside].sum(), matrix[:, :-1][:, inside].sum()
    hit = matrix[:, :-1][np.ix_(inside, inside)].sum()
    union = truth + judged - hit
    return float(hit / union) if union else None


def _share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """Return part / whole, NaN where the whole is 0."""
    return np.divide(part, whole, out=np.full(np.shape(whole), np.nan), where=whole > 0)
