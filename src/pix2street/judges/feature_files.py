"""Feature files, so that memory holds only one batch of features at a time."""

import hashlib
import os
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from tqdm import tqdm

from pix2street.core.fetching import cache_folder
from pix2street.core.files import sha256_of
from pix2street.judges.inception import Inception


def real_features(network: Inception, resize: str, targets: Sequence[Path]) -> np.ndarray:
    """Return the features of the real photos, `[N, D]`, from the cache if they were computed before."""
    content = [network.sha256, resize, version("tensorflow"), *map(sha256_of, targets)]
    path = cache_folder() / "features" / f"{hashlib.sha256(' '.join(content).encode()).hexdigest()}.npy"
    if path.exists():
        return np.load(path, mmap_mode="r")
    path.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=path.parent) as folder:
        blocks = tqdm(network.features(targets, resize), desc=f"inception, {resize}: real", unit=" batches")
        os.replace(write_features(Path(folder) / "features.npy", blocks, len(targets)).filename, path)
    return np.load(path, mmap_mode="r")


def write_features(path: Path, blocks: Iterable[np.ndarray], count: int) -> np.memmap:
    """Write blocks of rows, one in memory at a time, and return them as a `[count, D]` array on disk."""
    array, start = None, 0
    for block in blocks:
        if array is None:
            array = np.lib.format.open_memmap(path, "w+", block.dtype, (count, block.shape[1]))
        array[start : start + len(block)] = block
        start += len(block)
    array.flush()
    return array
