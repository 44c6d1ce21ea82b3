"""A jury on disk: its judges in their order, and the classes that it does not judge."""

import pytest

from pix2street.core.classes import ClassEntry, ClassTable
from pix2street.core.errors import UserError
from pix2street.core.files import write_json
from pix2street.judges.jury import Jury, judge_folder
from pix2street.judges.network import build_segmenter
from pix2street.judges.segmenter import TRAINED, Card

ENTRIES = [(5, "dark", True), (6, "void", False), (9, "light", True)]
TABLE = ClassTable(tuple(ClassEntry(id, name, (id, id, id), evaluated) for id, name, evaluated in ENTRIES))
NOT_JUDGED = {"light": {"share": 0.001, "iou": 0.05}}


@pytest.fixture
def folder(tmp_path):
    """Return a jury of three, whose judges differ in their weights."""
    for index in range(3):
        network = build_segmenter(16, 16, 2, 4, index)
        Card(TRAINED, ["dark", "light"], 16, 16, mirrored=True).write(judge_folder(tmp_path, index), network)
    write_json(tmp_path / "score.json", {"judges": 3, "not_judged": NOT_JUDGED})
    return tmp_path


def test_the_judges_come_in_the_order_of_their_training(folder):
    jury = Jury.load(folder, TABLE)
    assert jury.not_judged == NOT_JUDGED
    assert [judge.card for judge in jury.judges] == [Card.read(folder / f"judge_{number}") for number in (1, 2, 3)]
    assert len({judge.card.weights_sha256 for judge in jury.judges}) == 3


def test_a_missing_judge_is_named(folder):
    (folder / "judge_3/judge.json").unlink()
    with pytest.raises(UserError, match=r"judge_3/judge\.json"):
        Jury.load(folder, TABLE)


def test_a_score_of_the_time_before_juries_is_refused(tmp_path):
    write_json(tmp_path / "score.json", {"split": "val", "mean_iou": 0.4})
    with pytest.raises(UserError, match=r"score\.json"):
        Jury.load(tmp_path, TABLE)


def test_equal_judges_have_equal_bytes(tmp_path):
    for name in ("a", "b"):
        Card(TRAINED, ["dark"], 16, 16).write(judge_folder(tmp_path / name, 0), build_segmenter(16, 16, 1, 4, 7))
    files = [sorted((tmp_path / name).rglob("*.*")) for name in ("a", "b")]
    assert len(files[0]) == 3
    for first, second in zip(*files, strict=True):
        assert first.read_bytes() == second.read_bytes()
