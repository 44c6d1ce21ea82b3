"""CUT (Park et al. 2020, "Contrastive learning for unpaired image-to-image translation"), and its fast form FastCUT.

One generator G turns inputs into photos, and a discriminator D says for every patch whether a photo is real. In place
of a way back, a patch of the photo must be found again among the patches of its input by the features of G's own
encoder. FastCUT weighs that ten times as much, lets photos change that are real already, and mirrors (`nce_weight: 10`,
`identity: false`, `mirror_equivariance: true`).

What differs from the reference: the convolutions of G that change the size have stride 2 in place of a blur, and the
last features are those of G's middle block, which is the fifth of nine.
"""

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from pix2street.core.errors import UserError
from pix2street.models.interface import Batch, MakePlayer, Task, Term, Training
from pix2street.settings.section import Beta, Count, LearningRate, Section, Weight

if TYPE_CHECKING:
    import keras

TITLE = "CUT"
PAPER = "Park et al. 2020, Contrastive learning for unpaired image-to-image translation"


class Settings(Section):
    """The section `train.cut`."""

    generator_filters: Count
    discriminator_filters: Count
    blocks: Count
    upsample: Literal["transpose", "resize"]
    mask: bool
    nce_weight: Weight
    identity: bool
    mirror_equivariance: bool
    patches: Annotated[int, Field(ge=2)]
    temperature: Annotated[float, Field(gt=0)]
    head_width: Count
    generator_rate: LearningRate
    discriminator_rate: LearningRate
    beta_1: Beta
    beta_2: Beta


PAIRING = "unpaired"
NOISE = "none"

# A discriminator that cannot tell says 1/2, which is a square of 1/4 from either answer.
TERMS = (
    Term("gen_total", "the generator's sum", total=True),
    Term("gen_gan", "single GAN terms", "generator", 0.25),
    Term("gen_nce", "contrast of patches"),
    Term("gen_identity", "contrast of patches", needs="identity"),
    Term("patches_found", "patches found again"),
    Term("disc_real", "single GAN terms", "discriminator", 0.25),
    Term("disc_generated", "single GAN terms", "discriminator", 0.25),
    Term("disc_total", "the discriminator's sum", "", 0.25, total=True),
    Term("disc_real_accuracy", "patches told right", "", 0.5),
    Term("disc_generated_accuracy", "patches told right", "", 0.5),
)


# Networks (section 3, appendix C)


def build_generator(task: Task, settings: Settings, seed: int) -> "keras.Model":
    """Return the generator; see `layers.residual.build_quartering`.

    Returns:
        `[N, H, W, 3] -> [N, H, W, 3]` float32 in [-1, 1].

    Raises:
        UserError: inputs and photos are not of one kind, or a side is no multiple of `multiple_px`.
    """
    from pix2street.layers.residual import build_quartering

    if task.labels or task.target_shape[-1] != task.input_shape[-1]:
        raise UserError(
            "train.model: cut finds photos' patches again in their inputs, so both must be colours; set "
            "train.data.encoding to color and split.target_mode to rgb"
        )
    filters, blocks, upsample = settings.generator_filters, settings.blocks, settings.upsample
    return build_quartering(task.input_shape, task.target_shape[-1], filters, blocks, upsample, seed, settings.mask)


def multiple_px(task: Task, settings: Settings) -> int:
    """Return the number of which both sides of an input must be a multiple."""
    from pix2street.layers.residual import QUARTERED_PX

    return QUARTERED_PX


def build_discriminator(task: Task, settings: Settings, seed: int) -> "keras.Model":
    """Return a PatchGAN that sees a photo alone; see `layers/patchgan.py`.

    Raises:
        UserError: so small a photo leaves no logit.
    """
    from pix2street.layers.patchgan import build_patchgan

    return build_patchgan(None, task.target_shape, settings.discriminator_filters, seed, "instance")


def encoder_of(generator: "keras.Model", settings: Settings) -> "keras.Model":
    """Return the first half of G: it gives pixels, both halvings, and the first and the middle block."""
    import keras

    blocks = dict.fromkeys(["block_1", f"block_{(settings.blocks + 1) // 2}"])
    taps = [generator.get_layer(name).output for name in ("down_1_conv", "down_2_conv", *blocks)]
    return keras.Model(generator.input, [generator.input, *taps], name="encoder")


def build_heads(encoder: "keras.Model", settings: Settings, seed: int) -> "keras.Model":
    """Return the perceptrons over the encoder's features; see `layers.contrast.build_heads`."""
    from pix2street.layers import contrast

    return contrast.build_heads([tap.shape[-1] for tap in encoder.outputs], settings.head_width, seed)


# Losses (section 3, equations 1 to 5)


