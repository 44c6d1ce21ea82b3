from dataclasses import replace

import numpy as np
from tiny_models import tiny_card

from pix2street.core.class_tables import pascal_voc
from pix2street.core.classes import ClassEntry, ClassTable, cityscapes_classes
from pix2street.core.images import read_ids
from pix2street.demo.drawings import brushes_of, examples_of
from pix2street.training.batches import InputEncoding

LABELS = tiny_card(InputEncoding("color", cityscapes_classes()), "left", 32, 32, "batch", True, 0)
COLORS = replace(LABELS, encoding=InputEncoding("color", None))
OTHERS = ClassTable((ClassEntry(0, "void", (0, 0, 0), False), ClassEntry(7, "roof", (9, 9, 9), True)))
FACADES = replace(LABELS, encoding=InputEncoding("onehot", OTHERS))


def test_validation_inputs_of_the_generators_kind_are_the_examples(road_and_sky):
    examples = examples_of(LABELS, road_and_sky)
    assert list(examples) == ["p4", "p5"]
    assert (examples["p5"] == read_ids(road_and_sky / "val/inputs/p5.png")).all()
    for unlike in (COLORS, FACADES, replace(LABELS, width_px=48)):
        assert list(examples_of(unlike, road_and_sky)) == ["blank"]


def test_without_any_it_is_a_drawn_street_or_nothing(tmp_path):
    street = examples_of(replace(LABELS, height_px=48), tmp_path)["blank"]
    assert street.shape == (48, 32)
    assert {7, 8, 11, 23} <= set(np.unique(street).tolist())
    assert (examples_of(FACADES, tmp_path)["blank"] == 7).all()
    assert (examples_of(COLORS, tmp_path)["blank"] == 255).all()


def test_the_brushes_are_the_classes_or_colours():
    assert len([entry for entry in brushes_of(LABELS) if entry["common"]]) == 19
    assert {"value": 26, "name": "car", "color": (0, 0, 142), "common": True} in brushes_of(LABELS)
    voc = brushes_of(replace(LABELS, encoding=InputEncoding("color", pascal_voc())))
    assert [entry["name"] for entry in voc if not entry["common"]] == ["void"]
    assert {"value": 0xFFFFFF, "name": "white", "color": (255, 255, 255), "common": True} in brushes_of(COLORS)
    assert all(len(set(entry["color"])) == 1 for entry in brushes_of(replace(COLORS, input_from="grey")))
