"""OASIS (Schönfeld et al. 2021, "You only need adversarial supervision for semantic image synthesis").

The generator G is a decoder that gets the labels at every size, by class-adaptive modulation (SPADE, Park et al. 2019;
CLADE, Tan et al. 2021). The discriminator D sees the photo alone and segments it: for every pixel it names one of N
classes, or "generated". D thus tells G at each pixel which class it sees.
"""

import itertools
import math
from functools import partial
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from pix2street.core.errors import UserError
from pix2street.models.interface import Batch, MakePlayer, Task, Term, Training
from pix2street.settings.section import Beta, Count, LearningRate, Section, Weight

if TYPE_CHECKING:
    import keras

TITLE = "OASIS"
PAPER = "Schönfeld et al. 2021, You only need adversarial supervision for semantic image synthesis"

LN_2 = math.log(2)
WIDEST = 8
"""The largest ratio of a level's filters to those of the level of the full size."""
LIGHTEST, HEAVIEST = 0.1, 10.0
"""The limits of a pixel's weight: three pixels of a class must not outweigh the rest of the photo."""


class Settings(Section):
    """The section `train.oasis`."""

    generator_filters: Count
    discriminator_filters: Count
    disc_norm: Literal["spectral", "instance", "none"]
    levels: Count
    modulation: Literal["clade", "spade"]
    spade_filters: Count
    balance_power: Annotated[float, Field(ge=0, le=1)]
    generator_rate: LearningRate
    discriminator_rate: LearningRate
    beta_1: Beta
    beta_2: Beta
    l1_weight: Weight
    feature_weight: Weight
    hinge_weight: Weight
    labelmix_weight: Weight


PAIRING = "paired"
NOISE = "latent"

# If D names every class but cannot tell real from generated, each has probability 1/2 and a cross-entropy of ln 2.
TERMS = (
    Term("gen_total", "the generator's sum", total=True),
    Term("gen_classes", "cross-entropies of pixels", "generator", LN_2),
    Term("gen_hinge", "hinge terms", needs="hinge_weight"),
    Term("gen_features", "features, L1"),
    Term("gen_l1", "L1, 0 to 2"),
    Term("disc_real", "cross-entropies of pixels", "discriminator", LN_2),
    Term("disc_generated", "cross-entropies of pixels", "discriminator", LN_2),
    Term("disc_hinge", "hinge terms", needs="hinge_weight"),
    Term("disc_labelmix", "LabelMix", needs="labelmix_weight"),
    Term("disc_total", "the discriminator's sum", total=True),
    Term("disc_real_accuracy", "pixels told right", "", 0.5),
    Term("disc_generated_accuracy", "pixels told right", "", 0.5),
)


# Networks (section 3.1 and appendix B; Park et al. 2019, appendix A)


