"""A tiny generator on disk, for tests of what uses one: no training is needed."""

import numpy as np

from pix2street.layers.networks import save_network
from pix2street.models import GENERATORS


def save_moved(folder, usage, product_side_px=0):
    """Write a generator that was "trained" by moving every weight a little."""
    shape = (usage.height_px, usage.width_px, usage.encoding.channels)
    network = GENERATORS["unet"](shape, 3, 4, 0, product_side_px=product_side_px)
    rng = np.random.default_rng(1)
    network.set_weights([weight + rng.normal(0, 0.05, weight.shape) ** 2 for weight in network.get_weights()])
    save_network(network, folder, "generator")
    usage.write(folder)
