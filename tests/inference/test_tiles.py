"""Large photos in tiles: they cover the photo once, show no seam, and bound what a network sees at once."""

import numpy as np
import pytest
from shipped import changed
from tiny_models import SETTINGS, SMALL, tiny_card

from pix2street.core.scales import Scale
from pix2street.inference import translator as module
from pix2street.inference.tiles import tiles_of
from pix2street.inference.translator import Translator
from pix2street.models import srgan
from pix2street.models.interface import Task
from pix2street.training.batches import InputEncoding

SETTINGS_OF = changed(SETTINGS.srgan, **{**SMALL["srgan"], "blocks": 2})
TASK = Task((16, 16, 3), (64, 64, 3))


@pytest.mark.parametrize("size", [(40, 70), (32, 32), (1, 65)])
def test_tiles_cover_an_image_once_and_see_what_is_around_them(size):
    covered = np.zeros(size, int)
    for tile in tiles_of(*size, side=32, reach=5, multiple=4):
        covered[tile.top : tile.bottom, tile.left : tile.right] += 1
        for seen, start, end, whole in zip(
            tile.seen, (tile.top, tile.left), (tile.bottom, tile.right), size, strict=True
        ):
            assert seen.start % 4 == 0
            assert seen.start <= max(0, start - 5)
            assert seen.stop == min(whole, end + 5)
    assert (covered == 1).all()


@pytest.fixture
def translator():
    generator = srgan.build_generator(TASK, SETTINGS_OF, 0)
    rng = np.random.default_rng(0)
    generator.set_weights([rng.normal(0, 0.15, weight.shape) for weight in generator.get_weights()])
    reach = srgan.reach_px(TASK, SETTINGS_OF)
    changes = {
        "noise": "none",
        "multiple_px": 1,
        "scale": Scale(4, 4),
        "reach_px": reach,
        "height_px": 16,
        "width_px": 16,
    }
    return Translator(generator, tiny_card(InputEncoding("color", None), **changes))


def test_a_photo_in_tiles_is_that_of_the_whole(translator, monkeypatch):
    monkeypatch.setattr(module, "TILE_PX", 24)
    pixels = np.random.default_rng(1).integers(0, 256, (61, 90, 3)).astype(np.uint8)
    whole = translator.translate(pixels, "x")
    assert whole.std() > 5
    seen = []
    unrounded = translator.translate_unrounded
    monkeypatch.setattr(
        translator, "translate_unrounded", lambda images, *rest: seen.extend(images) or unrounded(images, *rest)
    )
    monkeypatch.setattr(module, "LARGEST_WHOLE_PX", 48)
    tiled, small = translator.translate_all([pixels, pixels[:20, :20]], ["x", "y"])
    assert tiled.shape == (244, 360, 3)
    assert small.shape == (80, 80, 3)
    # Sums of floats in another order may round one level up or down.
    assert np.abs(tiled.astype(int) - whole).max() <= 1
    assert (tiled != whole).mean() < 0.001
    assert len(seen) == 1 + 3 * 4
    assert max(max(image.shape[:2]) for image in seen) <= 24 + 2 * translator.card.reach_px


def test_a_generator_that_sees_everywhere_is_given_no_tiles(translator, monkeypatch):
    monkeypatch.setattr(module, "LARGEST_WHOLE_PX", 8)
    card = tiny_card(InputEncoding("color", None), noise="none", multiple_px=1, scale=Scale(4, 4))
    assert not Translator(translator._generator, card)._needs_tiles(np.zeros((16, 16, 3), np.uint8))
