"""StarGAN (Choi et al. 2018, "StarGAN: Unified generative adversarial networks for multi-domain image-to-image
translation").

One generator G translates between all domains: it is told the domain of the result. The discriminator D says whether
an image is real and names its domain, and G must be able to undo what it did.

What differs from the paper, by settings: beside its Wasserstein loss with gradient penalty there are hinge losses with
the penalty R1, which take one update of D for each of G; the norms of G may have weights of each domain; the photo may
be the image under a mask; and D may look at patches alone and name each. D of an image is the mean over its patches,
in the losses as in the penalty; the reference adds the patches in the penalty.
"""

import itertools
from collections.abc import Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from pix2street.core.errors import UserError
from pix2street.models.interface import Batch, MakePlayer, Task, Term, Training
from pix2street.settings.section import Beta, Count, LearningRate, Section, Weight

if TYPE_CHECKING:
    import keras

TITLE = "StarGAN"
PAPER = "Choi et al. 2018, StarGAN: Unified generative adversarial networks for multi-domain image-to-image translation"

DOMAIN = "domain"
"""The name of the condition: the number of the domain that G is told."""


class Settings(Section):
    """The section `train.stargan`."""

    generator_filters: Count
    discriminator_filters: Count
    blocks: Count
    upsample: Literal["transpose", "resize"]
    norm: Literal["instance", "conditional"]
    mask: bool
    halvings: Count
    names: Literal["image", "patches"]
    gan_loss: Literal["wasserstein", "hinge"]
    penalty_weight: Weight
    domain_weight: Weight
    cycle_weight: Weight
    disc_steps: Count
    generator_rate: LearningRate
    discriminator_rate: LearningRate
    beta_1: Beta
    beta_2: Beta


PAIRING = "domains"
NOISE = "none"

# A discriminator that cannot tell says 0 by hinge losses. A Wasserstein loss and G's hinge loss have no zero point.
_OF_D = {"hinge": 1.0}
TERMS = (
    Term("gen_total", "the generator's sum", total=True),
    Term("gen_gan", "single GAN terms", "generator"),
    Term("gen_domain", "cross-entropies of domains"),
    Term("gen_cycle", "L1, 0 to 2"),
    Term("disc_real", "single GAN terms", "discriminator", _OF_D, chosen_by="gan_loss"),
    Term("disc_generated", "single GAN terms", "discriminator", _OF_D, chosen_by="gan_loss"),
    Term("disc_domain", "cross-entropies of domains"),
    Term("disc_penalty", "gradient penalty"),
    Term("disc_total", "the discriminator's sum", total=True),
    Term("disc_domain_accuracy", "domains told right"),
    Term("gen_domain_accuracy", "domains told right"),
)


# Networks (section 4, appendix 7.2)


