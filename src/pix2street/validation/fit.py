"""Measures of whether an input and a target belong together, i.e. have edges at the same positions.

The agreement of input i with target j is the correlation of their edges, after the edges common to all are subtracted.
Two measures follow from it, both between -2 and 2 and positive for a pair that belongs together:

- The lead of a pair is its own agreement, less the mean of the highest agreement of its input with another target and
  of its target with another input. A correct pair with few edges may have a lead far below 0, so a low lead proves
  nothing by itself.
- The fit of a pair is the agreement that two pairs lose, on average, if they exchange their inputs; the other pair is
  the one for which this loss is lowest. A fit is negative if both pairs would agree better after the exchange, which
  takes two poor pairs that complete each other.
"""

from dataclasses import dataclass, field

import numpy as np

BLOCK_PAIRS = 512
SUSPECTS = 1024


def block_agreement(inputs: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Return the agreement of every input (rows) with every target (columns) of a block, `[N, N]`.

    Args:
        inputs, targets: edge maps `[N, D]` of `core.edge_maps`; row i of both belongs to pair i.
    """
    return _standardized(inputs) @ _standardized(targets).T


def block_lead(agreement: np.ndarray) -> np.ndarray:
    """Return the lead of every pair of a block, `[N]`; 0 for a block of one, which has no other pair."""
    if len(agreement) < 2:
        return np.zeros(len(agreement))
    own = agreement.diagonal()
    others = agreement.copy()
    np.fill_diagonal(others, -np.inf)
    return own - (others.max(axis=0) + others.max(axis=1)) / 2


def block_fit(agreement: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the fit of every pair of a block, and the index of the other pair with which it is lowest.

    The two pairs that gain most by an exchange are removed first, and the rest are compared without them. Otherwise a
    correct pair would be blamed because it resembles a swapped one.

    Returns:
        The fits, `[N]` float, and the indices, `[N]` int; 0 and -1 for a pair that is left without another.
    """
    fit, other = np.zeros(len(agreement)), np.full(len(agreement), -1)
    own = agreement.diagonal()
    loss = (own[:, None] + own - agreement - agreement.T) / 2
    np.fill_diagonal(loss, np.inf)
    nearest, lowest = loss.argmin(axis=1), loss.min(axis=1)
    while lowest.min() < 0:
        first = lowest.argmin()
        both = np.array([first, nearest[first]])
        fit[both], other[both] = lowest[first], both[::-1]
        loss[both], loss[:, both], lowest[both] = np.inf, np.inf, np.inf
        stale = np.flatnonzero(np.isin(nearest, both) & np.isfinite(lowest))
        nearest[stale], lowest[stale] = loss[stale].argmin(axis=1), loss[stale].min(axis=1)
    rest = np.isfinite(lowest)
    fit[rest], other[rest] = lowest[rest], nearest[rest]
    return fit, other


@dataclass
class Suspects:
    """The pairs of a whole set with the lowest leads, at most `SUSPECTS`, with their edge maps.

    Swapped pairs have low leads even if they are in two blocks or subsets, so it suffices to compare these few pairs
    with each other.
    """

    rows: np.ndarray = field(default_factory=lambda: np.empty(0, int))
    leads: np.ndarray = field(default_factory=lambda: np.empty(0))
    maps: list[np.ndarray] = field(default_factory=list)

    def add(self, rows: np.ndarray, leads: np.ndarray, maps: np.ndarray) -> None:
        """Add the pairs of a block, and drop those with the highest leads beyond `SUSPECTS`.

        Args:
            maps: the edge maps of inputs and targets, `[N, 2, D]`.
        """
        rows, leads = np.concatenate([self.rows, rows]), np.concatenate([self.leads, leads])
        kept, before = np.sort(np.argsort(leads, kind="stable")[:SUSPECTS]), len(self.maps)
        # Copies of the few that are new let go of the block.
        self.maps = [self.maps[i] if i < before else maps[i - before].copy() for i in kept]
        self.rows, self.leads = rows[kept], leads[kept]

    def fit(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the fit of each suspect, and the row of the other pair with which it is lowest; -1 for none."""
        if not self.maps:
            return np.empty(0), np.empty(0, int)
        maps = np.array(self.maps)
        fit, other = block_fit(block_agreement(maps[:, 0], maps[:, 1]))
        return fit, np.where(other >= 0, self.rows[other], -1)


def blocks(count: int) -> list[np.ndarray]:
    """Return the indices 0 to `count` - 1 in even blocks of neighbours, at most `BLOCK_PAIRS` each."""
    return np.array_split(np.arange(count), max(1, -(-count // BLOCK_PAIRS)))


def _standardized(maps: np.ndarray) -> np.ndarray:
    """Return the maps less their mean map (horizons, sky lines), each with mean 0 and length 1."""
    maps = maps.astype(np.float32)
    maps -= maps.mean(axis=0)
    maps -= maps.mean(axis=1, keepdims=True)
    maps /= np.maximum(np.linalg.norm(maps, axis=1, keepdims=True), 1e-6)
    return maps
