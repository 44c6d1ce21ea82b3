"""The borders between classes, from which a network knows where one thing ends beside another. Pure Keras 3."""

import keras
from keras import layers, ops


@keras.saving.register_keras_serializable("pix2street")
class ClassEdges(layers.Layer):
    """Return 1 where one of a pixel's four neighbours has another class, else 0: `[N, H, W, C] -> [N, H, W, 1]`.

    Wang et al. 2018, section 3.3, with classes instead of instances.

    Args:
        labels: the number of one-hot channels, which are the first of the input.
    """

    def __init__(self, labels: int, **kwargs):
        super().__init__(**kwargs)
        self.labels = labels

    def call(self, inputs):
        classes = inputs[..., : self.labels]
        beside = _apart(classes[:, :, 1:], classes[:, :, :-1])
        below = _apart(classes[:, 1:], classes[:, :-1])
        edges = [
            ops.pad(changes, ((0, 0), rows, columns, (0, 0)))
            for changes, rows, columns in (
                (beside, (0, 0), (1, 0)),
                (beside, (0, 0), (0, 1)),
                (below, (1, 0), (0, 0)),
                (below, (0, 1), (0, 0)),
            )
        ]
        return ops.max(ops.concatenate(edges, axis=-1), axis=-1, keepdims=True)

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], 1)

    def get_config(self):
        return {**super().get_config(), "labels": self.labels}


def _apart(one, other):
    """Return 1 where two one-hot pixels are of different classes, else 0."""
    return ops.max(ops.abs(one - other), axis=-1, keepdims=True)
