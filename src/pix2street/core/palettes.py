"""Palettes: what a drawing does not say about its photo (the hour, the weather, paint), as a colour for each region.

A palette is an image of the drawing's size in which every connected region of a class has its mean colour in the photo.
In training it is that of the pair's own photo. In use it is drawn from a bank of the training photos' colours.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Self

import numpy as np

from pix2street.core.banks import read_bank, refuse_other_forms, unlike, write_bank
from pix2street.core.images import png_bytes, read_ids, read_photo
from pix2street.core.layouts import CELLS, as_bytes, described, donors
from pix2street.core.pairs import Pair

FILE = "palettes.npz"
"""The name of the bank's file beside the generator."""

MIN_REGION_PX = 12
"""The area below which a region has no colour of its own, but its class's."""

NEIGHBOURS = 12
"""The number of photos of one light, the donor among them, whose things lend their colours."""

SIZE_POWER = 6.0
"""The power of the ratio of two regions' sizes by which one seldom lends its colour to the other.

One that is half as large is drawn 64 times less often than one of the same size: trees do not get colours of bushes."""

UNIFORM_RATIO = 0.5
"""The limit of `PaletteBank.uniform`."""


@dataclass(frozen=True)
class Regions:
    """The connected regions of a drawing's classes, in the order of their first pixels.

    Pixels are connected by their sides, not by their corners.

    Args:
        places: the index of each pixel's region, `[H, W]` int64.
        class_ids: the class of each of the R regions, `[R]` uint8.
        areas_px: the pixels of each, `[R]` int64.
        firsts: the index of each one's first pixel among all pixels, row by row, `[R]` int64.
    """

    places: np.ndarray
    class_ids: np.ndarray
    areas_px: np.ndarray
    firsts: np.ndarray

    @classmethod
    def of(cls, ids: np.ndarray) -> Self:
        """Return the regions of class ids `[H, W]` uint8."""
        from skimage.measure import label

        places = label(ids.astype(np.int64), background=-1, connectivity=1).astype(np.int64) - 1
        _, firsts, areas_px = np.unique(places, return_index=True, return_counts=True)
        return cls(places, ids.ravel()[firsts], areas_px, firsts)

    @property
    def ids(self) -> np.ndarray:
        """The class ids of the drawing, `[H, W]` uint8."""
        return self.class_ids[self.places]

    def paint(self, colors: np.ndarray) -> np.ndarray:
        """Return an image in which each region has its row of `colors` `[R, 3]`, rounded: `[H, W, 3]` uint8."""
        return np.rint(colors).astype(np.uint8)[self.places]

    def colors_in(self, photo: np.ndarray) -> np.ndarray:
        """Return the mean colour of each region in a photo `[H, W, 3]` uint8, as `[R, 3]` float64.

        Regions below `MIN_REGION_PX` have the mean colour of their class.
        """
        count = len(self.class_ids)
        sums = np.stack([np.bincount(self.places.ravel(), photo[..., i].ravel(), count) for i in range(3)], axis=1)
        colors = sums / self.areas_px[:, None]
        means = _means_by(self.class_ids, self.areas_px, colors, 256)
        small = self.areas_px < MIN_REGION_PX
        colors[small] = means[self.class_ids[small]]
        return colors


def palette_of(ids: np.ndarray, photo: np.ndarray) -> np.ndarray:
    """Return the palette `[H, W, 3]` uint8 of a photo `[H, W, 3]` uint8, whose drawing is `ids` `[H, W]` uint8."""
    regions = Regions.of(ids)
    return regions.paint(regions.colors_in(photo))


