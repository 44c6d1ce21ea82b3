"""The directions of a model that learned both ways; this module loads no library."""

from pathlib import Path
from typing import Literal

from pix2street.core.errors import UserError

Way = Literal["forth", "back"]
"""The direction of a generator: "forth" from inputs to photos, "back" from targets to inputs."""

WAYS: tuple[Way, ...] = ("forth", "back")


def folder_of(generator_folder: Path, way: Way) -> Path:
    """Return the folder of the generator of this direction, which for "back" lies in that of the other.

    Raises:
        UserError: there is none.
    """
    if way == "forth":
        return generator_folder
    folder = generator_folder / way
    if not folder.is_dir():
        raise UserError(
            f"--direction: {generator_folder} holds no generator of the way back, which only models such as cyclegan "
            "learn; leave the option out"
        )
    return folder
