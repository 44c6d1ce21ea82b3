import subprocess
import sys

import numpy as np
import pytest

from pix2street.images import to_unit, write_png
from pix2street.metrics import METRICS, Samples
from pix2street.metrics.l1 import l1


def test_black_against_white_is_two():
    black = np.zeros((4, 4, 3), np.uint8)
    assert l1(black, black + 255) == l1(black + 255, black) == 2.0
    assert l1(black, black) == 0.0


def test_is_the_loss_of_training():
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 256, (2, 8, 8, 3)).astype(np.uint8)
    assert l1(a, b) == pytest.approx(np.abs(to_unit(a.astype(float)) - to_unit(b.astype(float))).mean())


def test_is_the_mean_over_photos_on_disk(tmp_path):
    paths = [tmp_path / f"{level}.png" for level in (0, 51, 255)]
    for path in paths:
        write_png(path, np.full((2, 2, 3), int(path.stem), np.uint8))
    assert METRICS["l1"](Samples(paths[1:], [paths[0]] * 2)) == {"l1": pytest.approx((0.4 + 2.0) / 2)}


def test_metrics_need_neither_keras_nor_tensorflow():
    code = "import sys, pix2street.metrics; sys.exit(any(m in sys.modules for m in ('tensorflow', 'keras')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
