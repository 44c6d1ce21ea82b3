import numpy as np
import pytest

from pix2street.core.class_tables import NAMED_TABLES, with_void
from pix2street.core.classes import ClassEntry, ClassTable, cityscapes_classes
from pix2street.core.numbering import explain_unknown, misread_share, off_by_one, table_of_unknown
from pix2street.datasets.synthetic_streets.scene import draw_scene

LABEL_IDS = cityscapes_classes()
TRAIN_IDS = NAMED_TABLES["cityscapes_train_ids"]()
TRAIN_ID_OF = {label: train for train, label in enumerate(e.id for e in LABEL_IDS.entries if e.evaluated)}


def own(*ids: int, evaluated: bool = True, names: tuple[str, ...] = ()) -> ClassTable:
    entries = zip(ids, names or [f"class {i}" for i in ids], strict=True)
    return ClassTable(tuple(ClassEntry(i, name, (i, 0, 0), evaluated) for i, name in entries))


def shares_of(ids: np.ndarray) -> dict[int, float]:
    values, counts = np.unique(ids, return_counts=True)
    return dict(zip(values.tolist(), (counts / ids.size).tolist(), strict=True))


@pytest.fixture(scope="module")
def streets() -> dict[int, float]:
    return shares_of(np.stack([draw_scene(0, index, 64, 64)[1] for index in range(12)]))


@pytest.fixture(scope="module")
def renumbered(streets) -> dict[int, float]:
    """Return the same streets by their trainIds."""
    return {TRAIN_ID_OF[class_id]: share for class_id, share in streets.items()}


def test_train_ids_read_as_label_ids_are_found_and_named(renumbered):
    share, way_out = misread_share(LABEL_IDS, renumbered)
    assert share == pytest.approx(1 - sum(renumbered.get(i, 0) for i in TRAIN_ID_OF), abs=1e-6)
    assert share > 0.5
    assert "0 unlabeled, 1 ego vehicle" in way_out
    assert "set download.paired_folder.classes: cityscapes_train_ids" in way_out


def test_label_ids_read_as_train_ids_are_named(streets, renumbered):
    assert "cityscapes: set" in explain_unknown(TRAIN_IDS, streets)
    # Some files have 255 for void, others the number after the classes.
    assert "classes: cityscapes_train_ids." in explain_unknown(LABEL_IDS, {**renumbered, 255: 0.1})
    beyond, way_out = misread_share(LABEL_IDS, {**renumbered, 19: 0.1})
    assert beyond > 0.4
    assert "classes: cityscapes_train_ids and void_id: 19" in way_out
    reduced = NAMED_TABLES["cityscapes_evaluated"]()
    assert "those of cityscapes:" in explain_unknown(reduced, {**streets, 4: 0.1})
    assert "those of cityscapes_train_ids:" in explain_unknown(reduced, renumbered)


def test_a_table_of_ones_own_with_the_same_names_is_known_too(renumbered):
    few = ClassTable(tuple(e for e in LABEL_IDS.entries if e.id in (0, 1, 2, 5, 6, 7, 8, 10, 11, 13, 18, 21, 23, 26)))
    ids = {i: share for i, share in renumbered.items() if few.known[i]}
    assert "set download.paired_folder.classes: cityscapes_train_ids" in misread_share(few, ids)[1]


@pytest.mark.parametrize(
    ("table", "shares"),
    [
        (LABEL_IDS, {7: 0.5, 23: 0.5}),
        (LABEL_IDS, {7: 0.4, 8: 0.2, 11: 0.4}),
        (LABEL_IDS, {0: 0.8, 7: 0.1, 11: 0.1}),
        (LABEL_IDS, {0: 0.6, 4: 0.1, 7: 0.2, 11: 0.1}),
        (LABEL_IDS, {0: 0.3, 1: 0.1, 4: 0.1, 7: 0.2, 26: 0.3}),
        (TRAIN_IDS, {0: 0.5, 10: 0.5}),
        (TRAIN_IDS, {255: 0.7, 0: 0.2, 13: 0.1}),
        (NAMED_TABLES["ade20k"](), {0: 0.5, 3: 0.5}),
        (NAMED_TABLES["pascal_voc"](), {0: 0.9, 15: 0.05, 255: 0.05}),
        (own(0, 1, 2), {0: 0.5, 1: 0.5}),
        (ClassTable((ClassEntry(0, "rest", (0, 0, 0), False), *own(1).entries)), {0: 0.99, 1: 0.01}),
        (own(0, 1, 2, 3, names=("road", "building", "sky", "car")), {0: 0.4, 1: 0.3, 2: 0.2, 3: 0.1}),
        (LABEL_IDS, {}),
    ],
)  # fmt: skip
def test_honest_sets_of_few_classes_raise_no_alarm(table, shares):
    assert misread_share(table, shares) == (0.0, "")


