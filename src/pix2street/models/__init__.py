"""Families of models, a module each.

To add one, write `models/<name>.py` with what `interface.Family` names, add a line to `MODELS`, its section to `train`
in `params.yaml` and a profile. The battery of `tests/model_battery.py` then runs on it unchanged.
"""

import importlib
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from pix2street.models.interface import Family

MODELS = {
    "pix2pix": "pix2street.models.pix2pix",
}
"""Where each family is. A family is imported only where it is chosen, so that no other makes its trainings stale."""


def open_family(name: str) -> "Family":
    """Return the module of the family `name`."""
    return cast("Family", importlib.import_module(MODELS[name]))
