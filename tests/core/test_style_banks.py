"""What palettes and codes have in common."""

import numpy as np
import pytest
from tiny_models import tiny_bank, tiny_codes

from pix2street.core.classes import cityscapes_classes
from pix2street.core.decoding import decode
from pix2street.core.images import write_png
from pix2street.core.pairs import Pair
from pix2street.core.styles import BANK_FILES, BANKS, CHANNELS, PairStyles, own_styles, packed, seed_of, with_style

CLASSES = cityscapes_classes()
IDS = np.full((24, 20), 23, np.uint8)
IDS[10:] = 7
TINY = {"palette": tiny_bank, "code": tiny_codes}


@pytest.mark.parametrize("style", BANKS)
def test_banks_keep_their_promises(style, tmp_path):
    bank = TINY[style]()
    bank.write(tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == [BANK_FILES[style]]
    read = BANKS[style].read(tmp_path)
    light = bank.light(IDS, 4)
    assert (light.dtype, light.shape) == (np.uint8, (CHANNELS[style],))
    np.testing.assert_array_equal(read.light(IDS, 4), light)
    photo = np.random.default_rng(0).integers(0, 256, (16, 16, 3)).astype(np.uint8)
    for drawn in (bank.draw(IDS, 4), bank.draw(IDS, 4, light), bank.draw(IDS, 4, bank.light_of(photo)), bank.mean(IDS)):
        assert drawn.dtype == np.uint8
        assert with_style(IDS, drawn).shape == (24, 20, 1 + CHANNELS[style])
    np.testing.assert_array_equal(bank.draw(IDS, 4, light), bank.draw(IDS, 4))
    assert len({read.draw(IDS, seed).tobytes() for seed in range(9)}) > 4


def test_a_style_lies_behind_class_ids_and_colours():
    palette, code = np.full((24, 20, 3), 9, np.uint8), np.arange(8, dtype=np.uint8)
    both = with_style(IDS, palette)
    np.testing.assert_array_equal(both[..., 0], IDS)
    np.testing.assert_array_equal(both[..., 1:], palette)
    rgb = np.random.default_rng(0).integers(0, 256, (5, 6, 3)).astype(np.uint8)
    both = with_style(rgb, code)
    np.testing.assert_array_equal(both[..., :3], rgb)
    assert (both[..., 3:] == code).all()


def test_styles_for_batches_are_pngs_or_numbers():
    palette = tiny_bank().draw(IDS, 1)
    (png,) = packed([palette]).palettes
    np.testing.assert_array_equal(decode(png, ""), palette)
    codes = [np.full(8, level, np.uint8) for level in (1, 2)]
    np.testing.assert_array_equal(packed(iter(codes)).codes, codes)


def test_styles_of_pairs_come_with_their_bank(tmp_path):
    pairs = [Pair(f"p{index}", tmp_path / f"i{index}.png", tmp_path / f"t{index}.png") for index in range(3)]
    for index, pair in enumerate(pairs):
        write_png(pair.input_path, IDS)
        write_png(pair.target_path, np.full((24, 20, 3), 50 * index, np.uint8))
    assert own_styles("none", pairs, CLASSES) == (PairStyles(), None)
    styles, bank = own_styles("palette", pairs, CLASSES)
    assert (len(styles.palettes), len(bank.counts), styles.codes) == (3, 3, None)
    styles, bank = own_styles("code", pairs, CLASSES)
    np.testing.assert_array_equal(styles.codes, bank.codes)
    assert (len(bank.codes), styles.palettes) == (3, None)


def test_seeds_of_styles_follow_names_and_seeds():
    assert len({seed_of(name, seed) for name in "abc" for seed in range(3)}) == 9
