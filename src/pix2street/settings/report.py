"""The section `report`."""

from typing import Annotated

from pydantic import Field

from pix2street.settings.section import Count, Section


class Report(Section):
    """The numbers of pairs that the report shows."""

    sample_pairs: Count
    extreme_pairs: Annotated[int, Field(ge=0)]
