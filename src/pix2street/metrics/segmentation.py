"""Segmentation scores from confusion matrices, as Cityscapes' evaluation defines them.

Pixels whose true class is not evaluated (void) count only in `pixel_accuracy_with_void`. A class that is absent from
truth and judgement has no IoU; its score is null, and the mean leaves it out.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from pix2street.core.classes import ClassTable
from pix2street.core.errors import UserError
from pix2street.core.images import read_ids
from pix2street.metrics.bootstrap import interval_of, resamples
from pix2street.metrics.samples import Samples

PROTOCOL = {
    "version": 2,
    "scores": [
        "pixel_accuracy", "pixel_accuracy_with_void", "class_accuracy", "mean_iou", "frequency_weighted_iou",
        "category_mean_iou", "iou", "category_iou",
    ],
    "void": "left out; pixel_accuracy_with_void counts it as wrong",
    "absent_classes": "no IoU, out of the mean",
}  # fmt: skip


def score(samples: Samples) -> dict:
    """Return the scores of `PROTOCOL`, with intervals of pixel accuracy and mean IoU."""
    matrices = samples.confusions
    weights = resamples(len(matrices))
    pixel_accuracy, mean_iou = resampled(counts_of(matrices), weights)
    return {
        **scores_of(matrices.sum(axis=0, dtype=np.int64), samples.classes),
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


def scores_of(matrix: np.ndarray, classes: ClassTable) -> dict:
    """Return the scores of a confusion matrix, see `confusion_matrix`; a score without any pixel is None.

    With n_ij pixels of evaluated class i judged as j, t_i = sum_j n_ij (all columns) and v void pixels (Long et al.
    2015, section 5): pixel accuracy = sum_i n_ii / sum_i t_i, with void / (sum_i t_i + v); class accuracy = mean of
    n_ii / t_i over classes with truth; IoU_i = n_ii / (t_i + sum_j n_ji - n_ii), with j over evaluated rows only;
    frequency-weighted IoU = sum_i t_i IoU_i / sum_i t_i. A category's IoU is that of the union of its classes.
    """
    names = np.array(classes.evaluated_names)
    hit, truth, judged = _marginals(matrix)
    has_truth = truth > 0
    iou = _share(hit, truth + judged - hit)
    known = np.isfinite(iou)
    categories = np.array([entry.category for entry in classes.entries if entry.evaluated])
    named = [name for name in dict.fromkeys(categories.tolist()) if name]
    by_category = {name: _category_iou(matrix, categories == name) for name in named}
    present = [value for value in by_category.values() if value is not None]
    counted, void = int(truth.sum()), int(matrix[-1].sum())
    return {
        "pixel_accuracy": hit.sum() / counted if counted else None,
        "pixel_accuracy_with_void": hit.sum() / (counted + void) if counted else None,
        "class_accuracy": float((hit[has_truth] / truth[has_truth]).mean()) if counted else None,
        "mean_iou": float(iou[known].mean()) if known.any() else None,
        "frequency_weighted_iou": float((truth * np.nan_to_num(iou)).sum() / counted) if counted else None,
        "category_mean_iou": float(np.mean(present)) if present else None,
        "iou": dict(zip(names.tolist(), [float(x) if np.isfinite(x) else None for x in iou], strict=True)),
        "absent_classes": names[~known].tolist(),
        "category_iou": by_category,
        "evaluated_pixels": counted,
        "void_pixels": void,
    }


def counts_of(matrices: np.ndarray) -> np.ndarray:
    """Return the right, true and judged pixels of each class, `[3, ..., C]`, without void, of `[..., C + 1, C + 1]`."""
    return np.stack(_marginals(matrices))


def resampled(counts: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the pixel accuracy and the mean IoU of every resample, `[R]` each.

    Args:
        counts: the result of `counts_of` for N photos, `[3, N, C]`.
        weights: how often each photo occurs in each resample, `[R, N]`.
    """
    hit, truth, judged = (weights @ part for part in counts)
    iou = _share(hit, truth + judged - hit)
    known = np.isfinite(iou)
    return _share(hit.sum(axis=1), truth.sum(axis=1)), _share(np.nansum(iou, axis=1), known.sum(axis=1))


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
