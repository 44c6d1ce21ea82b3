"""The section `generate`."""

from typing import Annotated, Literal

from pydantic import Field

from pix2street.settings.section import Count, Device, Section, Seed


class Generate(Section):
    """The behaviour of the generator in use, which is the same for samples, `generate` and export; further draws."""

    device: Device
    seed: Seed
    norm: Literal["batch", "moving"]
    dropout: bool
    draws: Annotated[int, Field(ge=0, le=1000)]
    draw_pairs: Count
