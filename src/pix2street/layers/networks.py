"""Networks on disk: the architecture as JSON and the weights as HDF5.

Equal networks give equal bytes, unlike `.keras` archives, which hold the time of saving.
"""

import json
from pathlib import Path
from typing import Any

import keras

from pix2street.core.errors import UserError
from pix2street.core.files import REMAKE, read_json
from pix2street.layers.by_style import LearnedStart, Shift, StyledConv2D, Truncate
from pix2street.layers.edges import ClassEdges
from pix2street.layers.equalized import EqualConv2D, EqualDense, ScaledLeaky
from pix2street.layers.few import FewFiltersConv2D
from pix2street.layers.frames import FromFrames, ToFrames
from pix2street.layers.masks import Blend
from pix2street.layers.modulation import Modulate
from pix2street.layers.noise import PixelNoise
from pix2street.layers.norms import NORMS
from pix2street.layers.products import ProductConv2D, ProductConv2DTranspose, ProductResizeConv2D
from pix2street.layers.progressive import BatchDeviation, PixelNorm
from pix2street.layers.residual import ReflectionPad
from pix2street.layers.resize import ResizeConv2D
from pix2street.layers.spectral import SpectralConv2D, SpectralResizeConv2D
from pix2street.layers.subpixel import Bilinear, SubPixelConv2D

LAYERS = (
    *NORMS.values(),
    BatchDeviation,
    Bilinear,
    Blend,
    ClassEdges,
    EqualConv2D,
    EqualDense,
    FewFiltersConv2D,
    FromFrames,
    LearnedStart,
    Modulate,
    PixelNoise,
    PixelNorm,
    ProductConv2D,
    ProductConv2DTranspose,
    ProductResizeConv2D,
    ReflectionPad,
    ResizeConv2D,
    ScaledLeaky,
    Shift,
    SpectralConv2D,
    SpectralResizeConv2D,
    StyledConv2D,
    SubPixelConv2D,
    ToFrames,
    Truncate,
)
"""The layers of this project that a saved network may have."""


def save_network(network: keras.Model, folder: Path, name: str) -> None:
    """Write `<name>.json` and `<name>.weights.h5` into `folder`."""
    (folder / f"{name}.json").write_text(network.to_json(indent=1) + "\n", encoding="utf-8")
    network.save_weights(folder / f"{name}.weights.h5")


def load_network(folder: Path, name: str) -> keras.Model:
    """Return the network that `save_network` wrote, with its weights.

    Raises:
        UserError: `load_untrained` fails, or the weights are missing, damaged or those of another network.
    """
    network = load_untrained(folder, name)
    weights = folder / f"{name}.weights.h5"
    try:
        network.load_weights(weights)
    except PermissionError:
        raise
    except (OSError, ValueError, KeyError) as error:
        fault = str(error).partition("\n")[0]
        raise UserError(f"{weights}: must hold the weights of {name}.json, but does not ({fault}); {REMAKE}") from error
    return network


def load_untrained(folder: Path, name: str) -> keras.Model:
    """Return the network that `save_network` wrote, with its initial weights.

    The weights are the same because all initializers of this project have seeds.

    Raises:
        UserError: the architecture is missing, damaged or of another version.
    """
    return read_json(folder / f"{name}.json", _of_json)


def _of_json(architecture: Any) -> keras.Model:
    # Layers are looked up by name, since an older version may have had them in another module.
    ours = {layer.__name__: layer for layer in LAYERS}
    network = keras.models.model_from_json(json.dumps(architecture), ours)
    if not isinstance(network, keras.Model):
        raise TypeError("it does not describe a network")
    return network
