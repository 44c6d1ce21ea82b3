import os

from pix2street.core import numerics
from pix2street.stage import load_quietly

# Before anything that computes is loaded, by this file or by any test.
numerics.pin()
load_quietly("tensorflow")

import numpy as np  # noqa: E402
import pytest  # noqa: E402

from pix2street.core.classes import cityscapes_classes  # noqa: E402
from pix2street.core.images import write_png  # noqa: E402
from pix2street.core.pairs import Dataset, Pair, write_manifest  # noqa: E402

# A slow machine is no failure: tests wait for a store as long as it takes.
os.environ["PIX2STREET_STORE_TIMEOUT_S"] = "3600"

LONG = (
    "test_pipeline.py",
    "test_train.py",
    "test_strategies.py",
    "test_models.py",
    "test_loop.py",
    "test_jax.py",
    "test_server.py",
    "test_benchmarks.py",
    "test_numerics.py",
    "test_experiments.py",
    "test_kills.py",
    "test_quality.py",
)
"""The files that take the most CPU time, in `make test` or in `make nightly`, the longest first."""


def pytest_collection_modifyitems(config, items):
    """Give the longest files first to workers that take a file at a time (`make test`), so that they end together."""
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: LONG.index(item.path.name) if item.path.name in LONG else len(LONG))


@pytest.fixture
def tiny_pairs(tmp_path) -> list[Pair]:
    """Return six pairs of 32x32: class-id inputs (road below sky) and targets with each id in all channels."""
    pairs = []
    for index in range(6):
        ids = np.full((32, 32), 23, np.uint8)
        ids[10 + 2 * index :, index:] = 7
        pair = Pair(f"p{index}", tmp_path / f"input_{index}.png", tmp_path / f"target_{index}.png")
        write_png(pair.input_path, ids)
        write_png(pair.target_path, np.repeat(ids[..., None], 3, axis=2))
        pairs.append(pair)
    return pairs


@pytest.fixture(scope="session")
def road_and_sky(tmp_path_factory):
    """Return a split, four train and two val pairs: road of level 10 below sky of level 200, with a little noise."""
    folder = tmp_path_factory.mktemp("split")
    rng = np.random.default_rng(0)
    rows = []
    for index in range(6):
        name = "train" if index < 4 else "val"
        ids = np.full((32, 32), 23, np.uint8)
        ids[index + 8 :] = 7
        target = np.where(ids[..., None] == 7, 10, 200) + rng.integers(-5, 6, (32, 32, 3))
        row = {"pair_id": f"p{index}", "split": name, "group": "g", "class_ids": "7 23"}
        for kind, pixels in {"input": ids, "target": target.astype(np.uint8)}.items():
            row[f"{kind}_path"] = f"{name}/{kind}s/p{index}.png"
            (folder / row[f"{kind}_path"]).parent.mkdir(parents=True, exist_ok=True)
            write_png(folder / row[f"{kind}_path"], pixels)
        rows.append(row)
    write_manifest(folder, rows)
    Dataset("d", "D", "labels to photo", "", "", "right", None, cityscapes_classes()).write(folder)
    return folder
