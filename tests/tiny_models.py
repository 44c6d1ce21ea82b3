"""Small networks and settings of pix2pix, for tests that need some."""

from pathlib import Path

import keras

from pix2street.models import pix2pix
from pix2street.models.interface import Task
from pix2street.params import read_params

PARAMS = read_params(Path(__file__).parents[1] / "params.yaml")
SETTINGS = PARAMS.train


def pix2pix_settings(**changes) -> pix2pix.Settings:
    """Return the default's section `train.pix2pix`, four filters wide, with these changes and without products."""
    return SETTINGS.pix2pix.model_copy(
        update={"generator_filters": 4, "discriminator_filters": 4, "product_side_px": 0, **changes}
    )


def build_unet(
    input_shape: tuple[int, int, int], channels: int = 3, filters: int = 4, seed: int = 0, **changes
) -> keras.Model:
    """Return the generator of pix2pix for such inputs."""
    task = Task(input_shape, (*input_shape[:2], channels))
    return pix2pix.build_generator(task, pix2pix_settings(generator_filters=filters, **changes), seed)


def changed(section, **changes):
    """Return a section with these changes, checked; a change to a section within it is a mapping."""
    values = section.model_dump()
    for name, value in changes.items():
        values[name] = {**values[name], **value} if isinstance(value, dict) else value
    return type(section).model_validate(values)


TINY_TRAIN = changed(
    SETTINGS,
    run={"epochs": 3, "sample_every_epochs": 2, "sample_pairs": 2, "checkpoint_every_steps": 3},
    data={"holdout_pairs": 0},
    device={"cache_mib": 64},
    pix2pix={
        "generator_filters": 4, "discriminator_filters": 4, "generator_rate": 2e-3, "discriminator_rate": 2e-3,
    },
)  # fmt: skip
"""The section `train` of a training of seconds."""
