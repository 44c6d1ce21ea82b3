"""The section `verify`, which no stage reads."""

from typing import Annotated

from pydantic import Field

from pix2street.settings.section import Section

Tolerance = Annotated[float, Field(ge=0)]


class Verify(Section):
    """The differences of scores that `pix2street verify --tolerant` accepts."""

    l1: Tolerance
    psnr: Tolerance
    ssim: Tolerance
    pixel_accuracy: Tolerance
    mean_iou: Tolerance
    swd: Tolerance
