"""FutureGAN (Aigner and Körner 2018, "FutureGAN: anticipating the future frames of video sequences using
spatio-temporal 3D convolutions in progressively growing GANs").

One generator G makes all next frames of a video at once from its past ones. The discriminator D sees the past and the
future, and says whether they are of one real video.

The networks have a fixed size: they are not grown from small frames to large ones as in the paper. What else differs:
G doubles sides by nearest neighbour, because a transposed convolution draws each block of 2x2 alone; weights start from
He's distribution instead of being scaled in every step; frames end in tanh, so that they are in the range of images. By
settings, G may hand details past its bottleneck (`skips`), an L1 may be added to its loss, and G may learn from that
alone at first (`warm_up`).
"""

import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import Field, model_validator

from pix2street.core.errors import UserError
from pix2street.models.interface import Batch, MakePlayer, Task, Term, Training, refuse_branches, refuse_idle_warm_up
from pix2street.settings.section import Beta, Count, LearningRate, Section, Weight

if TYPE_CHECKING:
    import keras

TITLE = "FutureGAN of fixed size"
PAPER = (
    "Aigner and Körner 2018, FutureGAN: anticipating the future frames of video sequences using spatio-temporal 3D "
    "convolutions in progressively growing GANs"
)

WIDEST = 4
"""The most filters of a level, as a multiple of those at the full size."""


class Settings(Section):
    """The section `train.futuregan`."""

    generator_filters: Count
    discriminator_filters: Count
    levels: Count
    skips: bool
    l1_weight: Weight
    warm_up: Annotated[float, Field(ge=0, lt=1)]
    penalty_weight: Weight
    drift_weight: Weight
    generator_rate: LearningRate
    discriminator_rate: LearningRate
    beta_1: Beta
    beta_2: Beta

    @model_validator(mode="after")
    def _a_warm_up_has_something_to_learn(self) -> Self:
        refuse_idle_warm_up(self.warm_up, self.l1_weight)
        return self


PAIRING = "sequence"
NOISE = "none"

# A Wasserstein loss has no zero point.
TERMS = (
    Term("gen_total", "the generator's sum", total=True),
    Term("gen_gan", "single GAN terms", "generator"),
    Term("gen_l1", "L1, 0 to 2"),
    Term("disc_real", "single GAN terms", "discriminator"),
    Term("disc_generated", "single GAN terms", "discriminator"),
    Term("disc_penalty", "gradient penalty"),
    Term("disc_total", "the discriminator's sum", total=True),
)


# Networks (section 3)


def build_generator(task: Task, settings: Settings, seed: int) -> "keras.Model":
    """Return G: an encoder of the past frames, in whose middle their time collapses, and a decoder of the next ones.

    A level is a 3x3x3 convolution in time, height and width; between levels height and width are halved, and the
    filters doubled up to four times those at the full size. With 128 filters, 5 levels and no skips the widths are
    the paper's at 128 px.

    Returns:
        `[N, in * H, W, 3] -> [N, out * H, W, 3]` float32 in [-1, 1]; the frames of an image are one under the other.

    Raises:
        UserError: the images are no frames, or a side of a frame is no multiple of `multiple_px`.
    """
    import keras
    from keras import layers

    from pix2street.layers.frames import FromFrames, TimeInChannels, ToFrames
    from pix2street.layers.progressive import PixelNorm

    count_in, count_out = count_frames(task)
    _refuse_sides(task, settings)
    seeds = itertools.count(seed * 1000)
    inputs = keras.Input(task.input_shape, name="input")
    widths = _widths(settings.generator_filters, settings.levels)

    def volume(x, filters: int, name: str):
        x = _conv(x, filters, (3, 3, 3), seeds, f"{name}_conv", padding="same")
        return PixelNorm(name=f"{name}_norm")(_activated(x, name))

    past = ToFrames(count_in, name="past")(inputs)
    x, passed = _conv(past, widths[0], (1, 1, 1), seeds, "start"), []
    for level, width in enumerate(widths[1:], 1):
        x = volume(x, widths[level - 1], f"encoder_{level}")
        passed.append(x)
        x = _activated(_conv(x, width, (1, 2, 2), seeds, f"down_{level}_conv", strides=(1, 2, 2)), f"down_{level}")
    x = _next_in_time(volume(x, widths[-1], "middle_past"), count_in, count_out, seeds, "middle")
    x = volume(x, widths[-1], "middle_next")
    for level, width in reversed([*enumerate(widths[:-1], 1)]):
        x = _activated(_conv(x, width, (1, 1, 1), seeds, f"up_{level}_conv"), f"up_{level}")
        x = layers.UpSampling3D((1, 2, 2), name=f"up_{level}_doubled")(x)
        if settings.skips:
            skipped = _next_in_time(passed[level - 1], count_in, count_out, seeds, f"skip_{level}")
            x = layers.Concatenate(name=f"with_skip_{level}")([x, skipped])
        x = volume(x, width, f"decoder_{level}")
    if settings.skips:
        # Norms leave little of how bright a place is, so the colours themselves go past all levels, too.
        colors = layers.UpSampling3D((count_out, 1, 1), name="repeated")(TimeInChannels(name="colors")(past))
        x = layers.Concatenate(name="with_colors")([x, colors])
    frames = FromFrames(name="next")(_conv(x, task.target_shape[-1], (1, 1, 1), seeds, "output_conv"))
    # The output is float32 in every precision, because the losses are computed from it.
    return keras.Model(inputs, layers.Activation("tanh", dtype="float32", name="output")(frames), name="future")


