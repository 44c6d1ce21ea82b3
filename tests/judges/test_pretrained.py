import json
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from cityscapesscripts.helpers.labels import trainId2label
from keras import layers
from segformer import small_segformer

from pix2street.core.errors import UserError
from pix2street.judges.pretrained import IMAGENET_MEAN, IMAGENET_STD, SEGFORMERS, load_keras_model, load_segformer
from pix2street.layers.networks import load_network, save_network

PRESET = SEGFORMERS[0]
AGAIN = """
import sys
from pathlib import Path
import numpy as np
from pix2street.judges.pretrained import load_segformer
from pix2street.layers.networks import load_network, save_network

preset, folder = sys.argv[1], Path(sys.argv[3])
network = load_network(folder, "segmenter")
np.save(folder / "logits.npy", network(np.load(folder / "photos.npy")))
(folder / "again").mkdir()
save_network(load_segformer(preset, Path(sys.argv[2]), 64, 96)[0], folder / "again", "segmenter")
"""


def photos_of(height_px, width_px):
    return np.random.default_rng(0).uniform(-1, 1, (2, height_px, width_px, 3)).astype(np.float32)


def logits_of(network, photos):
    return keras.ops.convert_to_numpy(network(photos))


@pytest.fixture(scope="module")
def segformer():
    return small_segformer()


@pytest.fixture(scope="module")
def preset(segformer, tmp_path_factory):
    folder = tmp_path_factory.mktemp("presets") / "segformer"
    segformer.save_to_preset(str(folder))
    return folder


@pytest.fixture(scope="module")
def loaded(preset):
    return load_segformer(PRESET, preset, 64, 64)


@pytest.fixture(scope="module")
def square(loaded):
    return loaded[0]


def test_every_preset_is_one_of_kerashub():
    models = pytest.importorskip("keras_hub").models
    assert set(SEGFORMERS) <= set(models.SegFormerImageSegmenter.presets)


def test_a_square_photo_is_normalised_and_seen_as_by_kerashub(segformer, square):
    photos = photos_of(64, 64)
    expected = segformer.predict_on_batch(((photos + 1) / 2 - IMAGENET_MEAN) / IMAGENET_STD)
    np.testing.assert_allclose(square.predict_on_batch(photos), expected, atol=1e-4)
    np.testing.assert_allclose(logits_of(square, photos), expected, atol=1e-4)


def test_each_pixel_is_seen_through_the_window_whose_centre_is_nearest(preset, square):
    photos = photos_of(64, 160)
    kept = [(0, 0, 56), (48, 8, 56), (96, 8, 64)]
    parts = [logits_of(square, photos[:, :, start : start + 64])[:, :, first:last] for start, first, last in kept]
    network, _ = load_segformer(PRESET, preset, 64, 160)
    np.testing.assert_allclose(logits_of(network, photos), np.concatenate(parts, axis=2), atol=1e-4)


def test_channels_are_named_in_the_order_of_train_ids(loaded):
    assert loaded[1] == [trainId2label[channel].name for channel in range(19)]


def test_an_upright_photo_is_seen_through_windows_below_each_other(preset, square):
    photos = photos_of(104, 64)
    parts = [logits_of(square, photos[:, :64])[:, :52], logits_of(square, photos[:, 40:])[:, 12:]]
    network, _ = load_segformer(PRESET, preset, 104, 64)
    assert network.output_shape == (None, 104, 64, 19)
    np.testing.assert_allclose(logits_of(network, photos), np.concatenate(parts, axis=1), atol=1e-4)


@pytest.mark.nightly
def test_a_saved_one_has_the_same_bytes_in_a_fresh_process_and_is_read_there(preset, tmp_path):
    layers.Conv2D(3, 3), layers.Dropout(0.5)
    network, _ = load_segformer(PRESET, preset, 64, 96)
    save_network(network, tmp_path, "segmenter")
    np.save(tmp_path / "photos.npy", photos_of(64, 96))
    subprocess.run([sys.executable, "-c", AGAIN, PRESET, preset, tmp_path], check=True)
    for name in ("segmenter.json", "segmenter.weights.h5"):
        assert (tmp_path / name).read_bytes() == (tmp_path / "again" / name).read_bytes()
    np.testing.assert_allclose(np.load(tmp_path / "logits.npy"), logits_of(network, photos_of(64, 96)), atol=1e-5)


def test_a_saved_one_sees_as_before(square, tmp_path):
    save_network(square, tmp_path, "segmenter")
    photos = photos_of(64, 64)
    np.testing.assert_allclose(
        logits_of(load_network(tmp_path, "segmenter"), photos), logits_of(square, photos), atol=1e-5
    )


