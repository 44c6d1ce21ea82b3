"""The generator to use after an epoch: a copy of its weights, or of their running average."""

from collections.abc import Callable, Iterable, Mapping

import keras
import numpy as np
from keras.layers import BatchNormalization

from pix2street.models.interface import Batch, Training
from pix2street.training.noise import noise_layers_of
from pix2street.training.players import AdamPlayer

ReadBatches = Callable[[], Iterable[Batch]]


def take_snapshots(
    training: Training, snapshot: keras.Model, further: Mapping[str, keras.Model], read_batches: ReadBatches
) -> None:
    """Take the snapshots of a training's generator and of its further ones, which are by name; see `take_snapshot`."""
    player = next(iter(training.players.values()))
    take_snapshot(training.generator, player, snapshot, read_batches)
    for name, network in further.items():
        take_snapshot(training.networks[name], player, network, read_batches)


def take_snapshot(generator: keras.Model, player: AdamPlayer, snapshot: keras.Model, read_batches: ReadBatches) -> None:
    """Give `snapshot` the generator's weights, or their running average where the player keeps one.

    Moving statistics belong to particular weights. Averaged weights therefore get new ones: the means over some
    batches of train, computed as in training.

    Args:
        snapshot: a generator of the same form in float32.
        read_batches: returns these batches, always the same; called only for averaged weights.
    """
    for variable, own in zip(snapshot.weights, generator.weights, strict=True):
        variable.assign(np.asarray(own))
    if averages := player.averages_of(generator):
        for variable, average in zip(snapshot.trainable_variables, averages, strict=True):
            variable.assign(np.asarray(average))
        restate_statistics(snapshot, read_batches())


def restate_statistics(network: keras.Model, batches: Iterable[Batch]) -> None:
    """Set a network's moving means and variances to the means over these batches; change nothing else."""
    norms = [layer for layer in network._flatten_layers() if isinstance(layer, BatchNormalization)]
    if not norms:
        return
    momenta = [norm.momentum for norm in norms]
    noise = [layer.seed_generator.state for layer in noise_layers_of(network)]
    before = [np.asarray(state) for state in noise]
    for state in noise:
        state.assign(np.zeros_like(np.asarray(state)))
    for count, batch in enumerate(batches):
        for norm in norms:
            norm.momentum = count / (count + 1)
        network(batch["input"], training=True)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    for state, value in zip(noise, before, strict=True):
        state.assign(value)
