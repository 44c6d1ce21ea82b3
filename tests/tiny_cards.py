"""Cards of small generators."""

import json
import math
from pathlib import Path

from pix2street.inference.card import GeneratorCard
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
    """Return the card of the generator that `tiny_models.save_moved` saves for it."""
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


def write_as_before_cards(folder: Path, card: GeneratorCard) -> None:
    """Write what versions without cards wrote, and remove the card."""
    fields = card.to_json()
    names = ("encoding", "input_from", "height_px", "width_px", "norm", "seed")
    names += ("intra_op_threads", "inter_op_threads", "kernels")
    usage = {**{name: fields[name] for name in names}, "dropout": card.noise_on}
    (folder / "usage.json").write_text(json.dumps(usage))
    (folder / "card.json").unlink(missing_ok=True)
