"""The parameters that the project ships, and sections of them with a test's own changes."""

from pathlib import Path

from pix2street.params import read_params

PARAMS = read_params(Path(__file__).parents[1] / "params.yaml")


def changed(section, **changes):
    """Return a section with these changes, checked; a change to a section within it is a mapping."""
    values = section.model_dump()
    for name, value in changes.items():
        values[name] = {**values[name], **value} if isinstance(value, dict) else value
    return type(section).model_validate(values)