@dataclass(frozen=True)
class PaletteBank:
    """The colours of the training photos, from which palettes for other drawings are drawn.

    Its rows are the regions of all photos that are not too small, photo by photo. A class that has only small regions
    in a photo is one row.

    Args:
        photo_colors: the mean colour of each of the P photos, `[P, 3]` uint8.
        counts: the number of each photo's rows, `[P]` int32.
        class_ids, areas_px, colors: class, pixels and mean colour of each row: uint8, int32, `[R, 3]` uint8.
        known_ids: the K classes of all drawings, `[K]` uint8.
        drawings: the share of each of them in the cells of the drawings (see `layouts`), [0, 1] as 0 to 255,
            `[P, CELLS * K]` uint8.
    """

    photo_colors: np.ndarray
    counts: np.ndarray
    known_ids: np.ndarray
    drawings: np.ndarray
    class_ids: np.ndarray
    areas_px: np.ndarray
    colors: np.ndarray

    @classmethod
    def of(cls, photos: Iterable[tuple[Regions, np.ndarray]]) -> Self:
        """Return the bank of photos `[H, W, 3]` uint8 with the regions of their drawings."""
        means, counts, rows, layouts = [], [], [], []
        for regions, photo in photos:
            own = np.unique(regions.class_ids)
            layouts.append((own, as_bytes(described(regions.ids, own))))
            class_ids, areas_px, colors = _rows_of(regions, photo)
            means.append(photo.reshape(-1, 3).mean(axis=0))
            counts.append(len(class_ids))
            rows.append((class_ids, areas_px, colors))
        class_ids, areas_px, colors = (np.concatenate(column) for column in zip(*rows, strict=True))
        known = np.unique(class_ids)
        drawings = np.zeros((len(layouts), CELLS, len(known)), np.uint8)
        for drawing, (own, shares) in zip(drawings, layouts, strict=True):
            drawing[:, np.searchsorted(known, own)] = shares
        return cls(
            np.rint(means).astype(np.uint8),
            np.array(counts, np.int32),
            known.astype(np.uint8),
            drawings.reshape(len(layouts), -1),
            class_ids.astype(np.uint8),
            areas_px.astype(np.int32),
            np.rint(colors).astype(np.uint8),
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
        return read_bank(folder / FILE, cls._checked, "palette", "colours")

    @classmethod
    def _checked(cls, **arrays: np.ndarray) -> Self:
        bank = cls(**arrays)
        rows, photos, kinds = len(bank.class_ids), len(bank.photo_colors), len(bank.known_ids)
        wanted = {
            "photo_colors": (np.uint8, (photos, 3)),
            "counts": (np.int32, (photos,)),
            "known_ids": (np.uint8, (kinds,)),
            "drawings": (np.uint8, (photos, CELLS * kinds)),
            "class_ids": (np.uint8, (rows,)),
            "areas_px": (np.int32, (rows,)),
            "colors": (np.uint8, (rows, 3)),
        }
        refuse_other_forms(bank, wanted)
        if not photos or bank.counts.min() < 1 or bank.counts.sum() != rows:
            raise ValueError(f"{photos} photos and {rows} regions do not fit together")
        return bank

    def draw(self, ids: np.ndarray, seed: int, like: np.ndarray | None = None) -> np.ndarray:
        """Return a palette `[H, W, 3]` uint8 for class ids `[H, W]` uint8: a function of them and the seed.

        One photo, the donor, gives the light; its drawing resembles this one, see `layouts.donors`. A class of one
        colour a photo (see `uniform`) has its colour in the donor, or in the photo nearest to the donor that has the
        class. A region of any other class has the colour of some region of the class, of about its size, in the
        `NEIGHBOURS` photos nearest to the donor in mean colour (see `SIZE_POWER`); the place of the region's first
        pixel decides which, so that a region painted elsewhere leaves it. The class's small regions share the mean of
        these colours, as they do in training.

        Args:
            like: a mean colour `[3]`: the donor is the photo that is nearest to it; None to draw the donor.
        """
        regions = Regions.of(ids)
        donor = self._donor(ids, seed) if like is None else int(self._by_distance(like)[0])
        photos = self._by_distance(self.photo_colors[donor])
        # Photos of one mean colour have no order, and the donor comes first.
        photos = np.concatenate([[donor], photos[photos != donor]])
        colors = np.empty((len(regions.class_ids), 3))
        for class_id in np.unique(regions.class_ids).tolist():
            own = regions.class_ids == class_id
            colors[own] = self._drawn(class_id, regions.areas_px[own], regions.firsts[own], photos, seed)
        return regions.paint(colors)

    def light(self, ids: np.ndarray, seed: int) -> np.ndarray:
        """Return the mean colour `[3]` uint8 of the donor that `draw` takes, which gives other drawings its light."""
        return self.photo_colors[self._donor(ids, seed)]

    def lights(self, ids: np.ndarray, seeds: Sequence[int]) -> np.ndarray:
        """Return `light` for each of the S seeds, `[S, 3]` uint8, but none twice where enough photos fit the drawing.

        Where an earlier seed has the light of a seed's donor, the next photo in the order of this seed gives its own.
        """
        return unlike(self.photo_colors[self._donors(ids, seed)] for seed in seeds)

    def light_of(self, photo: np.ndarray) -> np.ndarray:
        """Return the mean colour `[3]` float64 of a photo `[H, W, 3]` uint8: its light, for `draw`."""
        return photo.reshape(-1, 3).mean(axis=0)

    def mean(self, ids: np.ndarray) -> np.ndarray:
        """Return the palette `[H, W, 3]` uint8 that gives every class its mean colour over all photos."""
        return np.rint(self._class_colors).astype(np.uint8)[ids]

    @cached_property
    def uniform(self) -> np.ndarray:
        """Return whether the regions of each class id have one colour in a photo, `[256]` bool.

        Their standard deviation within photos is then at most `UNIFORM_RATIO` of that of the photos' means; it is for
        road and sky, and it is not for cars and people. Larger regions count for more.
        """
        answers = np.ones(256, bool)
        owners = self._owners
        for class_id, rows in self._rows.items():
            areas, colors, photos = self.areas_px[rows], self.colors[rows].astype(np.float64), owners[rows]
            means = _means_by(photos, areas, colors, len(self.counts))
            together = np.bincount(photos)[photos]
            several = together > 1
            if several.any():
                squared = ((colors - means[photos]) ** 2).sum(axis=1) * together / np.maximum(together - 1, 1)
                within = np.average(squared[several], weights=areas[several])
                off_mean = means[photos] - np.average(means[photos], axis=0, weights=areas)
                between = np.average((off_mean**2).sum(axis=1), weights=areas)
                answers[class_id] = within <= UNIFORM_RATIO**2 * between
        return answers

    @cached_property
    def _owners(self) -> np.ndarray:
        """Return the photo of each row, `[R]`."""
        return np.repeat(np.arange(len(self.counts)), self.counts)

    @cached_property
    def _rows(self) -> dict[int, np.ndarray]:
        """Return the rows of each class id, ascending."""
        return {class_id: np.flatnonzero(self.class_ids == class_id) for class_id in np.unique(self.class_ids).tolist()}

    @cached_property
    def _present(self) -> np.ndarray:
        """Return whether each photo has each class id, `[P, 256]` bool."""
        present = np.zeros((len(self.counts), 256), bool)
        present[self._owners, self.class_ids] = True
        return present

    @cached_property
    def _class_colors(self) -> np.ndarray:
        """Return the mean colour of each class id, `[256, 3]` float64; that of all photos where none has the class."""
        colors = _means_by(self.class_ids, self.areas_px, self.colors, 256)
        return np.where(self._present.any(axis=0)[:, None], colors, self.photo_colors.mean(axis=0))

    def _donor(self, ids: np.ndarray, seed: int) -> int:
        """Return the first of `_donors`; a small change of the drawing therefore seldom changes it."""
        return int(self._donors(ids, seed)[0])

    def _donors(self, ids: np.ndarray, seed: int) -> np.ndarray:
        """Return the photos that may lend their light to the drawing, in an order that `seed` sets."""
        return donors(self.drawings, self.known_ids, ids, seed)

    def _by_distance(self, color: np.ndarray) -> np.ndarray:
        """Return the photos by the distance of their mean colours from `color` `[3]`, the nearest first."""
        squared = ((self.photo_colors.astype(np.float64) - color) ** 2).sum(axis=1)
        return np.argsort(squared, kind="stable")

    def _drawn(
        self, class_id: int, areas_px: np.ndarray, firsts: np.ndarray, photos: np.ndarray, seed: int
    ) -> np.ndarray:
        """Return the colours `[N, 3]` of N regions of a class.

        Args:
            areas_px, firsts: see `Regions`.
            photos: the photos from the donor on, by their distance from it.
        """
        with_class = photos[self._present[photos, class_id]]
        if not len(with_class):
            return np.repeat(self.photo_colors[photos[:1]], len(areas_px), axis=0)
        # The photos with the class keep their order, so that the neighbours are the first of them.
        near = with_class[: np.count_nonzero(self._present[photos[:NEIGHBOURS], class_id])]
        lends = np.zeros(len(self.counts), bool)
        lends[with_class[:1] if self.uniform[class_id] or not len(near) else near] = True
        rows = self._rows[class_id]
        rows = rows[lends[self._owners[rows]]]
        if self.uniform[class_id]:
            color = np.average(self.colors[rows], axis=0, weights=self.areas_px[rows])
            return np.repeat(color[None], len(areas_px), axis=0)
        # Large facades differ less than small ones do.
        ratios = np.abs(np.log(np.divide.outer(areas_px, self.areas_px[rows])))
        # The largest of Gumbel numbers plus log-weights is drawn by the weights. A region has its own numbers for all
        # rows, so that a few pixels more seldom change its colour.
        chances = [np.random.default_rng([seed, class_id, first]).gumbel(size=len(rows)) for first in firsts.tolist()]
        picked = (np.stack(chances) - SIZE_POWER * ratios).argmax(axis=1)
        colors = self.colors[rows[picked]].astype(np.float64)
        large = areas_px >= MIN_REGION_PX
        colors[~large] = np.average(colors[large], axis=0, weights=areas_px[large]) if large.any() else colors[0]
        return colors


def _rows_of(regions: Regions, photo: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the class ids `[R]`, the pixels `[R]` and the mean colours `[R, 3]` of a photo's rows in the bank."""
    class_ids, areas_px, colors = regions.class_ids, regions.areas_px, regions.colors_in(photo)
    large = areas_px >= MIN_REGION_PX
    lonely, firsts = np.unique(class_ids[~large], return_index=True)
    firsts = np.flatnonzero(~large)[firsts][~np.isin(lonely, class_ids[large])]
    class_px = np.bincount(class_ids, areas_px, 256)[class_ids[firsts]].astype(np.int64)
    return (
        np.concatenate([class_ids[large], class_ids[firsts]]),
        np.concatenate([areas_px[large], class_px]),
        np.concatenate([colors[large], colors[firsts]]),
    )


def _means_by(keys: np.ndarray, areas_px: np.ndarray, colors: np.ndarray, count: int) -> np.ndarray:
    """Return the mean of colours `[N, 3]`, weighted by area, for each key from 0 below `count`: `[count, 3]` float64.

    It is black for a key that does not occur.
    """
    sums = np.stack([np.bincount(keys, areas_px * colors[:, i], count) for i in range(3)], axis=1)
    return sums / np.maximum(np.bincount(keys, areas_px, count), 1)[:, None]


def read_palettes(pairs: Sequence[Pair]) -> tuple[list[bytes], PaletteBank]:
    """Return the palettes of the pairs' own photos as PNGs, and the bank of these photos."""
    palettes = []

    def read() -> Iterator[tuple[Regions, np.ndarray]]:
        for pair in pairs:
            regions, photo = Regions.of(read_ids(pair.input_path)), read_photo(pair.target_path, 3)
            palettes.append(png_bytes(regions.paint(regions.colors_in(photo))))
            yield regions, photo

    bank = PaletteBank.of(read())
    return palettes, bank
