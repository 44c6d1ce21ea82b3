import numpy as np

from pix2street.core.classes import VOID, ClassTable, cityscapes_classes

TABLE = cityscapes_classes()


def test_cityscapes_has_34_labels_of_which_19_are_evaluated():
    assert [entry.id for entry in TABLE.entries] == list(range(34))
    assert len(TABLE.evaluated_names) == 19
    assert (TABLE.evaluated_names[0], TABLE.evaluated_names[-1]) == ("road", "bicycle")
    reduced = cityscapes_classes(evaluated_only=True)
    assert len(reduced.entries) == 20
    assert reduced.evaluated_names == TABLE.evaluated_names


def test_every_colour_snaps_to_a_class_of_that_colour():
    colors = np.array([[entry.color for entry in TABLE.entries]], np.uint8)
    ids, distance = TABLE.snap(colors)
    assert (distance == 0).all()
    assert (TABLE.to_colors(ids) == colors).all()


def test_a_colour_that_is_a_little_off_is_snapped_and_measured():
    ids, distance = TABLE.snap(np.array([[[128 + 3, 64 - 4, 128]]], np.uint8))
    assert ids.tolist() == [[7]]
    assert distance.tolist() == [[5.0]]


def test_evaluated_places():
    assert TABLE.to_evaluated(np.array([7, 33, 0], np.uint8)).tolist() == [0, 18, VOID]


def test_a_table_survives_json():
    assert ClassTable.from_json(TABLE.to_json()) == TABLE
