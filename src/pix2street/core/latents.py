"""Latents: vectors of normal numbers from which a generator without an input makes photos.

A generator takes `[N, L, Z + 1]` float32: for each photo a latent of Z numbers for each of L levels, from the coarsest
to the finest, and behind each its truncation. Truncation is the share of the way from the mean style to the latent's
own: 1 is the whole way, and 0 gives every latent the same style. All levels of a photo have one latent, but where
styles are mixed.
"""

from collections.abc import Sequence

import numpy as np

from pix2street.core.styles import seed_of

WHOLE = 1.0
"""The truncation of photos that are measured."""

FOLDER = "latents"
"""The folder beside the generated photos that only a generator of latents has."""


def draw_latent(shape: tuple[int, int], name: str, seed: int, truncation: float = WHOLE) -> np.ndarray:
    """Return the latent of the photo `name`, `[L, Z + 1]` float32.

    Args:
        shape: L and Z.
        name: the pair_id, or the photo's name in `predict`.
    """
    levels, numbers = shape
    one = np.random.default_rng(seed_of(name, seed)).standard_normal(numbers)
    return np.tile(np.append(one, truncation), (levels, 1)).astype(np.float32)


def draw_latents(shape: tuple[int, int], names: Sequence[str], seed: int, truncation: float = WHOLE) -> np.ndarray:
    """Return the latents of several photos, `[N, L, Z + 1]`, see `draw_latent`."""
    return np.stack([draw_latent(shape, name, seed, truncation) for name in names])


def mixed(coarse: np.ndarray, fine: np.ndarray, first: int) -> np.ndarray:
    """Return the levels of one latent before `first`, and those of another from there on, `[L, Z + 1]`."""
    return np.concatenate([coarse[:first], fine[first:]])