def contrast_of(
    photo_taps: Any, input_taps: Any, heads: "keras.Model", settings: Settings, draws: Any
) -> tuple[Any, Any]:
    """Return the mean contrast over the taps (equation 4), and the mean share of patches that are found.

    Args:
        photo_taps, input_taps: the encoder's features of photos and of their inputs, `[[N, H, W, C], ...]`.
        draws: a seed generator, which draws the places.
    """
    from pix2street.layers.contrast import draw_places, patch_contrast, take_places

    places = [draw_places(tap.shape[1] * tap.shape[2], settings.patches, draws) for tap in input_taps]
    queries, keys = (
        heads([take_places(tap, at) for tap, at in zip(taps, places, strict=True)]) for taps in (photo_taps, input_taps)
    )
    pairs = zip(queries, keys, strict=True)
    losses, shares = zip(*(patch_contrast(*pair, settings.temperature) for pair in pairs), strict=True)
    return sum(losses) / len(losses), sum(shares) / len(shares)


def losses(real: Any, generated: Any, nce: Any, identity: Any, settings: Settings) -> dict:
    """Return every number by its name in `TERMS` but `patches_found`; the two totals update the networks.

    G minimises equation 5, with squares in place of logarithms. With the identity term, `nce_weight` weighs the mean of
    the two contrasts, as in the reference. The losses of D are halved.

    Args:
        real, generated: the logits of real photos, and of G's.
        nce, identity: the contrast of G's photos with their inputs, and of real photos with what G makes of them; the
            second is None without the identity term.
    """
    from pix2street.layers.losses import accuracy_generated, accuracy_real, squares_generated, squares_real

    terms = {
        "gen_gan": squares_real(generated),
        "gen_nce": nce,
        "gen_identity": 0.0 if identity is None else identity,
        "disc_real": squares_real(real),
        "disc_generated": squares_generated(generated),
        "disc_real_accuracy": accuracy_real(real - 0.5),
        "disc_generated_accuracy": accuracy_generated(generated - 0.5),
    }
    contrast = nce if identity is None else (nce + identity) / 2
    return terms | {
        "gen_total": terms["gen_gan"] + settings.nce_weight * contrast,
        "disc_total": (terms["disc_real"] + terms["disc_generated"]) / 2,
    }


# One update


def build_training(
    task: Task, settings: Settings, generator: "keras.Model", make_player: MakePlayer, seed: int
) -> Training:
    """Return the training of G and its heads against D; all updates start from the same weights.

    Raises:
        UserError: `build_discriminator` fails.
    """
    import keras
    import tensorflow as tf

    encoder = encoder_of(generator, settings)
    heads, judge = build_heads(encoder, settings, seed), build_discriminator(task, settings, seed)
    betas = {"beta_1": settings.beta_1, "beta_2": settings.beta_2}
    gen = make_player([generator, heads], learning_rate=settings.generator_rate, **betas)
    disc = make_player([judge], learning_rate=settings.discriminator_rate, **betas)
    # The places are the same on all devices; noise layers would draw others on each.
    draws = keras.random.SeedGenerator(seed)

    def contrast(photo, source, turn):
        photo_taps = [turn(tap) for tap in encoder(photo, training=True)]
        return contrast_of(photo_taps, encoder(source, training=True), heads, settings, draws)

    def step(batch: Batch) -> dict:
        inputs, targets = batch["input"], batch["target"]
        turn = mirrored_by(draws) if settings.mirror_equivariance else tf.identity
        with tf.GradientTape(persistent=True) as tape:
            photo = generator(turn(inputs), training=True)
            nce, found = contrast(photo, inputs, turn)
            identity = None
            if settings.identity:
                identity, _ = contrast(generator(turn(targets), training=True), targets, turn)
            seen = [judge(some, training=True) for some in (targets, photo)]
            terms = losses(*seen, nce, identity, settings) | {"patches_found": found}
            gen_loss, disc_loss = gen.scaled(terms["gen_total"]), disc.scaled(terms["disc_total"])
        gen.descend(tape, gen_loss)
        disc.descend(tape, disc_loss)
        return {term.name: tf.convert_to_tensor(terms[term.name]) for term in TERMS}

    networks = {"generator": generator, "heads": heads, "discriminator": judge}
    return Training(networks, {"generator": gen, "discriminator": disc}, step, [draws.state])


def mirrored_by(draws: Any) -> Any:
    """Return a function that mirrors images and their features from left to right, or does not, by one coin."""
    import keras
    from keras import ops

    turned = keras.random.uniform((), dtype="float32", seed=draws) < 0.5
    return lambda images: ops.where(turned, ops.flip(images, axis=2), images)
