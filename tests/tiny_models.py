"""Small generators of pix2pix: their settings, networks and cards, and folders as training leaves them."""

import json
import math
from pathlib import Path

import keras
import numpy as np
from shipped import PARAMS, changed

from pix2street.core.classes import ClassTable, cityscapes_classes
from pix2street.core.codes import CodeBank
from pix2street.core.palettes import PaletteBank, Regions
from pix2street.inference.card import GeneratorCard
from pix2street.layers.networks import save_network
from pix2street.models import open_family, pix2pix
from pix2street.models.interface import Task
from pix2street.training.batches import InputEncoding

CLASSES = cityscapes_classes()
SETTINGS = PARAMS.train
TINY_TRAIN = changed(
    SETTINGS,
    run={"epochs": 3, "sample_every_epochs": 2, "sample_pairs": 2, "checkpoint_every_steps": 3},
    data={"holdout_pairs": 0},
    device={"cache_mib": 64},
    pix2pix={
        "generator_filters": 4, "discriminator_filters": 4, "generator_rate": 2e-3, "discriminator_rate": 2e-3,
    },
)  # fmt: skip
"""The section `train` of a training that takes seconds."""

SMALL = {
    "pix2pix": {"generator_filters": 4, "discriminator_filters": 4},
    "pix2pixhd": {"generator_filters": 4, "discriminator_filters": 4, "downs": 2, "blocks": 1, "scales": 1},
    "oasis": {"generator_filters": 4, "discriminator_filters": 4, "labelmix_weight": 1.0, "hinge_weight": 0.5},
    "cyclegan": {"generator_filters": 2, "discriminator_filters": 4, "blocks": 1, "pool": 3},
    "cut": {"generator_filters": 2, "discriminator_filters": 4, "blocks": 1, "patches": 16, "head_width": 8},
    "stylegan": {
        "latent": 4,
        "generator_filters": 2,
        "discriminator_filters": 2,
        "max_filters": 4,
        "min_photos": 1,
        "penalty_every": 2,
    },
    "stargan": {"generator_filters": 2, "discriminator_filters": 2, "blocks": 1, "gan_loss": "wasserstein"},
    "srgan": {"generator_filters": 4, "discriminator_filters": 2, "blocks": 1, "pretrain_share": 0.0},
    "futuregan": {"generator_filters": 2, "discriminator_filters": 2, "levels": 2, "l1_weight": 1.0},
}
"""The settings that make each family small."""


def pix2pix_settings(**changes) -> pix2pix.Settings:
    """Return the default's section `train.pix2pix`, four filters wide, with these changes and without products."""
    return SETTINGS.pix2pix.model_copy(
        update={"generator_filters": 4, "discriminator_filters": 4, "product_side_px": 0, **changes}
    )


def build_unet(
    input_shape: tuple[int, int, int], channels: int = 3, filters: int = 4, seed: int = 0, **changes
) -> keras.Model:
    """Return the generator of pix2pix for such inputs."""
    task = Task(input_shape, (*input_shape[:2], channels))
    return pix2pix.build_generator(task, pix2pix_settings(generator_filters=filters, **changes), seed)


def tiny_card(
    encoding: InputEncoding,
    input_from: str = "left",
    height_px: int = 32,
    width_px: int = 32,
    norm: str = "batch",
    noise_on: bool = True,
    seed: int = 0,
    **others,
) -> GeneratorCard:
    """Return the card of the generator that `save_moved` saves for it."""
    common = math.gcd(height_px, width_px)
    fields = {"family": "pix2pix", "multiple_px": common & -common, "noise": "dropout", **others}
    return GeneratorCard(
        encoding=encoding,
        input_from=input_from,
        height_px=height_px,
        width_px=width_px,
        norm=norm,
        noise_on=noise_on,
        seed=seed,
        **fields,
    )


def save_moved(folder: Path, card: GeneratorCard, product_side_px: int = 0, **changes) -> None:
    """Write a generator that was "trained" by moving every weight a little, its card, and its bank if it needs one.

    Args:
        changes: of the default's section of pix2pix; another family has four filters.
    """
    shape = (card.height_px, card.width_px, card.encoding.channels)
    if card.family == "pix2pix":
        network = build_unet(shape, product_side_px=product_side_px, **changes)
    else:
        domains = len(card.encoding.domains)
        conditions = {"domain": domains} if domains else {}
        encoded = {"labels": card.encoding.labels, "constant": card.encoding.constant, "conditions": conditions}
        if card.encoding.latent:
            encoded = {"latent": card.encoding.latent}
        task = Task((*shape[:2], shape[2] - domains), (*shape[:2], 3), **encoded)
        settings = changed(getattr(SETTINGS, card.family), generator_filters=4)
        if card.encoding.latent:
            settings = changed(settings, latent=card.encoding.latent[1], max_filters=8)
        network = open_family(card.family).build_generator(task, settings, 0)
    rng = np.random.default_rng(1)
    network.set_weights([weight + rng.normal(0, 0.05, weight.shape) ** 2 for weight in network.get_weights()])
    save_network(network, folder, "generator")
    card.write(folder)
    if card.encoding.style == "palette":
        tiny_bank().write(folder)
    if card.encoding.style == "code":
        tiny_codes(card.encoding.classes).write(folder)


def tiny_bank(photos: int = 96) -> PaletteBank:
    """Return the palettes of photos of road (7) below sky (23) and a car (26), each with another light."""
    ids = np.full((16, 16), 23, np.uint8)
    ids[6:] = 7
    ids[9:13, 3:8] = 26
    rng, regions = np.random.default_rng(0), Regions.of(ids)
    return PaletteBank.of((regions, regions.paint(rng.integers(0, 256, (3, 3)))) for _ in range(photos))


def tiny_codes(classes: ClassTable | None = CLASSES, photos: int = 96) -> CodeBank:
    """Return the codes of photos of road (7) below sky (23), or of a grey drawing, each with other colours."""
    drawing = np.full((16, 16), 23, np.uint8)
    drawing[6:] = 7
    if classes is None:
        drawing = np.repeat(drawing[..., None], 3, axis=2)
    rng = np.random.default_rng(0)
    return CodeBank.of(((drawing, rng.integers(0, 256, (16, 16, 3))) for _ in range(photos)), classes)


def write_as_before_cards(folder: Path, card: GeneratorCard) -> None:
    """Write what versions without cards wrote, and remove the card."""
    fields = card.to_json()
    names = ("encoding", "input_from", "height_px", "width_px", "norm", "seed")
    names += ("intra_op_threads", "inter_op_threads", "kernels")
    usage = {**{name: fields[name] for name in names}, "dropout": card.noise_on}
    (folder / "usage.json").write_text(json.dumps(usage))
    (folder / "card.json").unlink(missing_ok=True)
