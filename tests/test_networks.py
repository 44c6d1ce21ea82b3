"""A network on disk is read as it was written, or one message says what is wrong with it."""

import keras
import pytest

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
        ("generator.json", cut, "generator.json: must be whole JSON"),
        ("generator.json", lambda path: path.write_text("{}"), "generator.json: is not as this version writes it"),
        ("generator.json", lambda path: path.unlink(), "generator.json: no such file; run `dvc repro`"),
        ("generator.weights.h5", cut, "generator.weights.h5: must hold the weights of generator.json, it does not"),
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
