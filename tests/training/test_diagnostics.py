import numpy as np
import pytest

from pix2street.reporting.training_verdict import faults_of, verdict
from pix2street.training.diagnostics import checkerboard, diagnose, diversity, saturated_share

SIZE = 64
RNG = np.random.default_rng(0)


def streets(count: int = 6) -> tuple[np.ndarray, np.ndarray]:
    """Drawings of a skyline each, and photos of them: smooth light, grain, the skyline's own tones."""
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
    """Other photos for other noise, whatever the input."""
    return np.roll(TARGETS, 2, axis=0) + 0.03 * noises


def chequered(inputs, noises):
    return healthy(inputs, noises) + 0.1 * PATTERN


def chequered_unevenly(inputs, noises):
    """Every four pixels, and only where the input is light."""
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


GAME = {"gen_gan": 1.0, "disc_real": 0.5, "disc_generated": 0.5, "disc_real_accuracy": 0.8,
        "disc_generated_accuracy": 0.7}  # fmt: skip


@pytest.mark.parametrize(
    ("terms", "expected"),
    [
        ((0.69, 0.69, 0.69), "Neither network has won ("),
        ((2.0, 0.2, 0.2), "Neither network has won; the discriminator is ahead"),
        ((0.2, 0.9, 0.9), "Neither network has won; the generator is ahead"),
        ((6.0, 0.01, 0.02), "The discriminator has won"),
        ((0.01, 0.7, 5.0), "The generator has won"),
        ((3.0, 0.01, 0.6), "Neither network has won"),
    ],
)
def test_the_sentence_follows_the_terms(terms, expected):
    sentence = verdict({**GAME, **dict(zip(("gen_gan", "disc_real", "disc_generated"), terms, strict=True))})
    assert sentence.startswith(expected)
    assert f"gen_gan {terms[0]:.2f}" in sentence
    assert "it tells 80% of real and 70% of generated patches" in sentence


def test_faults_are_sentences_of_their_own():
    text = verdict({**GAME, **row(constant)})
    assert "Different inputs give nearly the same photo (diversity 0.00)." in text
    assert "The photo hardly depends on the input (sensitivity 0.00)." in text
    assert verdict({**GAME, **row(healthy)}).endswith("No fault was found in the photos.")
