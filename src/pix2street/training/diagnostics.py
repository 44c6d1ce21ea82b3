"""What training does to the generator, measured after every epoch; `reporting/training_verdict.py` judges it.

Losses alone do not show it: a generator may fool the discriminator with one photo for every input, with noise that has
nothing to do with the input, or with a pattern of its own. All measures but the accuracy are relative to the real
targets, so that a night scene is not taken for saturated nor a chequered floor for an artefact.
"""

import numpy as np

SATURATED = 1 - 1.5 / 127.5
"""Of an 8-bit channel the two lowest and the two highest levels lie beyond it."""
PERIODS_PX = (2, 4)
"""Of the patterns that the last two doublings of the image's size leave (Odena et al. 2016)."""
NEIGHBOURS = 6
"""Frequencies on each side that a peak is compared with."""


def diagnose(generated: np.ndarray, exchanged: np.ndarray, targets: np.ndarray) -> dict[str, float]:
    """All measures of a generator by their names in the history.

    Args:
        generated: the photos of N >= 2 inputs, each with noise of its own.
        exchanged: at each place the photo of the next input, the first's at the end, with the noise of this place.
        targets: the real counterparts. All `[N, H, W, 1 or 3]` float32 in [-1, 1].
    """
    return {
        "diversity": diversity(generated, targets),
        "sensitivity": sensitivity(generated, exchanged, targets),
        "saturated_share": saturated_share(generated, targets),
        "checkerboard": checkerboard(generated, targets),
    }


def diversity(generated: np.ndarray, targets: np.ndarray) -> float:
    """Mean L1 between the photos of different inputs, by that between their targets; 0 for one photo for all.

    A generator that has collapsed onto few photos is far below 1 (mode collapse: Goodfellow 2016, section 5.1.1; the
    pairwise distance as a measure of it: Zhu et al. 2017, "Toward multimodal image-to-image translation", section 5).
    """
    return _ratio(_distance(generated, np.roll(generated, 1, 0)), _distance(targets, np.roll(targets, 1, 0)))


def sensitivity(generated: np.ndarray, exchanged: np.ndarray, targets: np.ndarray) -> float:
    """How far a photo moves when its input is exchanged and its noise kept, by the distance of the two targets.

    0 for a generator that does not look at its input, however its photos differ (the paper's unconditional GAN, Isola
    et al. 2017, table 2, is one that may not).
    """
    return _ratio(_distance(generated, exchanged), _distance(targets, np.roll(targets, -1, 0)))


def saturated_share(generated: np.ndarray, targets: np.ndarray) -> float:
    """Share of channel values at either end of their range, less the targets' own; tanh learns nothing there."""
    return float((np.abs(generated) > SATURATED).mean() - (np.abs(targets) > SATURATED).mean())


def checkerboard(generated: np.ndarray, targets: np.ndarray) -> float:
    """Height of the spectral peaks that up-sampling leaves, in decibels above the targets' own; 0 where there are none.

    Transposed convolutions repeat a pattern every two pixels, and the layer before the last every four (Odena et al.
    2016, "Deconvolution and checkerboard artifacts"); both stand out of the power spectrum as lines (Zhang et al. 2019,
    "Detecting and simulating artifacts in GAN fake images", section 3.2; Durall et al. 2020, section 3). The highest
    line counts.
    """
    return float(max(0.0, np.max(_peaks_db(generated) - _peaks_db(targets))))


def _distance(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.abs(a - b).mean(dtype=np.float64))


def _ratio(a: float, b: float) -> float:
    return a / b if b else 0.0


def _peaks_db(images: np.ndarray) -> np.ndarray:
    """For both axes and every period: power at its frequency by the median of those beside it, in decibels."""
    grey = images.mean(axis=-1, dtype=np.float64)
    power = (np.abs(np.fft.fft2(grey - grey.mean(axis=(1, 2), keepdims=True))) ** 2).mean(axis=0)
    peaks = []
    for axis in (0, 1):
        # The other axis' zero frequency holds what is the same all along it: edges, no pattern.
        line = np.delete(power, 0, axis=1 - axis).mean(axis=1 - axis)
        for period in PERIODS_PX:
            place = len(line) // period
            beside = [(place + off) % len(line) for off in range(-NEIGHBOURS, NEIGHBOURS + 1) if abs(off) > 1]
            peaks.append(10 * np.log10((line[place] + 1e-12) / (np.median(line[beside]) + 1e-12)))
    return np.array(peaks)