def count_frames(task: Task) -> tuple[int, int]:
    """Return the numbers of past and of next frames; raise a `UserError` if the images are no frames."""
    if task.frames is None:
        raise UserError(
            "train.model: futuregan continues videos, but the data set holds single images; choose frames in "
            "download.dataset, synthetic_streets with its frames, or another model"
        )
    return task.frames


def multiple_px(task: Task, settings: Settings) -> int:
    """Return the number of which both sides of a frame must be a multiple."""
    return 2**settings.levels


def _refuse_sides(task: Task, settings: Settings) -> None:
    height, width = task.input_shape[0] // count_frames(task)[0], task.input_shape[1]
    if height % (multiple := multiple_px(task, settings)) or width % multiple:
        raise UserError(
            f"train.futuregan.levels: {settings.levels} halve both sides of a frame as often, so they must be "
            f"multiples of {multiple} px, but they are {height} and {width}; choose other sides in `split`, or fewer "
            "levels"
        )


def build_discriminator(task: Task, settings: Settings, seed: int) -> "keras.Model":
    """Return D: the levels of G's encoder without norms, how much a batch varies, and one product of all that is left.

    Returns:
        `[N, (in + out) * H, W, 3] -> [N, 1]` float32, the past above the future.
    """
    import keras
    from keras import layers

    from pix2street.layers.frames import ToFrames
    from pix2street.layers.progressive import BatchDeviation

    count_in, count_out = count_frames(task)
    rows, columns, channels = task.target_shape
    frames = count_in + count_out
    seeds = itertools.count(seed * 1000 + 500)
    widths = _widths(settings.discriminator_filters, settings.levels)
    inputs = keras.Input((rows // count_out * frames, columns, channels), name="video")
    x = _activated(_conv(ToFrames(frames, name="frames")(inputs), widths[0], (1, 1, 1), seeds, "start_conv"), "start")
    for level, width in enumerate(widths[1:], 1):
        name = f"level_{level}"
        x = _activated(_conv(x, widths[level - 1], (3, 3, 3), seeds, f"{name}_conv", padding="same"), name)
        name = f"down_{level}"
        x = _activated(_conv(x, width, (1, 2, 2), seeds, f"{name}_conv", strides=(1, 2, 2)), name)
    x = BatchDeviation(name="batch_deviation")(x)
    x = _activated(_conv(x, widths[-1], (3, 3, 3), seeds, "middle_conv", padding="same"), "middle")
    x = _activated(_conv(x, widths[-1], (frames, 1, 1), seeds, "time_conv"), "time")
    says = layers.Dense(1, kernel_initializer=_weights(seeds), name="product")(layers.Flatten(name="whole")(x))
    return keras.Model(inputs, layers.Activation("linear", dtype="float32", name="says")(says), name="video_critic")


def _widths(filters: int, levels: int) -> list[int]:
    """Return the filters of each level, from the full size down to the middle."""
    return [filters * min(2**level, WIDEST) for level in range(levels + 1)]


def _next_in_time(x, count_in: int, count_out: int, seeds: Iterator[int], name: str):
    """Collapse the time of past frames, and open that of the next ones; height, width and channels stay."""
    filters = x.shape[-1]
    x = _activated(_conv(x, filters, (count_in, 1, 1), seeds, f"{name}_collapsed_conv"), f"{name}_collapsed")
    return _activated(_opened(x, filters, count_out, seeds, f"{name}_opened_conv"), f"{name}_opened")


def _conv(x, filters: int, kernel: tuple[int, int, int], seeds: Iterator[int], name: str, **options):
    from keras import layers

    return layers.Conv3D(filters, kernel, kernel_initializer=_weights(seeds), name=name, **options)(x)


def _opened(x, filters: int, frames: int, seeds: Iterator[int], name: str):
    from keras import layers

    # Each result has one input, so that the fan is that of the channels alone.
    start = _weights(seeds, x.shape[-1])
    return layers.Conv3DTranspose(filters, (frames, 1, 1), kernel_initializer=start, name=name)(x)


def _activated(x, name: str):
    from keras import layers

    return layers.LeakyReLU(0.2, name=name)(x)


def _weights(seeds: Iterator[int], channels: int = 0):
    """Return the distribution of He et al. 2015; with `channels`, that of layers in which each result has so many
    inputs."""
    from keras import initializers

    if channels:
        return initializers.RandomNormal(0.0, (2 / channels) ** 0.5, seed=next(seeds))
    return initializers.HeNormal(seed=next(seeds))


# Losses (section 3.3)


def losses_of_generator(says: Any, generated: Any, target: Any, settings: Settings) -> dict:
    """Return G's numbers by their names in `TERMS`.

    Args:
        says: D's output for past and generated frames.
        generated, target: the next frames, `[N, out * H, W, 3]` in [-1, 1].
    """
    from keras import ops

    from pix2street.layers.losses import l1

    terms = {"gen_gan": -ops.mean(says), "gen_l1": l1(generated, target)}
    return terms | {"gen_total": terms["gen_gan"] + settings.l1_weight * terms["gen_l1"]}


def losses_of_discriminator(real: Any, generated: Any, penalty: Any, settings: Settings) -> dict:
    """Return D's numbers by their names in `TERMS`: those of Gulrajani et al. 2017, equation 3, and the drift of
    Karras et al. 2018, appendix A.1, which keeps what D says of real videos near 0.

    Args:
        real, generated: D's outputs, `[N, 1]`.
        penalty: see `layers/penalties.py`.
    """
    from keras import ops

    for_real, for_generated = -ops.mean(real), ops.mean(generated)
    drift = ops.mean(ops.square(real))
    weighted = settings.penalty_weight * penalty + settings.drift_weight * drift
    return {
        "disc_real": for_real,
        "disc_generated": for_generated,
        "disc_penalty": penalty,
        "disc_total": for_real + for_generated + weighted,
    }


# One update


def build_training(
    task: Task, settings: Settings, generator: "keras.Model", make_player: MakePlayer, seed: int
) -> Training:
    """Return the training of G against D, with one update of each in a step.

    An epoch belongs to the warm-up if less than the share `warm_up` of the epochs is done when it begins. In its steps
    G minimises L1 alone, and D neither sees videos nor learns; its terms are 0.

    Raises:
        UserError: `build_discriminator` or `refuse_branches` fails.
    """
    import keras
    import tensorflow as tf

    from pix2street.layers.losses import l1

    if settings.warm_up:
        refuse_branches(
            f"train.futuregan.warm_up: {settings.warm_up:g}", tf.distribute.get_strategy().num_replicas_in_sync
        )
    critic = build_discriminator(task, settings, seed)
    betas = {"beta_1": settings.beta_1, "beta_2": settings.beta_2}
    gen = make_player([generator], learning_rate=settings.generator_rate, **betas)
    disc = make_player([critic], learning_rate=settings.discriminator_rate, **betas)
    draws = keras.random.SeedGenerator(seed)
    progress = keras.Variable(0.0, dtype="float32", trainable=False, name="progress") if settings.warm_up else None

    def move_critic(past, future, generated) -> dict:
        real, made = tf.concat([past, future], 1), tf.concat([past, generated], 1)
        with tf.GradientTape() as tape:
            penalty = penalty_of(critic, real, made, draws)
            terms = losses_of_discriminator(critic(real, training=True), critic(made, training=True), penalty, settings)
            loss = disc.scaled(terms["disc_total"])
        disc.descend(tape, loss)
        return terms

    def warm_up(past, future) -> dict:
        with tf.GradientTape() as tape:
            distance = l1(generator(past, training=True), future)
            total = settings.l1_weight * distance
            loss = gen.scaled(total)
        gen.descend(tape, loss)
        terms = {term.name: 0.0 for term in TERMS} | {"gen_total": total, "gen_l1": distance}
        return {name: tf.convert_to_tensor(value) for name, value in terms.items()}

    def play(past, future) -> dict:
        with tf.GradientTape() as tape:
            generated = generator(past, training=True)
            with tape.stop_recording():
                terms = move_critic(past, future, tf.stop_gradient(generated))
            says = critic(tf.concat([past, generated], 1), training=True)
            terms |= losses_of_generator(says, generated, future, settings)
            loss = gen.scaled(terms["gen_total"])
        gen.descend(tape, loss)
        return {term.name: tf.convert_to_tensor(terms[term.name]) for term in TERMS}

    def step(batch: Batch) -> dict:
        pair = batch["input"], batch["target"]
        if progress is None:
            return play(*pair)
        return tf.cond(progress < settings.warm_up, lambda: warm_up(*pair), lambda: play(*pair))

    networks = {"generator": generator, "discriminator": critic}
    return Training(networks, {"generator": gen, "discriminator": disc}, step, [draws.state], progress=progress)


def penalty_of(critic: "keras.Model", real: Any, generated: Any, draws: Any) -> Any:
    """Return the penalty of D's gradients between real videos and those with generated frames.

    Args:
        draws: a seed generator, which draws a place between each two.
    """
    import keras
    import tensorflow as tf
    from keras import ops

    from pix2street.layers.penalties import one_lipschitz

    # The draws for all devices are the same on each, which takes its own part.
    context, share = tf.distribute.get_replica_context(), real.shape[0]
    first = context.replica_id_in_sync_group * share
    shape = (share * context.num_replicas_in_sync, 1, 1, 1)
    shares = keras.random.uniform(shape, dtype="float32", seed=draws)[first : first + share]
    places = shares * real + (1 - shares) * generated
    with tf.GradientTape() as tape:
        tape.watch(places)
        says = ops.sum(critic(places, training=True), axis=-1)
    return one_lipschitz(tape.gradient(says, places))
