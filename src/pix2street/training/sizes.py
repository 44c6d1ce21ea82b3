"""Refusals of targets whose size does not fit a family or an augmentation."""

import keras

from pix2street.core.errors import UserError
from pix2street.core.scales import Scale
from pix2street.models.interface import Task


def refuse_other_size(generator: keras.Model, task: Task, model: str) -> None:
    """Raise UserError where a generator's photos do not have the size of the targets."""
    made, wanted = generator.output_shape[1:3], task.target_shape[:2]
    if made != wanted:
        raise UserError(
            f"train.model: {model} makes photos of {made[1]}x{made[0]} px of this data set's inputs of "
            f"{task.input_shape[1]}x{task.input_shape[0]} px, but its targets have {wanted[1]}x{wanted[0]} px; choose "
            "another model or another data set"
        )


def refuse_jitter(task: Task, jitter: bool) -> None:
    """Raise UserError where inputs and targets cannot be cropped at the same place."""
    scale = Scale.of(task.input_shape[:2], task.target_shape[:2])
    whole = scale.height.denominator == 1 or scale.height.numerator == 1
    if jitter and not (scale.alike and whole):
        raise UserError(
            "train.data.jitter: true needs targets whose sides are the same whole multiple of their inputs' sides, but "
            f"a target here is {scale.height} times as high and {scale.width} times as wide as its input; use false"
        )
