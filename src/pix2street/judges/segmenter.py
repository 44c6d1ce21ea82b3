"""The judge: a segmentation network that names the class of each pixel of a photo. Pure Keras 3.

A network takes photos `[N, H, W, 3]` and gives a score for each of its classes, `[N, h, w, classes]`. If h and w differ
from H and W, the classes are resized by nearest neighbour.
"""

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

import keras
import numpy as np

from pix2street.core.classes import VOID, ClassTable
from pix2street.core.errors import UserError
from pix2street.core.files import read_json, sha256_of, write_json
from pix2street.core.images import read_rgb, resize_labels, resize_photo, write_png
from pix2street.judges.pretrained import SEGFORMERS, need_keras_hub
from pix2street.layers.blocks import decode, encode, enlarge
from pix2street.layers.networks import load_network, save_network

TRAINED = "trained"
FEATURE_LAYER = "encode_4"
"""The block of the trained U-Net whose output, averaged over an image, is the image's feature vector."""


def build_segmenter(height_px: int, width_px: int, classes: int, filters: int, seed: int) -> keras.Model:
    """Return an untrained U-Net (Ronneberger et al. 2015) made of the blocks of pix2pix.

    Args:
        filters: the filters of the first level; each further level doubles them, up to eight times as many.

    Returns:
        `[N, H, W, 3] -> [N, H, W, classes]`: photos in [-1, 1] give float32 logits.
    """
    inputs = x = keras.Input((height_px, width_px, 3), name="input")
    levels = min((side & -side).bit_length() - 1 for side in (height_px, width_px))
    widths = [filters * min(2**level, 8) for level in range(levels)]
    seeds = itertools.count(seed * 1000)
    skips = []
    for level, width in enumerate(widths):
        x = encode(x, width, seeds, f"encode_{level + 1}", "batch" if 0 < level < levels - 1 else None)
        skips.append(x)
    skips.pop()
    for step, width in enumerate(reversed(widths[:-1])):
        x = decode(x, width, seeds, f"decode_{step + 1}", "batch", "transpose")
        x = keras.layers.Concatenate(name=f"skip_{step + 1}")([x, skips.pop()])
    x = enlarge(x, classes, seeds, "output_conv", "transpose", use_bias=True)
    outputs = keras.layers.Activation("linear", dtype="float32", name="output")(x)
    return keras.Model(inputs, outputs, name="unet")


def train_segmenter(
    network: keras.Model, batches_of: Callable[[int], Iterable], epochs: int, learning_rate: float
) -> Iterator[float]:
    """Train `network` in place with Adam on per-pixel cross-entropy; after each epoch yield its mean loss.

    Void pixels do not count. The learning rate falls to zero along a half cosine, so that the weights of the last
    epoch can be used.

    Args:
        batches_of: returns the batches `(photos in [-1, 1], evaluated classes or VOID)` of an epoch, numbered from 0.
    """
    optimizer = keras.optimizers.Adam(learning_rate)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=VOID)
    # A model around the network is compiled, since a compiled network would save its optimizer with its weights.
    trainer = keras.Model(network.inputs, network.outputs)
    trainer.compile(optimizer, loss, jit_compile=False)
    for epoch in range(epochs):
        optimizer.learning_rate.assign(learning_rate * (1 + np.cos(np.pi * epoch / epochs)) / 2)
        yield trainer.fit(batches_of(epoch), verbose=0, shuffle=False).history["loss"][0]


