"""pix2pixHD (Wang et al. 2018, "High-resolution image synthesis and semantic manipulation with conditional GANs").

A generator G transforms the input at a small size by residual blocks; several PatchGAN discriminators D see it beside
a photo at full and at reduced sizes. G learns from them and from their hidden maps, by feature matching.

What differs from the paper:
- The paper trains the global part of G first, then the local enhancer, then both. Here both train from the beginning.
- Its loss on the features of VGG is left out, because it needs weights that others trained.
- A further input channel marks the edges of classes. The paper's marks those of instances, which drawings do not have.
  The networks compute it, so that files and uses of a generator know nothing of it.
- The convolutions of D pad by one pixel, as in pix2pix; those of its reference pad by two.
"""

import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from pix2street.core.errors import UserError
from pix2street.models.interface import Batch, MakePlayer, Task, Term, Training
from pix2street.settings.section import Beta, Count, LearningRate, Section, Weight

if TYPE_CHECKING:
    import keras

    from pix2street.layers.losses import Views

TITLE = "pix2pixHD"
PAPER = "Wang et al. 2018, High-resolution image synthesis and semantic manipulation with conditional GANs"

WIDEST = 16
"""The largest ratio of a level's filters to those of the first level."""


class Settings(Section):
    """The section `train.pix2pixhd`."""

    generator_filters: Count
    discriminator_filters: Count
    downs: Count
    blocks: Count
    upsample: Literal["transpose", "resize"]
    enhancer: bool
    enhancer_blocks: Count
    scales: Annotated[int, Field(ge=1, le=4)]
    gan_loss: Literal["least_squares", "hinge"]
    feature_weight: Weight
    l1_weight: Weight
    generator_rate: LearningRate
    discriminator_rate: LearningRate
    beta_1: Beta
    beta_2: Beta


PAIRING = "paired"
NOISE = "none"

# A discriminator that cannot tell says 1/2 by least squares, and 0 by hinge losses. G's hinge loss has no zero point.
_OF_D = {"least_squares": 0.25, "hinge": 1.0}
TERMS = (
    Term("gen_total", "the generator's sum", total=True),
    Term("gen_gan", "single GAN terms", "generator", {"least_squares": 0.25}, chosen_by="gan_loss"),
    Term("gen_features", "feature matching"),
    Term("gen_l1", "L1, 0 to 2"),
    Term("disc_real", "single GAN terms", "discriminator", _OF_D, chosen_by="gan_loss"),
    Term("disc_generated", "single GAN terms", "discriminator", _OF_D, chosen_by="gan_loss"),
    Term(
        "disc_total",
        "the discriminator's sum",
        "",
        {name: 2 * value for name, value in _OF_D.items()},
        total=True,
        chosen_by="gan_loss",
    ),
    Term("disc_real_accuracy", "patches told right", "", 0.5),
    Term("disc_generated_accuracy", "patches told right", "", 0.5),
)


# Networks (sections 3.2 and 3.3, appendix)


def build_generator(task: Task, settings: Settings, seed: int) -> "keras.Model":
    """Return the global generator, or the local enhancer with the global generator in it (figure 3).

    In the paper's notation the global generator with 64 filters is c7s1-64, d128, d256, d512, d1024, R1024 nine times,
    u512, u256, u128, u64, c7s1-3. The enhancer shows it the input at half of the size, takes its features before the
    last convolution, and adds them to its own at half of the size; its filters at the full size are half as many.

    Args:
        task: may have labels, whose edges become a further channel. With constant channels, the input also passes the
            first norm and all norms by linear maps of its pixels, because the first norm removes such channels.

    Returns:
        `[N, H, W, C] -> [N, H, W, 1 or 3]` float32 in [-1, 1].

    Raises:
        UserError: a side is no multiple of `multiple_px`.
    """
    import keras
    from keras import layers

    from pix2street.layers.edges import ClassEdges
    from pix2street.layers.residual import pixelwise, reflected

    height, width = task.input_shape[:2]
    if height % (multiple := multiple_px(task, settings)) or width % multiple:
        enhanced = " and the enhancer halves them once more" if settings.enhancer else ""
        raise UserError(
            f"train.pix2pixhd.downs: {settings.downs} halves both sides of an image as often{enhanced}, and two pixels "
            f"must be left, so they must be multiples of {multiple} px, but they are {height} and {width}; choose "
            f"fewer downs or other sides in `split`"
        )
    seeds = itertools.count(seed * 1000)
    inputs = x = keras.Input(task.input_shape, name="input")
    if task.labels:
        x = layers.Concatenate(name="with_edges")([x, ClassEdges(task.labels, name="edges")(x)])
    x = (_enhanced if settings.enhancer else _global)(x, settings, task.constant, seeds)
    if task.constant:
        x = layers.Add(name="last")([x, pixelwise(inputs, x.shape[-1], seeds, "direct")])
    x = reflected(x, task.target_shape[-1], 7, seeds, "output_conv", use_bias=True)
    # The output is float32 in every precision, because the losses are computed from it.
    outputs = layers.Activation("tanh", dtype="float32", name="output")(x)
    return keras.Model(inputs, outputs, name="residual_generator")


def _start(x, filters: int, constant: int, seeds: Iterator[int], name: str):
    """Apply c7s1, and let the input pass its norm if it has constant channels."""
    from pix2street.layers.residual import activate, pixelwise, reflected

    features = reflected(x, filters, 7, seeds, f"{name}_conv")
    return activate(features, name, pixelwise(x, filters, seeds, f"{name}_past") if constant else None)


