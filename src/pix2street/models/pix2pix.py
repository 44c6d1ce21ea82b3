"""pix2pix (Isola et al. 2017, "Image-to-image translation with conditional adversarial networks").

A U-Net generator G turns an input x into a photo; a PatchGAN discriminator D sees x beside a photo and says for every
patch whether it is real. The noise z of G is dropout, which stays on in use (section 3.1).

Four further means are off in the paper's setting: feature matching and several scales of D (Wang et al. 2018,
"High-resolution image synthesis and semantic manipulation with conditional GANs", pix2pixHD), an L1 weight that falls,
and a warm-up on L1 alone.
"""

import itertools
import math
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from pix2street.models.interface import Batch, MakePlayer, Task, Term, Training, refuse_branches, refuse_idle_warm_up
from pix2street.settings.section import Beta, Count, LearningRate, Section, Share, Weight

if TYPE_CHECKING:
    import keras

    from pix2street.layers.losses import Views

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
    beta_1: Beta
    beta_2: Beta
    l1_weight: Weight
    l1_weight_end: Weight | None
    feature_weight: Weight
    disc_loss_weight: Annotated[float, Field(gt=0, le=1)]
    warm_up: Annotated[float, Field(ge=0, lt=1)]
    scales: Annotated[int, Field(ge=1, le=4)]
    product_side_px: Annotated[int, Field(ge=0)]

    @model_validator(mode="after")
    def _a_warm_up_has_something_to_learn(self) -> Self:
        refuse_idle_warm_up(self.warm_up, self.l1_weight)
        return self

    @model_validator(mode="after")
    def _the_l1_weight_never_rises(self) -> Self:
        if self.l1_weight_end is not None and self.l1_weight_end > self.l1_weight:
            raise ValueError(
                f"l1_weight_end: {self.l1_weight_end:g} is more than l1_weight: {self.l1_weight:g}; choose at most as "
                "much, or null for a constant weight"
            )
        return self


PAIRING = "paired"
NOISE = "dropout"

