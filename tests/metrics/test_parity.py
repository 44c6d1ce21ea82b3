"""Fréchet and kernel distance compared with torch-fidelity's, and TensorFlow's resizing with its port.

The tests always compare with recorded results of its functions. `make parity` runs its code again; that needs the extra
`parity`, 3 GB of PyTorch, and is not part of the ordinary tests.
"""

import numpy as np
import pytest

from pix2street.metrics.frechet import frechet_distance, statistics_of
from pix2street.metrics.kid import polynomial_mmd

RECORDED = {  # dimensions, images: Fréchet distance, MMD^2; torch-fidelity 0.4.0
    (64, 500): (0.289093750817, 0.001450402783),
    (256, 1000): (2.153544849317, 0.001387397414),
}
SETS = pytest.mark.parametrize(("dimensions", "images"), [*RECORDED, (2048, 3000)])


def torch_fidelity(module: str):
    return pytest.importorskip(f"torch_fidelity.{module}", reason="needs the extra `parity`: make parity")


def two_sets(dimensions: int, images: int) -> tuple[np.ndarray, np.ndarray]:
    """Return correlated, non-negative features of unlike spread and mean, like those of pool_3."""
    rng = np.random.default_rng(dimensions)
    mix = rng.normal(size=(dimensions, dimensions)) / np.sqrt(dimensions)
    a, b = rng.normal(size=(2, images, dimensions))
    return np.abs(a @ mix) * 0.4, np.abs(b @ (mix + 0.3 * np.roll(mix, 1, axis=0)) + 0.1) * 0.4


@pytest.mark.parametrize(("dimensions", "images"), RECORDED)
def test_recorded_distances(dimensions, images):
    a, b = two_sets(dimensions, images)
    ours = frechet_distance(statistics_of([a]), statistics_of([b])), polynomial_mmd(a, b)
    assert ours == pytest.approx(RECORDED[dimensions, images], rel=1e-6)


@SETS
def test_frechet_distance(dimensions, images):
    reference = torch_fidelity("metric_fid")
    a, b = two_sets(dimensions, images)
    theirs = [{"mu": x.mean(axis=0), "sigma": np.cov(x, rowvar=False)} for x in (a, b)]
    expected = reference.fid_statistics_to_metric(*theirs, False)["frechet_inception_distance"]
    ours = frechet_distance(statistics_of([a]), statistics_of([b]))
    print(f"Fréchet, {images} x {dimensions}: {ours:.12f} {expected:.12f} {abs(ours / expected - 1):.1e}")
    assert ours == pytest.approx(expected, rel=1e-6)


@SETS
def test_kernel_distance(dimensions, images):
    reference = torch_fidelity("metric_kid")
    a, b = two_sets(dimensions, images)
    expected = reference.kernel_mmd(
        a, b, kid_kernel="poly", kid_kernel_poly_degree=3, kid_kernel_poly_gamma=None, kid_kernel_poly_coef0=1
    )
    ours = polynomial_mmd(a, b)
    print(f"KID, {images} x {dimensions}: {ours:.12f} {expected:.12f} {abs(ours / expected - 1):.1e}")
    assert ours == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("size", [(64, 48), (256, 256), (299, 299), (512, 256)])
def test_tensorflow_resizing(size):
    reference = torch_fidelity("interpolate_compat_tensorflow")
    import tensorflow as tf
    import torch

    pixels = np.random.default_rng(0).integers(0, 256, (2, *size, 3)).astype(np.float32)
    ours = tf.raw_ops.ResizeBilinear(images=pixels, size=[299, 299]).numpy()
    expected = reference.interpolate_bilinear_2d_like_tensorflow1x(
        torch.from_numpy(pixels.transpose(0, 3, 1, 2)), size=(299, 299), align_corners=False
    )
    difference = np.abs(ours - expected.numpy().transpose(0, 2, 3, 1)).max()
    print(f"TensorFlow 1 bilinear, {size[0]}x{size[1]}: at most {difference:.1e} of 255 apart")
    assert difference < 0.5
