"""Features of real photos are computed once for equal content, and no more than one batch is in memory."""

import numpy as np
import pytest

from pix2street.core.images import write_png
from pix2street.judges.feature_files import real_features, write_features


class Counting:
    """A replacement of a network whose features are the level of a photo; it counts the photos that it has seen."""

    sha256 = "ab" * 32

    def __init__(self):
        self.seen = 0

    def features(self, photos, resize):
        for start in range(0, len(photos), 2):
            some = photos[start : start + 2]
            self.seen += len(some)
            yield np.array([[float(path.stem)] * 3 for path in some], np.float32)


@pytest.fixture
def photos(tmp_path, monkeypatch):
    monkeypatch.setenv("PIX2STREET_CACHE", str(tmp_path / "cache"))
    paths = [tmp_path / f"{level}.png" for level in range(5)]
    for path in paths:
        write_png(path, np.full((4, 4, 3), int(path.stem), np.uint8))
    return paths


def test_real_features_are_kept_by_the_photos_content(photos):
    network = Counting()
    first = real_features(network, "tf", photos)
    assert isinstance(first, np.memmap)
    assert first[:, 0].tolist() == [0, 1, 2, 3, 4]
    assert (real_features(network, "tf", photos) == first).all()
    assert network.seen == 5
    real_features(network, "clean", photos)
    assert network.seen == 10
    write_png(photos[0], np.full((4, 4, 3), 9, np.uint8))
    real_features(network, "tf", photos)
    assert network.seen == 15


def test_an_interrupted_computation_leaves_nothing(photos, tmp_path):
    class Failing(Counting):
        def features(self, photos, resize):
            yield np.zeros((2, 3), np.float32)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        real_features(Failing(), "tf", photos)
    assert list((tmp_path / "cache/features").iterdir()) == []


def test_blocks_are_written_one_after_the_other(tmp_path):
    rows = np.arange(14, dtype=np.float32).reshape(7, 2)
    stored = write_features(tmp_path / "f.npy", iter([rows[:3], rows[3:6], rows[6:]]), 7)
    assert (stored == rows).all()
    assert (np.load(tmp_path / "f.npy") == rows).all()
