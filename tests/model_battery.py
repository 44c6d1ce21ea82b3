"""What every generator must do, whatever it is made of."""

import numpy as np
from keras import ops
from pix2street.training.step import build_step

from pix2street.layers.networks import load_network, load_untrained, save_network
from pix2street.layers.patchgan import build_patchgan

SHAPE = (32, 64, 3)


def check_shape_and_range(build) -> None:
    photos = build(SHAPE, 3, 4, 0)(np.random.default_rng(0).uniform(-1, 1, (2, *SHAPE)).astype("float32"))
    assert photos.shape == (2, 32, 64, 3)
    assert np.abs(photos).max() <= 1


def check_files(build, folder) -> None:
    """Equal networks give equal files; a loaded one answers the same; an untrained one is back at its start."""
    network = build(SHAPE, 3, 4, 7)
    start = network.get_weights()
    network.set_weights([weight + 0.01 for weight in start])
    for name in ("a", "b"):
        (folder / name).mkdir()
        save_network(network, folder / name, "network")
    for file in ("network.json", "network.weights.h5"):
        assert (folder / "a" / file).read_bytes() == (folder / "b" / file).read_bytes()
    pixels = np.random.default_rng(0).uniform(-1, 1, (1, *SHAPE)).astype("float32")
    loaded = load_network(folder / "a", "network")
    np.testing.assert_array_equal(loaded(pixels), network(pixels))
    for restored, first in zip(load_untrained(folder / "a", "network").get_weights(), start, strict=True):
        np.testing.assert_array_equal(restored, first)


def check_one_step_moves_every_weight(build, optimizer) -> None:
    network, discriminator = build(SHAPE, 3, 4, 0), build_patchgan(SHAPE, SHAPE, 4, 0)
    before = [variable.numpy() for variable in network.trainable_variables]
    step = build_step(network, discriminator, optimizer(network), optimizer(discriminator), 100.0, 1.0)
    rng = np.random.default_rng(0)
    losses = step(*ops.convert_to_tensor(rng.uniform(-1, 1, (2, 2, *SHAPE)), "float32"))
    assert np.isfinite(losses).all()
    still = [v.path for v, old in zip(network.trainable_variables, before, strict=True) if (v.numpy() == old).all()]
    assert not still
