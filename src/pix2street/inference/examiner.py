"""An examiner of generators in training: what is measured of them in use after each epoch, and contact sheets."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np

from pix2street.core.files import write_bytes
from pix2street.core.images import contact_sheet, png_bytes, read_photo, to_pixels
from pix2street.core.pairs import Pair, drawing_of
from pix2street.core.styles import StyleBank
from pix2street.inference.in_use import as_inference, copy_weights, translate_unrounded
from pix2street.training.batches import InputEncoding, batches_in_use
from pix2street.training.diagnostics import diagnose
from pix2street.training.loop import HOLDOUT_L1, Row

PAIRS_DIAGNOSED = 16
"""The number of photos that the diagnostics compare; more would change little and slow down small data sets."""


class Artist:
    """What draws with a generator in the mode of `generate`.

    Args:
        generator: a generator of the same form as those to draw with.
        mode: the norm, the dropout and the seed with which generators are used.
        bank: the styles to draw from; None for inputs without.
    """

    def __init__(
        self, generator: keras.Model, mode: tuple[str, bool, int], encoding: InputEncoding, bank: StyleBank | None
    ):
        norm, dropout, self._seed = mode
        self._inference = as_inference(generator, norm, dropout)
        self._encoding = encoding
        self._bank = bank

    @property
    def told(self) -> int:
        """The number of domains of which the generator is told one."""
        return 0 if self._encoding.domain is None else len(self._encoding.domains)

    def take(self, generator: keras.Model) -> None:
        """Draw with the present weights of this generator from now on."""
        copy_weights(generator, self._inference)

    def batches_of(self, pairs: Sequence[Pair], names: Sequence[str] | None = None) -> Iterable[Mapping[str, Any]]:
        """Return the batches that `translate` takes; `names` set the styles in place of the pair_ids."""
        return batches_in_use(pairs, self._encoding, self._bank, self._seed, names)

    def translate(self, batches: Iterable[Mapping[str, Any]], pair_ids: Sequence[str]) -> np.ndarray:
        """Return the photos `[N, H, W, 1 or 3]` float32 in [-1, 1]."""
        return np.stack(list(translate_unrounded(self._inference, batches, pair_ids, self._seed)))

    def draw(self, pairs: Sequence[Pair]) -> np.ndarray:
        """Return the photos of the pairs' inputs, `[N, H, W, 1 or 3]` uint8."""
        return to_pixels(self.translate(self.batches_of(pairs), [pair.pair_id for pair in pairs]))

    @property
    def sees_inputs(self) -> bool:
        """Whether the generator has an image as its input."""
        return self._encoding.latent is None

    def draw_input(self, pair: Pair) -> np.ndarray:
        """Return a pair's input as one sees it, `[H, W, 3]` uint8."""
        return drawing_of(pair.input_path, self._encoding.classes)


class Examiner:
    """An examiner of generators, which measures their photos.

    Args:
        pairs: the pairs for `measure`.
        kept_apart: whether these pairs are never trained on; only then is L1 over them measured.
        photos: whether inputs are colours that no pair gives another light; only then is it measured whether light
            stays light, and edges stay edges.
        frames: the number of frames of a target.
    """

    def __init__(self, artist: Artist, pairs: list[Pair], kept_apart: bool, photos: bool = False, frames: int = 1):
        self._artist = artist
        self._pair_ids = [pair.pair_id for pair in pairs]
        self._batches = artist.batches_of(pairs).cache()
        some = pairs[:PAIRS_DIAGNOSED]
        self._following = artist.batches_of([*some[1:], some[0]], self._pair_ids[:PAIRS_DIAGNOSED]).cache()
        self._kept_apart = kept_apart
        self._photos = photos
        self._frames = frames

    def measure(self, generator: keras.Model) -> Row:
        """Return L1 over all pairs if they are kept apart, and the diagnostics over the first `PAIRS_DIAGNOSED`."""
        self._artist.take(generator)
        batches = list(self._batches)
        generated = self._artist.translate(batches, self._pair_ids)
        targets = np.concatenate([batch["target"] for batch in batches])
        some = slice(0, PAIRS_DIAGNOSED)
        exchanged = self._artist.translate(self._following, self._pair_ids[some])
        l1 = {HOLDOUT_L1: float(np.abs(generated - targets).mean(dtype=np.float64))} if self._kept_apart else {}
        inputs = elsewhere = None
        if self._photos:
            inputs = np.concatenate([batch["input"][..., :3] for batch in batches])[some]
        if self._artist.told:
            first = [{"input": _told_first(batch["input"], self._artist.told)} for batch in batches[some]]
            elsewhere = self._artist.translate(first, self._pair_ids[some])
        return l1 | diagnose(generated[some], exchanged, targets[some], inputs, elsewhere, self._frames)


def _told_first(images: np.ndarray, domains: int) -> np.ndarray:
    """Return images whose last channels, one for each domain, name the first domain."""
    told = np.array(images)
    told[..., -domains:] = np.eye(domains)[0]
    return told


@dataclass(frozen=True)
class Sheets:
    """The contact sheets of some epochs, `epoch_0002.png` and so on.

    Args:
        artists: that of the generator, and those of the further ways, whose inputs are the targets.
        pairs: those of val; `count` of them, evenly spread, are shown.
        every, last: the epochs between two sheets, and the last epoch, which always has one.
    """

    folder: Path
    artists: Sequence[Artist]
    pairs: Sequence[Pair]
    count: int
    every: int
    last: int

    def after(self, epoch: int, generators: Sequence[keras.Model] | None) -> Path | None:
        """Return the sheet of an epoch, drawn where it is missing; None for an epoch that has none.

        Args:
            generators: one for each artist; None for an epoch whose sheet an earlier process has drawn.
        """
        if epoch % self.every and epoch != self.last:
            return None
        sheet = self.folder / f"epoch_{epoch:04d}.png"
        if generators and not sheet.exists():
            write_bytes(sheet, png_bytes(self._draw(generators)))
        return sheet

    def _draw(self, generators: Sequence[keras.Model]) -> np.ndarray:
        """Return one picture input | target | generated | what further ways make of the target, a row for each pair.

        A generator without inputs has a row target | as many photos as there are rows, all of the same latents in every
        epoch.
        """
        shown = np.unique(np.linspace(0, len(self.pairs) - 1, self.count, dtype=int))
        pairs = [self.pairs[i] for i in shown]
        if not self.artists[0].sees_inputs:
            return self._draw_alone(pairs, generators[0])
        inputs = [self.artists[0].draw_input(pair) for pair in pairs]
        columns = [inputs, [read_photo(pair.target_path) for pair in pairs]]
        turned = [pair.turned() for pair in pairs]
        for number, (artist, generator) in enumerate(zip(self.artists, generators, strict=True)):
            artist.take(generator)
            columns.append(artist.draw(turned if number else pairs))
        return contact_sheet(list(zip(*columns, strict=True)))

    def _draw_alone(self, pairs: Sequence[Pair], generator: keras.Model) -> np.ndarray:
        artist, count = self.artists[0], len(pairs)
        artist.take(generator)
        named = [replace(pair, pair_id=f"{pair.pair_id}_{column}") for pair in pairs for column in range(count)]
        photos = artist.draw(named)
        rows = [photos[row * count : (row + 1) * count] for row in range(count)]
        return contact_sheet([[read_photo(pair.target_path), *row] for pair, row in zip(pairs, rows, strict=True)])
