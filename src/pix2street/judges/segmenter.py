"""A segmentation network as a judge: what classes does it see in a photo? Pure Keras 3.

The network itself is handed in: `[N, H, W, 3]` in [-1, 1] -> logits `[N, H, W, evaluated classes]`.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from pix2street.classes import VOID
from pix2street.images import read_rgb, to_unit

FEATURE_LAYER = "encode_4"
"""The U-Net block whose output, averaged over the image, is an image's feature vector."""


def train_segmenter(
    network: keras.Model, batches_of: Callable[[int], Iterable], epochs: int, learning_rate: float
) -> Iterator[float]:
    """Train `network` in place with Adam on per-pixel cross-entropy; after each epoch yield its mean loss.

    Void pixels count nothing. The learning rate falls to zero along a half cosine, so that the last epoch's weights can
    be taken.

    Args:
        batches_of: `(photos in [-1, 1], evaluated classes or VOID)` of an epoch, numbered from 0.
    """
    optimizer = keras.optimizers.Adam(learning_rate)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=VOID)
    # Compiled in a model around it: a compiled network would save its optimizer with its weights.
    trainer = keras.Model(network.inputs, network.outputs)
    trainer.compile(optimizer, loss, jit_compile=False)
    for epoch in range(epochs):
        optimizer.learning_rate.assign(learning_rate * (1 + np.cos(np.pi * epoch / epochs)) / 2)
        yield trainer.fit(batches_of(epoch), verbose=0, shuffle=False).history["loss"][0]


@dataclass(frozen=True)
class Judgement:
    """What the judge saw in a list of photos.

    Attributes:
        classes: places among the evaluated classes, `[N, H, W]` uint8.
        features: mean activations of `FEATURE_LAYER`, `[N, D]` float32.
    """

    classes: np.ndarray
    features: np.ndarray


class Segmenter:
    """A trained network that looks at photos on disk."""

    def __init__(self, network: keras.Model):
        features = keras.layers.GlobalAveragePooling2D()(network.get_layer(FEATURE_LAYER).output)
        self._network = keras.Model(network.input, [network.output, features])

    def judge(self, photos: Sequence[Path], batch: int = 16) -> Judgement:
        """Look at every photo; `batch` changes the speed and at most the last bits of the features."""
        classes, features = [], []
        for start in range(0, len(photos), batch):
            pixels = np.stack([read_rgb(path) for path in photos[start : start + batch]])
            logits, pooled = self._network.predict_on_batch(to_unit(pixels.astype(np.float32)))
            classes.append(logits.argmax(axis=-1).astype(np.uint8))
            features.append(pooled)
        return Judgement(np.concatenate(classes), np.concatenate(features))
