"""The section `segment`: the judge."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from pix2street.settings.section import Count, Device, LearningRate, Section, Seed, Share, TrackedPath


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


class Domains(Section):
    """The classifier of domains, for a set that has some."""

    side_px: Annotated[int, Field(ge=16, le=1024)]
    filters: Count
    steps: Count


class Segment(Section):
    """The judge: segmentation networks trained on the real targets of `train`, or a network from elsewhere."""

    device: Device
    judge: Annotated[str, Field(pattern=r"^(trained|keras|segformer_b[0-5]_cityscapes_1024)$")]
    path: TrackedPath
    pretrained: Pretrained
    seed: Seed
    judges: Annotated[int, Field(ge=1, le=9)]
    filters: Count
    epochs: Count
    batch: Count
    learning_rate: LearningRate
    min_class_share: Share
    min_class_ceiling: Share
    domains: Domains

    @model_validator(mode="after")
    def _only_trained_judges_differ(self) -> Self:
        if self.judge != "trained" and self.judges > 1:
            raise ValueError(
                f"judges must be 1 for {self.judge}, which is not trained here, but is {self.judges}; set judges: 1"
            )
        return self
