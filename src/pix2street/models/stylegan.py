"""StyleGAN2 (Karras et al. 2020, "Analyzing and improving the image quality of StyleGAN", after Karras et al. 2019).

The generator G has no image as its input. A latent vector becomes a style, which steers every convolution of a network
that begins from a learned map. The discriminator D says whether a photo is real.

What differs from the paper: maps are enlarged by nearest neighbour without a further filter, and shrunk by means; both
convolutions of a size and its colours share one style; photos end in tanh; there is no penalty of path lengths. For few
photos D sees all of them augmented (Zhao et al. 2020, "Differentiable augmentation for data-efficient GAN training").
"""

import itertools
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from pix2street.core.errors import UserError
from pix2street.models.interface import Batch, MakePlayer, Task, Term, Training
from pix2street.settings.section import Beta, Count, LearningRate, Section, Share, Weight

if TYPE_CHECKING:
    import keras

TITLE = "StyleGAN2"
PAPER = "Karras et al. 2020, Analyzing and improving the image quality of StyleGAN"

START_PX = 4
"""The shorter side of the map from which photos begin."""


class Settings(Section):
    """The section `train.stylegan`."""

    latent: Count
    mapping_layers: Count
    mapping_rate: Annotated[float, Field(gt=0, le=1)]
    generator_filters: Count
    discriminator_filters: Count
    max_filters: Count
    min_photos: Count
    augment: list[Literal["color", "translation", "cutout"]]
    mixing: Share
    penalty_weight: Weight
    penalty_every: Count
    generator_rate: LearningRate
    discriminator_rate: LearningRate
    beta_1: Beta
    beta_2: Beta


PAIRING = "none"
NOISE = "latent"

# A discriminator that cannot tell says 0, and each of its losses is ln 2, as is G's.
LN_2 = 0.6931471805599453
TERMS = (
    Term("gen_gan", "single GAN terms", "generator", LN_2),
    Term("disc_real", "single GAN terms", "discriminator", LN_2),
    Term("disc_generated", "single GAN terms", "discriminator", LN_2),
    Term("disc_penalty", "gradient penalty", needs="penalty_weight"),
    Term("disc_total", "the discriminator's sum", total=True),
    Term("disc_real_accuracy", "photos told right"),
    Term("disc_generated_accuracy", "photos told right"),
)


