"""Usefulness: how well judges that were trained on several sets of photos see the same real photos."""

from collections.abc import Collection, Mapping

import numpy as np

from pix2street.core.classes import ClassTable
from pix2street.metrics.bootstrap import interval_of, resamples
from pix2street.metrics.segmentation import counted, counts_of, resampled, scores_of

PROTOCOL = {
    "version": 1,
    "scores": ["usefulness"],
    "usefulness": "mean IoU of real photos under a judge trained on these photos, as a share of that under `real`",
}


def score(confusions: Mapping[str, np.ndarray], classes: ClassTable, not_judged: Collection[str] = ()) -> dict:
    """Return the scores of every control.

    Each has `mean_iou` and `share_of_real`, both with an interval over the photos, and `iou` by class. Every resample
    has the same photos for all controls, so that the interval of the share leaves the difficulty of the photos out.

    Args:
        confusions: the matrices of the real photos under the judge of each control, as `segmentation.measure` returns
            them, by control; one is `real`.
        not_judged: the classes that the means leave out.
    """
    scores = {name: scores_of(x.sum(axis=0, dtype=np.int64), classes, not_judged) for name, x in confusions.items()}
    in_mean = counted(classes.evaluated_names, not_judged)
    weights = resamples(len(confusions["real"])), resamples(1)
    drawn = {name: resampled(counts_of(x[None]), *weights, in_mean)[1] for name, x in confusions.items()}
    real = scores["real"]["mean_iou"]
    # A share of nothing is not finite, and an interval leaves it out.
    with np.errstate(divide="ignore", invalid="ignore"):
        shares = {name: interval_of(of_control / drawn["real"]) for name, of_control in drawn.items()}
    return {
        name: {
            "mean_iou": of_control["mean_iou"],
            "mean_iou_interval": interval_of(drawn[name]),
            "share_of_real": of_control["mean_iou"] / real if real else None,
            "share_of_real_interval": shares[name],
            "iou": of_control["iou"],
        }
        for name, of_control in scores.items()
    }
