"""What a family of models offers to the training, and what it is given: values, and nothing about TensorFlow.

A family is a module `models/<name>.py` with the names of `Family`. Its head imports neither Keras nor NumPy, for
`params.py` takes its `Settings` from it; the functions that build networks import them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

from pix2street.settings.section import Section

if TYPE_CHECKING:
    import keras

Shape = tuple[int, int, int]
Batch = Mapping[str, Any]
"""Tensors by name, `input` and `target` `[B, H, W, C]` float32; the two may differ in size."""


@dataclass(frozen=True)
class Task:
    """What the data ask of a generator; it follows from the data and never from params.

    Args:
        input_shape, target_shape: (H, W, C) of one input and of one target.
        conditions: how many values each further input has, by its name.
    """

    input_shape: Shape
    target_shape: Shape
    conditions: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Term:
    """A number that every step yields, a column of the history.

    Args:
        name: of the column.
        panel: the title of the plot in which it is drawn.
        player: whose adversarial loss it is, "generator" or "discriminator"; empty where it says nothing of the game.
        equilibrium: its value where the discriminator cannot tell real from generated; None where it has none.
        scaled_by: the setting of the family that `equilibrium` is multiplied by; empty for none.
    """

    name: str
    panel: str
    player: Literal["generator", "discriminator", ""] = ""
    equilibrium: float | None = None
    scaled_by: str = ""

    def reference(self, settings: Mapping[str, Any]) -> float | None:
        """Return the equilibrium under these settings of the family."""
        if self.equilibrium is None:
            return None
        return self.equilibrium * (settings[self.scaled_by] if self.scaled_by else 1)


class Player(Protocol):
    """One side of the game: an optimizer and the networks that it moves."""

    def scaled(self, loss: Any) -> Any:
        """Return the loss as its gradients are to be taken, inside the tape: shared out over devices and, where small
        gradients would vanish, enlarged.
        """

    def descend(self, tape: Any, scaled_loss: Any) -> None:
        """Update the networks by the gradients of what `scaled` returned."""


MakePlayer = Callable[..., Player]
"""`(networks, *, learning_rate, beta_1, beta_2) -> Player`."""


@dataclass(frozen=True)
class Training:
    """Everything that one update touches.

    Args:
        networks: all that is trained, by name, in the order of the checkpoints; the generator first.
        players: by name, in the order of the checkpoints; the first moves the generator.
        step: one update; it returns every term of the family by name, as scalars.
        state: what exact resumption needs beside networks and optimizers, e.g. an image pool or a counter.
    """

    networks: Mapping[str, "keras.Model"]
    players: Mapping[str, Player]
    step: Callable[[Batch], dict[str, Any]]
    state: Sequence["keras.Variable"] = ()

    @property
    def generator(self) -> "keras.Model":
        """The network that is averaged, saved, drawn and exported."""
        return next(iter(self.networks.values()))


class Family(Protocol):
    """What `models/<name>.py` offers."""

    TITLE: str
    """Its name as its authors write it."""
    PAPER: str
    """Where it is described: authors, year, title."""
    Settings: type[Section]
    """The typed section `train.<name>` of `params.yaml`."""
    PAIRING: Literal["paired", "unpaired"]
    """Whether a batch holds an input and its own target, or the target of another pair."""
    TERMS: tuple[Term, ...]
    """What `Training.step` returns, in the order of the history's columns."""

    def build_generator(self, task: Task, settings: Section, seed: int) -> "keras.Model":
        """Return the untrained generator; its initial weights follow from `seed`."""

    def multiple_px(self, task: Task) -> int:
        """Return the number that both sides of every input must be a multiple of."""

    def build_training(
        self, task: Task, settings: Section, generator: "keras.Model", make_player: MakePlayer, seed: int
    ) -> Training:
        """Return the game of this generator against networks that are built here."""
