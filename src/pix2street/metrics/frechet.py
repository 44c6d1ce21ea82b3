"""The Fréchet distance between two sets of features, each modelled as a Gaussian.

Features -> statistics -> distance. Over the pool_3 features of the Inception network of 2015 it is the FID (Heusel et
al. 2017, equation 6, from Dowson and Landau 1982); over the features of any other network it is never called FID.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from pix2street.metrics.samples import Samples, distance_by_network

PROTOCOL = {"version": 2, "covariance": "unbiased (N - 1)", "root": "symmetric eigendecomposition, float64"}
BLOCK = 256


@dataclass(frozen=True)
class Statistics:
    """The number of feature vectors, their mean `[D]` and their covariance `[D, D]`, float64."""

    count: int
    mean: np.ndarray
    covariance: np.ndarray


def score(samples: Samples) -> dict[str, Any]:
    """Return the distance of photos to targets, for features with a key of `frechet`; None below 2 images on a side."""
    return distance_by_network(samples, "frechet", distance_of)


def distance_of(photos: np.ndarray, targets: np.ndarray) -> float | None:
    """Return the distance between two feature sets `[N, D]`; None if one has fewer than two images."""
    if min(len(photos), len(targets)) < 2:
        return None
    return frechet_distance(*(statistics_of(blocks_of(features)) for features in (photos, targets)))


def blocks_of(features: np.ndarray) -> Iterator[np.ndarray]:
    """Return `[N, D]` features, which may be on disk, in blocks of rows."""
    return (features[start : start + BLOCK] for start in range(0, len(features), BLOCK))


def statistics_of(blocks: Iterable[np.ndarray]) -> Statistics:
    """Return the statistics of all rows of `[n, D]` blocks, with one block in memory at a time.

    Blocks are combined by Chan et al. 1979, equation 2.1.

    Raises:
        ValueError: fewer than two rows, which have no covariance.
    """
    count, mean, scatter = 0, np.zeros(0), np.zeros((0, 0))
    for block in blocks:
        block = np.asarray(block, np.float64)
        own = block.mean(axis=0)
        centred = block - own
        if count == 0:
            count, mean, scatter = len(block), own, centred.T @ centred
            continue
        total, step = count + len(block), own - mean
        scatter += centred.T @ centred
        scatter += np.outer(step, step) * (count * len(block) / total)
        mean = mean + step * (len(block) / total)
        count = total
    if count < 2:
        raise ValueError(f"a covariance needs at least two rows, it has {count}")
    return Statistics(count, mean, scatter / (count - 1))


def frechet_distance(a: Statistics, b: Statistics) -> float:
    """Return |mu_a - mu_b|^2 + tr(C_a + C_b - 2 (C_a C_b)^(1/2)), never below zero.

    The trace of the root is taken as the sum of the roots of the eigenvalues of C_a^(1/2) C_b C_a^(1/2). That matrix is
    symmetric, so the result is real also with fewer images than features.
    """
    values, vectors = np.linalg.eigh(a.covariance)
    root_a = (vectors * np.sqrt(values.clip(0))) @ vectors.T
    root_trace = np.sqrt(np.linalg.eigvalsh(root_a @ b.covariance @ root_a).clip(0)).sum()
    distance = ((a.mean - b.mean) ** 2).sum() + np.trace(a.covariance) + np.trace(b.covariance) - 2 * root_trace
    # Rounding may take the distance of equal sets below zero.
    return float(max(distance, 0.0))
