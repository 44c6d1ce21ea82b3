"""The interface between a family of models and the training; it does not depend on TensorFlow.

A family is a module `models/<name>.py` with the names of `Family`. Its top level imports neither Keras nor NumPy,
because `params.py` takes `Settings` from it; the functions that build networks import them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

from pix2street.core.errors import UserError
from pix2street.settings.section import Section

if TYPE_CHECKING:
    import keras

Shape = tuple[int, int, int]
Batch = Mapping[str, Any]
"""Tensors by name: `input` and `target`, `[B, H, W, C]` float32, which may differ in size.

A family of domains also gets `domain` and `target_domain`, `[B]` int32: the input's domain, and another, of which the
target is an image. The `input` of a family without inputs is a latent, see `Task`, and `target` is a photo.
"""


@dataclass(frozen=True)
class Task:
    """The shapes of a generator's inputs and targets, which follow from the data and never from params.

    Args:
        input_shape, target_shape: (H, W, C) of one input and of one target.
        labels: the number of classes, each of which has one of the input's first channels, 0 or 1; 0 for inputs that
            are not one-hot. Further channels follow them.
        void: the channels among them whose pixels are of no class.
        conditions: the number of values of each further input, by its name.
        constant: the number of the input's last channels that have one value all over an image. An instance norm right
            after a convolution removes them.
        frames: the numbers of frames that an input and a target have one under the other; None for single images. The
            sides of which a family names a multiple are then those of a frame.
        latent: the shape (L, Z) of the latents of a generator that has no image as its input, but `[N, L, Z + 1]`: L
            latents from coarse to fine, all the same but where styles are mixed, and behind each its truncation, see
            `core/latents.py`. `input_shape` is then that of the target. None for a generator of images.
        photos: the number of photos to train on, for a family that needs many; 0 where it is not known.
    """

    input_shape: Shape
    target_shape: Shape
    labels: int = 0
    void: Sequence[int] = ()
    conditions: Mapping[str, int] = field(default_factory=dict)
    constant: int = 0
    frames: tuple[int, int] | None = None
    latent: tuple[int, int] | None = None
    photos: int = 0


@dataclass(frozen=True)
class Term:
    """A number that every step returns; a column of the history.

    Args:
        name: the name of the column.
        panel: the title of the plot that shows it.
        player: "generator" or "discriminator" for the adversarial loss of this player; empty for other numbers.
        equilibrium: the value when the discriminator cannot tell real from generated; None for numbers without one. If
            the family has several losses, the value under each of them that has one.
        scaled_by: the setting of the family that multiplies `equilibrium`; empty for none.
        total: whether it is the weighted sum that a player minimises. Such a sum is drawn last; it is neither printed
            nor compared between runs, because it depends on the weights.
        chosen_by: the setting of the family whose value names the loss; empty for a family with one loss.
        needs: the setting of the family that must not be 0, or the number is always 0; empty for none.
    """

    name: str
    panel: str
    player: Literal["generator", "discriminator", ""] = ""
    equilibrium: float | Mapping[str, float] | None = None
    scaled_by: str = ""
    total: bool = False
    chosen_by: str = ""
    needs: str = ""

    def is_measured(self, settings: Mapping[str, Any]) -> bool:
        """Return whether the number says something under these settings of the family."""
        return not self.needs or bool(settings[self.needs])

    def reference(self, settings: Mapping[str, Any]) -> float | None:
        """Return the equilibrium under these settings of the family."""
        value = self.equilibrium
        if isinstance(value, Mapping):
            value = value.get(settings[self.chosen_by])
        if value is None:
            return None
        return value * (settings[self.scaled_by] if self.scaled_by else 1)


class Player(Protocol):
    """One side of the game: an optimizer and the networks that it moves."""

    def scaled(self, loss: Any) -> Any:
        """Return the loss to take gradients of, inside the tape.

        It is divided by the number of devices and multiplied where small gradients would vanish.
        """

    def descend(self, tape: Any, scaled_loss: Any) -> None:
        """Update the networks by the gradients of a loss that `scaled` returned."""


MakePlayer = Callable[..., Player]
"""`(networks, *, learning_rate, beta_1, beta_2) -> Player`."""


@dataclass(frozen=True)
class Training:
    """Networks, players and further state of a training, and the step that updates them.

    Args:
        networks: all trained networks by name, in the order of the checkpoints; the generator is the first.
        players: the players by name, in the order of the checkpoints; the first updates the generator.
        step: performs one update and returns every term of the family by name, as scalars.
        state: further variables that exact resumption needs, e.g. an image pool or a counter.
        phases: the share of the epochs after which an earlier phase of the training ends, by the phase's name. The
            generator as it is then is saved, too, in a folder of this name.
        ways: the tasks of further generators, by the names of their networks. Each is averaged and saved as the first
            is, in a folder of its name, if the first player updates it.
        progress: a float32 scalar that the loop sets at the beginning of each epoch: the share of the epochs that are
            done, in [0, 1). None for a step that does not depend on it.
    """

    networks: Mapping[str, "keras.Model"]
    players: Mapping[str, Player]
    step: Callable[[Batch], dict[str, Any]]
    state: Sequence["keras.Variable"] = ()
    progress: "keras.Variable | None" = None
    ways: Mapping[str, Task] = field(default_factory=dict)
    phases: Mapping[str, float] = field(default_factory=dict)

    @property
    def generator(self) -> "keras.Model":
        """The network that is averaged, saved, drawn and exported."""
        return next(iter(self.networks.values()))


class Family(Protocol):
    """The names that `models/<name>.py` defines."""

    TITLE: str
    """The name of the family as its authors write it."""
    PAPER: str
    """The paper that describes it: authors, year, title."""
    Settings: type[Section]
    """The typed section `train.<name>` of `params.yaml`."""
    PAIRING: Literal["paired", "reduced", "unpaired", "domains", "sequence", "none"]
    """The targets of a batch: each input's own target, targets of other pairs or of a second domain, or images of
    domains that were drawn; then a batch also has `domain` and `target_domain`, see `training.domains`. `reduced` is
    `paired` for inputs that are smaller than their targets, and `sequence` is it for frames of videos alone, see
    `Task.frames`. "none" is photos without inputs: such a family also has
    `latent_of(target_shape, settings)`, which returns `Task.latent`."""
    NOISE: Literal["none", "dropout", "latent"]
    """The kind of noise that the generator keeps in use, for its card."""
    TERMS: tuple[Term, ...]
    """The numbers that `Training.step` returns, in the order of the history's columns."""

    def build_generator(self, task: Task, settings: Section, seed: int) -> "keras.Model":
        """Return the untrained generator; its initial weights follow from `seed`."""

    def multiple_px(self, task: Task, settings: Section) -> int:
        """Return the number of which both sides of every input must be a multiple."""

    # A family whose photos depend on their inputs only nearby may also define `reach_px`, see `reach_of`.

    def build_training(
        self, task: Task, settings: Section, generator: "keras.Model", make_player: MakePlayer, seed: int
    ) -> Training:
        """Build the other networks and return the training of this generator with them."""


def reach_of(family: Family, task: Task, settings: Section) -> int:
    """Return how far from a pixel of the input the pixels of the photo lie that depend on it, in the input's pixels.

    It is 0 for a family that does not say so, whose photos may depend on all of their inputs.
    """
    reach_px = getattr(family, "reach_px", None)
    return reach_px(task, settings) if reach_px else 0


def refuse_idle_warm_up(warm_up: float, l1_weight: float) -> None:
    """Raise a `ValueError`, for a family's settings, if a warm-up on L1 alone has no weight to learn from."""
    if warm_up and not l1_weight:
        raise ValueError(
            f"warm_up: {warm_up:g} learns from L1 alone, but l1_weight is 0; choose a weight above 0, or warm_up: 0"
        )


def refuse_branches(setting: str, devices: int) -> None:
    """Raise a `UserError` if several devices would have to share a step with two branches.

    Args:
        setting: the key and the value that ask for them, such as `train.pix2pix.warm_up: 0.1`.
    """
    if devices > 1:
        raise UserError(
            f"{setting} needs one device, because {devices} cannot share a step with two branches; choose 0 or "
            "train.device.strategy: one_device"
        )
