"""The training step of every family, lowered for CUDA on a machine that needs no GPU.

    python benchmarks/lowering.py [FAMILY ...] [--size 64] [--batch 4] [--precision mixed_bfloat16] [--small JSON]

The step is the family's own, as `train.device.jit_compile` hands it to XLA: TensorFlow translates all of it, gradients
and updates included, by the kernels of its XLA device for GPUs. An operation without such a kernel fails here, as does
a shape that is not known or a type that does not fit. Only a GPU tells whether the code that XLA makes of it is right
and fast, and whether its memory suffices.

TensorFlow lowers a step that owns variables only for a device that is there. So here all variables are arguments, and
their new values are results, Adam is written out, and both branches of a choice are computed.
"""

import argparse
import contextlib
import json
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

from pix2street.core import numerics

if __name__ == "__main__":
    numerics.pin()

import keras
import tensorflow as tf
from families import start

from pix2street.models import MODELS
from pix2street.models.interface import Batch, Training
from pix2street.params import read_params
from pix2street.settings.train import Train


@dataclass(frozen=True)
class Player:
    """A player that updates variables of a `keras.StatelessScope` by Adam; see `models.interface.Player`.

    Args:
        means, squares: the running means of each variable's gradients and of their squares.
        steps: the number of updates so far.
    """

    trained: Sequence[keras.Variable]
    means: Sequence[keras.Variable]
    squares: Sequence[keras.Variable]
    steps: keras.Variable
    learning_rate: float
    beta_1: float
    beta_2: float

    @property
    def variables(self) -> list[keras.Variable]:
        """All variables that an update changes but those of the networks."""
        return [*self.means, *self.squares, self.steps]

    def scaled(self, loss: Any) -> Any:
        """Return the loss."""
        return loss

    def descend(self, tape: tf.GradientTape, scaled_loss: Any) -> None:
        """Update the variables by Kingma & Ba 2015, in the order of the end of section 2."""
        self.steps.assign(self.steps + 1)
        rate = self.learning_rate * tf.sqrt(1 - self.beta_2**self.steps) / (1 - self.beta_1**self.steps)
        gradients = tape.gradient(scaled_loss, [variable.value for variable in self.trained])
        for variable, mean, square, gradient in zip(self.trained, self.means, self.squares, gradients, strict=True):
            mean.assign(self.beta_1 * mean + (1 - self.beta_1) * gradient)
            square.assign(self.beta_2 * square + (1 - self.beta_2) * gradient**2)
            variable.assign(variable - rate * mean / (tf.sqrt(square.value) + 1e-7))


def make_player(networks: Sequence[keras.Model], **rates: float) -> Player:
    """Return the player of these networks."""
    trained = [variable for network in networks for variable in network.trainable_variables]
    means, squares = ([keras.Variable(tf.zeros(variable.shape)) for variable in trained] for _ in range(2))
    return Player(trained, means, squares, keras.Variable(0.0), **rates)


def variables_of(training: Training) -> list[keras.Variable]:
    """Return all that a step reads and changes, each once."""
    owners = [*training.networks.values(), *training.players.values()]
    others = [*training.state, *([] if training.progress is None else [training.progress])]
    found = [variable for owner in owners for variable in owner.variables] + others
    return [*{id(variable): variable for variable in found}.values()]


@contextlib.contextmanager
def without_variables(variables: Sequence[keras.Variable], trained: Sequence[keras.Variable]) -> Iterator[None]:
    """Let tapes watch values in place of variables, and compute both branches of a choice, in this block."""

    class Tape(tf.GradientTape):
        def __enter__(self):
            super().__enter__()
            self.watch([variable.value for variable in trained])
            return self

    def choose(condition, *branches: Callable):
        before, found = [variable.value for variable in variables], []
        for branch in branches:
            found.append((branch(), [variable.value for variable in variables]))
            set_values(before)
        (result, after), (other_result, other_after) = found
        # What neither branch changes stays the same tensor, because tapes know it.
        set_values(
            one if one is other else tf.where(condition, one, other)
            for one, other in zip(after, other_after, strict=True)
        )
        return tf.nest.map_structure(lambda one, other: tf.where(condition, one, other), result, other_result)

    def set_values(values: Iterable[tf.Tensor]) -> None:
        for variable, value in zip(variables, values, strict=True):
            if value is not variable.value:
                variable.assign(value)

    with mock.patch.object(tf, "GradientTape", Tape), mock.patch.object(tf, "cond", choose):
        yield


def pure_step(training: Training) -> Callable:
    """Return the step as a function `(values, batch) -> (values, terms)` of the values of `variables_of`."""
    variables = variables_of(training)
    trained = [variable for player in training.players.values() for variable in player.trained]

    def step(values: Sequence[tf.Tensor], batch: Batch) -> tuple[list[tf.Tensor], dict[str, tf.Tensor]]:
        mapping = list(zip(variables, values, strict=True))
        with keras.StatelessScope(mapping), without_variables(variables, trained):
            terms = training.step(batch)
            return [variable.value for variable in variables], terms

    return step


def lowered(name: str, train: Train, size: int, count: int, changes: Mapping = {}, platform: str = "GPU") -> str:
    """Return a family's step as StableHLO for a platform of TensorFlow's, for photos of noise.

    Args:
        train, size, count, changes: see `families.start`.

    Raises:
        ValueError: TensorFlow cannot lower the step for this platform.
    """
    _, training, batch = start(name, train, size, count, changes, make_player)
    step = tf.function(pure_step(training), jit_compile=True)
    values = [tf.convert_to_tensor(variable.value) for variable in variables_of(training)]
    batch = {key: tf.convert_to_tensor(value) for key, value in batch.items()}
    return step.experimental_get_compiler_ir(values, batch)(stage="stablehlo", platform_name=platform)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("families", nargs="*", default=[*MODELS], metavar="FAMILY", help="default: all")
    parser.add_argument("--size", type=int, default=64, help="the sides of a photo; default: %(default)s")
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--precision", choices=("float32", "mixed_bfloat16", "mixed_float16"), default="mixed_bfloat16")
    parser.add_argument("--small", type=json.loads, default={}, help="changes of the families' settings, as JSON")
    arguments = parser.parse_args()
    train = read_params(Path(__file__).parents[1] / "params.yaml").train
    keras.config.set_dtype_policy(arguments.precision)
    print(f"{'family':<12}{'operations':>11}{'convolutions':>14}{'in bfloat16':>13}{'seconds':>9}")
    for name in arguments.families:
        begun = time.process_time()
        text = lowered(name, train, arguments.size, arguments.batch, arguments.small)
        operations = re.findall(r"(?<!#)\bstablehlo\.\w+.*", text)
        convolutions = [line for line in operations if line.startswith("stablehlo.convolution")]
        half = [line for line in convolutions if "bf16" in line]
        print(
            f"{name:<12}{len(operations):>11}{len(convolutions):>14}{len(half):>13}{time.process_time() - begun:>9.1f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
