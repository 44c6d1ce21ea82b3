"""Tiles of a large image, each with so much of its surroundings that its photo is the same as in the whole image."""

from collections.abc import Iterator
from dataclasses import dataclass

from pix2street.core.scales import Scale

Window = tuple[slice, slice]


@dataclass(frozen=True)
class Tile:
    """One tile of an image.

    Args:
        top, left, bottom, right: its place in the image.
        seen: the rows and columns of the tile with its surroundings.
    """

    top: int
    left: int
    bottom: int
    right: int
    seen: Window

    def kept(self, scale: Scale) -> tuple[Window, Window]:
        """Return the tile's place in the photo of the image, and in the photo of what is seen."""
        (top, left), (bottom, right) = scale.applied(self.top, self.left), scale.applied(self.bottom, self.right)
        above, before = scale.applied(self.seen[0].start, self.seen[1].start)
        return (
            (slice(top, bottom), slice(left, right)),
            (slice(top - above, bottom - above), slice(left - before, right - before)),
        )


def tiles_of(height: int, width: int, side: int, reach: int, multiple: int) -> Iterator[Tile]:
    """Yield the tiles that cover an image, row by row; none overlaps another, but what they see does.

    Args:
        side: the sides of a tile, but for the last ones.
        reach: the number of pixels around a tile that are seen, too, where the image has them.
        multiple: the number of which the place where the seen part begins is a multiple.
    """
    for top in range(0, height, side):
        for left in range(0, width, side):
            bottom, right = min(top + side, height), min(left + side, width)
            seen = tuple(
                slice(max(0, (start - reach) // multiple * multiple), min(end + reach, whole))
                for start, end, whole in ((top, bottom, height), (left, right, width))
            )
            yield Tile(top, left, bottom, right, seen)
