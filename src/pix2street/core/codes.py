"""Codes: what a drawing does not say about its photo (the hour, the weather), as a few numbers for the whole photo.

The encoder is linear and has a closed form. A photo is reduced to the mean colours of a grid of cells, and what the
cells of its drawing predict of them is subtracted; the code is the first principal components of the rest, whitened.
A photo and its mirror image have the same cells, and hence the same code.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from pix2street.core.banks import read_bank, refuse_other_forms, unlike, write_bank
from pix2street.core.classes import ClassTable
from pix2street.core.images import read_ids, read_photo, read_rgb, to_pixels
from pix2street.core.layouts import CELLS, as_bytes, cells_of, described, donors
from pix2street.core.pairs import Pair

FILE = "codes.npz"
"""The name of the bank's file beside the generator."""

NUMBERS = 8
"""The numbers of a code."""

RIDGE = 1.0
"""The weight of the ridge regression on the drawing, in cells: rarer classes keep nearer to the mean colour."""

DEVIATIONS = 3.0
"""The standard deviations from the mean to which a code's values -1 and 1 are set."""

LEAST_DEVIATION = 1e-6
"""The share of the first component's standard deviation below which a component is rounding alone, and left out."""


@dataclass(frozen=True)
class CodeBank:
    """The codes of the training photos, from which other drawings get theirs, and the encoder of further photos.

    Args:
        codes: the code of each of the P photos, [-1, 1] as 0 to 255, `[P, NUMBERS]` uint8.
        drawings: the cells of their drawings (see `described`), [0, 1] as 0 to 255, `[P, CELLS * K]` uint8.
        class_ids: the class of each of the K numbers of a cell, `[K]` uint8; empty where drawings are RGB.
        photo_mean: the mean of the photos' cells, `[CELLS * 3]` float64.
        encoder: the linear map from their differences from it to codes in [-1, 1], `[CELLS * 3, NUMBERS]` float64.
    """

    codes: np.ndarray
    drawings: np.ndarray
    class_ids: np.ndarray
    photo_mean: np.ndarray
    encoder: np.ndarray

    @classmethod
    def of(cls, pairs: Iterable[tuple[np.ndarray, np.ndarray]], classes: ClassTable | None) -> Self:
        """Return the bank of drawings, class ids `[H, W]` or RGB `[H, W, 3]`, and photos `[H, W, 3]`, all uint8."""
        class_ids = np.array([entry.id for entry in classes.entries] if classes else [], np.uint8)
        cells = [(described(drawing, class_ids), cells_of(photo)) for drawing, photo in pairs]
        drawings, photos = (np.stack(column) for column in zip(*cells, strict=True))
        rest = unexplained(drawings, photos).reshape(len(photos), -1)
        photos, drawings = photos.reshape(len(photos), -1), drawings.reshape(len(photos), -1)
        rest -= rest.mean(axis=0)
        encoder = whitening(rest) / DEVIATIONS
        return cls(
            to_pixels(rest @ encoder),
            as_bytes(drawings),
            class_ids,
            photos.mean(axis=0),
            encoder,
        )

    def write(self, folder: Path) -> None:
        """Write the bank into `folder`; equal banks give equal bytes."""
        write_bank(folder / FILE, self)

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Return the bank in `folder`.

        Raises:
            UserError: the file is missing, damaged or not as `write` leaves it.
        """
        return read_bank(folder / FILE, cls._checked, "code", "codes")

    @classmethod
    def _checked(cls, **arrays: np.ndarray) -> Self:
        bank = cls(**arrays)
        photos, numbers = len(bank.codes), len(bank.class_ids) or 3
        wanted = {
            "codes": (np.uint8, (photos, NUMBERS)),
            "drawings": (np.uint8, (photos, CELLS * numbers)),
            "class_ids": (np.uint8, bank.class_ids.shape[:1]),
            "photo_mean": (np.float64, (CELLS * 3,)),
            "encoder": (np.float64, (CELLS * 3, NUMBERS)),
        }
        refuse_other_forms(bank, wanted)
        if not photos or not np.isfinite(bank.encoder).all() or not np.isfinite(bank.photo_mean).all():
            raise ValueError(f"{photos} codes, or numbers that are not finite")
        return bank

    def draw(self, drawing: np.ndarray, seed: int, like: np.ndarray | None = None) -> np.ndarray:
        """Return a code `[NUMBERS]` uint8 for a drawing, `[H, W]` or `[H, W, 3]` uint8: its donor's, see `donors`.

        Args:
            like: a code that is taken instead; None to draw one.
        """
        return self._lent(drawing, seed)[0] if like is None else like

    def light(self, drawing: np.ndarray, seed: int) -> np.ndarray:
        """Return the code `[NUMBERS]` uint8 that `draw` returns, which other drawings may get, too."""
        return self.draw(drawing, seed)

    def lights(self, drawing: np.ndarray, seeds: Sequence[int]) -> np.ndarray:
        """Return `light` for each of the S seeds, `[S, NUMBERS]` uint8, none twice if enough drawings are alike."""
        return unlike(self._lent(drawing, seed) for seed in seeds)

    def _lent(self, drawing: np.ndarray, seed: int) -> np.ndarray:
        """Return the codes of the donors in the order that `seed` sets, `[D, NUMBERS]` uint8."""
        return self.codes[donors(self.drawings, self.class_ids, drawing, seed)]

    def light_of(self, photo: np.ndarray) -> np.ndarray:
        """Return the code `[NUMBERS]` uint8 of a photo `[H, W, 3]` uint8 of any size.

        Nobody knows its drawing, which counts as the mean of the training drawings.
        """
        return to_pixels((cells_of(photo).ravel() - self.photo_mean) @ self.encoder)

    def mean(self, drawing: np.ndarray) -> np.ndarray:
        """Return the mean code `[NUMBERS]` uint8, which is the same for every drawing."""
        return np.rint(self.codes.mean(axis=0)).astype(np.uint8)


def read_codes(pairs: Sequence[Pair], classes: ClassTable | None) -> CodeBank:
    """Return the bank of some pairs, with their codes in the pairs' order."""
    read = read_ids if classes else read_rgb
    return CodeBank.of(((read(pair.input_path), read_photo(pair.target_path, 3)) for pair in pairs), classes)


