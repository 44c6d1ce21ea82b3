import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from scipy.stats import wasserstein_distance

from pix2street.metrics import METRICS, Looks, Samples, sliced_wasserstein
from pix2street.metrics.looks import light_of
from pix2street.metrics.pyramid import patches_of
from pix2street.metrics.sliced_wasserstein import normalised_patches, protocol_of, sliced_distance

RNG = np.random.default_rng(0)


def streets(count: int, height: int = 64, width: int = 64, channels: int = 3) -> np.ndarray:
    """Return noise with the fall of a natural photo's spectrum, `[count, H, W, C]` uint8."""
    noise = RNG.normal(size=(count, height, width, channels))
    smooth = sum(gaussian_filter(noise, (0, sigma, sigma, 0)) * sigma for sigma in (0, 1, 2, 4, 8) if sigma) + noise / 2
    return np.clip(128 + 40 * smooth, 0, 255).astype(np.uint8)


def looks(photos: np.ndarray) -> Looks:
    found = [patches_of(photo, 128, index) for index, photo in enumerate(photos)]
    patches = {side: np.stack([levels[side] for levels in found]) for side in found[0]}
    return Looks(np.array([light_of(photo) for photo in photos]), patches)


def scores(photos: np.ndarray, targets: np.ndarray) -> dict:
    return METRICS["sliced_wasserstein"].score(Samples(looks=(looks(photos), looks(targets))))


def patches_along(values: np.ndarray, direction: np.ndarray) -> np.ndarray:
    """Return patches whose values lie on one line, `[N, 1, 1, 49]`."""
    return (values[:, None] * direction).reshape(len(values), 1, 1, 49).astype(np.float32)


@pytest.fixture
def as_they_are(monkeypatch):
    """Leave patches as they are, so that distances have closed forms."""
    monkeypatch.setattr(sliced_wasserstein, "normalised_patches", lambda patches: patches.reshape(-1, 49))


def test_a_shift_is_as_far_as_it_is_long_on_every_line(as_they_are):
    # The mean length of a unit vector's projection on random lines is sqrt(2 / (pi D)) for large D.
    shift = np.zeros(49)
    shift[0] = 3.0
    patches = RNG.normal(size=(500, 1, 1, 49)).astype(np.float32)
    moved = patches + shift.astype(np.float32).reshape(1, 1, 1, 49)
    assert sliced_distance(moved, patches) == pytest.approx(3 * np.sqrt(2 / (np.pi * 49)), rel=0.1)


def test_on_a_line_it_is_the_wasserstein_distance(as_they_are):
    direction = RNG.normal(size=49)
    a, b = RNG.normal(size=40), RNG.normal(1, 2, size=40)
    unit = sliced_distance(patches_along(a * 0, direction), patches_along(a * 0 + 1, direction))
    both = sliced_distance(patches_along(a, direction), patches_along(b, direction))
    assert both == pytest.approx(unit * wasserstein_distance(a, b), rel=1e-4)


def test_sets_of_unlike_size_are_compared_by_quantiles(as_they_are):
    direction = RNG.normal(size=49)
    a, b = RNG.normal(size=3000), RNG.normal(0.5, 1, size=2000)
    unit = sliced_distance(patches_along(a * 0, direction), patches_along(a * 0 + 1, direction))
    both = sliced_distance(patches_along(a, direction), patches_along(b, direction))
    assert both == pytest.approx(unit * wasserstein_distance(a, b), rel=0.01)
    # A set is no further from itself if every patch occurs twice.
    twice = patches_along(np.repeat(a, 2), direction)
    assert sliced_distance(twice, patches_along(a, direction)) == pytest.approx(0, abs=1e-6)


def test_equal_sets_are_at_zero_and_the_order_of_arguments_does_not_matter():
    a, b = streets(6), streets(5)
    assert set(scores(a, a).values()) == {0.0}
    assert scores(a, b) == pytest.approx(scores(b, a))


def test_the_order_of_the_photos_does_not_matter():
    a, b = looks(streets(6)), looks(streets(6))
    turned = a.some(np.array([3, 1, 0, 5, 4, 2]))
    there, back = (sliced_wasserstein.score(Samples(looks=(photos, b))) for photos in (a, turned))
    assert there == pytest.approx(back, rel=1e-6)
    assert sliced_wasserstein.score(Samples(looks=(turned, a)))["swd"] == pytest.approx(0, abs=0.01)


def test_equal_photos_give_equal_numbers():
    a, b = streets(4), streets(4)
    assert scores(a, b) == scores(a, b)


def test_blur_moves_the_finest_level_most():
    photos = streets(8)
    blurred = gaussian_filter(photos.astype(float), (0, 0.7, 0.7, 0)).round().astype(np.uint8)
    found = scores(blurred, photos)
    assert found["swd_64"] > 2 * found["swd_32"] > 2 * found["swd_16"]


def test_a_change_of_the_coarse_forms_moves_the_coarsest_level_most():
    photos = streets(8)
    ramp = np.linspace(-60, 60, 64)[:, None, None]
    found = scores(np.clip(photos + ramp, 0, 255).astype(np.uint8), photos)
    assert found["swd_16"] > 2 * max(found["swd_32"], found["swd_64"])


def test_a_colour_that_all_photos_share_is_not_seen():
    photos = streets(8) // 2 + 32
    tinted = photos + np.array([60, 20, 0], np.uint8)
    assert scores(tinted, photos)["swd"] < 0.01


def test_sets_of_one_kind_are_nearer_than_sets_of_two():
    photos, others = streets(16), streets(16)
    flat = np.broadcast_to(others.mean(axis=(1, 2), keepdims=True).astype(np.uint8), others.shape)
    assert 3 * scores(others, photos)["swd"] < scores(flat, photos)["swd"]


@pytest.mark.parametrize(
    ("height", "width", "channels", "sides"),
    [(32, 48, 3, [32, 16]), (48, 32, 1, [32, 16]), (16, 16, 3, [16]), (8, 12, 1, [8])],
)
def test_every_size_has_a_level_and_the_mean_over_its_levels(height, width, channels, sides):
    a, b = streets(1, height, width, channels), streets(1, height, width, channels)
    found = scores(a, b)
    levels = [found[f"swd_{side}"] for side in sides]
    assert len(found) == 1 + len(sides)
    assert found["swd"] == pytest.approx(np.mean(levels))
    assert min(levels) > 0


def test_channels_are_normalised_apart_and_a_constant_one_is_zero():
    patches = RNG.normal(5, [[1.0], [20.0], [0.0]], size=(4, 6, 3, 49)).astype(np.float32)
    found = normalised_patches(patches).reshape(24, 3, 49)
    np.testing.assert_allclose(found.mean(axis=(0, 2)), 0, atol=1e-5)
    np.testing.assert_allclose(found.std(axis=(0, 2)), [1, 1, 0], atol=1e-5)


def test_scores_are_those_that_the_protocol_names_and_none_without_photos():
    a = looks(streets(2, 32, 32))
    none = a.some(np.array([], int))
    assert list(sliced_wasserstein.score(Samples(looks=(a, a)))) == protocol_of(a.patches)["scores"]
    assert sliced_wasserstein.score(Samples(looks=(a, none))) == {"swd": None, "swd_32": None, "swd_16": None}
    assert sliced_wasserstein.score(Samples()) == {}
