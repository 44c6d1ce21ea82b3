"""A judge looks at photos on disk, and its card identifies it."""

from dataclasses import replace

import keras
import numpy as np
import pytest

from pix2street.core.classes import ClassEntry, ClassTable
from pix2street.core.errors import UserError
from pix2street.core.images import read_ids, read_rgb, write_png
from pix2street.judges.network import LEVELS, build_segmenter
from pix2street.judges.segmenter import TRAINED, Card, Segmenter

ENTRIES = [(5, "dark", True), (6, "void", False), (9, "light", True)]
TABLE = ClassTable(tuple(ClassEntry(id, name, (id, id, id), evaluated) for id, name, evaluated in ENTRIES))


def brightness_judge(black=-1.0, white=1.0, channels=("light", "other", "dark"), side=8):
    """Return a judge whose scores of a pixel are its brightness, a number far too large, and its darkness."""
    photos = keras.Input((side, side, 3))
    kernel = np.array([1.0, 0.0, -1.0]) / 3 * np.ones((3, 1))
    scores = keras.layers.Conv2D(3, 1, name="scores")
    network = keras.Model(photos, scores(photos))
    middle = (black + white) / 2
    scores.set_weights([kernel[None, None], np.array([-middle, 1e6, middle])])
    return network, Card("brightness", list(channels), side, side, black, white)


def photos_in(folder, side=8):
    pixels = np.zeros((side, side, 3), np.uint8)
    pixels[:, side // 2 :] = 255
    for name in ("a", "b"):
        write_png(folder / f"{name}.png", pixels)
        pixels = 255 - pixels
    return [folder / "a.png", folder / "b.png"]


@pytest.mark.parametrize(("black", "white"), [(-1.0, 1.0), (0.0, 255.0), (1.0, 0.0)])
def test_it_is_shown_the_range_it_asks_for_and_its_other_classes_are_left_out(tmp_path, black, white):
    network, card = brightness_judge(black, white)
    if white < black:
        card = Card(card.name, ["dark", "other", "light"], card.height_px, card.width_px, black, white)
    assert Segmenter(network, card, TABLE).judge(photos_in(tmp_path), tmp_path / "seen") is None
    assert (read_ids(tmp_path / "seen/a.png")[:, :4] == 5).all()
    assert (read_ids(tmp_path / "seen/a.png")[:, 4:] == 9).all()
    assert (read_ids(tmp_path / "seen/b.png")[:, :4] == 9).all()


def test_photos_of_another_size_are_resized_and_so_is_what_it_sees(tmp_path):
    network, card = brightness_judge()
    Segmenter(network, card, TABLE).judge(photos_in(tmp_path, side=32), tmp_path / "seen", batch=1)
    seen = read_ids(tmp_path / "seen/a.png")
    assert seen.shape == (32, 32)
    assert (seen[:, :16] == 5).all()
    assert (seen[:, 16:] == 9).all()


def test_a_mirrored_judge_averages_the_shares_of_a_photo_and_its_mirror_image(tmp_path):
    """The judge says light on the left and dark on the right, but less surely than a bright or dark pixel tells it."""
    photos = keras.Input((8, 8, 3))
    sides = keras.layers.ZeroPadding2D(((0, 0), (0, 4)))(keras.layers.Cropping2D(((0, 0), (0, 4)))(photos * 0 + 4))
    light = sides - 2 + photos[..., :1]
    network = keras.Model(photos, keras.layers.Concatenate()([light[..., :1], -light[..., :1]]))
    card, seen = Card("sides", ["light", "dark"], 8, 8), {}
    for mirrored in (False, True):
        judge = Segmenter(network, replace(card, mirrored=mirrored), TABLE)
        judge.judge(photos_in(tmp_path), tmp_path / str(mirrored))
        seen[mirrored] = read_ids(tmp_path / str(mirrored) / "a.png")
    assert (seen[False] == np.where(np.arange(8) < 4, 9, 5)).all()
    assert (seen[True] == np.where(np.arange(8) < 4, 5, 9)).all()


def test_features_are_the_means_of_every_level_and_need_no_folder(tmp_path):
    network = build_segmenter(32, 32, 2, 4, 0)
    judge = Segmenter(network, Card(TRAINED, ["dark", "light"], 32, 32, mirrored=True), TABLE)
    photos = photos_in(tmp_path, side=32)
    features = judge.judge(photos, None)
    assert features.shape == (2, 4 + 8 + 16 + 16)
    assert np.allclose(features, judge.judge(photos, tmp_path / "seen", batch=1), atol=1e-5)
    levels = keras.Model(network.inputs, [network.get_layer(name).output for name in LEVELS])
    shown = np.stack([read_rgb(path) for path in photos]).astype(np.float32) / 127.5 - 1
    both = [levels.predict_on_batch(view) for view in (shown, np.ascontiguousarray(shown[:, :, ::-1]))]
    means = [np.concatenate([level.mean(axis=(1, 2)) for level in view], axis=1) for view in both]
    assert np.allclose(features, (means[0] + means[1]) / 2, atol=1e-5)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png", "b.png", "seen"]


def test_a_class_it_does_not_know_is_an_error():
    network, card = brightness_judge(channels=("light", "other", "grey"))
    with pytest.raises(UserError, match="brightness does not know the evaluated classes dark; choose `trained`"):
        Segmenter(network, card, TABLE)


def test_what_was_written_is_read_and_changed_weights_are_found(tmp_path):
    network, card = brightness_judge()
    card.write(tmp_path, network)
    read = Card.read(tmp_path)
    assert read.protocol()["weights_sha256"] == read.weights_sha256 != ""
    assert (read.name, read.channels, read.black) == (card.name, card.channels, card.black)
    photos = photos_in(tmp_path)
    Segmenter.load(tmp_path, TABLE).judge(photos, tmp_path / "seen")
    assert (read_ids(tmp_path / "seen/a.png")[:, 4:] == 9).all()
    network.set_weights([weight + 1 for weight in network.get_weights()])
    network.save_weights(tmp_path / "segmenter.weights.h5")
    with pytest.raises(UserError, match=r"segmenter\.weights\.h5: its SHA-256 must be .*run `segment` again"):
        Segmenter.load(tmp_path, TABLE)