def latent_of(target_shape: tuple[int, int, int], settings: Settings) -> tuple[int, int]:
    """Return the number of sizes of G's maps, each of which has a latent, and the numbers of a latent.

    Raises:
        UserError: a side cannot be halved often enough.
    """
    height, width = target_shape[:2]
    doublings = max(min(height, width) // START_PX, 1).bit_length() - 1
    if not doublings or height % 2**doublings or width % 2**doublings:
        raise UserError(
            f"train.model: stylegan doubles a map whose shorter side is {START_PX} px, so both sides of a photo must "
            f"be such a map's times 2, 4, 8 and so on, but they are {height} and {width}; choose other sides in `split`"
        )
    return doublings + 1, settings.latent


def multiple_px(task: Task, settings: Settings) -> int:
    """Return 1: there is no image as input."""
    return 1


# Networks (2019, sections 2 and 3.1; 2020, sections 2 and 4)


def build_generator(task: Task, settings: Settings, seed: int) -> "keras.Model":
    """Return G: a latent for each size of its maps, the coarsest first, and behind it the share of the way from the
    mean style that is gone, 1 for the whole.

    Returns:
        `[N, sizes, latent + 1] -> [N, H, W, C]` float32 in [-1, 1].

    Raises:
        UserError: the task has a photo's size that G cannot have, or too few photos to train on.
    """
    import keras
    from keras import layers

    from pix2street.layers.by_style import LearnedStart, Shift, StyledConv2D, Truncate
    from pix2street.layers.equalized import EqualDense, ScaledLeaky
    from pix2street.layers.noise import PixelNoise
    from pix2street.layers.progressive import PixelNorm

    height, width, channels = task.target_shape
    sizes, numbers = latent_of(task.target_shape, settings)
    seeds = itertools.count(seed * 1000)
    inputs = keras.Input((sizes, numbers + 1), name="latent")
    x = PixelNorm(name="latent_norm")(inputs[..., :numbers])
    for number in range(1, settings.mapping_layers + 1):
        x = EqualDense(numbers, next(seeds), settings.mapping_rate, name=f"mapping_{number}")(x)
        x = ScaledLeaky(name=f"mapping_{number}_out")(x)
    styles = Truncate(name="truncation")([x, inputs[..., numbers:]])

    def styled(x, style, filters: int, kernel: int, name: str, **how):
        channels_in = x.shape[-1]
        strengths = EqualDense(channels_in, next(seeds), bias=1.0, name=f"{name}_style")(style)
        return StyledConv2D(filters, kernel, next(seeds), name=name, **how)([x, strengths])

    def activated(x, style, filters: int, name: str, **how):
        x = styled(x, style, filters, 3, name, **how)
        x = PixelNoise(next(seeds), name=f"{name}_noise")(x)
        x = Shift(name=f"{name}_bias")(x)
        return ScaledLeaky(name=f"{name}_out")(x)

    photo = None
    first = height >> (sizes - 1), width >> (sizes - 1)
    for level in range(sizes):
        style = styles[:, level]
        filters = _filters(settings.generator_filters, sizes - 1 - level, settings)
        name = f"level_{level}"
        if level == 0:
            x = LearnedStart(*first, filters, next(seeds), name="start")(style)
        else:
            x = activated(x, style, filters, f"{name}_up", up=True)
        x = activated(x, style, filters, f"{name}_conv")
        color = Shift(name=f"{name}_color_bias")(styled(x, style, channels, 1, f"{name}_color", demodulate=False))
        if photo is None:
            photo = color
        else:
            larger = layers.UpSampling2D(2, interpolation="bilinear", name=f"{name}_enlarged")(photo)
            photo = layers.Add(name=f"{name}_photo")([larger, color])
    outputs = layers.Activation("tanh", dtype="float32", name="output")(photo)
    return keras.Model(inputs, outputs, name="style_generator")


def build_discriminator(task: Task, settings: Settings, seed: int) -> "keras.Model":
    """Return D: residual blocks, each of half the size of the one before (2020, section 4.1), and a dense end.

    Returns:
        `[N, H, W, C] -> [N, 1]` float32 logits.
    """
    import keras
    from keras import layers

    from pix2street.layers.equalized import EqualConv2D, EqualDense, ScaledLeaky
    from pix2street.layers.progressive import BatchDeviation

    sizes, _ = latent_of(task.target_shape, settings)
    seeds = itertools.count(seed * 1000 + 500)

    def conv(x, filters: int, name: str, kernel: int = 3):
        x = EqualConv2D(filters, kernel, next(seeds), name=name)(x)
        return ScaledLeaky(name=f"{name}_out")(x)

    photos = keras.Input(task.target_shape, name="photo")
    x = conv(photos, _filters(settings.discriminator_filters, 0, settings), "color", kernel=1)
    for level in range(sizes - 1):
        name, wide = f"level_{level}", _filters(settings.discriminator_filters, level + 1, settings)
        y = conv(x, x.shape[-1], f"{name}_first")
        y = conv(layers.AveragePooling2D(2, name=f"{name}_shrunk")(y), wide, f"{name}_second")
        x = layers.AveragePooling2D(2, name=f"{name}_shortcut_shrunk")(x)
        x = EqualConv2D(wide, 1, next(seeds), name=f"{name}_shortcut")(x)
        # The sum of two maps of equal variance has twice that variance.
        x = layers.Rescaling(0.5**0.5, name=f"{name}_scaled")(layers.Add(name=name)([x, y]))
    x = conv(BatchDeviation(name="batch_deviation")(x), x.shape[-1], "end_conv")
    x = EqualDense(x.shape[-1], next(seeds), name="end_dense")(layers.Flatten(name="whole")(x))
    x = EqualDense(1, next(seeds), name="end_logit")(ScaledLeaky(name="end_out")(x))
    logits = layers.Activation("linear", dtype="float32", name="logit")(x)
    return keras.Model(photos, logits, name="style_discriminator")


def _filters(finest: int, halvings: int, settings: Settings) -> int:
    """Return the filters of maps whose sides are halved so often: each halving doubles them up to a limit."""
    return min(finest * 2**halvings, settings.max_filters)


# One update


def build_training(
    task: Task, settings: Settings, generator: "keras.Model", make_player: MakePlayer, seed: int
) -> Training:
    """Return the training of G against D, with the losses of Goodfellow et al. 2014 that do not saturate.

    R1 (Mescheder et al. 2018) is taken in every `penalty_every`-th step only, and then weighs so many times more
    (2020, section 4.2).

    Raises:
        UserError: there are fewer photos than `min_photos`.
    """
    import keras
    import tensorflow as tf

    from pix2street.layers.losses import accuracy_generated, accuracy_real, cross_entropy_generated, cross_entropy_real

    refuse_few(task, settings)
    judge = build_discriminator(task, settings, seed)
    betas = {"beta_1": settings.beta_1, "beta_2": settings.beta_2}
    gen = make_player([generator], learning_rate=settings.generator_rate, **betas)
    disc = make_player([judge], learning_rate=settings.discriminator_rate, **betas)
    draws = keras.random.SeedGenerator(seed)
    steps = keras.Variable(0, dtype="int32", trainable=False, aggregation="only_first_replica", name="steps")

    def shown(photos):
        return seen_by_discriminator(photos, draws, settings)

    def penalty(photos):
        from pix2street.layers.penalties import squared_norm

        with tf.GradientTape() as tape:
            tape.watch(photos)
            says = judge(shown(photos), training=True)
        return settings.penalty_every * squared_norm(tape.gradient(says, photos))

    def move_discriminator(photos, generated) -> dict:
        with tf.GradientTape() as tape:
            real, made = judge(shown(photos), training=True), judge(shown(generated), training=True)
            terms = {"disc_real": cross_entropy_real(real), "disc_generated": cross_entropy_generated(made)}
            if settings.penalty_weight:
                due = tf.equal(steps.value % settings.penalty_every, 0)
                terms["disc_penalty"] = tf.cond(due, lambda: penalty(photos), lambda: tf.constant(0.0))
            else:
                terms["disc_penalty"] = tf.constant(0.0)
            weighted = settings.penalty_weight * terms["disc_penalty"]
            terms["disc_total"] = terms["disc_real"] + terms["disc_generated"] + weighted
            loss = disc.scaled(terms["disc_total"])
        disc.descend(tape, loss)
        accuracies = {"disc_real_accuracy": accuracy_real(real), "disc_generated_accuracy": accuracy_generated(made)}
        return terms | accuracies

    def step(batch: Batch) -> dict:
        latents = mixed(batch["input"], draws, settings.mixing)
        with tf.GradientTape() as tape:
            # The update of D does not change G, so that one forward pass serves both.
            generated = generator(latents, training=True)
            with tape.stop_recording():
                terms = move_discriminator(batch["target"], tf.stop_gradient(generated))
            terms["gen_gan"] = cross_entropy_real(judge(shown(generated), training=True))
            loss = gen.scaled(terms["gen_gan"])
        gen.descend(tape, loss)
        steps.assign_add(1)
        return {term.name: tf.convert_to_tensor(terms[term.name]) for term in TERMS}

    networks = {"generator": generator, "discriminator": judge}
    return Training(networks, {"generator": gen, "discriminator": disc}, step, [draws.state, steps])


def refuse_few(task: Task, settings: Settings) -> None:
    """Raise a `UserError` if there are fewer photos to train on than `min_photos`."""
    if task.photos < settings.min_photos:
        raise UserError(
            f"train.stylegan.min_photos: {task.photos} photos to train on are fewer than {settings.min_photos}: the "
            "discriminator learns so few by heart, and the generator then makes copies of them, or one photo only; add "
            "photos, choose a larger data set, or lower the limit, keep all kinds of train.stylegan.augment, and look "
            "at the distance to the nearest training photo in the report"
        )


def seen_by_discriminator(photos: Any, draws: Any, settings: Settings) -> Any:
    """Return photos, real or generated, as D sees them: all are augmented by draws of the same distribution."""
    from pix2street.layers.differentiable import DRAWS, augmented

    if not settings.augment:
        return photos
    return augmented(photos, _uniform((photos.shape[0], DRAWS), draws), settings.augment)


def mixed(latents: Any, draws: Any, share: float) -> Any:
    """Return latents of which a share takes those of the finer sizes from the next image (2019, section 3.1).

    Args:
        latents: `[N, sizes, latent + 1]`, N known.
        draws: a seed generator, which draws whether an image mixes, and from which size on.
    """
    from keras import ops

    count, sizes, _ = latents.shape
    if not share or count < 2:
        return latents
    chosen, place = ops.unstack(_uniform((count, 2), draws), 2, axis=1)
    first = ops.where(chosen < share, 1 + ops.floor(place * (sizes - 1)), sizes)
    finer = ops.arange(sizes, dtype="float32")[None] >= first[:, None]
    return ops.where(finer[..., None], ops.roll(latents, 1, axis=0), latents)


def _uniform(shape: tuple[int, int], draws: Any) -> Any:
    """Return uniform numbers in [0, 1), of which each device takes its own part."""
    import keras
    import tensorflow as tf

    context, share = tf.distribute.get_replica_context(), shape[0]
    everywhere = keras.random.uniform((share * context.num_replicas_in_sync, *shape[1:]), dtype="float32", seed=draws)
    first = context.replica_id_in_sync_group * share
    return everywhere[first : first + share]
