"""The noise of networks in training, seeded so that an interruption does not change it."""

from collections.abc import Iterable, Sequence

import keras
import numpy as np
import tensorflow as tf

from pix2street.core.seeds import derive_seed


def noise_layers_of(network: keras.Model) -> list[keras.layers.Layer]:
    """Return the layers, at any depth, that draw random numbers; they hold a Keras `seed_generator`."""
    return [layer for layer in network._flatten_layers() if _draws(layer)]


def seed_noise(
    strategy: tf.distribute.Strategy,
    devices: Sequence[int],
    networks: Iterable[keras.Model],
    seed: int,
    epoch: int,
    begin: bool,
) -> None:
    """Make an epoch's noise a function of (seed, epoch, network, layer, device).

    Args:
        devices: the numbers of this process' devices among those of all processes.
        begin: count the draws from 0; False continues the count of an interrupted epoch.
    """
    for number, network in enumerate(networks):
        for index, layer in enumerate(network._flatten_layers(include_self=False)):
            if _draws(layer):
                state = layer.seed_generator.state
                count = 0 if begin else int(np.asarray(state)[1])
                for device, copy in zip(devices, strategy.experimental_local_results(state.value), strict=True):
                    copy.assign([derive_seed(seed, epoch, index, device, *([number] if number else [])), count])


def _draws(layer: keras.layers.Layer) -> bool:
    return isinstance(getattr(layer, "seed_generator", None), keras.random.SeedGenerator)
