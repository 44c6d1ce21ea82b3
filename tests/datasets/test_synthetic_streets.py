import hashlib

import numpy as np
import pytest

from pix2street.core.classes import cityscapes_classes
from pix2street.datasets.synthetic_streets.scene import draw_scene

CLASSES = cityscapes_classes()
PINNED = "20248a413c6fbfbe814ea0e57ecb0c6fbdeb28441abb4fe37267298ca65a7bd5"


@pytest.fixture(scope="module")
def scenes():
    return [draw_scene(0, index, 128, 128) for index in range(30)]


def test_a_scene_is_a_function_of_seed_and_index_alone(scenes):
    for again, first in zip(draw_scene(0, 7, 128, 128), scenes[7], strict=True):
        assert (again == first).all()
    assert (draw_scene(1, 7, 128, 128)[0] != scenes[7][0]).mean() > 0.5
    assert (scenes[8][1] != scenes[7][1]).mean() > 0.1


def test_the_bytes_stay_what_they_are():
    drawn = hashlib.sha256()
    for index in range(20):
        for image in draw_scene(0, index, 64, 96):
            drawn.update(image.tobytes())
    assert drawn.hexdigest() == PINNED


@pytest.mark.parametrize("size", [(64, 64), (64, 96), (128, 256), (100, 70)])
def test_sizes(size):
    photo, labels = draw_scene(3, 1, *size)
    assert photo.shape == (*size, 3)
    assert labels.shape == size
    assert photo.dtype == labels.dtype == np.uint8
    assert CLASSES.known[labels].all()


def test_at_least_twelve_of_the_evaluated_classes_are_common(scenes):
    present = np.array([np.bincount(labels.ravel(), minlength=256) > 20 for _, labels in scenes]).mean(axis=0)
    evaluated = [entry for entry in CLASSES.entries if entry.evaluated]
    common = [entry.name for entry in evaluated if present[entry.id] >= 0.5]
    assert len(common) >= 12, common
    assert all(present[entry.id] > 0 for entry in evaluated if entry.name not in ("train",))


def test_a_photo_is_no_recoloured_label_map(scenes):
    photos, labels = (np.stack([scene[i] for scene in scenes]) for i in (0, 1))
    # Mean colours over the set explain less than half of what a photo varies by.
    flat = photos.astype(float)
    for class_id in np.unique(labels):
        flat[labels == class_id] = photos[labels == class_id].mean(axis=0)
    unexplained = ((photos - flat) ** 2).mean() / ((photos - photos.mean(axis=(0, 1, 2))) ** 2).mean()
    assert unexplained > 0.5
    # Nor do mean colours of one scene: within a class neighbours differ by more than noise of a level or two.
    same = (labels[:, :, 1:] == labels[:, :, :-1])[..., None]
    steps = np.abs(np.diff(photos.astype(int), axis=2))
    assert (steps * same).sum() / (3 * same.sum()) > 4


def test_objects_differ_in_colour_more_within_a_class_than_classes_do(scenes):
    means = {}
    for photo, labels in scenes:
        for name, class_id in {"car": 26, "building": 11, "person": 24, "wall": 12}.items():
            if (labels == class_id).sum() > 40:
                means.setdefault(name, []).append(photo[labels == class_id].mean(axis=0))
    within = np.mean([np.std(colors, axis=0).mean() for colors in means.values()])
    between = np.std([np.mean(colors, axis=0) for colors in means.values()], axis=0).mean()
    assert within > between
