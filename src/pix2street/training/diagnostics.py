"""Measures of known failures of generators, taken after every epoch; `reporting/training_verdict.py` judges them.

Losses do not show these failures: a generator may fool the discriminator with one photo for every input, with photos
that ignore the input, or with a regular pattern. The measures are relative to the real targets, so that a night scene
does not count as saturated, nor a chequered floor as an artefact.
"""

import numpy as np

SATURATED = 1 - 1.5 / 127.5
"""The absolute value that only the two lowest and the two highest levels of an 8-bit channel exceed."""
PERIODS_PX = (2, 4)
"""The periods of the patterns that the last two up-samplings leave (Odena et al. 2016)."""
NEIGHBOURS = 6
"""The number of frequencies on each side with which a peak is compared."""


def diagnose(
    generated: np.ndarray,
    exchanged: np.ndarray,
    targets: np.ndarray,
    inputs: np.ndarray | None = None,
    elsewhere: np.ndarray | None = None,
    frames: int = 1,
) -> dict[str, float]:
    """Return all measures of a generator by their names in the history.

    The arrays are `[N, H, W, 1 or 3]` float32 in [-1, 1].

    Args:
        generated: the photos of N >= 2 inputs, each with different noise.
        exchanged: at each index the photo of the next input (at the last index, of the first), with the noise that
            `generated` has at this index.
        targets: the real photos.
        inputs: what the photos were made of, in colours, where light should stay light and edges should stay; None
            where they need not.
        elsewhere: the photos of the same inputs for another domain; None for a generator that is told none.
        frames: the number of frames that a photo has one under the other. They are much alike, which is a pattern in
            the whole photo, so patterns are sought in single frames.
    """
    measures = {}
    if inputs is not None:
        measures |= {"light_kept": light_kept(inputs, generated), "edges_kept": edges_kept(inputs, generated)}
    if elsewhere is not None:
        measures["domain_sensitivity"] = domain_sensitivity(generated, elsewhere, targets)
    return measures | {
        "diversity": diversity(generated, targets),
        "sensitivity": sensitivity(generated, exchanged, targets),
        "saturated_share": saturated_share(generated, targets),
        "checkerboard": checkerboard(_frames_of(generated, frames), _frames_of(targets, frames)),
    }


def _frames_of(photos: np.ndarray, frames: int) -> np.ndarray:
    """Return single frames, `[frames * N, H / frames, W, C]`."""
    _, rows, *sides = photos.shape
    return photos.reshape(-1, rows // frames, *sides)


def diversity(generated: np.ndarray, targets: np.ndarray) -> float:
    """Return the mean L1 between the photos of different inputs, divided by that between their targets.

    It is 0 for a generator with one photo for all inputs, and far below 1 after mode collapse (Goodfellow 2016, section
    5.1.1). Zhu et al. 2017, "Toward multimodal image-to-image translation", section 5, measure it by such a distance.
    """
    return _ratio(_distance(generated, np.roll(generated, 1, 0)), _distance(targets, np.roll(targets, 1, 0)))


def sensitivity(generated: np.ndarray, exchanged: np.ndarray, targets: np.ndarray) -> float:
    """Return how much the photo changes (mean L1) if the input is exchanged but not the noise.

    It is divided by the distance of the two targets. A generator that ignores its input has 0, as a GAN may whose
    discriminator does not see the input (Isola et al. 2017, section 4.2).
    """
    return _ratio(_distance(generated, exchanged), _distance(targets, np.roll(targets, -1, 0)))


def light_kept(inputs: np.ndarray, generated: np.ndarray) -> float:
    """Return the mean over the images of the correlation of the grey values of input and photo; 0 if one is flat.

    It is negative where bright and dark are exchanged, which no cycle forbids: the way back exchanges them again.
    """
    return _correlation(_greys(inputs), _greys(generated))


def edges_kept(inputs: np.ndarray, generated: np.ndarray) -> float:
    """Return the mean over the images of the correlation of the edges of input and photo; 0 if one is flat.

    Edges are the lengths of the grey values' gradients. It is near 0 where a photo shows another scene than its input,
    which a discriminator that sees the photo alone does not mind.
    """
    return _correlation(_edges(inputs), _edges(generated))


def domain_sensitivity(generated: np.ndarray, elsewhere: np.ndarray, targets: np.ndarray) -> float:
    """Return how much a photo changes (mean L1) if its generator is told another domain.

    It is divided by the distance of two targets, as in `sensitivity`. A generator that makes one domain only, whatever
    it is told, has 0.
    """
    return _ratio(_distance(generated, elsewhere), _distance(targets, np.roll(targets, -1, 0)))


def saturated_share(generated: np.ndarray, targets: np.ndarray) -> float:
    """Return the share of channel values at the ends of their range, where tanh hardly learns, minus the targets'."""
    return float((np.abs(generated) > SATURATED).mean() - (np.abs(targets) > SATURATED).mean())


def checkerboard(generated: np.ndarray, targets: np.ndarray) -> float:
    """Return the height of the highest spectral peak of up-sampling, in decibels above that of the targets, at least 0.

    The last transposed convolution repeats a pattern every two pixels, the one before it every four (Odena et al. 2016,
    "Deconvolution and checkerboard artifacts"). Both give peaks in the power spectrum (Zhang et al. 2019, "Detecting
    and simulating artifacts in GAN fake images", section 3.2; Durall et al. 2020, section 3).
    """
    return float(max(0.0, np.max(_peaks_db(generated) - _peaks_db(targets))))


def _greys(images: np.ndarray) -> np.ndarray:
    """Return the mean of each pixel's channels, `[N, H, W]` float64."""
    return images.mean(axis=-1, dtype=np.float64)


def _edges(images: np.ndarray) -> np.ndarray:
    return np.hypot(*np.gradient(_greys(images), axis=(1, 2)))


def _correlation(one: np.ndarray, other: np.ndarray) -> float:
    """Return the mean of the images' correlations, each over its pixels; an image that is flat has 0."""
    one, other = (
        (values - values.mean(axis=(1, 2), keepdims=True)).reshape(len(values), -1) for values in (one, other)
    )
    products = (one * other).sum(axis=1)
    lengths = np.sqrt((one**2).sum(axis=1) * (other**2).sum(axis=1))
    return float(np.mean([_ratio(product, length) for product, length in zip(products, lengths, strict=True)]))


def _distance(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.abs(a - b).mean(dtype=np.float64))


def _ratio(a: float, b: float) -> float:
    return a / b if b else 0.0


def _peaks_db(images: np.ndarray) -> np.ndarray:
    """Return the power at each period's frequency by the median beside it, in decibels, for both axes: `[4]`."""
    grey = images.mean(axis=-1, dtype=np.float64)
    power = (np.abs(np.fft.fft2(grey - grey.mean(axis=(1, 2), keepdims=True))) ** 2).mean(axis=0)
    peaks = []
    for axis in (0, 1):
        # The other axis' zero frequency is left out: it holds straight edges, which are no pattern.
        line = np.delete(power, 0, axis=1 - axis).mean(axis=1 - axis)
        for period in PERIODS_PX:
            peak = len(line) // period
            beside = [(peak + off) % len(line) for off in range(-NEIGHBOURS, NEIGHBOURS + 1) if abs(off) > 1]
            peaks.append(10 * np.log10((line[peak] + 1e-12) / (np.median(line[beside]) + 1e-12)))
    return np.array(peaks)