def build_generator(task: Task, settings: Settings, seed: int) -> "keras.Model":
    """Return the decoder: the labels shrunk by `2 ** levels`, then residual blocks that double the size.

    The labels are shrunk by averaging, so that a coarse pixel knows the share of each class. Every block adds noise,
    a number for each pixel, with learned weights. Only the last convolution has a bias, since a norm follows
    the others.

    Args:
        task: needs labels. Further input channels are shrunk and used like them.

    Returns:
        `[N, H, W, C] -> [N, H, W, 1 or 3]` float32 in [-1, 1].

    Raises:
        UserError: the inputs are not one-hot.
    """
    import keras
    from keras import layers

    from pix2street.layers.convolutions import conv, enlarge, fan_in
    from pix2street.layers.modulation import modulate, modulated_block
    from pix2street.layers.noise import PixelNoise

    height, width = task.input_shape[:2]
    if height % (multiple := multiple_px(task, settings)) or width % multiple:
        raise UserError(
            f"train.oasis.levels: {settings.levels} halves both sides of an image as often, so they must be multiples "
            f"of {multiple} px, but they are {height} and {width}; choose fewer levels or other sides in `split`"
        )
    if not task.labels:
        raise UserError(
            "train.model: oasis needs drawings whose classes have channels, but train.data.encoding is color; set it "
            "to onehot (a set without classes cannot be used)"
        )
    seeds = itertools.count(seed * 1000)
    widths = [settings.generator_filters * min(2**level, WIDEST) for level in range(settings.levels + 1)]
    hidden = settings.spade_filters if settings.modulation == "spade" else 0
    inputs = keras.Input(task.input_shape, name="input")
    pyramid = [inputs]
    for level in range(settings.levels):
        pyramid.append(layers.AveragePooling2D(2, name=f"labels_{level + 1}")(pyramid[-1]))

    x = conv(widths[-1], seeds, "start", use_bias=False)(pyramid[-1])
    x = modulated_block(x, pyramid[-1], pyramid[-1], widths[-1], seeds, "block_0", hidden)
    for step, level in enumerate(reversed(range(1, settings.levels))):
        x = modulated_block(x, pyramid[level + 1], pyramid[level], widths[level], seeds, f"block_{step + 1}", hidden)
    x = modulate(x, pyramid[1], seeds, "last_first", hidden)
    x = enlarge(x, widths[0], seeds, "last_enlarged")
    x = PixelNoise(next(seeds), name="last_noise")(x)
    x = modulate(x, pyramid[0], seeds, "last_second", hidden)
    # The colours of a palette reach the photo past the norms.
    direct = layers.Dense(widths[0], use_bias=False, kernel_initializer=fan_in(seeds), name="direct")(inputs)
    x = layers.Add(name="last")([x, direct])
    x = conv(task.target_shape[-1], seeds, "output_conv", scale=0.02)(x)
    # The output is float32 in every precision, because the losses are computed from it.
    outputs = layers.Activation("tanh", dtype="float32", name="output")(x)
    return keras.Model(inputs, outputs, name="decoder")


def multiple_px(task: Task, settings: Settings) -> int:
    """Return the number of which both sides of an input must be a multiple, since every level halves the labels."""
    return 2**settings.levels


MAPS = ("map_1", "map_2", "map_3", "map_4")
"""The discriminator's maps, from half of the size on, which feature matching compares."""
SMALLEST = 2 ** len(MAPS)
"""The number of pixels, along each side, that one pixel of the last map covers."""


