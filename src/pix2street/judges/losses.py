"""The loss of a judge's training. Pure Keras 3."""

import keras
import numpy as np
from keras import ops

from pix2street.core.classes import VOID

MOST = 10.0
"""The largest weight of a class."""
LEAST_SHARE = 2e-4
"""The share of the pixels below which a class is not learned: three pixels of a photo of 128x128, which are usually
colours that a lossy label image moved to the nearest class."""


def class_weights(pixels: np.ndarray) -> np.ndarray:
    """Return the weight of each class in the cross-entropy, the inverse root of its share of all pixels.

    The weights are scaled so that their mean over all pixels is 1, and then cut at `MOST`; a class whose share is not
    above `LEAST_SHARE` has weight 0.

    Args:
        pixels: the number of pixels of each class, `[C]`.
    """
    shares = pixels / max(pixels.sum(), 1)
    weights = np.where(shares > LEAST_SHARE, np.maximum(shares, LEAST_SHARE) ** -0.5, 0.0)
    return np.minimum(weights / max((weights * shares).sum(), 1e-12), MOST).astype(np.float32)


@keras.saving.register_keras_serializable("pix2street")
class WeightedCrossEntropyAndDice(keras.losses.Loss):
    """Weighted cross-entropy of each pixel plus soft Dice of each class, over a batch; void pixels count in neither.

    With the probability p_c and the truth t_c, 0 or 1, of class c at every pixel, Dice is the mean of
    1 - (2 sum p_c t_c + 1) / (sum p_c + sum t_c + 1) over the classes that occur in the batch (Milletari et al. 2016,
    section 3; Sudre et al. 2017). A class of weight 0 counts in neither part.

    Args:
        weights: the weight of each class in the cross-entropy, `[C]`.
    """

    def __init__(self, weights: np.ndarray, name: str = "weighted_cross_entropy_and_dice"):
        super().__init__(name=name)
        self.weights = np.asarray(weights, np.float32)

    def call(self, y_true, y_pred):
        """Return the loss, a scalar, of logits `[B, H, W, C]` against classes `[B, H, W]`, or `VOID`."""
        classes = len(self.weights)
        truth = ops.cast(y_true, "int32")
        known = truth != VOID
        truth = ops.where(known, truth, 0)
        known = ops.cast(known, "float32")
        one_hot = ops.one_hot(truth, classes) * known[..., None]
        weights = ops.take(self.weights, truth) * known
        log_shares = ops.log_softmax(y_pred)
        cross_entropy = -ops.sum(weights * ops.sum(one_hot * log_shares, axis=-1)) / ops.maximum(ops.sum(weights), 1e-6)
        shares = ops.exp(log_shares) * known[..., None]
        overlap, judged, true = (ops.sum(x, axis=(0, 1, 2)) for x in (shares * one_hot, shares, one_hot))
        occurs = ops.cast((true > 0) & (self.weights > 0), "float32")
        dice = ops.sum((1 - (2 * overlap + 1) / (judged + true + 1)) * occurs) / ops.maximum(ops.sum(occurs), 1)
        return cross_entropy + dice
