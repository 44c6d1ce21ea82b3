"""The section `split`."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from pix2street.settings.section import Section


def _multiple_of_16(size: int) -> int:
    if size % 16:
        raise ValueError("must be a multiple of 16, so that the U-Net has at least four levels")
    return size


WorkingSize = Annotated[int, Field(ge=32, le=2048), AfterValidator(_multiple_of_16)]


class Split(Section):
    """The working size, the tolerance for label colours, and the channels of the targets."""

    height_px: WorkingSize
    width_px: WorkingSize
    snap_tolerance: Annotated[float, Field(ge=0, le=442)]
    max_megapixels: Annotated[float, Field(gt=0)]
    target_mode: Literal["rgb", "grey"]
