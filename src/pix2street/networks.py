"""A network on disk: its architecture as JSON and its weights as HDF5, equal bytes for equal networks.

(`.keras` archives hold the time of saving.)
"""

from pathlib import Path

import keras

from pix2street.norms import NORMS


def save_network(network: keras.Model, folder: Path, name: str) -> None:
    """Write `<name>.json` and `<name>.weights.h5` into `folder`."""
    (folder / f"{name}.json").write_text(network.to_json(indent=1) + "\n", encoding="utf-8")
    network.save_weights(folder / f"{name}.weights.h5")


def load_network(folder: Path, name: str) -> keras.Model:
    """The network that `save_network` wrote, with its weights."""
    network = load_untrained(folder, name)
    network.load_weights(folder / f"{name}.weights.h5")
    return network


def load_untrained(folder: Path, name: str) -> keras.Model:
    """The network that `save_network` wrote, with the very weights it started its training from.

    That holds for networks whose initializers carry seeds, as all of this project do.
    """
    text = (folder / f"{name}.json").read_text(encoding="utf-8")
    return keras.models.model_from_json(text, {norm.__name__: norm for norm in NORMS.values()})
