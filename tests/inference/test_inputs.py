import numpy as np
import pytest
from PIL import Image
from tiny_models import tiny_card

from pix2street.core.class_tables import cityscapes_train_ids
from pix2street.core.classes import ClassEntry, ClassTable, cityscapes_classes
from pix2street.core.decoding import Stored
from pix2street.core.errors import UserError
from pix2street.datasets.synthetic_streets.scene import draw_scene
from pix2street.inference.inputs import read_input, to_input
from pix2street.training.batches import InputEncoding

CLASSES = cityscapes_classes()
LABELS = tiny_card(InputEncoding("color", CLASSES), "left", 32, 48, "batch", True, 0)
PHOTOS = tiny_card(InputEncoding("color", None), "left", 32, 48, "batch", True, 0)
GREY = tiny_card(InputEncoding("color", None), "grey", 32, 48, "batch", True, 0)

IDS = np.random.default_rng(0).choice([7, 23, 26], (40, 50)).astype(np.uint8)
NOISE = np.random.default_rng(0).integers(0, 256, (32, 96, 3)).astype(np.uint8)


def test_colours_and_ids_are_the_same_label_map():
    assert (to_input(LABELS, Stored(IDS), "x") == IDS).all()
    assert (to_input(LABELS, Stored(CLASSES.to_colors(IDS)), "x") == IDS).all()
    moved = np.clip(CLASSES.to_colors(IDS).astype(int) + 5, 0, 255).astype(np.uint8)
    assert (to_input(LABELS, Stored(moved), "x") == IDS).all()


def test_what_is_no_label_map_is_refused_by_the_classes():
    with pytest.raises(UserError, match=r"x.png: holds ids that no class of the generator has: \[99\].*26 car"):
        to_input(LABELS, Stored(np.full((4, 4), 99, np.uint8)), "x.png")
    with pytest.raises(UserError, match=r"x.png: 100% of its pixels .*10, 250, 10.*give a label map"):
        to_input(LABELS, Stored(np.full((4, 4, 3), (10, 250, 10), np.uint8)), "x.png")


def test_ids_of_another_numbering_are_named():
    train_ids = np.array([[0, 1, 2, 8, 10], [11, 13, 13, 255, 255]], np.uint8)
    with pytest.raises(UserError, match=r"has: \[255\]; they look like those of cityscapes_train_ids, .*renumbered"):
        to_input(LABELS, Stored(train_ids), "x.png")
    by_train_ids = tiny_card(InputEncoding("onehot", cityscapes_train_ids()), "file", 32, 48, "batch", True, 0)
    assert (to_input(by_train_ids, Stored(train_ids), "x.png") == train_ids).all()
    with pytest.raises(UserError, match=r"\[21, 23, 26\]; they look like those of cityscapes, which"):
        to_input(by_train_ids, Stored(np.array([[7, 21, 23, 26]], np.uint8)), "x.png")


@pytest.mark.parametrize("mode", ["1", "L"])
def test_a_mask_is_two_classes_where_the_generator_has_them(tmp_path, mode):
    masks = ClassTable((ClassEntry(0, "rest", (0, 0, 0), True), ClassEntry(255, "car", (255, 255, 255), True)))
    card = tiny_card(InputEncoding("color", masks), "file", 32, 48, "batch", True, 0)
    mask = np.where(IDS == 26, 255, 0).astype(np.uint8)
    Image.fromarray(mask).convert(mode).save(tmp_path / "mask.png")
    assert (read_input(card, tmp_path / "mask.png")[0] == mask).all()


@pytest.mark.parametrize("card", [LABELS, PHOTOS])
def test_a_pair_is_refused_until_its_half_is_told(card):
    pair = NOISE.copy()
    pair[:, :48] = CLASSES.to_colors(IDS[:32, :48])
    with pytest.raises(UserError, match=r"x: is 96x32 px, .* 48x32 px .*--half left"):
        to_input(card, Stored(pair), "x")
    left = to_input(card, Stored(pair), "x", "left")
    assert (left == (IDS[:32, :48] if card is LABELS else pair[:, :48])).all()


def test_a_wide_image_that_is_no_pair_is_taken():
    wide = np.tile(IDS[:32, :48], (1, 2))
    assert (to_input(LABELS, Stored(CLASSES.to_colors(wide)), "x") == wide).all()
    assert (to_input(PHOTOS, Stored(NOISE), "x", "whole") == NOISE).all()


def test_halves_need_an_even_width():
    with pytest.raises(UserError, match="x: is 49 px wide"):
        to_input(PHOTOS, Stored(NOISE[:, :49]), "x", "right")


def test_grey_generators_are_shown_grey_and_one_channel_is_three():
    shown = to_input(GREY, Stored(NOISE), "x", "whole")
    assert (shown[..., 0] == shown[..., 2]).all()
    np.testing.assert_array_equal(to_input(PHOTOS, Stored(NOISE[:, :50, 0]), "x"), NOISE[:, :50, [0, 0, 0]])


@pytest.mark.parametrize("side", [64, 96, 192])
def test_averaged_ids_are_refused_and_those_of_nearest_neighbours_taken(side):
    every = ClassTable(tuple(ClassEntry(i, f"c{i}", (i, 255 - i, i), True) for i in range(40)))
    card = tiny_card(InputEncoding("onehot", every), "file", 128, 128, "batch", True, 0)
    drawing = Image.fromarray(draw_scene(0, 3, 128, 128)[1])
    nearest = np.asarray(drawing.resize((side, side), Image.Resampling.NEAREST))
    assert (to_input(card, Stored(nearest), "x") == nearest).all()
    averaged = np.asarray(drawing.resize((side, side), Image.Resampling.BILINEAR))
    with pytest.raises(UserError, match=r"of the ids on its borders lie between .* resize by nearest neighbour"):
        to_input(card, Stored(averaged), "x")
