"""Generate, for a generator without inputs: grids of photos with mixed and with truncated styles."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import keras
import numpy as np

from pix2street.core.images import contact_sheet, write_png
from pix2street.core.latents import draw_latents, mixed
from pix2street.inference.card import GeneratorCard
from pix2street.inference.in_use import as_inference, translate
from pix2street.layers.networks import load_network
from pix2street.settings.generate import Generate

MIXED = 6
"""The latents along each side of the grid of mixed styles."""

SHARES = (0.0, 0.25, 0.5, 0.7, 1.0)
"""The truncations of the sweep, a column each."""

SWEPT = 6
"""The latents of the sweep, a row each."""


def generate_latents(generator_folder: Path, folder: Path, settings: Generate) -> None:
    """Write two grids of photos into `folder`, which is missing for a generator of images.

    `mixing.png`: the first row and the first column are photos of latents, and each other one has the coarser half of
    its levels from the latent of its row, and the finer half from that of its column. `truncation.png`: a row for each
    latent, a column for each of `SHARES`.
    """
    card = GeneratorCard.read(generator_folder)
    shape = card.encoding.latent
    if shape is None:
        return
    folder.mkdir()
    inference = as_inference(load_network(generator_folder, "generator"), settings.norm, settings.dropout)

    def photos(latents: Sequence[np.ndarray]) -> list[np.ndarray]:
        return [*_photos(inference, latents, settings.seed)]

    names = [f"{side}_{number}" for side in ("row", "column") for number in range(MIXED)]
    latents = draw_latents(shape, names, settings.seed)
    rows, columns = latents[:MIXED], latents[MIXED:]
    first = max(1, shape[0] // 2)
    own = photos([*rows, *columns])
    white = np.full_like(own[0], 255)
    grid = [[white, *own[MIXED:]]]
    for row, photo in zip(rows, own, strict=False):
        grid.append([photo, *photos([mixed(row, column, first) for column in columns])])
    write_png(folder / "mixing.png", contact_sheet(grid))
    names = [f"row_{number}" for number in range(SWEPT)]
    columns = [photos(draw_latents(shape, names, settings.seed, share)) for share in SHARES]
    write_png(folder / "truncation.png", contact_sheet([*zip(*columns, strict=True)]))


def _photos(inference: keras.Model, latents: Sequence[np.ndarray], seed: int) -> Iterator[np.ndarray]:
    """Return the photo of each latent, `[H, W, C]` uint8, all with the same noise."""
    return translate(inference, ({"input": latent[None]} for latent in latents), ["grid"] * len(latents), seed)
