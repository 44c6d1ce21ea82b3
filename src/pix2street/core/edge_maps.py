"""Where the edges of a pair's two images are, in few bytes: `edges.bin` beside the manifest of a split folder.

`split` writes it while the pixels are in memory, and `validate` compares inputs and targets by it. It is computed from
whole numbers, products and roots, which IEEE 754 rounds correctly, so that the bytes are the same on any machine.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from pix2street.core.errors import UserError
from pix2street.core.files import REMAKE
from pix2street.core.images import resize_box, resize_photo

EDGES_FILE = "edges.bin"
SEEN_PX, KEPT_PX = 128, 64
"""The sides to which an image is reduced at most before edges are sought, and those of its map."""

SMOOTHINGS = 3
"""How often each pixel and the next one are added, down and across, before the differences are taken."""

STRONGEST = np.sqrt(2) * 255 * 3 * 16
"""No gradient of a colour is longer: the weights of one sign sum to 3 along it and to 16 across."""


def edge_map(pixels: np.ndarray) -> np.ndarray:
    """Return the root of the gradient's length, summed over the colours, `[h, w]` uint8, of `[H, W, 3]` or `[H, W]`.

    An image is first reduced to at most `SEEN_PX` in height and width, and its map then to at most `KEPT_PX`. The
    gradient is the difference of neighbours after binomial smoothing, so its kernels are those of Sobel at 5x5 pixels.
    Beyond the borders the image is mirrored.
    """
    colors = pixels if pixels.ndim == 3 else np.repeat(pixels[..., None], 3, axis=2)
    small = resize_box(colors, *(min(SEEN_PX, side) for side in colors.shape[:2]))
    planes, margin = np.ascontiguousarray(small.transpose(2, 0, 1)), (SMOOTHINGS + 1) // 2
    smooth = np.pad(planes, ((0, 0), (margin, margin), (margin, margin)), mode="symmetric").astype(np.int16)
    for _ in range(SMOOTHINGS):
        smooth = smooth[:, 1:] + smooth[:, :-1]
        smooth = smooth[:, :, 1:] + smooth[:, :, :-1]
    sums, steps = smooth[:, 1:] + smooth[:, :-1], smooth[:, 1:] - smooth[:, :-1]
    across = (sums[:, :, 1:] - sums[:, :, :-1]).astype(np.float32)
    down = (steps[:, :, 1:] + steps[:, :, :-1]).astype(np.float32)
    across *= across
    down *= down
    red, green, blue = np.sqrt(across + down)
    # The root prevents a few hard edges from outweighing the many soft ones.
    root = np.sqrt((red + green + blue) / np.float32(3 * STRONGEST))
    found = np.rint(255 * root).astype(np.uint8)
    return resize_box(found, *(min(KEPT_PX, side) for side in found.shape))


def edge_maps_of(drawing: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Return the edge maps of an input, as it is shown, and of its target, `[2, D]` uint8.

    Edges are compared at the size of the smaller image.
    """
    size = np.minimum(drawing.shape[:2], target.shape[:2]).tolist()
    return np.stack([edge_map(resize_photo(image, *size)).ravel() for image in (drawing, target)])


@dataclass(frozen=True)
class EdgeMaps:
    """The edge maps of the pairs of a split folder, in the order of its manifest, in a file.

    Args:
        values: the number of values in the map of one image.
    """

    path: Path
    values: int

    @classmethod
    def open(cls, split: Path, pairs: int) -> Self:
        """Return the edge maps below `split`.

        Raises:
            UserError: the file is missing, or cannot be that of so many pairs.
        """
        path = split / EDGES_FILE
        size = path.stat().st_size if path.is_file() else 0
        if size % (2 * pairs) or not size:
            raise UserError(
                f"{path}: must hold the edges of {pairs} pairs, equally many bytes for each, but has {size} bytes; "
                f"{REMAKE}"
            )
        return cls(path, size // (2 * pairs))

    def read(self, places: np.ndarray) -> np.ndarray:
        """Return the maps of the pairs at these rising places, `[N, 2, D]` uint8."""
        first, count = int(places[0]), int(places[-1] - places[0]) + 1
        a_pair = 2 * self.values
        found = np.fromfile(self.path, np.uint8, count * a_pair, offset=first * a_pair)
        return found.reshape(count, 2, self.values)[places - first]