def test_drawn_streets_raise_no_alarm(streets, renumbered):
    assert misread_share(LABEL_IDS, streets) == (0.0, "")
    assert misread_share(NAMED_TABLES["cityscapes_evaluated"](), streets) == (0.0, "")
    assert misread_share(TRAIN_IDS, renumbered) == (0.0, "")
    assert misread_share(with_void(LABEL_IDS, 255), {**streets, 255: 0.3}) == (0.0, "")


def test_a_set_in_which_nothing_is_scored_is_found():
    share, way_out = misread_share(own(0, 1, evaluated=False), {0: 0.5, 1: 0.5})
    assert share == 1
    assert way_out.startswith("The inputs hold only 0 and 1, as a mask does. A class table of two rows reads it, ")
    assert way_out.endswith("\n  classes: classes.csv\n  label_pixels: ids")
    assert misread_share(own(3, 4, evaluated=False), {3: 1.0})[1].startswith("No pixel is of an evaluated class")
    # Road and sky by their trainIds.
    assert "set download.paired_folder.classes: cityscapes_train_ids" in misread_share(LABEL_IDS, {0: 0.5, 10: 0.5})[1]


@pytest.mark.parametrize(
    ("table", "seen", "said"),
    [
        (own(0, 1, 2), (0, 1, 2, 255), "add this row to the class table"),
        (own(0, 1, 2), (0, 1, 2, 255), "\n  255,void,0,0,0,0"),
        (LABEL_IDS, (0, 7, 23, 26, 255), "set download.paired_folder.void_id: 255"),
        (own(0, 1), (0, 255), "\n  0,background,0,0,0,1\n  255,object,255,255,255,1\n"),
        (LABEL_IDS, (0, 255), "\n  255,object,255,255,255,1\n"),
        (own(0, 255), (0, 1), "\n  1,object,255,255,255,1\n"),
        (own(0, 1, 2), (1, 2, 3), "add 1 to every id of the table."),
        (own(0, 1, 2), (0, 1, 2, 3), "a row for 0 where that marks pixels that nobody labelled: 0,void,0,0,0,0"),
        (own(1, 2, 3), (0, 1, 2), "subtract 1 from every id of the table"),
        (
            own(0, 1, 2),
            (0, 1, 9),
            "Add a row for each of these ids to the class table, e.g. for pixels that nobody labelled 9,void,0,0,0,0;",
        ),
        (NAMED_TABLES["ade20k"](), (0, 3, 149, 255), "set download.paired_folder.classes: ade20k_from_zero"),
        (NAMED_TABLES["ade20k_from_zero"](), (0, 3, 150), "set download.paired_folder.classes: ade20k."),
        (NAMED_TABLES["pascal_voc"](), (0, 3, 25), "Add a row for each of these ids"),
    ],
)
def test_ids_without_a_class_are_explained(table, seen, said):
    assert said in explain_unknown(table, dict.fromkeys(seen, 1.0))


def test_ids_of_ones_own_classes_are_taken_for_nobody_elses():
    assert table_of_unknown(own(*range(7)), dict.fromkeys([*range(7), 255], 1.0)) is None
    streets = own(*range(7), names=("road", "sidewalk", "building", "vegetation", "sky", "person", "car"))
    assert table_of_unknown(streets, dict.fromkeys([*range(7), 255], 1.0)) is None


def test_ids_that_may_be_one_too_low_are_said():
    ade = NAMED_TABLES["ade20k"]()
    assert "0 void has 20% of the pixels, more than any class, and 150 flag never occurs" in off_by_one(
        ade, {0: 0.2, **{i: 0.8 / 149 for i in range(1, 150)}}
    )
    assert off_by_one(ade, {0: 0.1, 1: 0.2, **{i: 0.7 / 148 for i in range(2, 150)}}) == ""
    assert off_by_one(ade, {0: 0.2, **{i: 0.8 / 150 for i in range(1, 151)}}) == ""
    assert "255 void has 70%" in off_by_one(NAMED_TABLES["pascal_voc"](), {255: 0.7, 0: 0.1, 14: 0.2})
    assert off_by_one(LABEL_IDS, {7: 0.5, 23: 0.5}) == off_by_one(own(0, 1), {0: 0.5, 1: 0.5}) == ""
