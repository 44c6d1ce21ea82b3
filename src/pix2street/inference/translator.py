"""A trained generator as `generate` uses it, for inputs of any size."""

import copy
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Self

import keras
import numpy as np

from pix2street.core.errors import UserError
from pix2street.core.frames import stacked, unstacked
from pix2street.core.images import to_pixels
from pix2street.core.latents import WHOLE, draw_latent
from pix2street.core.styles import StyleBank, seed_of, with_style
from pix2street.inference.card import GeneratorCard
from pix2street.inference.in_use import as_inference, translate_unrounded
from pix2street.inference.styles import RANDOM, Style, open_style
from pix2street.inference.tiles import tiles_of
from pix2street.layers.networks import load_network

TILE_PX = 128
"""The sides of a tile without its overlap."""

LARGEST_WHOLE_PX = 256
"""The longest side of an input that is translated as a whole, even where tiles would do."""


class Translator:
    """A generator that turns inputs into photos: at the size it was trained on, into the pixels that `generate` writes.

    Args:
        card: the generator's card; `noise_on` says whether photos have noise.
        style: the source of styles, see `open_style`; None for a generator whose inputs have none.
    """

    def __init__(self, generator: keras.Model, card: GeneratorCard, style: Style | None = None):
        self.card = card
        self._style = style
        self._generator = generator
        self._networks: dict[bool, keras.Model] = {}

    @classmethod
    def read(cls, folder: Path, *, noise: bool | None = None, style: str = RANDOM, domain: str | None = None) -> Self:
        """Return the translator of the generator in a folder such as `models/generator`.

        Args:
            noise: whether its noise is on; None for the mode in which it was examined.
            style: the choice of styles, see `open_style`.
            domain: the name of the domain of the photos, for a generator of several; None for the card's.

        Raises:
            UserError: the folder holds no generator, one without noise where noise is asked for, or one without this
                domain, or `open_style` fails.
        """
        card = GeneratorCard.read(folder)
        if noise and card.noise == "none":
            raise UserError(f"--dropout: the {card.family} generator in {folder} has no noise; leave the option out")
        if noise is not None:
            card = replace(card, noise_on=noise)
        translator = cls(load_network(folder, "generator"), card, open_style(card, folder, style))
        return translator if domain is None else translator.towards(domain)

    def towards(self, domain: str) -> Self:
        """Return a translator to the domain of this name, which shares the network.

        Raises:
            UserError: the generator has no such domain.
        """
        other = copy.copy(self)
        other.card = replace(self.card, encoding=self.card.encoding.towards(domain))
        return other

    def translate(self, pixels: np.ndarray, name: str, seed: int | None = None) -> np.ndarray:
        """Return the photo of one input: a function of its pixels, its name and the seed.

        An input is continued by mirroring until its sides are multiples of the card's `multiple_px`; the same part is
        then cut off the photo.

        Args:
            pixels: class ids `[H, W]` where the generator has classes, else RGB `[H, W, 3]`; uint8, any size. An input
                may already have its style behind it, see `with_style`. In place of pixels a generator without inputs
                takes what `latent` returns.
            name: a pair_id of `generate`, or a file's stem; different names have different noise and styles.
            seed: sets the noise and the style; None for the seed of `generate`.

        Returns:
            `[h, w, 3]` uint8 of the size that the card's `scale` gives; of a generator of grey photos `[..., 1]`.
        """
        (photo,) = self.translate_all([pixels], [name], seed)
        return photo

    def translate_all(
        self, images: Sequence[np.ndarray], names: Sequence[str], seed: int | None = None
    ) -> list[np.ndarray]:
        """Return the photos of several inputs, each as `translate` returns it.

        A large input of a generator whose photos depend on their inputs only nearby goes through the network in tiles
        that overlap, which bounds its memory and changes nothing else; see `tiles.py`.

        Where photos depend on no seed, inputs of one padded size go through the network together, which is faster but
        may change the rounding of a few values by 1 of 255. With noise or styles, they go through one by one.
        """
        small = [index for index, image in enumerate(images) if not self._needs_tiles(image)]
        units = self.translate_unrounded([images[index] for index in small], [names[index] for index in small], seed)
        photos = {index: to_pixels(unit) for index, unit in zip(small, units, strict=True)}
        return [
            photos[index] if index in photos else self._in_tiles(image, names[index], seed)
            for index, image in enumerate(images)
        ]

    def _needs_tiles(self, pixels: np.ndarray) -> bool:
        return self.card.reach_px > 0 and not self.seeded and max(pixels.shape[:2]) > LARGEST_WHOLE_PX

    def _in_tiles(self, pixels: np.ndarray, name: str, seed: int | None) -> np.ndarray:
        """Return the photo of one large input, `[h, w, 1 or 3]` uint8, made of those of its tiles."""
        scale, photo = self.card.scale, None
        for tile in tiles_of(*pixels.shape[:2], TILE_PX, self.card.reach_px, self.card.multiple_px):
            (unit,) = self.translate_unrounded([pixels[tile.seen]], [name], seed)
            if photo is None:
                photo = np.empty((*scale.applied(*pixels.shape[:2]), unit.shape[2]), np.uint8)
            to, part = tile.kept(scale)
            photo[to] = to_pixels(unit[part])
        return photo

    def translate_unrounded(
        self, images: Sequence[np.ndarray], names: Sequence[str], seed: int | None = None
    ) -> list[np.ndarray]:
        """Return the photos of `translate_all` unrounded, each `[h, w, 1 or 3]` float32 in [-1, 1]."""
        card = self.card
        seed = card.seed if seed is None else seed
        if card.encoding.latent:
            batches = ({"input": latent[None]} for latent in images)
            return [*translate_unrounded(self._network(True), batches, names, seed)]
        padded = [self._padded(self.styled(pixels, name, seed)) for pixels, name in zip(images, names, strict=True)]
        photos = {}
        for group in self._groups(padded):
            together = np.stack([padded[index] for index in group])
            network = self._network(together.shape[1:3] == (card.height_px, card.width_px))
            encoded = card.encoding.encode(together if together.ndim == 4 else together[..., None])
            if card.noisy:
                generated = translate_unrounded(network, [{"input": encoded}], [names[index] for index in group], seed)
            else:
                generated = network.predict_on_batch(encoded)
            for index, photo in zip(group, generated, strict=True):
                height, width = card.scale.applied(*images[index].shape[:2])
                photos[index] = self._cut(photo, height, width)
        return [photos[index] for index in range(len(images))]

    def photograph(self, names: Sequence[str], seed: int | None = None, truncation: float = WHOLE) -> list[np.ndarray]:
        """Return a photo for each name, as `translate` does: a function of the name and the seed.

        Args:
            names: pair_ids of `generate`, or any others.
            truncation: see `core/latents.py`.

        Raises:
            UserError: the generator has inputs.
        """
        if self.card.encoding.latent is None:
            raise UserError(f"the {self.card.family} generator makes photos of inputs; give it some")
        return self.translate_all([self.latent(name, seed, truncation) for name in names], names, seed)

    def latent(self, name: str, seed: int | None = None, truncation: float = WHOLE) -> np.ndarray:
        """Return the latent of a photo, which `translate` takes in place of pixels, `[L, Z + 1]` float32."""
        return draw_latent(self.card.encoding.latent, name, self.card.seed if seed is None else seed, truncation)

    def styled(self, pixels: np.ndarray, name: str, seed: int | None = None) -> np.ndarray:
        """Return an input with its style behind it, `[H, W, S]` uint8; an input that has or needs none as it is."""
        has_one = pixels.shape[2:] == (self.card.encoding.stored_channels,)
        if self._style is None or has_one:
            return pixels
        seed = seed_of(name, self.card.seed if seed is None else seed)
        return with_style(pixels, self._style.draw(pixels, seed))

    @property
    def bank(self) -> StyleBank | None:
        """What the training photos lend; None for a generator whose inputs have no styles."""
        return self._style and self._style.bank

    @property
    def seeded(self) -> bool:
        """Return whether photos of one input differ by the seed: noise is on, or styles are drawn."""
        return self.card.noisy or (self._style is not None and self._style.drawn)

    def _groups(self, padded: Sequence[np.ndarray]) -> list[list[int]]:
        """Return the indices of images by the groups that go through the network together."""
        if self.card.seeded:
            return [[index] for index in range(len(padded))]
        groups = defaultdict(list)
        for index, pixels in enumerate(padded):
            groups[pixels.shape].append(index)
        return list(groups.values())

    def _padded(self, pixels: np.ndarray) -> np.ndarray:
        if not self.card.frames:
            return self._padded_image(pixels)
        return stacked([self._padded_image(frame) for frame in unstacked(pixels, self.card.frames.frames_in)])

    def _padded_image(self, pixels: np.ndarray) -> np.ndarray:
        margins = [(0, -side % self.card.multiple_px) for side in pixels.shape[:2]] + [(0, 0)] * (pixels.ndim - 2)
        return np.pad(pixels, margins, mode="symmetric")

    def _cut(self, photo: np.ndarray, height: int, width: int) -> np.ndarray:
        """Return the part of a photo that is none of an input's margins, `[height, width, C]`, from every frame."""
        count = self.card.counts[1]
        return stacked([frame[: height // count, :width] for frame in unstacked(photo, count)])

    def _network(self, working_size: bool) -> keras.Model:
        """Return the network for images of the size it was trained on, which computes as in `generate`, or for all
        others."""
        if working_size not in self._networks:
            card = self.card
            self._networks[working_size] = as_inference(
                self._generator, card.norm, card.noisy, any_size=not working_size
            )
        return self._networks[working_size]
