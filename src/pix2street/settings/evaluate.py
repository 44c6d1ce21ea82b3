"""The section `evaluate`."""

from typing import Annotated, Literal

from pydantic import Field

from pix2street.settings.section import Device, Section, Share


class Evaluate(Section):
    """The photos that are scored, and by which metrics beside the judge."""

    device: Device
    subset: Literal["val", "test"]
    min_ceiling: Share
    fid: list[Literal["tf", "clean"]]
    inception: Annotated[str, Field(min_length=1)] | None