def build_generator(task: Task, settings: Settings, seed: int) -> "keras.Model":
    """Return G: an image, and a channel for each domain, which is 1 for the domain that the result shall have.

    With 64 filters and 6 blocks it is the paper's. Its norms have weights, and it pads by zeros: a norm of a channel
    that is constant, borders included, would leave nothing of the domain. G then knows it by the borders only, unless
    its norms are conditional: then each domain has its own weights of every norm (Dumoulin et al. 2017, "A learned
    representation for artistic style", equation 5).

    With `mask` its photo is the image under what it makes, see `layers.masks.under_mask`.

    Returns:
        `[N, H, W, 3 + domains] -> [N, H, W, 3]` float32 in [-1, 1].

    Raises:
        UserError: the images have no domains, or a side is no multiple of `multiple_px`.
    """
    import keras
    from keras import layers

    from pix2street.layers.masks import under_mask

    height, width, channels = task.input_shape
    if height % (multiple := multiple_px(task, settings)) or width % multiple:
        raise UserError(
            f"train.model: stargan halves both sides of an image twice, so they must be multiples of {multiple} px, "
            f"but they are {height} and {width}; choose other sides in `split`"
        )
    seeds = itertools.count(seed * 1000)
    filters = settings.generator_filters
    inputs = keras.Input((height, width, channels + count_domains(task)), name="input")
    norm = _norm
    if settings.norm == "conditional":
        domain = layers.GlobalAveragePooling2D(keepdims=True, name="domain")(inputs[..., channels:])
        norm = partial(_conditional_norm, domain=domain, seeds=seeds)

    def activate(x, name: str):
        return layers.ReLU(name=name)(norm(x, f"{name}_norm"))

    x = activate(_conv(inputs, filters, 7, 1, seeds, "start_conv"), "start")
    for level in (1, 2):
        x = activate(_conv(x, filters * 2**level, 4, 2, seeds, f"down_{level}_conv"), f"down_{level}")
    for number in range(1, settings.blocks + 1):
        name, before = f"block_{number}", x
        x = activate(_conv(x, 4 * filters, 3, 1, seeds, f"{name}_first_conv"), f"{name}_first")
        x = norm(_conv(x, 4 * filters, 3, 1, seeds, f"{name}_second_conv"), f"{name}_second_norm")
        x = layers.Add(name=name)([before, x])
    for step, width in enumerate((2 * filters, filters), 1):
        x = activate(_double(x, width, seeds, f"up_{step}_conv", settings.upsample), f"up_{step}")
    photo = _conv(x, task.target_shape[-1], 7, 1, seeds, "output_conv")
    # The output is float32 in every precision, because the losses are computed from it.
    outputs = layers.Activation("tanh", dtype="float32", name="output")(photo)
    if settings.mask:
        outputs = under_mask(inputs, outputs, _conv(x, task.target_shape[-1], 7, 1, seeds, "mask_conv"))
    return keras.Model(inputs, outputs, name="conditioned_generator")


def count_domains(task: Task) -> int:
    """Return the number of domains; raise a `UserError` if the images have none."""
    if task.conditions.get(DOMAIN, 0) < 2:
        raise UserError(
            "train.model: stargan translates between domains, but the data set has none; choose a set of several in "
            "download.dataset, or another model"
        )
    return task.conditions[DOMAIN]


def multiple_px(task: Task, settings: Settings) -> int:
    """Return the number of which both sides of an input must be a multiple, since G halves them twice."""
    return 4


def build_discriminator(task: Task, settings: Settings, seed: int) -> "keras.Model":
    """Return D: strided convolutions without norms, and two heads.

    Two pixels of each side remain at least. With 64 filters, 6 halvings and a name for the image it is the paper's.

    Returns:
        `[N, H, W, 3] -> {"patches": [N, h, w, 1], "domains": [N, domains] or [N, h, w, domains]}` float32 logits.

    Raises:
        UserError: an image is smaller than four pixels.
    """
    import keras
    from keras import layers

    height, width = task.target_shape[:2]
    halvings = min(min(height, width).bit_length() - 2, settings.halvings)
    if halvings < 1:
        raise UserError(f"split: train.model: stargan needs sides of at least 4 px, but they are {height} and {width}")
    seeds = itertools.count(seed * 1000 + 500)
    images = x = keras.Input(task.target_shape, name="image")
    for level in range(halvings):
        x = _conv(x, settings.discriminator_filters * 2**level, 4, 2, seeds, f"down_{level + 1}_conv", use_bias=True)
        x = layers.LeakyReLU(0.01, name=f"down_{level + 1}")(x)
    patches = _conv(x, 1, 3, 1, seeds, "patches_conv")
    if settings.names == "patches":
        domains = _conv(x, count_domains(task), 3, 1, seeds, "domains_conv")
    else:
        how = {"use_bias": False, "kernel_initializer": _weights(seeds), "name": "domains_product"}
        domains = layers.Dense(count_domains(task), **how)(layers.Flatten(name="whole")(x))
    outputs = {
        name: layers.Activation("linear", dtype="float32", name=name)(logits)
        for name, logits in {"patches": patches, "domains": domains}.items()
    }
    return keras.Model(images, outputs, name="naming_discriminator")


