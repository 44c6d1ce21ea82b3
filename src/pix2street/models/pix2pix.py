"""pix2pix (Isola et al. 2017, "Image-to-image translation with conditional adversarial networks").

A U-Net generator G turns an input x into a photo; a PatchGAN discriminator D sees x beside a photo and says for every
patch whether it is real. The noise z of G is dropout, which stays on in use (section 3.1).
"""

import itertools
import math
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from pix2street.models.interface import Batch, MakePlayer, Task, Term, Training
from pix2street.settings.section import Count, LearningRate, Section, Share

if TYPE_CHECKING:
    import keras

TITLE = "pix2pix"
PAPER = "Isola et al. 2017, Image-to-image translation with conditional adversarial networks"

LN_2 = math.log(2)
WIDEST = 8
"""The largest ratio of a level's filters to those of the first level."""


class Settings(Section):
    """The section `train.pix2pix`."""

    generator_filters: Count
    discriminator_filters: Count
    norm: Literal["batch", "instance"]
    upsample: Literal["transpose", "resize"]
    dropout_share: Share
    generator_rate: LearningRate
    discriminator_rate: LearningRate
    beta_1: Annotated[float, Field(ge=0, lt=1)]
    beta_2: Annotated[float, Field(ge=0, lt=1)]
    l1_weight: Annotated[float, Field(ge=0)]
    disc_loss_weight: Annotated[float, Field(gt=0, le=1)]
    product_side_px: Annotated[int, Field(ge=0)]


PAIRING = "paired"
NOISE = "dropout"

# Binary cross-entropies from logits are ln 2 = 0.693 when the discriminator cannot tell real from generated.
TERMS = (
    Term("gen_total", "the generator's sum", total=True),
    Term("gen_gan", "single GAN terms", "generator", LN_2),
    Term("gen_l1", "L1, 0 to 2"),
    Term("disc_real", "single GAN terms", "discriminator", LN_2),
    Term("disc_generated", "single GAN terms", "discriminator", LN_2),
    Term("disc_total", "the discriminator's sum", "", 2 * LN_2, scaled_by="disc_loss_weight", total=True),
    Term("disc_real_accuracy", "patches told right", "", 0.5),
    Term("disc_generated_accuracy", "patches told right", "", 0.5),
)


# Networks (section 3.2, appendix 6.1)


def build_generator(task: Task, settings: Settings, seed: int) -> "keras.Model":
    """Return the U-Net: an encoder down to the smallest size, a decoder back up, and skips between equal sizes.

    At 256x256 with 64 filters: C64-C128-C256-C512-C512-C512-C512-C512 down to 1x1, then
    CD512-CD512-CD512-C512-C256-C128-C64 and a last transposed convolution.

    The paper, its PyTorch reference and the TensorFlow tutorial differ in four details:
    - The innermost block has no norm, as in the reference. At batch 1 a norm over 1x1 values returns only its bias and
      cuts the bottleneck off, as in the tutorial and the paper's first networks (see the paper's errata).
    - The first block has no norm, as in the paper and the tutorial.
    - Skips are taken after LeakyReLU, as in the tutorial; in the reference they pass through another ReLU.
    - The decoder's first three blocks have dropout at every size, as in the tutorial and the paper's text.

    Args:
        task: gives the size. Both sides are halved equally often, until one is odd.
        settings: levels whose smaller image has at most `product_side_px` are computed as matrix products, with the
            same result; see `layers/products.py`.
        seed: the seed of the initial weights and the dropout masks.

    Returns:
        `[N, H, W, C] -> [N, H, W, 1 or 3]` float32 in [-1, 1].
    """
    import keras
    from keras import layers

    from pix2street.layers.blocks import decode, encode, enlarge

    norm, upsample, product_side = settings.norm, settings.upsample, settings.product_side_px
    levels = count_levels(task)
    widths = [settings.generator_filters * min(2**level, WIDEST) for level in range(levels)]
    seeds = itertools.count(seed * 1000)

    # Encoder
    inputs = x = keras.Input(task.input_shape, name="input")
    skips = []
    for level, width in enumerate(widths):
        product = max(x.shape[1:3]) <= 2 * product_side
        x = encode(x, width, seeds, f"encode_{level + 1}", norm if 0 < level < levels - 1 else None, product)
        skips.append(x)

    # Decoder
    skips.pop()
    for step, width in enumerate(reversed(widths[:-1])):
        product = max(x.shape[1:3]) <= product_side
        dropout = settings.dropout_share if step < 3 else 0.0
        x = decode(x, width, seeds, f"decode_{step + 1}", norm, upsample, dropout, product)
        x = layers.Concatenate(name=f"skip_{step + 1}")([x, skips.pop()])
    x = enlarge(x, task.target_shape[-1], seeds, "output_conv", upsample, use_bias=True)
    # The output is float32 in every precision, because the losses are computed from it.
    outputs = layers.Activation("tanh", dtype="float32", name="output")(x)
    return keras.Model(inputs, outputs, name="unet")


