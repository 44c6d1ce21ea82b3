"""A trained generator as `generate` uses it, for inputs of any size."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Self

import keras
import numpy as np

from pix2street.core.images import to_pixels
from pix2street.inference.in_use import as_inference, predict
from pix2street.inference.usage import Usage
from pix2street.layers.networks import load_network


class Translator:
    """Turns inputs into photos: at the size it was trained on, the pixels that `generate` writes."""

    def __init__(self, generator: keras.Model, usage: Usage):
        self.usage = usage
        self._generator = generator
        self._networks: dict[bool, keras.Model] = {}

    @classmethod
    def read(cls, folder: Path, *, dropout: bool | None = None) -> Self:
        """The generator in a folder such as `models/generator`.

        Args:
            dropout: whether dropout stays on, the noise of pix2pix; None for what it was examined with.

        Raises:
            UserError: the folder holds no generator.
        """
        usage = Usage.read(folder)
        if dropout is not None:
            usage = replace(usage, dropout=dropout)
        return cls(load_network(folder, "generator"), usage)

    @property
    def multiple_px(self) -> int:
        """Both sides of what the network is shown are a multiple of this; every other size is padded to one."""
        return min(side & -side for side in (self.usage.height_px, self.usage.width_px))

    def translate(self, pixels: np.ndarray, name: str, seed: int | None = None) -> np.ndarray:
        """The photo of one input: a function of its pixels, its name and the seed.

        What is padded to the next size that the network takes continues the image mirrored, and is cut off the photo.

        Args:
            pixels: class ids `[H, W]` where the generator has classes, else RGB `[H, W, 3]`; uint8, any size.
            name: the pair_id of `generate`, a file's stem: different names have different noise.
            seed: of the noise; None for that of `generate`.

        Returns:
            `[H, W, 3]` uint8, of a generator of grey photos `[H, W, 1]`.
        """
        (photo,) = self.translate_all([pixels], [name], seed)
        return photo

    def translate_all(
        self, images: Sequence[np.ndarray], names: Sequence[str], seed: int | None = None
    ) -> list[np.ndarray]:
        """As `translate`, of several inputs.

        Without dropout those of one padded size go through the network together: faster, and a rounding may fall the
        other way, which moves a few values by 1 of 255. With dropout each has noise of its own and goes alone.
        """
        return [to_pixels(unit) for unit in self.translate_unrounded(images, names, seed)]

    def translate_unrounded(
        self, images: Sequence[np.ndarray], names: Sequence[str], seed: int | None = None
    ) -> list[np.ndarray]:
        """What `translate_all` rounds to pixels, each `[H, W, 1 or 3]` float32 in [-1, 1]."""
        seed = self.usage.seed if seed is None else seed
        padded = [self._padded(pixels) for pixels in images]
        photos = {}
        for places in self._groups(padded):
            together = np.stack([padded[place] for place in places])
            network = self._network(together.shape[1:3] == (self.usage.height_px, self.usage.width_px))
            encoded = self.usage.encoding.encode(together if together.ndim == 4 else together[..., None])
            if self.usage.dropout:
                generated = predict(network, [{"input": encoded}], [names[place] for place in places], seed)
            else:
                generated = network.predict_on_batch(encoded)
            for place, photo in zip(places, generated, strict=True):
                height, width = images[place].shape[:2]
                photos[place] = photo[:height, :width]
        return [photos[place] for place in range(len(images))]

    def _groups(self, padded: Sequence[np.ndarray]) -> list[list[int]]:
        """The places of images that go through the network together."""
        if self.usage.dropout:
            return [[place] for place in range(len(padded))]
        groups = defaultdict(list)
        for place, pixels in enumerate(padded):
            groups[pixels.shape].append(place)
        return list(groups.values())

    def _padded(self, pixels: np.ndarray) -> np.ndarray:
        margins = [(0, -side % self.multiple_px) for side in pixels.shape[:2]] + [(0, 0)] * (pixels.ndim - 2)
        return np.pad(pixels, margins, mode="symmetric")

    def _network(self, working_size: bool) -> keras.Model:
        """The network for images of the size it was trained on, computed as `generate` does, or for all others."""
        if working_size not in self._networks:
            usage = self.usage
            self._networks[working_size] = as_inference(
                self._generator, usage.norm, usage.dropout, any_size=not working_size
            )
        return self._networks[working_size]