def _conv(x, filters: int, kernel: int, stride: int, seeds: Iterator[int], name: str, use_bias: bool = False):
    from keras import layers

    from pix2street.layers.few import convolution

    x = layers.ZeroPadding2D((kernel - 1) // 2, name=f"{name}_pad")(x)
    return convolution(filters, kernel, stride, use_bias=use_bias, kernel_initializer=_weights(seeds), name=name)(x)


def _double(x, filters: int, seeds: Iterator[int], name: str, upsample: str):
    from keras import layers

    from pix2street.layers.resize import ResizeConv2D

    how = {"padding": "same", "use_bias": False, "kernel_initializer": _weights(seeds), "name": name}
    if upsample == "resize":
        return ResizeConv2D(filters, 3, **how)(x)
    return layers.Conv2DTranspose(filters, 4, 2, **how)(x)


def _norm(x, name: str):
    from pix2street.layers.norms import ImageNorm

    return ImageNorm(name=name)(x)


def _conditional_norm(x, name: str, domain, seeds: Iterator[int]):
    """Apply an instance norm whose weights are a table by domain; `domain` is `[N, 1, 1, domains]`."""
    from keras import layers

    from pix2street.layers.modulation import Modulate
    from pix2street.layers.norms import ImageNorm

    x = ImageNorm(center=False, scale=False, name=name)(x)
    weights = layers.Dense(
        2 * x.shape[-1], use_bias=False, kernel_initializer=_weights(seeds), name=f"{name}_by_domain"
    )(domain)
    return Modulate(name=f"{name}_modulated")([x, weights])


def _weights(seeds: Iterator[int]):
    """Return what the reference starts from: uniform numbers whose squares have the mean 1 / (3 * inputs)."""
    from keras import initializers

    return initializers.VarianceScaling(1 / 3, "fan_in", "uniform", seed=next(seeds))


# Losses (section 3, equations 1 to 8)


def losses_of_generator(generated: Mapping, domains: Any, again: Any, source: Any, settings: Settings) -> dict:
    """Return G's numbers by their names in `TERMS` (equation 6).

    Args:
        generated: D's output for translations.
        domains: the domains that these shall have, `[N]`.
        again, source: images that went to these domains and back, and what they were, `[N, H, W, 3]` in [-1, 1].
    """
    from pix2street.layers.losses import hinge_generator, l1

    terms = {
        "gen_gan": hinge_generator(generated["patches"]),
        "gen_domain": _cross_entropy(generated["domains"], domains),
        "gen_cycle": l1(again, source),
        "gen_domain_accuracy": _share_named(generated["domains"], domains),
    }
    weighted = settings.domain_weight * terms["gen_domain"] + settings.cycle_weight * terms["gen_cycle"]
    return terms | {"gen_total": terms["gen_gan"] + weighted}


def losses_of_discriminator(real: Mapping, generated: Mapping, domains: Any, penalty: Any, settings: Settings) -> dict:
    """Return D's numbers by their names in `TERMS` (equation 5).

    Args:
        real, generated: D's outputs for real images and for translations.
        domains: the domains of the real images, `[N]`.
        penalty: see `layers/penalties.py`.
    """
    from keras import ops

    from pix2street.layers.losses import hinge_generated, hinge_real

    if settings.gan_loss == "hinge":
        for_real, for_generated = hinge_real(real["patches"]), hinge_generated(generated["patches"])
    else:
        for_real, for_generated = -ops.mean(real["patches"]), ops.mean(generated["patches"])
    terms = {
        "disc_real": for_real,
        "disc_generated": for_generated,
        "disc_domain": _cross_entropy(real["domains"], domains),
        "disc_penalty": penalty,
        "disc_domain_accuracy": _share_named(real["domains"], domains),
    }
    weighted = settings.domain_weight * terms["disc_domain"] + settings.penalty_weight * penalty
    return terms | {"disc_total": for_real + for_generated + weighted}


def _cross_entropy(logits: Any, domains: Any) -> Any:
    from keras import ops

    return ops.mean(ops.sparse_categorical_crossentropy(_for_each(logits, domains), logits, from_logits=True))


def _share_named(logits: Any, domains: Any) -> Any:
    from keras import ops

    return ops.mean(ops.cast(ops.argmax(logits, axis=-1) == _for_each(logits, domains), "float32"))


def _for_each(logits: Any, domains: Any) -> Any:
    """Return the image's domain for each of its names in `logits`, `[N, domains]` or `[N, h, w, domains]`."""
    from keras import ops

    domains = ops.cast(domains, "int32")
    return ops.broadcast_to(ops.reshape(domains, (-1, *[1] * (len(logits.shape) - 2))), ops.shape(logits)[:-1])


# One update


def build_training(
    task: Task, settings: Settings, generator: "keras.Model", make_player: MakePlayer, seed: int
) -> Training:
    """Return the training of G against D.

    A step is `disc_steps` updates of D, each on another part of the batch, and then one of G on the last part; the
    paper's batch of 16 and 5 updates are a batch of 80 here. A batch that is smaller than `disc_steps` is seen whole by
    every update.

    Raises:
        UserError: `build_discriminator` fails.
    """
    import keras
    import tensorflow as tf

    from pix2street.layers.conditions import with_planes

    judge, domains = build_discriminator(task, settings, seed), count_domains(task)
    betas = {"beta_1": settings.beta_1, "beta_2": settings.beta_2}
    gen = make_player([generator], learning_rate=settings.generator_rate, **betas)
    disc = make_player([judge], learning_rate=settings.discriminator_rate, **betas)
    draws = keras.random.SeedGenerator(seed)

    def translate(images, to):
        return generator(with_planes(images, to, domains), training=True)

    def move_discriminator(images, own, to) -> dict:
        photos = tf.stop_gradient(translate(images, to))
        with tf.GradientTape() as tape:
            real, generated = judge(images, training=True), judge(photos, training=True)
            penalty = penalty_of(judge, images, photos, settings, draws)
            terms = losses_of_discriminator(real, generated, own, penalty, settings)
            loss = disc.scaled(terms["disc_total"])
        disc.descend(tape, loss)
        return terms

    def move_generator(images, own, to) -> dict:
        with tf.GradientTape() as tape:
            photos = translate(images, to)
            generated = judge(photos, training=True)
            terms = losses_of_generator(generated, to, translate(photos, own), images, settings)
            loss = gen.scaled(terms["gen_total"])
        gen.descend(tape, loss)
        return terms

    def step(batch: Batch) -> dict:
        whole = [batch[name] for name in ("input", DOMAIN, "target_domain")]
        parts = [[values[first :: settings.disc_steps] for values in whole] for first in range(settings.disc_steps)]
        if whole[0].shape[0] < settings.disc_steps:
            parts = [whole] * settings.disc_steps
        of_disc = [move_discriminator(*part) for part in parts]
        terms = {name: sum(terms[name] for terms in of_disc) / len(of_disc) for name in of_disc[0]}
        terms |= move_generator(*parts[-1])
        return {term.name: tf.convert_to_tensor(terms[term.name]) for term in TERMS}

    networks = {"generator": generator, "discriminator": judge}
    return Training(networks, {"generator": gen, "discriminator": disc}, step, [draws.state])


def penalty_of(judge: "keras.Model", images: Any, photos: Any, settings: Settings, draws: Any) -> Any:
    """Return the penalty of D's gradients: between real images and translations under the Wasserstein loss (equation
    8), at real images under hinge losses.

    Args:
        draws: a seed generator, which draws a place between each real image and its translation.
    """
    import keras
    import tensorflow as tf
    from keras import ops

    from pix2street.layers.penalties import one_lipschitz, squared_norm

    if settings.gan_loss == "hinge":
        places, penalise = images, squared_norm
    else:
        # The draws for all devices are the same on each, which takes its own part.
        context, share = tf.distribute.get_replica_context(), images.shape[0]
        shape = (share * context.num_replicas_in_sync, 1, 1, 1)
        first = context.replica_id_in_sync_group * share
        shares = keras.random.uniform(shape, dtype="float32", seed=draws)[first : first + share]
        places, penalise = shares * images + (1 - shares) * photos, one_lipschitz
    with tf.GradientTape() as tape:
        tape.watch(places)
        says = ops.mean(judge(places, training=True)["patches"], axis=(1, 2, 3))
    return penalise(tape.gradient(says, places))