# Binary cross-entropies from logits are ln 2 = 0.693 when the discriminator cannot tell real from generated.
TERMS = (
    Term("gen_total", "the generator's sum", total=True),
    Term("gen_gan", "single GAN terms", "generator", LN_2),
    Term("gen_l1", "L1, 0 to 2"),
    Term("gen_features", "feature matching", needs="feature_weight"),
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


def build_discriminator(task: Task, settings: Settings, seed: int, scale: int = 0) -> "keras.Model":
    """Return the PatchGAN, which gives a logit for every 70x70 patch of [input, photo]; see `layers/patchgan.py`.

    Raises:
        UserError: so small a pair leaves no logit at this scale.
    """
    from pix2street.layers.patchgan import build_patchgan

    filters = settings.discriminator_filters
    return build_patchgan(task.input_shape, task.target_shape, filters, seed, settings.norm, scale)


def build_discriminators(task: Task, settings: Settings, seed: int) -> "dict[str, keras.Model]":
    """Return a discriminator for every scale by its name, that of the full size first."""
    from pix2street.layers.patchgan import discriminator_name

    return {
        discriminator_name(scale): build_discriminator(task, settings, seed, scale) for scale in range(settings.scales)
    }


# Losses (section 3.1)


def losses(real: "Views", generated: "Views", photo: Any, target: Any, settings: Settings, l1_weight: Any) -> dict:
    """Return every loss by its name in `TERMS`; the two totals update the networks.

    G maximises log D(x, G(x)) instead of minimising log(1 - D(x, G(x))) (section 3.3), and minimises L1 with its weight
    (equation 4) and the distance of D's hidden maps with `feature_weight` (Wang et al. 2018, equations 4 and 5). D
    minimises the sum of its two losses, as in the tutorial, times `disc_loss_weight`: the paper and its reference halve
    the sum. Losses are means over the scales.

    Args:
        real, generated: what every discriminator gives for the target and for the photo.
        photo, target: images in [-1, 1], `[N, H, W, 1 or 3]`.
        l1_weight: the present weight, see `l1_weight_at`.
    """
    from pix2street.layers.losses import (
        cross_entropy_generated,
        cross_entropy_real,
        features_over_scales,
        l1,
        over_scales,
    )

    gen_gan = over_scales(cross_entropy_real, generated)
    gen_l1 = l1(photo, target)
    gen_features = features_over_scales(generated, real) if settings.feature_weight else 0.0
    disc_real = over_scales(cross_entropy_real, real)
    disc_generated = over_scales(cross_entropy_generated, generated)
    return {
        "gen_total": gen_gan + l1_weight * gen_l1 + settings.feature_weight * gen_features,
        "gen_gan": gen_gan,
        "gen_l1": gen_l1,
        "gen_features": gen_features,
        "disc_real": disc_real,
        "disc_generated": disc_generated,
        "disc_total": settings.disc_loss_weight * (disc_real + disc_generated),
    }


def l1_weight_at(progress: Any, settings: Settings) -> Any:
    """Return the weight of L1 after this share of the epochs.

    It falls in a straight line from `l1_weight` at the beginning to `l1_weight_end` at half of the training, and stays
    there: `l1_weight + (l1_weight_end - l1_weight) * min(2 * progress, 1)`. Within an epoch it is constant.
    """
    from keras import ops

    start, end = settings.l1_weight, settings.l1_weight_end
    if end is None or end == start:
        return start
    return start + (end - start) * ops.minimum(2 * progress, 1.0)


def at_rest(settings: Settings) -> dict[str, float]:
    """Return the value of every term of the discriminator while it rests: that at which it cannot tell."""
    references = {term.name: term.reference(settings.model_dump()) for term in TERMS}
    return {name: value for name, value in references.items() if value is not None} | {"gen_features": 0.0}


# One update (section 3.3)


def build_training(
    task: Task, settings: Settings, generator: "keras.Model", make_player: MakePlayer, seed: int
) -> Training:
    """Return the training of G against D.

    Both updates start from the same weights and share one pass of D(x, G(x)), as in the tutorial; the PyTorch reference
    updates D first and passes G(x) through the updated D.

    An epoch belongs to the warm-up if less than the share `warm_up` of the epochs is done when it begins. In its steps
    G minimises L1 alone, and neither a pass nor an update of D takes place.

    Raises:
        UserError: `build_discriminator` or `refuse_branches` fails.
    """
    import keras
    import tensorflow as tf

    from pix2street.layers.losses import accuracy_generated, accuracy_real, l1, over_scales
    from pix2street.layers.patchgan import viewer_of

    if settings.warm_up:
        refuse_branches(
            f"train.pix2pix.warm_up: {settings.warm_up:g}", tf.distribute.get_strategy().num_replicas_in_sync
        )
    discriminators = build_discriminators(task, settings, seed)
    view = viewer_of(discriminators.values())
    betas = {"beta_1": settings.beta_1, "beta_2": settings.beta_2}
    gen = make_player([generator], learning_rate=settings.generator_rate, **betas)
    disc = make_player(list(discriminators.values()), learning_rate=settings.discriminator_rate, **betas)
    progress = keras.Variable(0.0, dtype="float32", trainable=False, name="progress")

    def play(inputs, targets) -> dict:
        with tf.GradientTape(persistent=True) as tape:
            photo = generator(inputs, training=True)
            real, generated = view(inputs, targets), view(inputs, photo)
            terms = losses(real, generated, photo, targets, settings, l1_weight_at(progress, settings))
            gen_loss, disc_loss = gen.scaled(terms["gen_total"]), disc.scaled(terms["disc_total"])
        gen.descend(tape, gen_loss)
        disc.descend(tape, disc_loss)
        return terms | {
            "disc_real_accuracy": over_scales(accuracy_real, real),
            "disc_generated_accuracy": over_scales(accuracy_generated, generated),
        }

    def warm_up(inputs, targets) -> dict:
        with tf.GradientTape() as tape:
            distance = l1(generator(inputs, training=True), targets)
            total = l1_weight_at(progress, settings) * distance
            loss = gen.scaled(total)
        gen.descend(tape, loss)
        terms = at_rest(settings) | {"gen_total": total, "gen_l1": distance}
        return {term.name: tf.convert_to_tensor(terms[term.name]) for term in TERMS}

    def step(batch: Batch) -> dict:
        pair = batch["input"], batch["target"]
        if not settings.warm_up:
            return play(*pair)
        return tf.cond(progress < settings.warm_up, lambda: warm_up(*pair), lambda: play(*pair))

    networks = {"generator": generator, **discriminators}
    return Training(networks, {"generator": gen, "discriminator": disc}, step, progress=progress)
