"""Parts of the sections of `params.yaml`: typed values with their ranges.

No key has a default: `params.yaml` names every key, so that DVC sees every value. This module does not load NumPy,
which reads the environment once, because the caller sets the environment later.
"""

import os
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

Seed = Annotated[int, Field(ge=0, lt=2**31)]
Count = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(ge=0, le=1)]
LearningRate = Annotated[float, Field(gt=0, le=1)]
Beta = Annotated[float, Field(ge=0, lt=1)]
"""How much an Adam optimizer remembers of the gradients or of their squares."""
Weight = Annotated[float, Field(ge=0)]
"""The weight of a term in a loss."""
Device = Literal["auto", "cpu", "gpu"]


class Section(BaseModel):
    """A mapping that refuses unknown keys and cannot be changed."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


def _full_path(path: str) -> str:
    if path.startswith("~"):
        full = os.path.expanduser(path)
        raise ValueError(f"must be written in full, {full}: DVC reads it too, and takes ~ for a folder's name")
    return path


TrackedPath = Annotated[str, Field(min_length=1), AfterValidator(_full_path)]
"""A path that `dvc.yaml` names as a dependency."""
