"""The judge: a segmentation network that names the class of each pixel of a photo. Pure Keras 3.

A network takes photos `[N, H, W, 3]` and gives a score for each of its classes, `[N, h, w, classes]`. If h and w differ
from H and W, the classes are resized by nearest neighbour.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

import keras
import numpy as np

from pix2street.core.classes import ClassTable
from pix2street.core.errors import UserError
from pix2street.core.files import read_json, sha256_of, write_json
from pix2street.core.images import read_rgb, resize_labels, resize_photo, write_png
from pix2street.judges.network import LEVELS
from pix2street.judges.pretrained import SEGFORMERS, need_keras_hub
from pix2street.layers.networks import load_network, save_network

TRAINED = "trained"


@dataclass(frozen=True)
class Card:
    """A judge's description, `judge.json` beside its weights; it is part of the protocol of its scores.

    Args:
        channels: the classes of its output, in order.
        height_px, width_px: the size of its photos; photos of another size are resampled bicubically.
        black, white: the values that it gets for 0 and for 255.
        mirrored: whether it sees each photo a second time, mirrored, and the shares of both are averaged.
        weights_sha256: the SHA-256 of `segmenter.weights.h5`; empty until `write` has seen the file.
    """

    name: str
    channels: list[str]
    height_px: int
    width_px: int
    black: float = -1.0
    white: float = 1.0
    mirrored: bool = False
    weights_sha256: str = ""

    def write(self, folder: Path, network: keras.Model) -> None:
        """Write the network and this card, with the SHA-256 of the weights, into `folder`."""
        folder.mkdir(parents=True, exist_ok=True)
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

    Attributes:
        levels: the number of features of each of `LEVELS`; empty for a judge that was not trained here.

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
        outputs = {"scores": keras.layers.Softmax()(network.output) if card.mirrored else network.output}
        pooled = []
        if card.name == TRAINED:
            pooled = [keras.layers.GlobalAveragePooling2D()(network.get_layer(name).output) for name in LEVELS]
            outputs["features"] = keras.layers.Concatenate()(pooled)
        self.levels = tuple(level.shape[-1] for level in pooled)
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

        `batch` changes the speed and at most the last bits of the features.

        Args:
            folder: None writes nothing.

        Returns:
            The mean activations of each of `LEVELS`, side by side, `[N, D]` float32; None for a judge that was not
            trained here.
        """
        card, features = self.card, []
        for start in range(0, len(photos), batch):
            paths = photos[start : start + batch]
            images = [read_rgb(path) for path in paths]
            shown = np.stack([resize_photo(image, card.height_px, card.width_px) for image in images])
            found = self._see(shown.astype(np.float32) * ((card.white - card.black) / 255) + card.black)
            features += [found["features"]] if "features" in found else []
            if folder:
                folder.mkdir(parents=True, exist_ok=True)
                best = self._ids[found["scores"][..., self._channels].argmax(axis=-1)]
                for path, image, ids in zip(paths, images, best, strict=True):
                    write_png(folder / path.name, resize_labels(ids, *image.shape[:2]))
        return np.concatenate(features) if features else None

    def _see(self, photos: np.ndarray) -> dict[str, np.ndarray]:
        """Return the network's outputs, which are averaged over each photo and its mirror image if the card says so."""
        found = self._network.predict_on_batch(photos)
        if not self.card.mirrored:
            return found
        mirrored = self._network.predict_on_batch(np.ascontiguousarray(photos[:, :, ::-1]))
        mirrored["scores"] = mirrored["scores"][:, :, ::-1]
        return {name: (found[name] + mirrored[name]) / 2 for name in found}