def count_levels(task: Task) -> int:
    """Return how often both sides can be halved: 256x256 gives 8, 128x256 gives 7, 96x128 gives 5."""
    return min((side & -side).bit_length() - 1 for side in task.input_shape[:2])


def multiple_px(task: Task, settings: Settings) -> int:
    """Return the number of which both sides of an input must be a multiple, since every level halves them."""
    return 2 ** count_levels(task)


def build_discriminator(task: Task, settings: Settings, seed: int) -> "keras.Model":
    """Return the PatchGAN, which gives a logit for every 70x70 patch of [input, photo]; see `layers/patchgan.py`."""
    from pix2street.layers.patchgan import build_patchgan

    return build_patchgan(task.input_shape, task.target_shape, settings.discriminator_filters, seed, settings.norm)


# Losses (section 3.1)


def losses(real_logits, generated_logits, generated, target, settings: Settings) -> dict:
    """Return every loss by its name in `TERMS`; the two totals update the networks.

    G maximises log D(x, G(x)) instead of minimising log(1 - D(x, G(x))) (section 3.3), and minimises L1 with the weight
    `l1_weight` (equation 4). D minimises the sum of its two losses, as in the tutorial, times `disc_loss_weight`: the
    paper and its reference halve the sum.
    """
    from pix2street.layers.losses import cross_entropy_generated, cross_entropy_real, l1

    gen_gan = cross_entropy_real(generated_logits)
    gen_l1 = l1(generated, target)
    disc_real = cross_entropy_real(real_logits)
    disc_generated = cross_entropy_generated(generated_logits)
    return {
        "gen_total": gen_gan + settings.l1_weight * gen_l1,
        "gen_gan": gen_gan,
        "gen_l1": gen_l1,
        "disc_real": disc_real,
        "disc_generated": disc_generated,
        "disc_total": settings.disc_loss_weight * (disc_real + disc_generated),
    }


# One update (section 3.3)


def build_training(
    task: Task, settings: Settings, generator: "keras.Model", make_player: MakePlayer, seed: int
) -> Training:
    """Return the training of G against D.

    Both updates start from the same weights and share one pass of D(x, G(x)), as in the tutorial; the PyTorch reference
    updates D first and passes G(x) through the updated D.
    """
    import tensorflow as tf

    from pix2street.layers.losses import accuracy_generated, accuracy_real

    discriminator = build_discriminator(task, settings, seed)
    betas = {"beta_1": settings.beta_1, "beta_2": settings.beta_2}
    gen = make_player([generator], learning_rate=settings.generator_rate, **betas)
    disc = make_player([discriminator], learning_rate=settings.discriminator_rate, **betas)

    def step(batch: Batch) -> dict:
        inputs, targets = batch["input"], batch["target"]
        with tf.GradientTape(persistent=True) as tape:
            generated = generator(inputs, training=True)
            real_logits = discriminator({"input": inputs, "target": targets}, training=True)
            generated_logits = discriminator({"input": inputs, "target": generated}, training=True)
            terms = losses(real_logits, generated_logits, generated, targets, settings)
            gen_loss, disc_loss = gen.scaled(terms["gen_total"]), disc.scaled(terms["disc_total"])
        gen.descend(tape, gen_loss)
        disc.descend(tape, disc_loss)
        return terms | {
            "disc_real_accuracy": accuracy_real(real_logits),
            "disc_generated_accuracy": accuracy_generated(generated_logits),
        }

    return Training(
        {"generator": generator, "discriminator": discriminator}, {"generator": gen, "discriminator": disc}, step
    )
