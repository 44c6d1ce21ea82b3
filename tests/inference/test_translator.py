import keras
import numpy as np
import pytest
from shipped import PARAMS, changed
from tiny_models import save_moved, tiny_card

from pix2street.core.classes import cityscapes_classes
from pix2street.core.errors import UserError
from pix2street.core.images import read_ids, read_rgb
from pix2street.core.scales import Scale
from pix2street.inference.translator import Translator
from pix2street.layers.networks import save_network
from pix2street.steps.generate import generate_photos
from pix2street.training.batches import InputEncoding


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    encoding = InputEncoding("color", cityscapes_classes())
    save_moved(folder, tiny_card(encoding, "left", 32, 32, "batch", True, 3), product_side_px=4)
    return folder


def test_at_the_working_size_it_gives_the_pixels_of_generate(road_and_sky, model, tmp_path):
    (tmp_path / "photos").mkdir()
    generate_photos(road_and_sky, model, tmp_path / "photos", tmp_path / "baselines", changed(PARAMS.generate, seed=3))
    translator = Translator.read(model)
    for pair_id in ("p4", "p5"):
        ids = read_ids(road_and_sky / f"val/inputs/{pair_id}.png")
        expected = read_rgb(tmp_path / f"photos/val/{pair_id}.png")
        assert (translator.translate(ids, pair_id) == expected).all()


def test_noise_follows_name_and_seed_and_can_be_left_out(road_and_sky, model):
    ids = read_ids(road_and_sky / "val/inputs/p4.png")
    noisy, quiet = Translator.read(model), Translator.read(model, noise=False)
    photos = [noisy.translate(ids, *key) for key in (("p4",), ("p5",), ("p4", 4), ("p4", 3))]
    assert (photos[0] == photos[3]).all()
    assert (photos[0] != photos[1]).any()
    assert (photos[0] != photos[2]).any()
    assert (quiet.translate(ids, "p4") == quiet.translate(ids, "p5", 9)).all()


@pytest.mark.parametrize("size", [(1, 1), (31, 33), (32, 64), (50, 20), (7, 90)])
def test_every_size_is_kept(model, size):
    ids = np.random.default_rng(0).choice([7, 23], size).astype(np.uint8)
    photo = Translator.read(model).translate(ids, "x")
    assert photo.shape == (*size, 3)
    assert photo.dtype == np.uint8


def test_the_network_for_every_size_is_the_network_of_training(model):
    translator = Translator.read(model, noise=False)
    pixels = np.random.default_rng(0).uniform(-1, 1, (1, 32, 32, 3)).astype("float32")
    exact, free = (translator._network(working_size).predict_on_batch(pixels) for working_size in (True, False))
    np.testing.assert_allclose(exact, free, atol=1e-5)


def test_a_part_that_needs_no_padding_is_the_same_whatever_is_cut_off(model):
    translator = Translator.read(model, noise=False)
    ids = np.random.default_rng(0).choice([7, 23], (32, 40)).astype(np.uint8)
    mirrored = np.concatenate([ids, ids[:, :-25:-1]], axis=1)
    assert (translator.translate(ids, "x") == translator.translate(mirrored, "x")[:, :40]).all()


def test_a_folder_without_a_generator_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"must hold card.json"):
        Translator.read(tmp_path)


def test_together_without_dropout_they_are_the_same_but_for_a_rounding(model):
    translator = Translator.read(model, noise=False)
    sizes = [(32, 32), (30, 17), (32, 31), (64, 32), (32, 32)]
    images = [np.random.default_rng(place).choice([7, 23], size).astype(np.uint8) for place, size in enumerate(sizes)]
    together = translator.translate_all(images, list("abcde"))
    assert [photo.shape[:2] for photo in together] == sizes
    for image, name, photo in zip(images, "abcde", together, strict=True):
        assert np.abs(photo.astype(int) - translator.translate(image, name)).max() <= 1


def test_with_dropout_each_has_its_own_noise_whoever_comes_along(road_and_sky, model):
    ids = read_ids(road_and_sky / "val/inputs/p4.png")
    translator = Translator.read(model)
    first, second = translator.translate_all([ids, ids], ["p4", "p5"])
    assert (first == translator.translate(ids, "p4")).all()
    assert (second == translator.translate(ids, "p5")).all()


def test_a_generator_may_make_larger_photos(tmp_path):
    card = tiny_card(InputEncoding("color", None), noise="none", multiple_px=8, scale=Scale(2, 2))
    inputs = keras.Input((32, 32, 3), name="input")
    save_network(keras.Model(inputs, keras.layers.UpSampling2D(2)(inputs)), tmp_path, "generator")
    card.write(tmp_path)
    pixels = np.random.default_rng(0).integers(0, 256, (33, 20, 3)).astype(np.uint8)
    photo = Translator.read(tmp_path).translate(pixels, "x")
    assert (photo == pixels.repeat(2, axis=0).repeat(2, axis=1)).all()
