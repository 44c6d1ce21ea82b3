"""Values that tests start from: params.yaml with what profiles start from, pix2pix as in its paper."""

from pathlib import Path

from pix2street.core.yaml import as_yaml, load_yaml
from pix2street.params import parse_params

ROOT = Path(__file__).parents[1]


def _with(values: dict, others: dict) -> dict:
    return values | {key: _with(values[key], of) if isinstance(of, dict) else of for key, of in others.items()}


def _read(name: str) -> dict:
    return load_yaml((ROOT / name).read_text(), name)


PARAMS = parse_params(as_yaml(_with(_read("params.yaml"), _read("profiles/base.yaml"))), "params.yaml")


def changed(section, **changes):
    """Return a section with these changes, checked; a change to a section within it is a mapping."""
    # The dump of `train` leaves out the families that are not chosen.
    values = dict(section)
    for name, value in changes.items():
        values[name] = {**dict(values[name]), **value} if isinstance(value, dict) else value
    return type(section).model_validate(values)