def unexplained(drawings: np.ndarray, photos: np.ndarray) -> np.ndarray:
    """Return what drawings do not say about photos: `[P, CELLS, 3]`.

    A ridge regression predicts a cell's colour from the same cell of the drawing, by one matrix for all cells; its
    prediction is subtracted, but for the mean.

    Args:
        drawings, photos: the cells, `[P, CELLS, K]` and `[P, CELLS, 3]`.
    """
    known = drawings - drawings.mean(axis=(0, 1))
    x, y = known.reshape(-1, known.shape[-1]), (photos - photos.mean(axis=(0, 1))).reshape(-1, 3)
    return photos - known @ np.linalg.solve(x.T @ x + RIDGE * np.eye(x.shape[1]), x.T @ y)


def whitening(rest: np.ndarray) -> np.ndarray:
    """Return the map `[D, NUMBERS]` to the first principal components of centred rows `[P, D]`, each of variance 1.

    The largest entry of a component is positive. Components that the rows do not have give 0.
    """
    _, sizes, components = np.linalg.svd(rest, full_matrices=False)
    deviations = sizes[:NUMBERS] / np.sqrt(len(rest))
    kept = deviations > LEAST_DEVIATION * max(sizes[0] / np.sqrt(len(rest)), 1.0)
    components = components[: len(deviations)]
    largest = np.take_along_axis(components, np.abs(components).argmax(axis=1)[:, None], axis=1)
    whitened = np.zeros((rest.shape[1], NUMBERS))
    whitened[:, np.flatnonzero(kept)] = ((components * np.sign(largest))[kept] / deviations[kept, None]).T
    return whitened
