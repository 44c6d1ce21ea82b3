"""pix2pix (Isola et al. 2017, "Image-to-image translation with conditional adversarial networks").

A U-Net generator G turns an input x into a photo; a PatchGAN discriminator D sees x beside a photo and says of every
patch whether the photo is real. G's noise z is dropout that stays on in use (section 3.1).
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
"""A level of the U-Net has at most this many times the filters of the first."""


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

# Binary cross-entropies from logits: ln 2 = 0.693 is a discriminator that cannot tell.
TERMS = (
    Term("gen_total", "the generator's sum"),
    Term("gen_gan", "single GAN terms", "generator", LN_2),
    Term("gen_l1", "L1, 0 to 2"),
    Term("disc_real", "single GAN terms", "discriminator", LN_2),
    Term("disc_generated", "single GAN terms", "discriminator", LN_2),
    Term("disc_total", "the discriminator's sum", "", 2 * LN_2, scaled_by="disc_loss_weight"),
    Term("disc_real_accuracy", "patches told right", "", 0.5),
    Term("disc_generated_accuracy", "patches told right", "", 0.5),
)


# Networks (section 3.2, appendix 6.1)


def build_generator(task: Task, settings: Settings, seed: int) -> "keras.Model":
    """Return the U-Net: an encoder down to the smallest size, a decoder back up, and a skip between equal sizes.

    At 256x256 with 64 filters: C64-C128-C256-C512-C512-C512-C512-C512 down to 1x1, then
    CD512-CD512-CD512-C512-C256-C128-C64 and a last transposed convolution.

    The paper, its PyTorch reference and the TensorFlow tutorial differ; this network is
    - the reference's in the innermost block, which has no norm. Over 1x1 values at batch 1 a norm returns its own bias
      and cuts the bottleneck off, as in the tutorial's and the paper's first networks (the paper's errata say so);
    - the paper's and the tutorial's in the first block, which has no norm;
    - the tutorial's in the skips, taken after LeakyReLU; the reference's go on through another ReLU;
    - the tutorial's and the paper's text in dropout: the decoder's first three blocks, at every size.

    Args:
        task: a side that can be halved more often than the other is halved only as often.
        settings: levels whose smaller image has at most `product_side_px` are computed as matrix products, see
            `layers/products.py`; the function and the weights stay the same.
        seed: of the initial weights and dropout masks.

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
    # Float32 whatever the precision of the rest: losses are taken from it.
    outputs = layers.Activation("tanh", dtype="float32", name="output")(x)
    return keras.Model(inputs, outputs, name="unet")


def count_levels(task: Task) -> int:
    """Return how often both sides can be halved: 256x256 -> 8, 128x256 -> 7, 96x128 -> 5."""
    return min((side & -side).bit_length() - 1 for side in task.input_shape[:2])


def multiple_px(task: Task) -> int:
    """Return what both sides of an input must be a multiple of: every level halves them."""
    return 2 ** count_levels(task)


def build_discriminator(task: Task, settings: Settings, seed: int) -> "keras.Model":
    """Return the PatchGAN: a logit for every 70x70 patch of [input, photo], see `layers/patchgan.py`."""
    from pix2street.layers.patchgan import build_patchgan

    return build_patchgan(task.input_shape, task.target_shape, settings.discriminator_filters, seed, settings.norm)


# Losses (section 3.1)


def losses(real_logits, generated_logits, generated, target, settings: Settings) -> dict:
    """Return every loss by its name in `TERMS`; the networks are updated by the two totals.

    The generator maximises log D(x, G(x)) instead of minimising log(1 - D(x, G(x))) (section 3.3), plus
    l1_weight times L1 (equation 4). The discriminator's total is the sum of its terms, as in the tutorial, times
    `disc_loss_weight`: the paper and its reference halve it.
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
    """Return G against D.

    Both updates follow from the same weights and share one pass of D(x, G(x)), as in the tutorial; the PyTorch
    reference updates D first and passes G(x) through the new one.
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
