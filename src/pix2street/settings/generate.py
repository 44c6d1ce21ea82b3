"""The section `generate`."""

from typing import Literal

from pix2street.settings.section import Device, Section, Seed


class Generate(Section):
    """How the generator behaves when it is used; the same for samples, `generate` and export."""

    device: Device
    seed: Seed
    norm: Literal["batch", "moving"]
    dropout: bool
