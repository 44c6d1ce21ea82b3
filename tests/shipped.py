"""The parameters that the project ships, and sections of them with a test's own changes."""

from pathlib import Path

from pix2street.params import read_params

PARAMS = read_params(Path(__file__).parents[1] / "params.yaml")


def changed(section, **changes):
    """Return a section with these changes, checked; a change to a section within it is a mapping."""
    # The dump of `train` leaves out the families that are not chosen.
    values = dict(section)
    for name, value in changes.items():
        values[name] = {**dict(values[name]), **value} if isinstance(value, dict) else value
    return type(section).model_validate(values)
