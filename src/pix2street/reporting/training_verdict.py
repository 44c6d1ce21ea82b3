"""What a row of the history says in words. (Apart from the measures: a change of wording trains nothing again.)"""

import math
from collections.abc import Mapping

EVEN = math.log(2)
"""A single cross-entropy term of a discriminator that cannot tell: perplexity 2."""

# Below a tenth of ln 2 a network is right with a mean confidence of 93 %: the other gets next to no gradient from it.
WON = 0.1 * EVEN
# Between the two a network is ahead, which is the usual state of pix2pix.
AHEAD = 0.5 * EVEN

FAULT_LIMITS = {"diversity": 0.1, "sensitivity": 0.1, "saturated_share": 0.25, "checkerboard": 5.0}
"""Where a measure of `training/diagnostics.py` becomes a fault: a tenth of the real photos' differences, a quarter more
of all pixels, three times the power of real photos at the frequency of up-sampling (5 dB: a person sees it in foliage).
"""
FAULTS = {
    "diversity": "Different inputs give nearly the same photo",
    "sensitivity": "The photo hardly depends on the input",
    "saturated_share": "Many more pixels are black or white than in real photos",
    "checkerboard": "Up-sampling leaves a checkerboard",
}
LESS_IS_A_FAULT = {"diversity", "sensitivity"}


def faults_of(row: Mapping[str, float]) -> list[str]:
    """The measures in a row of the history that are beyond their limit."""
    return [
        name
        for name, limit in FAULT_LIMITS.items()
        if name in row and (row[name] < limit if name in LESS_IS_A_FAULT else row[name] > limit)
    ]


def verdict(row: Mapping[str, float]) -> str:
    """A sentence or more on one epoch: whether a network has won, and every fault in its row."""
    faults = [f"{FAULTS[name]} ({name} {row[name]:.2f})." for name in faults_of(row)]
    return " ".join([who_has_won(row), *(faults or ["No fault was found in the photos."])])


def who_has_won(row: Mapping[str, float]) -> str:
    """One sentence on the game, from one epoch's mean terms; each is ln 2 = 0.693 where nobody is ahead.

    The generator has won where its own term is very low, the discriminator where both of its terms are.
    """
    gen_gan, disc = row["gen_gan"], max(row["disc_real"], row["disc_generated"])
    terms = ", ".join(f"{name} {row[name]:.2f}" for name in ("gen_gan", "disc_real", "disc_generated"))
    terms += "; ln 2 is 0.69"
    if "disc_real_accuracy" in row:
        terms += (
            f"; it tells {row['disc_real_accuracy']:.0%} of real and {row['disc_generated_accuracy']:.0%} of generated "
            "patches"
        )
    if gen_gan < WON:
        return f"The generator has won: the discriminator takes its photos for real ({terms})."
    if disc < WON:
        return f"The discriminator has won: it tells nearly every patch, and teaches little more ({terms})."
    if disc < AHEAD:
        return f"Neither network has won; the discriminator is ahead ({terms})."
    if gen_gan < AHEAD:
        return f"Neither network has won; the generator is ahead ({terms})."
    return f"Neither network has won ({terms})."
