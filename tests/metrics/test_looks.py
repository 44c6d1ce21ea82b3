import numpy as np
import pytest

from pix2street.core.images import write_png
from pix2street.metrics import Looks
from pix2street.metrics import looks as module
from pix2street.metrics.looks import light_of

RNG = np.random.default_rng(0)


def written(folder, photos) -> list:
    folder.mkdir(exist_ok=True)
    paths = [folder / f"p{index}.png" for index in range(len(photos))]
    for path, photo in zip(paths, photos, strict=True):
        write_png(path, photo)
    return paths


def test_light_is_mean_colour_and_contrast():
    photo = np.zeros((4, 4, 3), np.uint8)
    photo[:2] = 255
    photo[..., 2] = 0
    red, green, blue, contrast = light_of(photo)
    assert (red, green, blue) == (0, 0, -1)
    assert contrast == pytest.approx(0.299 + 0.587, abs=0.01)  # half of the luma's range: 0 and 226 of 255
    assert light_of(np.full((4, 4, 3), 51, np.uint8)) == pytest.approx([-0.6, -0.6, -0.6, 0])


def test_grey_photos_have_one_channel_and_the_contrast_of_the_same_photo_in_rgb(tmp_path):
    grey = RNG.integers(0, 256, (3, 32, 32, 1)).astype(np.uint8)
    paths = written(tmp_path / "grey", grey)
    one, three = Looks.of(paths, 1), Looks.of(paths, 3)
    assert one.light.shape == (3, 2)
    assert {side: patches.shape for side, patches in one.patches.items()} == {32: (3, 128, 1, 49), 16: (3, 128, 1, 49)}
    np.testing.assert_allclose(one.light[:, [0, 0, 0, 1]], three.light)
    np.testing.assert_array_equal(np.repeat(one.patches[32], 3, axis=2), three.patches[32])


def test_looks_are_a_function_of_the_photos_and_their_names_in_any_order(tmp_path):
    paths = written(tmp_path, RNG.integers(0, 256, (4, 32, 48, 3)).astype(np.uint8))
    order = np.array([2, 0, 3, 1])
    looks, turned = Looks.of(paths, 3), Looks.of([paths[index] for index in order], 3)
    np.testing.assert_array_equal(looks.light[order], turned.light)
    for side in (32, 16):
        np.testing.assert_array_equal(looks.some(order).patches[side], turned.patches[side])


def test_a_pair_has_the_same_places_in_every_folder(tmp_path):
    ramp = np.add.outer(np.arange(0, 160, 5), np.arange(0, 64, 2)).astype(np.uint8)[..., None]
    first, second = (written(tmp_path / name, [ramp]) for name in ("targets", "generated"))
    np.testing.assert_array_equal(Looks.of(first, 1).patches[32], Looks.of(second, 1).patches[32])


def test_many_photos_have_fewer_patches_each(tmp_path, monkeypatch):
    paths = written(tmp_path, np.zeros((5, 16, 16, 1), np.uint8))
    monkeypatch.setattr(module, "MAX_PATCHES", 20)
    assert Looks.of(paths, 1).patches[16].shape == (5, 4, 1, 49)
    monkeypatch.setattr(module, "MAX_PATCHES", 3)
    assert Looks.of(paths, 1).patches[16].shape == (5, 1, 1, 49)
