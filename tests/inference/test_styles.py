import numpy as np
import pytest
from tiny_models import tiny_bank, tiny_card, tiny_codes

from pix2street.core.classes import cityscapes_classes
from pix2street.core.errors import UserError
from pix2street.core.images import write_png
from pix2street.inference.styles import open_style
from pix2street.training.batches import InputEncoding

CLASSES = cityscapes_classes()
CARD = tiny_card(InputEncoding("onehot", CLASSES, "palette"), noise="none")
IDS = np.full((24, 20), 23, np.uint8)
IDS[10:] = 7


@pytest.fixture
def bank(tmp_path):
    bank = tiny_bank()
    bank.write(tmp_path)
    return bank


def test_palettes_are_drawn_by_the_seed_or_the_mean(bank, tmp_path):
    drawn, mean = open_style(CARD, tmp_path), open_style(CARD, tmp_path, "mean")
    np.testing.assert_array_equal(drawn.draw(IDS, 3), bank.draw(IDS, 3))
    np.testing.assert_array_equal(mean.draw(IDS, 3), bank.mean(IDS))
    assert (drawn.drawn, mean.drawn) == (True, False)


def test_a_photo_lends_the_light_of_the_training_photo_that_is_nearest_in_colour(bank, tmp_path):
    rng = np.random.default_rng(0)
    for index in (2, 9):
        photo = bank.photo_colors[index] + rng.normal(0, 9, (40, 30, 3))
        write_png(tmp_path / "photo.png", np.clip(np.rint(photo), 0, 255).astype(np.uint8))
        style = open_style(CARD, tmp_path, str(tmp_path / "photo.png"))
        expected = bank.draw(IDS, 1, like=bank.photo_colors[index])
        np.testing.assert_array_equal(style.draw(IDS, 1), expected)
        assert style.drawn


def test_a_palette_is_used_as_it_is_and_must_have_the_size_of_the_drawing(bank, tmp_path):
    palette = bank.draw(IDS, 8)
    palette[3, 4:9] = 1, 2, 3
    write_png(tmp_path / "palette.png", palette)
    style = open_style(CARD, tmp_path, str(tmp_path / "palette.png"))
    np.testing.assert_array_equal(style.draw(IDS, 0), palette)
    assert not style.drawn
    with pytest.raises(
        UserError, match=r"palette.png is a palette, .* the size of the drawing, 8x24 px, but has 20x24"
    ):
        style.draw(IDS[:, :8], 0)


def test_a_choice_that_is_no_file_is_refused(bank, tmp_path):
    with pytest.raises(UserError, match="--style: must be random, mean or an image, and there is no file sunny"):
        open_style(CARD, tmp_path, "sunny")


def test_a_generator_without_styles_has_no_style_to_choose(tmp_path):
    plain = tiny_card(InputEncoding("onehot", CLASSES))
    assert open_style(plain, tmp_path) is None
    with pytest.raises(UserError, match=r"--style: the pix2pix generator in .* takes no styles"):
        open_style(plain, tmp_path, "mean")


@pytest.fixture(params=[CLASSES, None])
def coded(request, tmp_path):
    """Return a card of a generator with codes, its folder, its bank and a drawing."""
    bank = tiny_codes(request.param)
    bank.write(tmp_path)
    drawing = IDS if request.param else np.repeat(IDS[..., None], 3, axis=2)
    return tiny_card(InputEncoding("color", request.param, "code"), noise="none"), tmp_path, bank, drawing


def test_codes_are_drawn_by_the_seed_or_the_mean(coded):
    card, folder, bank, drawing = coded
    drawn, mean = open_style(card, folder), open_style(card, folder, "mean")
    np.testing.assert_array_equal(drawn.draw(drawing, 3), bank.draw(drawing, 3))
    np.testing.assert_array_equal(mean.draw(drawing, 3), bank.mean(drawing))
    assert (drawn.drawn, mean.drawn) == (True, False)


def test_a_photo_gives_its_own_code_whatever_the_seed(coded):
    card, folder, bank, drawing = coded
    photo = np.random.default_rng(0).integers(0, 256, (40, 30, 3)).astype(np.uint8)
    write_png(folder / "photo.png", photo)
    style = open_style(card, folder, str(folder / "photo.png"))
    for seed in (0, 1):
        np.testing.assert_array_equal(style.draw(drawing, seed), bank.light_of(photo))
    assert not style.drawn


def test_a_palette_is_no_code(coded):
    card, folder, _, _ = coded
    write_png(folder / "palette.png", np.full((24, 20, 3), 90, np.uint8))
    with pytest.raises(UserError, match=r"palette.png is a palette, but the generator takes codes, .* give a photo"):
        open_style(card, folder, str(folder / "palette.png"))
