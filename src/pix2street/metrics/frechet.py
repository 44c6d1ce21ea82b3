"""The Fréchet distance between two sets of features (Heusel et al. 2017, equation 6)."""

import numpy as np

from pix2street.metrics.samples import Samples


def score(samples: Samples) -> dict[str, float | None]:
    """`frechet_segmenter`: over the judge's features, so not an FID and only comparable under the same judge.

    None for fewer than two photos, which have no covariance.
    """
    if len(samples.photos) < 2:
        return {"frechet_segmenter": None}
    return {"frechet_segmenter": frechet_distance(samples.features, samples.target_features)}


def frechet_distance(a: np.ndarray, b: np.ndarray) -> float:
    """|mu_a - mu_b|^2 + tr(C_a + C_b - 2 (C_a C_b)^(1/2)) of two feature sets `[N, D]`, each with N >= 2.

    The trace of the root is taken as the sum of the roots of the eigenvalues of C_a^(1/2) C_b C_a^(1/2), which is
    symmetric: the result is real, also where there are fewer images than features.
    """
    a, b = a.astype(np.float64), b.astype(np.float64)
    cov_a, cov_b = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    values, vectors = np.linalg.eigh(cov_a)
    root_a = (vectors * np.sqrt(values.clip(0))) @ vectors.T
    root_trace = np.sqrt(np.linalg.eigvalsh(root_a @ cov_b @ root_a).clip(0)).sum()
    distance = ((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(cov_a) + np.trace(cov_b) - 2 * root_trace
    # Rounding may take the distance of equal sets below zero.
    return float(max(distance, 0.0))
