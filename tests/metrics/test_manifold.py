"""Precision and recall, copies and thumbnails: closed forms, and the order of arguments."""

import numpy as np
import pytest

from pix2street.core.images import write_png
from pix2street.metrics import Features, Samples, Trained, copies, manifold
from pix2street.metrics.manifold import precision_and_recall
from pix2street.metrics.thumbnails import SIDE_PX, mirrored, thumbnails_of

RNG = np.random.default_rng(0)
REAL = RNG.normal(size=(60, 4))


def test_equal_sets_have_all_of_each_other():
    assert precision_and_recall(REAL, REAL) == (1, 1)


def test_sets_far_apart_have_nothing_of_each_other():
    assert precision_and_recall(REAL + 100, REAL) == (0, 0)


def test_one_typical_photo_is_precise_and_recalls_nothing_and_their_roles_cannot_be_exchanged():
    one = np.repeat(REAL[:1], 60, axis=0)
    precision, recall = precision_and_recall(one, REAL)
    assert precision == 1
    assert recall == 1 / 60
    assert precision_and_recall(REAL, one) == (recall, precision)


def test_on_a_line_radii_are_worked_out_by_hand():
    real = np.arange(5.0)[:, None]  # radii 3, 2, 2, 2, 3
    photos = np.array([[-3.0], [-3.1], [7.0], [8.0]])
    precision, _ = precision_and_recall(photos, real)
    assert precision == 2 / 4


def test_three_photos_are_too_few():
    assert precision_and_recall(REAL[:3], REAL) == (None, None)
    features = Features({"manifold": "thumbnail"}, REAL, REAL)
    assert manifold.score(Samples(features=[features])) == {"precision_thumbnail": 1, "recall_thumbnail": 1}
    assert manifold.score(Samples(features=[Features({"kid": "kid"}, REAL, REAL)])) == {}


def test_copies_are_found_and_new_photos_are_not():
    train, real, new = RNG.normal(size=(200, 4)), RNG.normal(size=(100, 4)), RNG.normal(size=(100, 4))
    assert copies.score(Samples(train=Trained(train[:100], real, train))) == {"nearest_train": 0, "copies": 1}
    assert copies.score(Samples(train=Trained(real, real, train))) == {"nearest_train": 1, "copies": 0.01}
    found = copies.score(Samples(train=Trained(new, real, train)))
    assert found["nearest_train"] == pytest.approx(1, abs=0.2)
    assert found["copies"] <= 0.05
    assert copies.score(Samples()) == {}


def test_real_photos_that_are_all_in_train_give_no_share():
    found = copies.score(Samples(train=Trained(REAL, REAL, REAL)))
    assert found == {"nearest_train": None, "copies": 0}


@pytest.mark.parametrize("channels", [1, 3])
def test_a_thumbnail_has_the_photos_shape_and_its_mirror_image_is_that_of_the_mirrored_photo(tmp_path, channels):
    photo = RNG.integers(0, 256, (32, 64, channels)).astype(np.uint8)
    write_png(tmp_path / "a.png", photo)
    write_png(tmp_path / "b.png", photo[:, ::-1])
    small = thumbnails_of([tmp_path / "a.png", tmp_path / "b.png"], channels)
    assert small.shape == (2, SIDE_PX * 2 * SIDE_PX * channels)
    np.testing.assert_allclose(mirrored(small, 2 * SIDE_PX, channels)[0], small[1], atol=2 / 127.5)
