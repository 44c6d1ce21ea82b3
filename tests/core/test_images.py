import numpy as np
import pytest
from PIL import Image

from pix2street.core.errors import UserError
from pix2street.core.images import (
    EdgeSettings,
    contact_sheet,
    edges,
    perceptual_hash,
    png_bytes,
    read_ids,
    read_rgb,
    reduce_photo,
    resize_clean,
    resize_labels,
    resize_photo,
    thumbnail,
    to_pixels,
    to_unit,
    write_png,
)
from pix2street.datasets.synthetic_streets.scene import draw_scene

NOISE = np.random.default_rng(0).integers(0, 256, (40, 60, 3)).astype(np.uint8)


def test_png_is_lossless_and_stable(tmp_path):
    write_png(tmp_path / "a.png", NOISE)
    assert (read_rgb(tmp_path / "a.png") == NOISE).all()
    assert (tmp_path / "a.png").read_bytes() == png_bytes(NOISE)


@pytest.mark.parametrize("suffix", ["png", "jpg"])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_a_truncated_image_is_refused_by_name(tmp_path, suffix, share):
    path = tmp_path / f"whole.{suffix}"
    Image.fromarray(NOISE).save(path)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(UserError, match=f"whole.{suffix}: not a readable image"):
        read_rgb(path)


def test_a_text_and_a_missing_file_are_refused(tmp_path):
    (tmp_path / "a.png").write_text("<html>")
    for name in ("a.png", "b.png"):
        with pytest.raises(UserError, match=f"{name}: not a readable image"):
            read_rgb(tmp_path / name)


def test_class_ids_have_one_channel(tmp_path):
    write_png(tmp_path / "rgb.png", NOISE)
    with pytest.raises(UserError, match="one 8-bit channel, this is mode RGB"):
        read_ids(tmp_path / "rgb.png")


@pytest.mark.parametrize("side", [20, 40, 299])
def test_the_clean_resize_is_pillows_on_unrounded_channels(side):
    clean = resize_clean(NOISE, side)
    assert clean.shape == (side, side, 3)
    assert clean.dtype == np.float32
    for channel in range(3):
        resized = Image.fromarray(NOISE[..., channel]).convert("F").resize((side, side), Image.Resampling.BICUBIC)
        assert (clean[..., channel] == np.clip(np.asarray(resized), 0, 255)).all()
    assert (clean % 1 != 0).any()


def test_labels_get_no_new_ids_and_photos_are_antialiased():
    ids = np.random.default_rng(0).choice(np.array([7, 23, 26], np.uint8), (64, 64))
    assert set(np.unique(resize_labels(ids, 30, 50))) <= {7, 23, 26}
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:, ::2] = 255
    # Every second column would be all black or all white without antialiasing.
    assert abs(float(resize_photo(stripes, 16, 16).mean()) - 127.5) < 5


def test_unit_range_and_back_is_exact():
    levels = np.arange(256, dtype=np.uint8)
    unit = to_unit(levels.astype(np.float32))
    assert (unit.min(), unit.max()) == (-1, 1)
    assert (to_pixels(unit) == levels).all()
    assert to_pixels(np.array([-3.0, 3.0])).tolist() == [0, 255]


def test_a_reduced_photo_keeps_a_ramp_and_forgets_a_chequered_pattern():
    ramp = np.repeat(np.arange(64, dtype=np.uint8)[None, :, None], 32, 0).repeat(3, 2)
    reduced = reduce_photo(ramp, 4)
    assert reduced.shape == (8, 16, 3)
    # A pixel of the reduced photo lies in the middle of four.
    assert np.abs(reduced[:, 2:-2, 0] - (4 * np.arange(2, 14) + 1.5)).max() <= 0.5
    chequered = np.indices((32, 32)).sum(axis=0).astype(np.uint8) % 2 * 255
    assert np.abs(reduce_photo(chequered, 4)[1:-1, 1:-1].astype(int) - 127).max() <= 1
    with pytest.raises(ValueError, match="30x32 px must be multiples of 4"):
        reduce_photo(ramp[:, :30], 4)


def test_a_contact_sheet_enlarges_smaller_images_by_whole_numbers():
    large, small = np.zeros((8, 8, 3), np.uint8), np.arange(4, dtype=np.uint8).reshape(2, 2, 1).repeat(3, 2)
    sheet = contact_sheet([[small, large]], gap_px=2)
    assert sheet.shape == (8, 18, 3)
    assert (sheet[:, :8] == small.repeat(4, 0).repeat(4, 1)).all()
    high = np.zeros((12, 8, 3), np.uint8)
    sheet = contact_sheet([[large, high]], gap_px=2)
    assert (sheet[:8, :8] == 0).all()
    assert (sheet[8:, :8] == 255).all()


def test_contact_sheet_puts_rows_and_columns_in_place():
    images = [np.full((4, 6, 3), level, np.uint8) for level in (0, 50, 100, 150)]
    sheet = contact_sheet([images[:2], images[2:]], gap_px=2)
    assert sheet.shape == (10, 14, 3)
    assert (sheet[:4, :6] == 0).all()
    assert (sheet[:4, 8:] == 50).all()
    assert (sheet[6:, :6] == 100).all()
    assert (sheet[4:6] == 255).all()


def test_edges_are_black_lines_on_white():
    photo = np.full((32, 32, 3), 50, np.uint8)
    photo[:, 16:] = 200
    drawn = edges(photo, EdgeSettings(1.0, 0.8, 0.9))
    assert set(np.unique(drawn)) == {0, 255}
    assert (drawn[5:-5, 14:18] == 0).any(axis=1).all()
    assert (drawn[:, :12] == 255).all()


def test_a_hash_stays_near_for_an_altered_photo_and_far_for_another():
    photos = [draw_scene(0, index, 128, 128)[0] for index in range(2)]
    brighter = np.clip(photos[0] * 1.1 + 5, 0, 255).astype(np.uint8)
    bits = [int(perceptual_hash(photo, 16), 16) for photo in (photos[0], brighter, photos[1])]
    assert (bits[0] ^ bits[1]).bit_count() < 20
    assert (bits[0] ^ bits[2]).bit_count() > 60


def test_a_thumbnail_keeps_its_shape_and_is_never_enlarged():
    assert thumbnail(np.zeros((100, 400, 3), np.uint8), 144).shape == (36, 144, 3)
    assert thumbnail(np.zeros((10, 20, 3), np.uint8), 144).shape == (10, 20, 3)
