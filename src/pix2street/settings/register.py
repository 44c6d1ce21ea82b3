"""The section `register`."""

from typing import Annotated

from pydantic import Field, FiniteFloat

from pix2street.settings.section import Section, Share


class Register(Section):
    """The limits that a model must keep to be registered, and the scores that decide on its promotion."""

    required: bool
    # The registry refuses `/` and `:`, which would end the name in models:/<name>@<alias>.
    model: Annotated[str, Field(pattern=r"^[\w.-]+( [\w.-]+)*$")]
    max: dict[str, FiniteFloat]
    min: dict[str, FiniteFloat]
    min_of_ceiling: dict[str, Share]
    promote_by: Annotated[list[str], Field(min_length=1)]
