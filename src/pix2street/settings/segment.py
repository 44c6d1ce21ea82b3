"""The section `segment`: the judge."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from pix2street.settings.section import Count, Device, LearningRate, Section, Seed, TrackedPath


class Pretrained(Section):
    """The size and range of the photos for a judge that was not trained here."""

    height_px: Annotated[int, Field(ge=32, le=4096)]
    width_px: Annotated[int, Field(ge=32, le=4096)]
    black: float
    white: float

    @model_validator(mode="after")
    def _black_is_not_white(self) -> Self:
        if self.black == self.white:
            raise ValueError(f"black and white must differ, but both are {self.black:g}")
        return self


class Segment(Section):
    """The judge: a segmentation U-Net trained on the real targets of `train`, or a network from elsewhere."""

    device: Device
    judge: Annotated[str, Field(pattern=r"^(trained|keras|segformer_b[0-5]_cityscapes_1024)$")]
    path: TrackedPath
    pretrained: Pretrained
    seed: Seed
    filters: Count
    epochs: Count
    batch: Count
    learning_rate: LearningRate
