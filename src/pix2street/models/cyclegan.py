"""CycleGAN (Zhu et al. 2017, "Unpaired image-to-image translation using cycle-consistent adversarial networks").

Two generators turn images of one kind into those of the other and back: G inputs into photos, F photos into inputs. A
discriminator for each kind says for every patch whether an image of its kind is real. Nothing says which photo belongs
to which input; G and F learn that from having to undo each other.

Inputs are colours on both sides, as in the paper's experiments with the labels of Cityscapes (section 5.1.2): F paints
drawings in the colours of their classes. A discriminator of one-hot labels would tell them by their not being 0 or 1.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from pix2street.core.errors import UserError
from pix2street.models.interface import Batch, MakePlayer, Task, Term, Training
from pix2street.settings.section import Beta, Count, LearningRate, Section, Weight

if TYPE_CHECKING:
    import keras

TITLE = "CycleGAN"
PAPER = "Zhu et al. 2017, Unpaired image-to-image translation using cycle-consistent adversarial networks"


class Settings(Section):
    """The section `train.cyclegan`."""

    generator_filters: Count
    discriminator_filters: Count
    blocks: Count
    upsample: Literal["transpose", "resize"]
    mask: bool
    cycle_weight: Weight
    identity_weight: Weight
    pool: Annotated[int, Field(ge=0)]
    generator_rate: LearningRate
    discriminator_rate: LearningRate
    beta_1: Beta
    beta_2: Beta


PAIRING = "unpaired"
NOISE = "none"

# A discriminator that cannot tell says 1/2, which is a square of 1/4 from either answer.
TERMS = (
    Term("gen_total", "the generators' sum", total=True),
    Term("gen_gan", "single GAN terms", "generator", 0.25),
    Term("gen_cycle", "cycles, L1, 0 to 2"),
    Term("gen_identity", "identity, L1, 0 to 2", needs="identity_weight"),
    Term("disc_real", "single GAN terms", "discriminator", 0.25),
    Term("disc_generated", "single GAN terms", "discriminator", 0.25),
    Term("back_gan", "single GAN terms, way back", "", 0.25),
    Term("back_cycle", "cycles, L1, 0 to 2"),
    Term("back_identity", "identity, L1, 0 to 2", needs="identity_weight"),
    Term("back_disc_real", "single GAN terms, way back", "", 0.25),
    Term("back_disc_generated", "single GAN terms, way back", "", 0.25),
    Term("disc_total", "the discriminators' sum", "", 0.5, total=True),
    Term("disc_real_accuracy", "patches told right", "", 0.5),
    Term("disc_generated_accuracy", "patches told right", "", 0.5),
)


# Networks (section 4, appendix 7.2)


def build_generator(task: Task, settings: Settings, seed: int) -> "keras.Model":
    """Return a generator: G, or F for the task with inputs and targets exchanged.

    With 9 blocks and 64 filters it is the paper's; its reference has 6 blocks for images of 128 px.

    Returns:
        `[N, H, W, 3] -> [N, H, W, 3]` float32 in [-1, 1].

    Raises:
        UserError: inputs or targets are no colours, or a side is no multiple of `multiple_px`.
    """
    from pix2street.layers.residual import build_quartering

    _check_colors(task)
    filters, blocks, upsample = settings.generator_filters, settings.blocks, settings.upsample
    return build_quartering(task.input_shape, task.target_shape[-1], filters, blocks, upsample, seed, settings.mask)


def _check_colors(task: Task) -> None:
    """Raise a `UserError` if inputs or targets are no colours."""
    if task.labels:
        raise UserError(
            "train.data.encoding: onehot does not fit train.model: cyclegan, whose way back paints drawings in the "
            "colours of their classes; use color"
        )
    if task.target_shape[-1] != task.input_shape[-1]:
        raise UserError(
            f"split.target_mode: train.model: cyclegan needs targets with {task.input_shape[-1]} channels, as its "
            f"inputs have, but they have {task.target_shape[-1]}; use rgb"
        )


def multiple_px(task: Task, settings: Settings) -> int:
    """Return the number of which both sides of an input must be a multiple."""
    from pix2street.layers.residual import QUARTERED_PX

    return QUARTERED_PX


def build_discriminator(task: Task, settings: Settings, seed: int) -> "keras.Model":
    """Return a PatchGAN that sees an image of the task's targets alone; see `layers/patchgan.py`.

    Raises:
        UserError: so small an image leaves no logit.
    """
    from pix2street.layers.patchgan import build_patchgan

    return build_patchgan(None, task.target_shape, settings.discriminator_filters, seed, "instance")


# Losses (section 3)


@dataclass(frozen=True)
class Way:
    """The images and logits of one direction in a step.

    Args:
        source: real images from which the way begins, `[N, H, W, 3]` in [-1, 1].
        again: what the other way makes of this way's translations of them.
        real, generated, pooled: what the discriminator of the way's end says of real images, of translations, and of
            those that the pool gives for them.
        end, same: real images of the way's end, and their translations by this way; None where `identity_weight` is 0.
    """

    source: Any
    again: Any
    real: Any
    generated: Any
    pooled: Any
    end: Any = None
    same: Any = None


def losses(forth: Way, back: Way, settings: Settings) -> dict:
    """Return every number by its name in `TERMS`; the two totals update the networks.

    G and F minimise the sum of equation 3 with squares in place of logarithms (section 4) and of the identity term
    (section 5.2). The losses of a discriminator are halved, as in the paper.
    """
    from pix2street.layers.losses import accuracy_generated, accuracy_real, l1, squares_generated, squares_real

    terms = {}
    for way, gen, disc in ((forth, "gen_", "disc_"), (back, "back_", "back_disc_")):
        terms |= {
            f"{gen}gan": squares_real(way.generated),
            f"{gen}cycle": l1(way.again, way.source),
            f"{gen}identity": 0.0 if way.same is None else l1(way.same, way.end),
            f"{disc}real": squares_real(way.real),
            f"{disc}generated": squares_generated(way.pooled),
        }
    return terms | {
        "gen_total": sum(
            terms[f"{gen}gan"]
            + settings.cycle_weight * terms[f"{gen}cycle"]
            + settings.identity_weight * terms[f"{gen}identity"]
            for gen in ("gen_", "back_")
        ),
        "disc_total": sum(terms[f"{disc}real"] + terms[f"{disc}generated"] for disc in ("disc_", "back_disc_")) / 2,
        "disc_real_accuracy": accuracy_real(forth.real - 0.5),
        "disc_generated_accuracy": accuracy_generated(forth.pooled - 0.5),
    }


# One update


def build_training(
    task: Task, settings: Settings, generator: "keras.Model", make_player: MakePlayer, seed: int
) -> Training:
    """Return the training of G and F against their discriminators; all updates start from the same weights.

    Raises:
        UserError: `build_generator` or `build_discriminator` fails.
    """
    import tensorflow as tf

    task_back = Task(task.target_shape, task.input_shape)
    back = build_generator(task_back, settings, seed + 1)
    judges = build_discriminator(task, settings, seed), build_discriminator(task_back, settings, seed + 1)
    pools = [build_pool(task.target_shape, settings, seed), build_pool(task.input_shape, settings, seed + 1)]
    betas = {"beta_1": settings.beta_1, "beta_2": settings.beta_2}
    gen = make_player([generator, back], learning_rate=settings.generator_rate, **betas)
    disc = make_player(list(judges), learning_rate=settings.discriminator_rate, **betas)

    def go(there, again, judge, pool, source, end) -> Way:
        made = there(source, training=True)
        seen = [judge(images, training=True) for images in (end, made, shared(pool, made))]
        same = there(end, training=True) if settings.identity_weight else None
        return Way(source, again(made, training=True), *seen, end, same)

    def step(batch: Batch) -> dict:
        inputs, targets = batch["input"], batch["target"]
        with tf.GradientTape(persistent=True) as tape:
            terms = losses(
                go(generator, back, judges[0], pools[0], inputs, targets),
                go(back, generator, judges[1], pools[1], targets, inputs),
                settings,
            )
            gen_loss, disc_loss = gen.scaled(terms["gen_total"]), disc.scaled(terms["disc_total"])
        gen.descend(tape, gen_loss)
        disc.descend(tape, disc_loss)
        return {term.name: tf.convert_to_tensor(terms[term.name]) for term in TERMS}

    networks = {"generator": generator, "back": back, "discriminator": judges[0], "back_discriminator": judges[1]}
    state = [weight for pool in pools if pool for weight in pool.variables]
    ways = {"back": task_back}
    return Training(networks, {"generator": gen, "discriminator": disc}, step, state, ways=ways)


def build_pool(shape: tuple[int, int, int], settings: Settings, seed: int) -> Any:
    """Return the pool of generated images of this shape; None where `pool` is 0. See `layers.pool.ImagePool`."""
    from pix2street.layers.pool import ImagePool

    if not settings.pool:
        return None
    pool = ImagePool(settings.pool, seed)
    pool.build((None, *shape))
    return pool


def shared(pool: Any, images: Any) -> Any:
    """Return what the pool gives for these images; all devices have the same pool, as one device would have it."""
    import tensorflow as tf

    if pool is None:
        return tf.stop_gradient(images)
    context, share = tf.distribute.get_replica_context(), images.shape[0]
    if context.num_replicas_in_sync == 1:
        return pool(images)
    everyones = context.all_gather(images, axis=0)
    everyones = tf.ensure_shape(everyones, (share * context.num_replicas_in_sync, *images.shape[1:]))
    first = context.replica_id_in_sync_group * share
    return pool(everyones)[first : first + share]
