import numpy as np
import pytest

from pix2street.reporting.measures import FAULTS, MEASURES, faults_of
from pix2street.training.diagnostics import checkerboard, diagnose, diversity, saturated_share
from pix2street.training.loop import HOLDOUT_L1

SIZE = 64
RNG = np.random.default_rng(0)


def streets(count: int = 6) -> tuple[np.ndarray, np.ndarray]:
    """Return drawings of one skyline each, and photos of them with smooth light, grain and the skyline's tones."""
    skylines = RNG.integers(16, 48, (count, 4)).repeat(SIZE // 4, axis=1)
    inputs = np.where(np.arange(SIZE)[None, :, None] < skylines[:, None, :], 0.8, -0.6)
    light = np.linspace(-0.2, 0.2, SIZE)[None, None, :] * RNG.uniform(-1, 1, (count, 1, 1))
    photos = inputs * 0.7 + light + RNG.normal(0, 0.03, inputs.shape)
    return tuple(np.repeat(images[..., None], 3, axis=-1).astype("float32") for images in (inputs, photos))


INPUTS, TARGETS = streets()
NOISES = RNG.normal(0, 1, INPUTS.shape).astype("float32")
PATTERN = np.where((np.arange(SIZE)[:, None] + np.arange(SIZE)[None, :]) % 2, 1, -1)[..., None].astype("float32")


def healthy(inputs, noises):
    return inputs * 0.65 + 0.03 * noises


def constant(inputs, noises):
    return np.broadcast_to(TARGETS.mean(axis=0), inputs.shape)


def blind(inputs, noises):
    """Return photos that depend on the noise and not on the input."""
    return np.roll(TARGETS, 2, axis=0) + 0.03 * noises


def chequered(inputs, noises):
    return healthy(inputs, noises) + 0.1 * PATTERN


def chequered_unevenly(inputs, noises):
    """Return the photos with a grid of every four pixels, only where the input is light."""
    stripes = np.sin(np.arange(SIZE) * np.pi / 2)[None, None, :, None]
    return healthy(inputs, noises) + 0.15 * stripes * (inputs > 0)


def saturated(inputs, noises):
    return np.sign(inputs)


def row(generator) -> dict[str, float]:
    generated = generator(INPUTS, NOISES).astype("float32")
    exchanged = generator(np.roll(INPUTS, -1, 0), NOISES).astype("float32")
    return diagnose(generated, exchanged, TARGETS)


@pytest.mark.parametrize(
    ("generator", "faults"),
    [
        (healthy, set()),
        (constant, {"diversity", "sensitivity"}),
        (blind, {"sensitivity"}),
        (chequered, {"checkerboard"}),
        (chequered_unevenly, {"checkerboard"}),
        (saturated, {"saturated_share"}),
    ],
)
def test_each_fault_is_flagged_and_a_healthy_generator_is_not(generator, faults):
    assert set(faults_of(row(generator))) == faults


def test_real_photos_are_the_measure_of_all():
    measures = diagnose(TARGETS, np.roll(TARGETS, -1, 0), TARGETS)
    assert measures == {"diversity": 1.0, "sensitivity": 1.0, "saturated_share": 0.0, "checkerboard": 0.0}


def test_a_pattern_of_the_targets_own_is_no_artefact():
    chequered_targets = TARGETS + 0.1 * PATTERN
    assert checkerboard(chequered_targets, chequered_targets) == 0
    assert checkerboard(TARGETS, chequered_targets) == pytest.approx(0, abs=1e-3)


def test_dark_targets_allow_dark_photos():
    night = np.full_like(TARGETS, -1)
    assert saturated_share(night, night) == 0
    assert saturated_share(night, TARGETS) == pytest.approx(1, abs=0.01)


def test_equal_targets_have_no_diversity_to_reach():
    assert diversity(TARGETS, np.ones_like(TARGETS)) == 0


def test_the_report_knows_every_measure():
    names = [term.name for term in MEASURES]
    of_some = [HOLDOUT_L1, "light_kept", "edges_kept", "domain_sensitivity"]
    assert [*row(healthy)] == [name for name in names if name not in of_some]
    assert {*of_some} <= {*names}
    assert {*FAULTS} == {*row(healthy), *of_some[1:]}


def test_exchanged_light_is_a_fault_and_kept_light_is_none():
    exchanged = np.roll(TARGETS, -1, 0)
    for photos, kept in ((TARGETS, 1), (0.5 * TARGETS - 0.2, 1), (-TARGETS, -1)):
        measures = diagnose(photos, exchanged, TARGETS, TARGETS)
        assert measures["light_kept"] == pytest.approx(kept, abs=1e-6)
        assert ("light_kept" in faults_of(measures)) == (kept == -1)
    assert diagnose(np.zeros_like(TARGETS), exchanged, TARGETS, TARGETS)["light_kept"] == 0


def test_a_photo_of_another_scene_has_lost_its_edges():
    other = np.roll(TARGETS, -1, 0)
    for photos, lost in ((TARGETS, False), (-TARGETS, False), (0.3 * TARGETS - 0.6, False), (other, True)):
        measures = diagnose(photos, other, TARGETS, TARGETS)
        assert ("edges_kept" in faults_of(measures)) == lost
    assert diagnose(-TARGETS, other, TARGETS, TARGETS)["edges_kept"] == pytest.approx(1)
    assert diagnose(np.zeros_like(TARGETS), other, TARGETS, TARGETS)["edges_kept"] == 0


def test_a_generator_that_makes_one_domain_only_is_a_fault():
    other = np.roll(TARGETS, -1, 0)
    for elsewhere, found in ((TARGETS, True), (TARGETS - 0.2, False)):
        measures = diagnose(TARGETS, other, TARGETS, elsewhere=elsewhere)
        assert ("domain_sensitivity" in faults_of(measures)) == found
    distance = np.abs(TARGETS - other).mean()
    assert measures["domain_sensitivity"] == pytest.approx(0.2 / distance, rel=1e-5)


def test_frames_that_are_alike_are_no_pattern():
    """Four soft frames, alike but for a little noise, one under the other."""
    soft = np.cumsum(np.cumsum(RNG.normal(0, 0.01, (6, 16, SIZE, 3)), axis=1), axis=2)
    videos = np.tile(soft - soft.mean(axis=(1, 2), keepdims=True), (1, 4, 1, 1)).astype("float32")
    targets = videos + RNG.normal(0, 0.05, videos.shape).astype("float32")
    other = np.roll(videos, -1, 0)
    whole, single = (diagnose(videos, other, targets, frames=frames)["checkerboard"] for frames in (1, 4))
    assert whole > 3
    assert single < 1
    assert diagnose(videos + 0.2 * PATTERN, other, targets, frames=4)["checkerboard"] > 6
