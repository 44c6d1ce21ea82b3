import subprocess
import sys

import numpy as np
import pytest

from pix2street.core.errors import UserError
from pix2street.core.images import to_unit, write_png
from pix2street.metrics import METRICS, Samples
from pix2street.metrics.pixels import l1, measure, psnr, ssim

RNG = np.random.default_rng(0)
A, B = RNG.integers(0, 256, (2, 24, 32, 3)).astype(np.uint8)


def score(photos, targets):
    return METRICS["pixels"].score(Samples(measure(photos, targets)))


def written(folder, levels):
    paths = [folder / f"{level}.png" for level in levels]
    for path in paths:
        write_png(path, np.full((16, 16, 3), int(path.stem), np.uint8))
    return paths


def test_black_against_white():
    black = np.zeros((16, 16, 3), np.uint8)
    assert l1(black, black + 255) == l1(black + 255, black) == 2.0
    assert psnr(black, black + 255) == 0.0
    assert ssim(black, black + 255) == pytest.approx(0, abs=1e-3)


def test_equal_images():
    assert l1(A, A) == 0.0
    assert psnr(A, A) == np.inf
    assert ssim(A, A) == pytest.approx(1.0)


def test_order_of_arguments_does_not_matter():
    for metric in (l1, psnr, ssim):
        assert metric(A, B) == pytest.approx(metric(B, A))


def test_l1_is_the_loss_of_training():
    assert l1(A, B) == pytest.approx(np.abs(to_unit(A.astype(float)) - to_unit(B.astype(float))).mean())


def test_psnr_by_hand():
    # 16 levels everywhere: 20 log10(255 / 16).
    grey = np.full((8, 8, 3), 100, np.uint8)
    assert psnr(grey, grey + 16) == pytest.approx(24.0485, abs=1e-4)


def test_ssim_of_a_change_of_light_alone_is_in_closed_form():
    # Constant images have no contrast: only the luminance term is left (Wang et al. 2004, equation 6).
    c1 = (0.01 * 255) ** 2
    light = (2 * 100 * 150 + c1) / (100**2 + 150**2 + c1)
    assert ssim(np.full((16, 16, 3), 100, np.uint8), np.full((16, 16, 3), 150, np.uint8)) == pytest.approx(light)


def test_ssim_is_tensorflows():
    import tensorflow as tf

    # TensorFlow leaves the border out, where the window is cut off: so does a comparison of the inner means.
    large = RNG.integers(0, 256, (2, 96, 96, 3)).astype(np.uint8)
    large[1] = large[0] // 2 + 40
    theirs = float(tf.image.ssim(*large, max_val=255))
    assert ssim(*large) == pytest.approx(theirs, abs=2e-3)


def test_scores_are_means_over_photos_on_disk(tmp_path):
    paths = written(tmp_path, (0, 51, 255))
    scores = score(paths[1:], [paths[0]] * 2)
    assert scores["l1"] == pytest.approx((0.4 + 2.0) / 2)
    assert scores["psnr"] == pytest.approx((20 * np.log10(5) + 0) / 2)
    assert scores["l1_interval"]["low"] >= 0.4
    assert scores["l1_interval"]["high"] <= 2.0


def test_a_photo_that_equals_its_target_leaves_no_mean_psnr(tmp_path):
    paths = written(tmp_path, (0, 51))
    assert score(paths, [paths[0]] * 2)["psnr"] is None


def test_unlike_sizes_name_the_file(tmp_path):
    (small,) = written(tmp_path, (0,))
    write_png(tmp_path / "large.png", A)
    with pytest.raises(UserError, match=r"0\.png: is 16x16 px, its target 24x32; both must have one size"):
        measure([small], [tmp_path / "large.png"])


def test_metrics_need_neither_keras_nor_tensorflow():
    code = "import sys, pix2street.metrics; sys.exit(any(m in sys.modules for m in ('tensorflow', 'keras')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
