"""Segmentation scores from one confusion matrix over all images (Long et al. 2015, section 5).

Void pixels are left out of every score. A class that is absent from truth and prediction has no IoU: it is listed and
left out of the mean.
"""

import numpy as np

from pix2street.classes import VOID
from pix2street.metrics.samples import Samples


def score(samples: Samples) -> dict:
    """Pixel accuracy, class accuracy, mean IoU and IoU by class of what the judge sees against the input's classes."""
    matrix = confusion_matrix(samples.truth, samples.judged, len(samples.class_names))
    void = int(samples.truth.size - matrix.sum())
    return {**scores_of(matrix, samples.class_names), "evaluated_pixels": int(matrix.sum()), "void_pixels": void}


def confusion_matrix(truth: np.ndarray, judged: np.ndarray, classes: int) -> np.ndarray:
    """Pixels of each true class (rows) by the class they were judged to be (columns): `[classes, classes]` int64.

    Args:
        truth: class places, uint8, `VOID` where a pixel does not count.
        judged: class places below `classes`, of the same shape.

    Raises:
        ValueError: shapes differ, or a place is out of range.
    """
    if truth.shape != judged.shape:
        raise ValueError(f"truth is {truth.shape}, judged is {judged.shape}: they must be equal")
    counted = truth != VOID
    truth, judged = truth[counted].astype(np.int64), judged[counted]
    if max(truth.max(initial=0), judged.max(initial=0)) >= classes:
        raise ValueError(f"class places must be below {classes}, met {max(truth.max(), judged.max())}")
    return np.bincount(truth * classes + judged, minlength=classes**2).reshape(classes, classes)


def scores_of(matrix: np.ndarray, class_names) -> dict:
    """The scores of a confusion matrix as `confusion_matrix` gives it (n_ij = `matrix[i, j]`).

    pixel accuracy = sum_i n_ii / sum_ij n_ij; class accuracy = mean_i n_ii / sum_j n_ij over classes with truth;
    IoU_i = n_ii / (sum_j n_ij + sum_j n_ji - n_ii); mean IoU = mean over classes that have one. None where nothing is.
    """
    hit, truth, judged = np.diag(matrix), matrix.sum(axis=1), matrix.sum(axis=0)
    union = truth + judged - hit
    there, has_truth = union > 0, truth > 0
    iou = hit[there] / union[there]
    names = np.array(class_names)
    return {
        "pixel_accuracy": float(hit.sum() / matrix.sum()) if matrix.sum() else None,
        "class_accuracy": float((hit[has_truth] / truth[has_truth]).mean()) if has_truth.any() else None,
        "mean_iou": float(iou.mean()) if there.any() else None,
        "iou": dict(zip(names[there].tolist(), iou.tolist(), strict=True)),
        "absent_classes": names[~there].tolist(),
    }
