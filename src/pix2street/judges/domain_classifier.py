"""The classifier of domains: a small network that names the domain of a photo. Pure Keras 3."""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import keras
import numpy as np
from keras import layers

from pix2street.core.domains import DomainImage
from pix2street.core.errors import UserError
from pix2street.core.files import read_json, sha256_of, write_json
from pix2street.core.images import read_rgb, resize_photo, to_unit
from pix2street.layers.networks import load_network, save_network

FOLDER, NAME = "domains", "classifier"
"""The folder in that of the jury, and the name of the network in it."""
HALVINGS = 4
BATCH = 64


def build_classifier(side_px: int, domains: int, filters: int, seed: int) -> keras.Model:
    """Return an untrained network of four strided convolutions, the mean over the image, and a logit for each domain.

    It has no norms, since a norm would take away the light in which domains may differ.

    Args:
        filters: the filters of the first convolution; each next one has twice as many.

    Returns:
        `[N, side_px, side_px, 3] -> [N, domains]`: photos in [-1, 1] give float32 logits.
    """
    seeds = itertools.count(seed)
    photos = x = layers.Input((side_px, side_px, 3), name="photos")
    for level in range(HALVINGS):
        weights = keras.initializers.HeNormal(seed=next(seeds))
        x = layers.Conv2D(
            filters * 2**level, 4, 2, padding="same", kernel_initializer=weights, name=f"down_{level + 1}_conv"
        )(x)
        x = layers.LeakyReLU(0.2, name=f"down_{level + 1}")(x)
    x = layers.GlobalAveragePooling2D(name="mean")(x)
    weights = keras.initializers.GlorotNormal(seed=next(seeds))
    logits = layers.Dense(domains, kernel_initializer=weights, dtype="float32", name="logits")(x)
    return keras.Model(photos, logits, name="domain_classifier")


def shown_to_it(photos: Sequence[Path], side_px: int) -> np.ndarray:
    """Return photos of any size as the classifier sees them but for their range, `[N, side_px, side_px, 3]` uint8."""
    with ThreadPoolExecutor() as pool:
        return np.stack([*pool.map(lambda path: resize_photo(read_rgb(path), side_px, side_px), photos)])


@dataclass(frozen=True)
class DomainCard:
    """A classifier's description, `card.json` beside its weights; it is part of the protocol of its score.

    Args:
        domains: the domains of its logits, in order.
        side_px: the height and width to which photos are resized bicubically.
        weights_sha256: the SHA-256 of its weights; empty until `DomainClassifier.write` has seen the file.
    """

    domains: list[str]
    side_px: int
    weights_sha256: str = ""


class DomainClassifier:
    """A classifier for photos on disk.

    Args:
        network: as `build_classifier` returns it.
    """

    def __init__(self, network: keras.Model, card: DomainCard):
        self.card = card
        self._network = network

    def write(self, jury: Path) -> None:
        """Write the network and its card into a folder in that of the jury."""
        folder = jury / FOLDER
        folder.mkdir()
        save_network(self._network, folder, NAME)
        sha256 = sha256_of(folder / f"{NAME}.weights.h5")
        write_json(folder / "card.json", {**asdict(self.card), "weights_sha256": sha256})

    @classmethod
    def load(cls, jury: Path, domains: Sequence[str]) -> Self | None:
        """Return the classifier in the folder of the jury; None if there is none.

        Raises:
            UserError: it is damaged or knows other domains.
        """
        folder = jury / FOLDER
        if not folder.is_dir():
            return None
        card = read_json(folder / "card.json", lambda fields: DomainCard(**fields))
        if card.domains != [*domains]:
            raise UserError(
                f"{folder}: must know the domains {', '.join(domains)}, but knows {', '.join(card.domains)}; run "
                "`segment` again"
            )
        return cls(load_network(folder, NAME), card)

    def name(self, photos: Sequence[Path]) -> np.ndarray:
        """Return the number of the domain that it names in each photo, `[N]` int64."""
        return np.concatenate([*self._named(photos)])

    def _named(self, photos: Sequence[Path]) -> Iterator[np.ndarray]:
        for start in range(0, len(photos), BATCH):
            shown = shown_to_it(photos[start : start + BATCH], self.card.side_px)
            yield self._network.predict_on_batch(to_unit(shown.astype(np.float32))).argmax(axis=-1)

    def score(self, images: Iterable[DomainImage]) -> dict[str, Any]:
        """Return how many real images it names right: `images`, `accuracy`, and `by_domain` those of each domain.

        `accuracy` is the mean over the domains, so that a domain with many images counts no more than the others. A
        domain without images is left out.
        """
        images = list(images)
        names = self.name([image.path for image in images])
        right: dict[str, list[bool]] = {}
        for image, named in zip(images, names, strict=True):
            right.setdefault(image.domain, []).append(self.card.domains[named] == image.domain)
        by_domain = {domain: float(np.mean(right[domain])) for domain in self.card.domains if domain in right}
        return {"images": len(images), "accuracy": float(np.mean([*by_domain.values()])), "by_domain": by_domain}
