"""The baselines of translations between domains: colours in closed form, and which images lend them."""

import numpy as np
import pytest
from shipped import PARAMS, changed
from skimage.color import rgb2lab

from pix2street.core.domains import pairs_to_translate
from pix2street.core.images import read_rgb, write_png
from pix2street.core.pairs import Dataset
from pix2street.inference.free_translations import Colors, write_free_translations
from pix2street.steps.split import split_pairs

RNG = np.random.default_rng(0)


def noise(low: int, high: int) -> np.ndarray:
    return RNG.integers(low, high, (32, 32, 3)).astype(np.uint8)


def test_a_photo_gets_the_statistics_of_one_other(tmp_path):
    write_png(tmp_path / "other.png", noise(100, 140))
    colors = Colors.of([tmp_path / "other.png"])
    lent = colors.lent_to(noise(20, 220))
    lab = rgb2lab(lent)
    # Only the rounding to 8 bits is left.
    np.testing.assert_allclose(lab.mean((0, 1)), colors.mean, atol=0.1)
    np.testing.assert_allclose(lab.std((0, 1)), colors.deviation, rtol=0.03)


def test_its_own_statistics_leave_a_photo_as_it_is(tmp_path):
    photo = noise(0, 256)
    write_png(tmp_path / "own.png", photo)
    np.testing.assert_array_equal(Colors.of([tmp_path / "own.png"]).lent_to(photo), photo)


def test_a_set_lends_the_means_of_its_photos_statistics(tmp_path):
    for name, level in {"dark": 50, "light": 200}.items():
        write_png(tmp_path / f"{name}.png", np.full((16, 16, 3), level, np.uint8))
    colors = Colors.of(sorted(tmp_path.iterdir()))
    greys = [rgb2lab(np.full((1, 1, 3), level, np.uint8))[0, 0, 0] for level in (50, 200)]
    assert colors.mean[0] == pytest.approx(np.mean(greys))
    np.testing.assert_allclose(colors.mean[1:], 0, atol=0.01)
    # Each photo is uniform, however much the two differ.
    np.testing.assert_allclose(colors.deviation, 0, atol=1e-6)
    assert np.ptp(colors.lent_to(noise(20, 220)).astype(int)) <= 1


def test_a_uniform_photo_takes_the_mean_and_colours_out_of_range_are_clipped():
    colors = Colors(np.array([90.0, 0, 0]), np.array([40.0, 5, 5]))
    flat = colors.lent_to(np.full((4, 4, 3), 10, np.uint8))
    assert len(np.unique(flat.reshape(-1, 3), axis=0)) == 1
    assert rgb2lab(flat)[0, 0, 0] == pytest.approx(90, abs=0.5)
    assert colors.lent_to(noise(0, 256)).max() == 255


def test_the_target_domains_images_of_train_lend_their_colours(tmp_path):
    levels = {"train": {"A": 60, "B": 180}, "val": {"A": 90, "B": 30}}
    for subset, domains in levels.items():
        for domain, level in domains.items():
            path = tmp_path / "images" / subset / domain / f"{domain}_{subset}.png"
            path.parent.mkdir(parents=True)
            write_png(path, noise(level - 20, level + 20))
    Dataset("unpaired_folders", "Mine", "", "own", "", "none", domains=("A", "B")).write(tmp_path / "images")
    split = tmp_path / "split"
    split.mkdir()
    split_pairs(tmp_path / "images", split, changed(PARAMS.split, height_px=32, width_px=32))
    pairs = pairs_to_translate(split, "val", False)
    write_free_translations(split, "B", {"val": pairs}, tmp_path)
    source = read_rgb(split / "val/targets/A_val.png")
    np.testing.assert_array_equal(read_rgb(tmp_path / "unchanged/val/A_val.png"), source)
    lent = read_rgb(tmp_path / "color_transfer/val/A_val.png")
    np.testing.assert_array_equal(lent, Colors.of([split / "train/targets/B_train.png"]).lent_to(source))
    assert abs(lent.mean() - 180) < 5