@pytest.mark.parametrize("side_px", [32, 80])
def test_a_size_no_segformer_takes(side_px):
    with pytest.raises(UserError, match=f"{PRESET}: a side of {side_px} px is .* fix segment.pretrained"):
        load_segformer(PRESET, None, 96, side_px)


def test_without_the_extra(monkeypatch):
    for name in ("keras_hub", "keras_hub.models"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(UserError, match=r"segment.judge: \w+ needs the extra `judges`: pip install -e '.\[judges\]'"):
        load_segformer(PRESET, None, 64, 64)


def test_without_a_network(monkeypatch, tmp_path):
    pytest.importorskip("keras_hub")

    def refuse(*_args, **_kwargs):
        raise socket.gaierror("Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setenv("KAGGLEHUB_CACHE", str(tmp_path))
    with pytest.raises(UserError, match=r"cannot be read from the network .*; download .* into <segment.path>/"):
        load_segformer(PRESET, None, 64, 64)


def test_a_folder_that_lacks_a_file(preset, tmp_path):
    folder = shutil.copytree(preset, tmp_path / "preset")
    (folder / "task.weights.h5").unlink()
    with pytest.raises(UserError, match=r"preset: has no task.weights.h5; put all files of"):
        load_segformer(PRESET, folder, 64, 64)


@pytest.mark.parametrize("name", ["task.json", "model.weights.h5"])
def test_a_folder_with_a_broken_file(preset, tmp_path, name):
    folder = shutil.copytree(preset, tmp_path / "preset")
    (folder / name).write_bytes((folder / name).read_bytes()[:100])
    with pytest.raises(UserError, match=r"cannot be read from .*preset \("):
        load_segformer(PRESET, folder, 64, 64)


def test_weights_for_other_classes(tmp_path):
    small_segformer(classes=150).save_to_preset(str(tmp_path / "preset"))
    with pytest.raises(UserError, match="are for 150 classes, Cityscapes has 19; name another preset"):
        load_segformer(PRESET, tmp_path / "preset", 64, 64)


def test_a_folder_in_the_working_directory_with_a_presets_name(preset, tmp_path, monkeypatch):
    shutil.copytree(preset, tmp_path / PRESET)
    monkeypatch.chdir(tmp_path)
    network, _ = load_segformer(PRESET, Path(PRESET), 64, 64)
    assert json.loads(network.to_json())["config"]["name"] == PRESET


def saved(path, outputs, *inputs):
    keras.Model(inputs, outputs).save(path)
    return path


@pytest.mark.parametrize("sides", [(32, 48), (None, None)])
def test_a_users_own_model(tmp_path, sides):
    photos = keras.Input((*sides, 3))
    path = saved(tmp_path / "own.keras", layers.Conv2D(5, 3, strides=4, padding="same")(photos), photos)
    assert load_keras_model(path).predict_on_batch(photos_of(32, 48)).shape == (2, 8, 12, 5)


@pytest.mark.parametrize("name", ["absent.keras", "present.h5"])
def test_a_users_own_model_that_is_missing_or_of_another_kind(tmp_path, name):
    (tmp_path / "present.h5").touch()
    with pytest.raises(UserError, match=f"{name}: no such file, or its name does not end in .keras"):
        load_keras_model(tmp_path / name)


def test_a_users_own_model_that_cannot_be_read(tmp_path):
    path = tmp_path / "own.keras"
    photos = keras.Input((32, 32, 3))
    saved(path, layers.Conv2D(5, 3)(photos), photos)
    for broken in (b"", path.read_bytes()[:200], path.read_bytes()[:-200]):
        path.write_bytes(broken)
        with pytest.raises(UserError, match=r"own.keras: Keras .* cannot read this model \(.+\); save it again"):
            load_keras_model(path)


def test_a_users_own_model_that_holds_code(tmp_path):
    photos = keras.Input((32, 32, 3))
    path = saved(tmp_path / "own.keras", layers.Lambda(lambda x: x * 2)(photos), photos)
    with pytest.raises(UserError, match=r"own.keras: Keras .* cannot read this model"):
        load_keras_model(path)


def test_a_users_own_model_of_another_form(tmp_path):
    path = tmp_path / "own.keras"
    grey, photos = keras.Input((32, 32, 1)), keras.Input((32, 32, 3))
    conv = layers.Conv2D(5, 3)
    saved(path, conv(grey), grey)
    with pytest.raises(UserError, match=r"one input \[N, H, W, 3\], but this model has \[\(None, 32, 32, 1\)\]"):
        load_keras_model(path)
    saved(path, layers.Flatten()(photos), photos)
    with pytest.raises(UserError, match=r"one output \[N, h, w, classes\], but this model has \[\(None, 3072\)\]"):
        load_keras_model(path)
    saved(path, layers.Concatenate()([grey, photos]), grey, photos)
    with pytest.raises(UserError, match="one input"):
        load_keras_model(path)
