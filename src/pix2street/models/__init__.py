"""Families of models, one module each.

To add a family, write `models/<name>.py` with the names of `interface.Family`, add a line to `MODELS`, a section to
`train` in `params.yaml`, and a profile. The tests of `tests/model_battery.py` then run on it unchanged.
"""

import importlib
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from pix2street.models.interface import Family

MODELS = {
    "pix2pix": "pix2street.models.pix2pix",
    "pix2pixhd": "pix2street.models.pix2pixhd",
    "oasis": "pix2street.models.oasis",
    "cyclegan": "pix2street.models.cyclegan",
    "cut": "pix2street.models.cut",
    "stargan": "pix2street.models.stargan",
    "srgan": "pix2street.models.srgan",
    "futuregan": "pix2street.models.futuregan",
    "stylegan": "pix2street.models.stylegan",
}
"""The module of each family. Only the chosen family is imported, so that no other makes its trainings stale."""


def open_family(name: str) -> "Family":
    """Return the module of the family `name`."""
    return cast("Family", importlib.import_module(MODELS[name]))
