"""Small generators that look trained, and their cards."""

import json
import math
from pathlib import Path

import numpy as np
from tiny_models import build_unet

from pix2street.inference.card import GeneratorCard
from pix2street.layers.networks import save_network
from pix2street.training.batches import InputEncoding


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


def save_moved(folder: Path, card: GeneratorCard, product_side_px: int = 0) -> None:
    """Save a generator that was "trained" by moving every weight a little."""
    shape = (card.height_px, card.width_px, card.encoding.channels)
    network = build_unet(shape, 3, 4, 0, product_side_px=product_side_px)
    rng = np.random.default_rng(1)
    network.set_weights([weight + rng.normal(0, 0.05, weight.shape) ** 2 for weight in network.get_weights()])
    save_network(network, folder, "generator")
    card.write(folder)


def write_as_before_cards(folder: Path, card: GeneratorCard) -> None:
    """Write what versions without cards wrote, and remove the card."""
    fields = card.to_json()
    names = ("encoding", "input_from", "height_px", "width_px", "norm", "seed")
    names += ("intra_op_threads", "inter_op_threads", "kernels")
    usage = {**{name: fields[name] for name in names}, "dropout": card.noise_on}
    (folder / "usage.json").write_text(json.dumps(usage))
    (folder / "card.json").unlink(missing_ok=True)