def build_discriminator(task: Task, settings: Settings, seed: int) -> "keras.Model":
    """Return the segmentation U-Net: logits of N + 1 classes for each pixel, the last is "generated".

    The stem sees single pixels before a convolution halves the size, so that no pattern is averaged away unseen. The
    head gives the logits of 2x2 pixels at once. With `hinge_weight`, another head says for each patch whether it is
    real.

    Returns:
        `[N, H, W, 1 or 3] -> {"classes": [N, H/2, W/2, 4, classes + 1], ...}`: float32 logits in the order of `folded`,
        the map of each level by its name in `MAPS`, and perhaps `"patches"`, `[N, H/16, W/16, 1]` float32 logits.
    """
    import keras
    from keras import layers

    from pix2street.layers.convolutions import conv, fan_in, preactivated_block
    from pix2street.layers.norms import ImageNorm

    height, width = task.target_shape[:2]
    if height % SMALLEST or width % SMALLEST:
        raise UserError(
            f"train.model: oasis needs photos whose sides are multiples of {SMALLEST} px, but they are {height} and "
            f"{width}; choose other sides in `split`"
        )
    seeds = itertools.count(seed * 1000 + 500)
    filters = settings.discriminator_filters
    normed = partial(conv, seeds=seeds, spectral=settings.disc_norm == "spectral")

    def activate(x, name: str):
        if settings.disc_norm == "instance":
            x = ImageNorm(name=f"{name}_norm")(x)
        return layers.LeakyReLU(0.2, name=name)(x)

    photos = keras.Input(task.target_shape, name="photo")
    x = activate(normed(max(filters // 2, 1), name="stem_conv")(photos), "stem")
    x = layers.Conv2D(filters, 4, 2, padding="same", kernel_initializer=fan_in(seeds), name="stem_half")(x)
    maps = [preactivated_block(x, filters, normed, activate, MAPS[0])]
    for level, ratio in zip(MAPS[1:], (2, 4, 4), strict=True):
        x = layers.AveragePooling2D(2, name=f"{level}_pool")(maps[-1])
        maps.append(preactivated_block(x, ratio * filters, normed, activate, level))
    x = maps[-1]
    for level, ratio in ((2, 3), (1, 2), (0, 1.5)):
        name, wide = f"up_{level + 1}", max(int(ratio * filters), 1)
        x = normed(wide, name=f"{name}_narrow", kernel=1)(activate(x, f"{name}_in"))
        x = layers.UpSampling2D(2, name=f"{name}_resize")(x)
        skip = normed(wide, name=f"{name}_skip", kernel=1, scale=0.1, use_bias=False)(maps[level])
        x = layers.Add(name=f"{name}_sum")([x, skip])
        y = normed(wide, name=f"{name}_conv", scale=0.1)(activate(x, f"{name}_mid"))
        x = layers.Add(name=name)([x, y])
    x = conv(4 * (task.labels + 1), seeds, "classes_conv", kernel=1, scale=0.02)(activate(x, "classes_in"))
    x = layers.Reshape((height // 2, width // 2, 4, task.labels + 1), name="pixels")(x)
    outputs = {"classes": layers.Activation("linear", dtype="float32", name="classes")(x)}
    outputs |= dict(zip(MAPS, maps, strict=True))
    if settings.hinge_weight:
        patches = normed(1, name="patches_conv", scale=0.02, use_bias=False)(activate(maps[-1], "patches_in"))
        outputs["patches"] = layers.Activation("linear", dtype="float32", name="patches")(patches)
    return keras.Model(photos, outputs, name="segmenting_discriminator")


def build_mask(task: Task, seed: int) -> "keras.Model":
    """Return LabelMix' mask of labels, see `layers.noise.ClassMask`; it has no weights."""
    import keras

    from pix2street.layers.noise import ClassMask

    labels = keras.Input((*task.input_shape[:2], task.labels), name="labels")
    return keras.Model(labels, ClassMask(seed, dtype="float32", name="mask")(labels), name="mask")


# Losses (section 3.2, equations 1 to 4)


def pixel_weights(labels, void, power: float):
    """Return the weight of every pixel `[B, H, W]` float32: rare classes weigh more, void weighs nothing.

    A class c weighs `(pixels / (classes * pixels of c)) ** power` (equation 1 has the power 1), within `LIGHTEST` and
    `HEAVIEST`. The numbers are those of the batch, and only classes in it count.

    Args:
        labels: `[B, H, W, N]` float32, 0 or 1.
        void: `[N]` float32, 1 for a class that is void.
    """
    from keras import ops

    counts = ops.sum(labels, axis=(0, 1, 2)) * (1 - void)
    present = ops.cast(counts > 0, "float32")
    share = ops.sum(counts) / (ops.maximum(ops.sum(present), 1) * ops.maximum(counts, 1))
    weights = present * ops.clip(share**power, LIGHTEST, HEAVIEST)
    return ops.sum(labels * weights, axis=-1)


def folded(x):
    """Return 2x2 pixels as one: `[B, H, W, ...] -> [B, H/2, W/2, 4, ...]`, the order of the discriminator's logits."""
    from keras import ops

    height, width = x.shape[1:3]
    x = ops.reshape(x, (-1, height // 2, 2, width // 2, 2, *x.shape[3:]))
    x = ops.transpose(x, (0, 1, 3, 2, 4, *range(5, len(x.shape))))
    return ops.reshape(x, (-1, height // 2, width // 2, 4, *x.shape[5:]))


def cross_entropies(log_shares, labels):
    """Return -log p of the class of every pixel, `[...]`, of log p `[..., N + 1]` and one-hot labels alike."""
    from keras import ops

    # A product is much faster than a gather or a slice, whose gradients are written pixel by pixel.
    return -ops.sum(labels * log_shares, axis=-1)


def losses(real, generated, photo, target, labels, void, settings: Settings) -> dict:
    """Return every loss by its name in `TERMS` but LabelMix; `real` and `generated` are outputs of D."""
    from keras import ops

    from pix2street.layers.losses import feature_distance, hinge_generated, hinge_generator, hinge_real, l1

    log_real, log_generated = (ops.log_softmax(seen["classes"]) for seen in (real, generated))
    weights = folded(pixel_weights(labels, void, settings.balance_power))
    maps = [[seen[name] for name in MAPS] for seen in (generated, real)]
    gen_hinge = disc_hinge = ops.zeros(())
    if settings.hinge_weight:
        gen_hinge = hinge_generator(generated["patches"])
        disc_hinge = hinge_real(real["patches"]) + hinge_generated(generated["patches"])
    labels = folded(ops.pad(labels, ((0, 0), (0, 0), (0, 0), (0, 1))))
    is_generated = ops.eye(labels.shape[-1])[-1]
    gen_classes = ops.mean(weights * cross_entropies(log_generated, labels))
    gen_features, gen_l1 = feature_distance(*maps), l1(photo, target)
    disc_real = ops.mean(weights * cross_entropies(log_real, labels))
    disc_generated = ops.mean(cross_entropies(log_generated, is_generated))
    told = [ops.cast(ops.argmax(log, axis=-1) == labels.shape[-1] - 1, "float32") for log in (log_real, log_generated)]
    return {
        "gen_total": gen_classes
        + settings.hinge_weight * gen_hinge
        + settings.feature_weight * gen_features
        + settings.l1_weight * gen_l1,
        "gen_classes": gen_classes,
        "gen_hinge": gen_hinge,
        "gen_features": gen_features,
        "gen_l1": gen_l1,
        "disc_real": disc_real,
        "disc_generated": disc_generated,
        "disc_hinge": disc_hinge,
        "disc_total": disc_real + disc_generated + settings.hinge_weight * disc_hinge,
        "disc_real_accuracy": 1 - ops.mean(told[0]),
        "disc_generated_accuracy": ops.mean(told[1]),
    }


def labelmix(mixed, real, generated, mask):
    """Return the mean squared difference of D's logits of a mixed photo and the mixed logits of its parts (equation 4).

    Args:
        mask: `[B, H, W, 1]`, 1 where the mixed photo is real and 0 where it is generated.
    """
    from keras import ops

    mask = folded(mask)
    expected = mask * real["classes"] + (1 - mask) * generated["classes"]
    return ops.mean(ops.square(mixed["classes"] - expected))


# One update


def build_training(
    task: Task, settings: Settings, generator: "keras.Model", make_player: MakePlayer, seed: int
) -> Training:
    """Return the training of G against D; both updates start from the same weights."""
    import numpy as np
    import tensorflow as tf

    from pix2street.layers.spectral import advance_power_iterations

    discriminator, mask = build_discriminator(task, settings, seed), build_mask(task, seed)
    betas = {"beta_1": settings.beta_1, "beta_2": settings.beta_2}
    gen = make_player([generator], learning_rate=settings.generator_rate, **betas)
    disc = make_player([discriminator], learning_rate=settings.discriminator_rate, **betas)
    void = np.isin(np.arange(task.labels), list(task.void)).astype("float32")

    def step(batch: Batch) -> dict:
        inputs, targets = batch["input"], batch["target"]
        advance_power_iterations(discriminator)
        with tf.GradientTape(persistent=True) as tape:
            photo = generator(inputs, training=True)
            real = discriminator(targets, training=True)
            generated = discriminator(photo, training=True)
            labels = inputs[..., : task.labels]
            terms = losses(real, generated, photo, targets, labels, void, settings)
            if settings.labelmix_weight:
                real_here = mask(labels)
                mixed = discriminator(real_here * targets + (1 - real_here) * photo, training=True)
                terms["disc_labelmix"] = labelmix(mixed, real, generated, real_here)
                terms["disc_total"] += settings.labelmix_weight * terms["disc_labelmix"]
            gen_loss, disc_loss = gen.scaled(terms["gen_total"]), disc.scaled(terms["disc_total"])
        gen.descend(tape, gen_loss)
        disc.descend(tape, disc_loss)
        return {term.name: terms.get(term.name, tf.zeros([])) for term in TERMS}

    networks = {"generator": generator, "discriminator": discriminator, "mask": mask}
    return Training(networks, {"generator": gen, "discriminator": disc}, step)