def _global(x, settings: Settings, constant: int, seeds: Iterator[int]):
    """Return the features of the global generator, at the size of `x`."""
    from pix2street.layers.residual import transform

    widths = [settings.generator_filters * min(2**level, WIDEST) for level in range(settings.downs + 1)]
    x = _start(x, widths[0], constant, seeds, "global_start")
    return transform(x, widths, settings.blocks, settings.upsample, seeds)


def _enhanced(x, settings: Settings, constant: int, seeds: Iterator[int]):
    """Return the features of the local enhancer, at the size of `x`."""
    from keras import layers

    from pix2street.layers.residual import activate, double, halve, residual

    of_global = _global(layers.AveragePooling2D(2, name="half")(x), settings, constant, seeds)
    filters = max(settings.generator_filters // 2, 1)
    x = _start(x, filters, constant, seeds, "enhancer_start")
    x = activate(halve(x, settings.generator_filters, seeds, "enhancer_down_conv"), "enhancer_down")
    x = layers.Add(name="enhancer_sum")([x, of_global])
    for number in range(1, settings.enhancer_blocks + 1):
        x = residual(x, seeds, f"enhancer_block_{number}")
    return activate(double(x, filters, seeds, "enhancer_up_conv", settings.upsample), "enhancer_up")


def multiple_px(task: Task, settings: Settings) -> int:
    """Return the number of which both sides of an input must be a multiple.

    Every halving doubles it, and the smallest map has two pixels at least, because one cannot be reflected.
    """
    return 2 ** (settings.downs + settings.enhancer + 1)


def build_discriminators(task: Task, settings: Settings, seed: int) -> "dict[str, keras.Model]":
    """Return a discriminator for every scale by its name, that of the full size first; see `layers/patchgan.py`.

    Raises:
        UserError: a pair is too small for the last scale.
    """
    from pix2street.layers.patchgan import build_patchgan, discriminator_name

    filters = settings.discriminator_filters
    return {
        discriminator_name(scale): build_patchgan(
            task.input_shape, task.target_shape, filters, seed, "instance", scale, task.labels
        )
        for scale in range(settings.scales)
    }


# Losses (sections 3.1 and 3.2)


def losses(real: "Views", generated: "Views", photo: Any, target: Any, settings: Settings) -> dict:
    """Return every number by its name in `TERMS`; the two totals update the networks.

    The loss of G is equation 5 divided by the number of scales: the mean over the scales of the GAN loss, plus
    `feature_weight` times the mean over the scales of equation 4, which adds the hidden maps of a discriminator. Its
    reference divides only the second by the number of scales. L1 is not in the paper.

    Args:
        real, generated: what every discriminator gives for the target and for the photo.
        photo, target: images in [-1, 1], `[N, H, W, 1 or 3]`.
    """
    from pix2street.layers import losses as of
    from pix2street.layers.patchgan import BLOCKS

    if settings.gan_loss == "hinge":
        for_real, for_generated, for_gen, undecided = of.hinge_real, of.hinge_generated, of.hinge_generator, 0.0
    else:
        for_real, for_generated, for_gen, undecided = of.squares_real, of.squares_generated, of.squares_real, 0.5
    terms = {
        "gen_gan": of.over_scales(for_gen, generated),
        "gen_features": len(BLOCKS) * of.features_over_scales(generated, real),
        "gen_l1": of.l1(photo, target),
        "disc_real": of.over_scales(for_real, real),
        "disc_generated": of.over_scales(for_generated, generated),
        "disc_real_accuracy": of.over_scales(lambda logits: of.accuracy_real(logits - undecided), real),
        "disc_generated_accuracy": of.over_scales(lambda logits: of.accuracy_generated(logits - undecided), generated),
    }
    return terms | {
        "gen_total": terms["gen_gan"]
        + settings.feature_weight * terms["gen_features"]
        + settings.l1_weight * terms["gen_l1"],
        "disc_total": terms["disc_real"] + terms["disc_generated"],
    }


# One update


def build_training(
    task: Task, settings: Settings, generator: "keras.Model", make_player: MakePlayer, seed: int
) -> Training:
    """Return the training of G against all D; both updates start from the same weights.

    Raises:
        UserError: `build_discriminators` fails.
    """
    import tensorflow as tf

    from pix2street.layers.patchgan import viewer_of

    discriminators = build_discriminators(task, settings, seed)
    view = viewer_of(discriminators.values())
    betas = {"beta_1": settings.beta_1, "beta_2": settings.beta_2}
    gen = make_player([generator], learning_rate=settings.generator_rate, **betas)
    disc = make_player(list(discriminators.values()), learning_rate=settings.discriminator_rate, **betas)

    def step(batch: Batch) -> dict:
        inputs, targets = batch["input"], batch["target"]
        with tf.GradientTape(persistent=True) as tape:
            photo = generator(inputs, training=True)
            terms = losses(view(inputs, targets), view(inputs, photo), photo, targets, settings)
            gen_loss, disc_loss = gen.scaled(terms["gen_total"]), disc.scaled(terms["disc_total"])
        gen.descend(tape, gen_loss)
        disc.descend(tape, disc_loss)
        return {term.name: terms[term.name] for term in TERMS}

    networks = {"generator": generator, **discriminators}
    return Training(networks, {"generator": gen, "discriminator": disc}, step)
