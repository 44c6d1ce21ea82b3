import numpy as np

from pix2street.core.images import ENLARGING, enlarge_photo, read_rgb, write_png
from pix2street.core.pairs import Pair
from pix2street.inference.enlargements import write_enlargements

PHOTO = np.random.default_rng(0).integers(0, 256, (5, 6, 3)).astype(np.uint8)


def test_nearest_repeats_pixels_and_a_flat_photo_stays_flat():
    assert (enlarge_photo(PHOTO, 4, "nearest") == PHOTO.repeat(4, 0).repeat(4, 1)).all()
    for name in ENLARGING:
        assert (enlarge_photo(np.full((4, 4, 3), 77, np.uint8), 2, name) == 77).all()


def test_every_input_of_every_subset_has_every_baseline(tmp_path):
    write_png(tmp_path / "a.png", PHOTO)
    pair = Pair("a", tmp_path / "a.png", tmp_path / "a.png")
    write_enlargements({"val": [pair], "test": []}, 2, tmp_path / "out")
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"nearest", "bicubic", "lanczos"}
    for baseline in ENLARGING:
        assert read_rgb(tmp_path / "out" / baseline / "val/a.png").shape == (10, 12, 3)