@dataclass(frozen=True)
class Card:
    """A judge's description, `judge.json` beside its weights; it is part of the protocol of its scores.

    Args:
        channels: the classes of its output, in order.
        height_px, width_px: the size of its photos; photos of another size are resampled bicubically.
        black, white: the values that it gets for 0 and for 255.
        weights_sha256: the SHA-256 of `segmenter.weights.h5`; empty until `write` has seen the file.
    """

    name: str
    channels: list[str]
    height_px: int
    width_px: int
    black: float = -1.0
    white: float = 1.0
    weights_sha256: str = ""

    def write(self, folder: Path, network: keras.Model) -> None:
        """Write the network and this card, with the SHA-256 of the weights, into `folder`."""
        save_network(network, folder, "segmenter")
        sha256 = sha256_of(folder / "segmenter.weights.h5")
        write_json(folder / "judge.json", {**asdict(self), "weights_sha256": sha256})

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Return the card in `folder`.

        Raises:
            UserError: the card is missing or damaged, or the weights beside it are not those that it names.
        """
        card = read_json(folder / "judge.json", lambda fields: cls(**fields))
        weights = folder / "segmenter.weights.h5"
        if (found := sha256_of(weights)) != card.weights_sha256:
            raise UserError(
                f"{weights}: its SHA-256 must be {card.weights_sha256[:12]}..., as judge.json says, but is "
                f"{found[:12]}...; run `segment` again"
            )
        return card

    def protocol(self) -> dict:
        """Return the facts that are equal for equal judges; the channels follow from the weights."""
        fields = {key: value for key, value in asdict(self).items() if key != "channels"}
        return {**fields, "photos_resized": "bicubic, antialiased", "classes_resized": "nearest"}


class Segmenter:
    """A judge for photos on disk; it names the class of every pixel.

    Args:
        classes: the class table of the data set; scores of the network's other classes are ignored.

    Raises:
        UserError: the network does not know an evaluated class.
    """

    def __init__(self, network: keras.Model, card: Card, classes: ClassTable):
        missing = [name for name in classes.evaluated_names if name not in card.channels]
        if missing:
            raise UserError(
                f"segment.judge: {card.name} does not know the evaluated classes {', '.join(missing)}; choose "
                "`trained` or fix the class table"
            )
        self.card, self.classes = card, classes
        self._channels = [card.channels.index(name) for name in classes.evaluated_names]
        self._ids = np.array([entry.id for entry in classes.entries if entry.evaluated], np.uint8)
        outputs = {"scores": network.output}
        if card.name == TRAINED:
            outputs["features"] = keras.layers.GlobalAveragePooling2D()(network.get_layer(FEATURE_LAYER).output)
        self._network = keras.Model(network.inputs, outputs)

    @classmethod
    def load(cls, folder: Path, classes: ClassTable) -> Self:
        """Return the judge in `folder`.

        Raises:
            UserError: the weights are not those that the card names, or their layers are not installed.
        """
        card = Card.read(folder)
        if card.name in SEGFORMERS:
            need_keras_hub(card.name)
        return cls(load_network(folder, "segmenter"), card, classes)

    def judge(self, photos: Sequence[Path], folder: Path | None, batch: int = 16) -> np.ndarray | None:
        """Write the class ids that the judge sees to `<folder>/<photo's name>`, in the photo's size.

        Without a folder nothing is written.

        `batch` changes the speed and at most the last bits of the features.

        Returns:
            The mean activations of `FEATURE_LAYER`, `[N, D]` float32; None for a judge that was not trained here.
        """
        if folder:
            folder.mkdir(parents=True, exist_ok=True)
        card, features = self.card, []
        for start in range(0, len(photos), batch):
            paths = photos[start : start + batch]
            images = [read_rgb(path) for path in paths]
            shown = np.stack([resize_photo(image, card.height_px, card.width_px) for image in images])
            scale = (card.white - card.black) / 255
            found = self._network.predict_on_batch(shown.astype(np.float32) * scale + card.black)
            if folder:
                best = self._ids[found["scores"][..., self._channels].argmax(axis=-1)]
                for path, image, ids in zip(paths, images, best, strict=True):
                    write_png(folder / path.name, resize_labels(ids, *image.shape[:2]))
            features += [found["features"]] if "features" in found else []
        return np.concatenate(features) if features else None
