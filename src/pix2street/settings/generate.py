"""The section `generate`."""

from typing import Literal

from pix2street.settings.section import Device, Section, Seed


class Generate(Section):
    """The behaviour of the generator in use, which is the same for samples, `generate` and export."""

    device: Device
    seed: Seed
    norm: Literal["batch", "moving"]
    dropout: bool
