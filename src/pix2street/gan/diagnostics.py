"""What the losses of a GAN say about the game between its networks."""

import math

EVEN = math.log(2)
"""A single cross-entropy term of a discriminator that cannot tell: perplexity 2."""

# Below a tenth of ln 2 a network is right with a mean confidence of 93 %: the other gets next to no gradient from it.
WON = 0.1 * EVEN
# Between the two a network is ahead, which is the usual state of pix2pix.
AHEAD = 0.5 * EVEN


def who_has_won(gen_gan: float, disc_real: float, disc_generated: float) -> str:
    """One sentence on the game, from one epoch's mean terms; each is ln 2 = 0.693 where nobody is ahead.

    The generator has won where its own term is very low, the discriminator where both of its terms are.
    """
    disc = max(disc_real, disc_generated)
    terms = f"gen_gan {gen_gan:.2f}, disc_real {disc_real:.2f}, disc_generated {disc_generated:.2f}; ln 2 is 0.69"
    if gen_gan < WON:
        return f"The generator has won: the discriminator takes its photos for real ({terms})."
    if disc < WON:
        return f"The discriminator has won: it tells nearly every patch, and teaches little more ({terms})."
    if disc < AHEAD:
        return f"Neither network has won; the discriminator is ahead ({terms})."
    if gen_gan < AHEAD:
        return f"Neither network has won; the generator is ahead ({terms})."
    return f"Neither network has won ({terms})."
