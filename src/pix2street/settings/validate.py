"""The section `validate`: the limits that the manifest must keep."""

from typing import Annotated

from pydantic import Field

from pix2street.settings.section import Count, Section, Share


class Waivers(Section):
    """The checks and pairs that may fail; the report names them."""

    checks: list[str]
    pairs: list[str]


class Validate(Section):
    """The limits that the manifest must keep."""

    min_train_pairs: Count
    min_val_pairs: Count
    min_domain_train: Count
    min_domain_val: Count
    max_domain_ratio: Annotated[float, Field(ge=1)]
    max_size_ratio: Annotated[float, Field(ge=1)]
    max_aspect_ratio: Annotated[float, Field(ge=1)]
    max_unknown_share: Share
    min_classes_in_input: Annotated[int, Field(ge=1, le=256)]
    min_input_std: Annotated[float, Field(ge=0, le=128)]
    min_target_mean: Annotated[float, Field(ge=0, le=255)]
    max_target_mean: Annotated[float, Field(ge=0, le=255)]
    min_target_std: Annotated[float, Field(ge=0, le=128)]
    min_target_entropy_bits: Annotated[float, Field(ge=0, le=8)]
    min_target_sharpness: Annotated[float, Field(ge=0)]
    min_hash_distance: Annotated[int, Field(ge=0, le=256)]
    max_class_distance: Share
    max_misread_share: Share
    max_moved_share: Share
    max_seam_share: Share
    max_between_ratio: Share
    min_fit: Annotated[float, Field(ge=-2, le=2)]
    min_lead: Annotated[float, Field(ge=-2, le=2)]
    max_outlier_share: Share
    min_best_fit_share: Share
    waive: Waivers
