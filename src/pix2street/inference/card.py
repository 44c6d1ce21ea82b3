"""A generator's card, `card.json` beside its weights: everything that those who use a generator need to know of it."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, Self

from pix2street.core.domains import pairs_to_translate
from pix2street.core.errors import UserError
from pix2street.core.files import read_json, write_json
from pix2street.core.frames import FrameCounts
from pix2street.core.pairs import Dataset, InputFrom, Pair, read_pairs
from pix2street.core.photos import read_photos
from pix2street.core.scales import Scale
from pix2street.core.styles import BANKS, StyleBank
from pix2street.inference.ways import Way
from pix2street.training.batches import InputEncoding

FILE = "card.json"

FILE_BEFORE_CARDS = "usage.json"
"""The file that versions without cards wrote beside the weights of a U-Net, which was their only generator."""

WAY_OUT = "name another folder, or run `dvc repro`"

Noise = Literal["none", "dropout", "latent"]


@dataclass(frozen=True, kw_only=True)
class GeneratorCard:
    """The description of a trained generator: its inputs, its photos, and the mode in which it was examined.

    Args:
        family: the name of the kind of model, see `models.MODELS`.
        input_from: the source of its training inputs, see `pairs.Dataset`.
        height_px, width_px: the size of its training inputs.
        multiple_px: the number of which both sides of the network's inputs must be a multiple.
        scale: the ratio of a photo's height and width to those of its input.
        conditions: the number of values of each further input, by its name.
        noise: the kind of noise in the network that makes photos of one input differ.
        noise_on, norm, seed: the mode in which it was examined, from the section `generate`.
        intra_op_threads, inter_op_threads: the threads of training, from the section `compute`; the last bits depend on
            them.
        kernels: `numerics.kernels` in training; the last bits depend on them, too.
        reach_px: how far from a pixel of an input the pixels of its photo lie that depend on it, in the input's pixels.
            Large inputs are translated in tiles that overlap by so much. It is 0 for a generator whose photos may
            depend on all of their inputs, which is never given tiles.
        phases: the earlier phases of the training, whose generators are in folders of these names.
        way: the direction, see `inference/ways.py`.
        frames: the frames that an input and a photo have one under the other; None for single images. The height is
            that of all frames of an input, and `multiple_px` is that of a frame.
    """

    family: str
    encoding: InputEncoding
    input_from: InputFrom
    height_px: int
    width_px: int
    multiple_px: int
    scale: Scale = field(default_factory=Scale)
    conditions: Mapping[str, int] = field(default_factory=dict)
    noise: Noise
    noise_on: bool
    norm: str
    seed: int
    intra_op_threads: int = 1
    inter_op_threads: int = 2
    kernels: str = ""
    reach_px: int = 0
    phases: Sequence[str] = ()
    way: Way = "forth"
    frames: FrameCounts | None = None

    @property
    def counts(self) -> tuple[int, int]:
        """The numbers of frames of an input and of a photo; 1 and 1 for single images."""
        return (self.frames.frames_in, self.frames.frames_out) if self.frames else (1, 1)

    @property
    def noisy(self) -> bool:
        """Return whether the network's noise is on: the generator has some, and it is used."""
        return self.noise != "none" and self.noise_on

    @property
    def seeded(self) -> bool:
        """Return whether photos depend on a seed: noise is on, or latents or the styles of inputs are drawn."""
        return self.noisy or self.encoding.style != "none" or self.encoding.latent is not None

    def read_bank(self, folder: Path) -> StyleBank | None:
        """Return the source of the styles that its inputs have in use, from its folder; None for inputs without.

        Raises:
            UserError: the bank's file is missing or damaged.
        """
        return None if self.encoding.style == "none" else BANKS[self.encoding.style].read(folder)

    def fits(self, dataset: Dataset) -> bool:
        """Return whether a data set can hold inputs for it: drawings of its classes, or photos, or none."""
        if self.encoding.latent:
            return True
        photos = self.way == "back" or bool(dataset.domains)
        return dataset.classes == self.encoding.classes or (photos and self.encoding.classes is None)

    def inputs_in(self, split: Path, subset: str) -> list[Pair]:
        """Return its inputs in one subset of a data set that it fits, each beside a target; the list may be empty.

        A generator without inputs makes a photo for each photo of the subset, of which it sees only the pair_id.
        """
        if self.encoding.latent:
            return read_photos(split, subset)
        domains = Dataset.read(split).domains
        if self.way == "back" and not domains:
            return [pair.turned() for pair in read_pairs(split, subset)]
        domain = 0 if self.way == "back" else self.encoding.domain
        return pairs_to_translate(split, subset, self.encoding.classes is not None, domain)

    def write(self, folder: Path) -> None:
        """Write the card into `folder`."""
        write_json(folder / FILE, self.to_json())

    def to_json(self) -> dict[str, Any]:
        """Return the card as JSON holds it."""
        fields = {**vars(self), "encoding": self.encoding.to_json(), "scale": self.scale.to_json()}
        if self.frames:
            fields["frames"] = asdict(self.frames)
        # A card says nothing of what most generators do not have.
        usual = {"way": "forth", "reach_px": 0, "phases": (), "frames": None}
        return {name: value for name, value in fields.items() if name not in usual or value != usual[name]}

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Return the card of the generator in `folder`, even if an old version recorded it without a card.

        Raises:
            UserError: the folder has no card and hence no generator of this project, or the card is damaged or has
                other fields.
        """
        if not (folder / FILE).is_file() and (folder / FILE_BEFORE_CARDS).is_file():
            return read_json(folder / FILE_BEFORE_CARDS, cls._from_before_cards, WAY_OUT)
        if not (folder / FILE).is_file():
            raise UserError(f"{folder}: must hold {FILE}, as models/generator does; {WAY_OUT}")
        return read_json(folder / FILE, cls._from_json, WAY_OUT)

    @classmethod
    def _from_json(cls, fields: dict[str, Any]) -> Self:
        encoding, scale = InputEncoding.from_json(fields["encoding"]), Scale.from_json(fields.get("scale", 1))
        phases, frames = tuple(fields.get("phases", ())), fields.get("frames")
        frames = frames and FrameCounts(**frames)
        return cls(**{**fields, "encoding": encoding, "scale": scale, "phases": phases, "frames": frames})

    @classmethod
    def _from_before_cards(cls, fields: dict[str, Any]) -> Self:
        common = math.gcd(fields["height_px"], fields["width_px"])
        return cls._from_json(
            {
                **{name: value for name, value in fields.items() if name != "dropout"},
                "family": "pix2pix",
                # These networks halve both sides as often as both are even.
                "multiple_px": common & -common,
                "noise": "dropout",
                "noise_on": fields["dropout"],
            }
        )
