"""A network on disk is read as it was written, or one message names the fault."""

import subprocess
import sys

import keras
import numpy as np
import pytest
from tiny_models import build_unet

from pix2street.core.errors import UserError
from pix2street.layers.networks import load_network, save_network


def network(units: int) -> keras.Model:
    photos = keras.Input((4,))
    return keras.Model(photos, keras.layers.Dense(units, name="only")(photos))


def cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def other_weights(path):
    network(3).save_weights(path)


@pytest.mark.parametrize(
    ("name", "damage", "message"),
    [
        ("generator.json", cut, "generator.json: must be complete JSON"),
        ("generator.json", lambda path: path.write_text("{}"), "generator.json: is not as this version writes it"),
        ("generator.json", lambda path: path.unlink(), "generator.json: no such file; run `dvc repro`"),
        ("generator.weights.h5", cut, "generator.weights.h5: must hold the weights of generator.json, but does not"),
        ("generator.weights.h5", lambda path: path.write_bytes(b""), "must hold the weights of generator.json"),
        ("generator.weights.h5", lambda path: path.unlink(), "must hold the weights of generator.json"),
        ("generator.weights.h5", other_weights, "must hold the weights of generator.json"),
    ],
)
def test_a_damaged_network_is_one_message(tmp_path, name, damage, message):
    save_network(network(2), tmp_path, "generator")
    assert load_network(tmp_path, "generator").output_shape == (None, 2)
    damage(tmp_path / name)
    with pytest.raises(UserError) as error:
        load_network(tmp_path, "generator")
    assert message in str(error.value)
    assert str(error.value).endswith("run `dvc repro`, which makes it")
    assert "\n" not in str(error.value)


LOAD = """
import sys
from pathlib import Path
import numpy as np
from pix2street.layers.networks import load_network
network = load_network(Path(sys.argv[1]), "generator")
np.savez(sys.argv[2], *network.get_weights(), network.predict_on_batch(np.ones((1, 32, 32, 3), "float32")))
"""


@pytest.mark.parametrize(("norm", "upsample"), [("batch", "transpose"), ("instance", "resize")])
def test_a_network_of_a_version_with_other_modules_is_read(tmp_path, norm, upsample):
    generator = build_unet((32, 32, 3), 3, 4, 0, norm=norm, upsample=upsample, product_side_px=8)
    save_network(generator, tmp_path, "generator")
    path = tmp_path / "generator.json"
    text = path.read_text(encoding="utf-8")
    assert '"pix2street.layers.products"' in text
    path.write_text(text.replace('"pix2street.layers.', '"pix2street.'), encoding="utf-8")
    # In a new process nothing else has loaded the layers.
    subprocess.run([sys.executable, "-c", LOAD, tmp_path, tmp_path / "seen.npz"], check=True)
    photo = generator.predict_on_batch(np.ones((1, 32, 32, 3), "float32"))
    with np.load(tmp_path / "seen.npz") as seen:
        for one, other in zip([*generator.get_weights(), photo], seen.values(), strict=True):
            np.testing.assert_array_equal(one, other)
