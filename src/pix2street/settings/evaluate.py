"""The section `evaluate`."""

from typing import Annotated, Literal

from pydantic import Field

from pix2street.settings.section import Device, Section, Share


class Evaluate(Section):
    """The photos to score, and the metrics to use besides the judge's."""

    device: Device
    subset: Literal["val", "test"]
    min_ceiling: Share
    fid: list[Literal["tf", "clean"]]
    inception: Annotated[str, Field(min_length=1)] | None
    usefulness: bool
