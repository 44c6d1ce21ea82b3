"""SRGAN (Ledig et al. 2017, "Photo-realistic single image super-resolution using a generative adversarial network").

A generator G enlarges a photo: residual blocks at the small size, then sub-pixel convolutions. It first learns from
pixels alone, and then from a discriminator D, which tells its photos from real ones.

What differs from the paper:
- The content loss compares the hidden maps of D itself (feature matching, Wang et al. 2018, equation 4). The paper
  compares those of VGG, which needs weights that others trained.
- A small L1 remains beside it in the second phase, and L1 takes the place of the squared error in the first.
- G has no batch norm (Lim et al. 2017, "Enhanced deep residual networks for single image super-resolution"), leaky
  ReLUs in place of PReLUs, kernels of 3 in place of 9, and adds its result to the input, enlarged bilinearly.
- D is the PatchGAN of pix2pix, which sees the photo alone, with instance norm.
"""

import itertools
from typing import TYPE_CHECKING, Any

from pix2street.core.errors import UserError
from pix2street.models.interface import Batch, MakePlayer, Task, Term, Training, refuse_branches
from pix2street.settings.section import Beta, Count, LearningRate, Section, Share, Weight

if TYPE_CHECKING:
    import keras

    from pix2street.layers.losses import Views

TITLE = "SRGAN"
PAPER = "Ledig et al. 2017, Photo-realistic single image super-resolution using a generative adversarial network"

FACTORS = (2, 4)
PIXELS = "pixels"
"""The name of the first phase."""
LN_2 = 0.6931471805599453


class Settings(Section):
    """The section `train.srgan`."""

    generator_filters: Count
    discriminator_filters: Count
    blocks: Count
    pretrain_share: Share
    gan_weight: Weight
    feature_weight: Weight
    l1_weight: Weight
    generator_rate: LearningRate
    discriminator_rate: LearningRate
    beta_1: Beta
    beta_2: Beta


PAIRING = "reduced"
NOISE = "none"

TERMS = (
    Term("gen_total", "the generator's sum", total=True),
    Term("gen_gan", "single GAN terms", "generator", LN_2),
    Term("gen_features", "feature matching"),
    Term("gen_l1", "L1, 0 to 2"),
    Term("disc_real", "single GAN terms", "discriminator", LN_2),
    Term("disc_generated", "single GAN terms", "discriminator", LN_2),
    Term("disc_total", "the discriminator's sum", "", 2 * LN_2, total=True),
    Term("disc_real_accuracy", "patches told right", "", 0.5),
    Term("disc_generated_accuracy", "patches told right", "", 0.5),
)


# Networks (section 2.1, figure 4)


def factor_of(task: Task) -> int:
    """Return how many times as large as its input a target is.

    Raises:
        UserError: inputs or targets are no photos in RGB, or targets are not 2 or 4 times as large.
    """
    (height, width, channels), target = task.input_shape, task.target_shape
    factor = target[0] // height
    if task.labels or channels != 3 or factor not in FACTORS or target != (factor * height, factor * width, 3):
        raise UserError(
            "train.model: srgan makes RGB photos 2 or 4 times as large as their inputs, which must be RGB photos, too, "
            f"but inputs of {width}x{height} px and {channels} channels have targets of {target[1]}x{target[0]} px and "
            f"{target[2]} channels here; choose download.dataset: super_resolution, split.target_mode: rgb, "
            "train.data.encoding: color and train.data.style: none"
        )
    return factor


