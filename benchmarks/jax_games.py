"""The losses of a training step on Keras' JAX backend, family by family, for `benchmarks/jax_step.py`.

A family's own step differentiates with TensorFlow. Networks and losses are pure Keras, and the same here as there.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import keras
import numpy as np
from counting import step_gigaflop

from pix2street.layers.patchgan import with_hidden_maps
from pix2street.models import oasis, pix2pix, pix2pixhd
from pix2street.models.interface import Task

CLASSES, VOID = 34, tuple(range(7))
"""The number of Cityscapes' classes, whose channels one-hot inputs have, and those that are void."""

Terms = Callable[[jax.Array, jax.Array], Mapping[str, jax.Array]]
"""`(inputs [B, H, W, C], targets [B, H, W, 3]) -> losses`, which calls the networks of both sides."""


@dataclass(frozen=True)
class Game:
    """What a family's step consists of.

    Args:
        disc_networks: the networks that the second side updates; the mask of LabelMix, which has no weights, is one.
        gigaflop: the work of one update for one image.
    """

    generator: keras.Model
    disc_networks: Sequence[keras.Model]
    terms_of: Terms
    gigaflop: float


def pix2pix_terms(generator, discriminator, settings) -> Terms:
    """Return the losses of `models.pix2pix` with one scale."""
    viewer = with_hidden_maps(discriminator)

    def terms_of(inputs, targets):
        photo = generator(inputs, training=True)
        views = [[viewer({"input": inputs, "target": one}, training=True)] for one in (targets, photo)]
        return pix2pix.losses(*views, photo, targets, settings, settings.l1_weight)

    return terms_of


def oasis_terms(generator, discriminator, mask, task: Task, settings) -> Terms:
    """Return the losses of `models.oasis`."""
    void = np.isin(np.arange(task.labels), task.void).astype("float32")

    def terms_of(inputs, targets):
        photo = generator(inputs, training=True)
        real, generated = (discriminator(one, training=True) for one in (targets, photo))
        labels = inputs[..., : task.labels]
        terms = oasis.losses(real, generated, photo, targets, labels, void, settings)
        if settings.labelmix_weight:
            real_here = mask(labels)
            mixed = discriminator(real_here * targets + (1 - real_here) * photo, training=True)
            terms["disc_labelmix"] = oasis.labelmix(mixed, real, generated, real_here)
            terms["disc_total"] += settings.labelmix_weight * terms["disc_labelmix"]
        return terms

    return terms_of


def pix2pixhd_terms(generator, discriminators, settings) -> Terms:
    """Return the losses of `models.pix2pixhd`."""
    viewers = [with_hidden_maps(discriminator) for discriminator in discriminators]

    def terms_of(inputs, targets):
        photo = generator(inputs, training=True)
        views = [[see({"input": inputs, "target": one}, training=True) for see in viewers] for one in (targets, photo)]
        return pix2pixhd.losses(*views, photo, targets, settings)

    return terms_of


def pix2pix_game(height: int, width: int, settings: pix2pix.Settings, palette: bool) -> Game:
    """Return the game of pix2pix, which sees the drawing in colours."""
    task = Task((height, width, 6 if palette else 3), (height, width, 3))
    networks = pix2pix.build_generator(task, settings, 0), pix2pix.build_discriminator(task, settings, 0)
    return Game(networks[0], networks[1:], pix2pix_terms(*networks, settings), step_gigaflop(*networks))


def oasis_game(height: int, width: int, settings: oasis.Settings, palette: bool) -> Game:
    """Return the game of OASIS."""
    task = _labelled(height, width, palette)
    generator, discriminator = oasis.build_generator(task, settings, 0), oasis.build_discriminator(task, settings, 0)
    mask = oasis.build_mask(task, 0)
    work = step_gigaflop(generator, discriminator, mixed=settings.labelmix_weight > 0)
    terms_of = oasis_terms(generator, discriminator, mask, task, settings)
    return Game(generator, [discriminator, mask], terms_of, work)


def pix2pixhd_game(height: int, width: int, settings: pix2pixhd.Settings, palette: bool) -> Game:
    """Return the game of pix2pixHD."""
    task = _labelled(height, width, palette)
    generator = pix2pixhd.build_generator(task, settings, 0)
    discriminators = list(pix2pixhd.build_discriminators(task, settings, 0).values())
    terms_of = pix2pixhd_terms(generator, discriminators, settings)
    return Game(generator, discriminators, terms_of, step_gigaflop(generator, *discriminators))


def _labelled(height: int, width: int, palette: bool) -> Task:
    return Task((height, width, CLASSES + 3 * palette), (height, width, 3), labels=CLASSES, void=VOID)


ADAM = {"generator_rate": 2e-4, "discriminator_rate": 2e-4, "beta_1": 0.5, "beta_2": 0.999}
FAMILIES = {
    "pix2pix": (
        pix2pix_game,
        pix2pix.Settings,
        {
            **ADAM, "norm": "batch", "upsample": "transpose", "dropout_share": 0.5, "l1_weight": 100.0,
            "l1_weight_end": None, "feature_weight": 0.0, "disc_loss_weight": 1.0, "warm_up": 0.0, "scales": 1,
            "product_side_px": 0,
        },
    ),
    "oasis": (
        oasis_game,
        oasis.Settings,
        {
            **ADAM, "beta_1": 0.0, "generator_rate": 1e-4, "discriminator_rate": 4e-4, "disc_norm": "spectral",
            "levels": 5, "modulation": "spade", "spade_filters": 128, "balance_power": 1.0, "l1_weight": 0.0,
            "feature_weight": 0.0, "hinge_weight": 0.0, "labelmix_weight": 10.0,
        },
    ),
    "pix2pixhd": (
        pix2pixhd_game,
        pix2pixhd.Settings,
        {
            **ADAM, "downs": 4, "blocks": 9, "upsample": "transpose", "enhancer": False, "enhancer_blocks": 3,
            "scales": 2, "gan_loss": "least_squares", "feature_weight": 10.0, "l1_weight": 0.0,
        },
    ),
}  # fmt: skip
"""For each family: what builds its game, its settings, and those of its paper but for the filters."""


def noise_batch(game: Game, batch: int) -> tuple[jax.Array, jax.Array]:
    """Return random inputs and targets; labels are one-hot, with another class for each pixel."""
    rng = np.random.default_rng(0)
    *shape, channels = game.generator.input_shape[1:]
    inputs = rng.uniform(-1, 1, (batch, *shape, channels)).astype("float32")
    if channels >= CLASSES:
        inputs[..., :CLASSES] = np.eye(CLASSES)[rng.integers(0, CLASSES, (batch, *shape))]
    targets = rng.uniform(-1, 1, (batch, *game.generator.output_shape[1:]))
    return jnp.asarray(inputs), jnp.asarray(targets, "float32")