def build_generator(task: Task, settings: Settings, seed: int) -> "keras.Model":
    """Return the network that enlarges photos.

    Returns:
        `[N, H, W, 3] -> [N, factor * H, factor * W, 3]` float32 in [-1, 1].

    Raises:
        UserError: `factor_of` fails.
    """
    import keras
    from keras import layers

    from pix2street.layers.convolutions import conv, fan_in, preactivated_block
    from pix2street.layers.subpixel import Bilinear, SubPixelConv2D

    factor, filters = factor_of(task), settings.generator_filters
    seeds = itertools.count(seed * 1000)

    def activate(x, name: str):
        return layers.LeakyReLU(0.2, name=name)(x)

    def convolution(channels: int, name: str, **how):
        return conv(channels, seeds, name, **how)

    inputs = keras.Input(task.input_shape, name="input")
    x = start = convolution(filters, "start_conv")(inputs)
    for number in range(1, settings.blocks + 1):
        x = preactivated_block(x, filters, convolution, activate, f"block_{number}")
    x = layers.Add(name="trunk")([start, convolution(filters, "trunk_conv", scale=0.1)(x)])
    for level in range(factor // 2):
        how = {"padding": "same", "kernel_initializer": fan_in(seeds), "name": f"up_{level + 1}_conv"}
        x = activate(SubPixelConv2D(4 * filters, 3, **how)(x), f"up_{level + 1}")
    x = convolution(3, "output_conv", scale=0.01)(x)
    large = Bilinear(factor, name="enlarged")(inputs)
    x = layers.Add(name="sum")([x, large])
    # The output is float32 in every precision, because the losses are computed from it.
    outputs = layers.Activation("hard_tanh", dtype="float32", name="output")(x)
    return keras.Model(inputs, outputs, name="enlarging_generator")


def multiple_px(task: Task, settings: Settings) -> int:
    """Return 1, because photos of every size can be enlarged."""
    return 1


def reach_px(task: Task, settings: Settings) -> int:
    """Return how far from a pixel of the input the pixels of the photo lie that depend on it, in the input's pixels.

    Each convolution 3x3 of the small map reaches one pixel further: the first, two in each block, the last of the
    trunk, and the first that enlarges. Those of larger maps reach a half and a quarter; together they are one at most.
    """
    return 2 * settings.blocks + 4


def build_discriminator(task: Task, settings: Settings, seed: int) -> "keras.Model":
    """Return D: `[N, H, W, 3]` -> float32 logits of patches, see `layers/patchgan.py`.

    Raises:
        UserError: the targets are too small.
    """
    from pix2street.layers.patchgan import build_patchgan

    return build_patchgan(None, task.target_shape, settings.discriminator_filters, seed, "instance")


# Losses (section 2.2)


def losses(real: "Views", generated: "Views", photo: Any, target: Any, settings: Settings) -> dict:
    """Return every number by its name in `TERMS`; the two totals update the networks.

    G minimises -log D(G(x)) (equation 6) with `gan_weight`, the distance of D's hidden maps with `feature_weight`, and
    L1 with `l1_weight`.

    Args:
        real, generated: what D gives for the target and for the photo, as the only scale.
        photo, target: images in [-1, 1], `[N, H, W, 3]`.
    """
    from pix2street.layers import losses as of

    terms = {
        "gen_gan": of.over_scales(of.cross_entropy_real, generated),
        "gen_features": of.features_over_scales(generated, real),
        "gen_l1": of.l1(photo, target),
        "disc_real": of.over_scales(of.cross_entropy_real, real),
        "disc_generated": of.over_scales(of.cross_entropy_generated, generated),
        "disc_real_accuracy": of.over_scales(of.accuracy_real, real),
        "disc_generated_accuracy": of.over_scales(of.accuracy_generated, generated),
    }
    return terms | {
        "gen_total": settings.gan_weight * terms["gen_gan"]
        + settings.feature_weight * terms["gen_features"]
        + settings.l1_weight * terms["gen_l1"],
        "disc_total": terms["disc_real"] + terms["disc_generated"],
    }


def at_rest() -> dict[str, float]:
    """Return the value of every term of D while it rests: that at which it cannot tell."""
    references = {term.name: term.reference({}) for term in TERMS}
    return {name: value for name, value in references.items() if value is not None} | {"gen_features": 0.0}


# One update


def build_training(
    task: Task, settings: Settings, generator: "keras.Model", make_player: MakePlayer, seed: int
) -> Training:
    """Return the training of G against D; both updates start from the same weights.

    An epoch belongs to the first phase if less than the share `pretrain_share` of the epochs is done when it begins. In
    its steps G minimises L1 alone, and D neither sees photos nor learns.

    Raises:
        UserError: `build_discriminator` or `refuse_branches` fails.
    """
    import keras
    import tensorflow as tf

    from pix2street.layers.losses import l1
    from pix2street.layers.patchgan import with_hidden_maps

    if 0 < settings.pretrain_share < 1:
        refuse_branches(
            f"train.srgan.pretrain_share: {settings.pretrain_share:g}",
            tf.distribute.get_strategy().num_replicas_in_sync,
        )
    discriminator = build_discriminator(task, settings, seed)
    view = with_hidden_maps(discriminator)
    betas = {"beta_1": settings.beta_1, "beta_2": settings.beta_2}
    gen = make_player([generator], learning_rate=settings.generator_rate, **betas)
    disc = make_player([discriminator], learning_rate=settings.discriminator_rate, **betas)
    progress = keras.Variable(0.0, dtype="float32", trainable=False, name="progress")
    share = settings.pretrain_share

    def play(inputs, targets) -> dict:
        with tf.GradientTape(persistent=True) as tape:
            photo = generator(inputs, training=True)
            views = [view(targets, training=True)], [view(photo, training=True)]
            terms = losses(*views, photo, targets, settings)
            gen_loss, disc_loss = gen.scaled(terms["gen_total"]), disc.scaled(terms["disc_total"])
        gen.descend(tape, gen_loss)
        disc.descend(tape, disc_loss)
        return {term.name: terms[term.name] for term in TERMS}

    def learn_pixels(inputs, targets) -> dict:
        with tf.GradientTape() as tape:
            distance = l1(generator(inputs, training=True), targets)
            loss = gen.scaled(distance)
        gen.descend(tape, loss)
        terms = at_rest() | {"gen_total": distance, "gen_l1": distance}
        return {term.name: tf.convert_to_tensor(terms[term.name]) for term in TERMS}

    def step(batch: Batch) -> dict:
        pair = batch["input"], batch["target"]
        if share in (0, 1):
            return learn_pixels(*pair) if share else play(*pair)
        return tf.cond(progress < share, lambda: learn_pixels(*pair), lambda: play(*pair))

    networks = {"generator": generator, "discriminator": discriminator}
    players = {"generator": gen, "discriminator": disc}
    return Training(networks, players, step, progress=progress, phases={PIXELS: share} if 0 < share < 1 else {})
