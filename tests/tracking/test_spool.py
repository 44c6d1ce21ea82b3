import math
import subprocess
import sys

import pytest
from mlflow.exceptions import MlflowException

from pix2street.core.errors import UserError
from pix2street.core.files import write_text
from pix2street.tracking.description import RunDescription
from pix2street.tracking.records import (
    DataInput,
    DataInputs,
    End,
    Files,
    GeneratorModel,
    Metrics,
    Point,
    Scores,
    Sheet,
    Tags,
    Target,
)
from pix2street.tracking.spool import Spool

RUN = RunDescription(key="run", store="own", weights=None, start_ms=1, name="streets", tags={"a": "b"}, params={})


@pytest.fixture
def spool(tmp_path):
    return Spool.claim(tmp_path / "spool/run", RUN)


def test_records_come_back_in_order_with_copies_of_their_files(spool, tmp_path):
    file, folder = tmp_path / "a.txt", tmp_path / "b"
    file.write_text("then")
    folder.mkdir()
    (folder / "c.txt").write_text("c")
    for number in range(11):
        spool.append(Metrics(metrics=(Point("loss", 0.5, 1, number),)))
    spool.append(Files(path=file, to="x"))
    spool.append(Files(path=folder, to="x"))
    file.write_text("now")
    owed = spool.owed()
    assert [record.metrics[0].step for _, record in owed[:11]] == list(range(11))
    assert owed[11][1].path.read_text() == "then"
    assert (owed[12][1].path / "c.txt").read_text() == "c"
    for name, _ in owed[:12]:
        spool.drop(name)
    assert [name for name, _ in spool.owed()] == ["000013"]
    assert sorted(path.name for path in spool.path.iterdir()) == ["000013", "000013.json", "about.json", "lock"]


def test_a_record_of_each_kind_comes_back_as_it_was(spool, tmp_path):
    file = tmp_path / "a.txt"
    file.touch()
    records = [
        Metrics(metrics=(Point("loss", math.inf, 1, 2), Point("other", 0.1, 1, 2)), only_if_made=True),
        Tags(tags={"a": "b"}),
        Files(path=file, to="x"),
        Scores(path=file, to="x", numbers={"l1": 0.1}, tags={}, ms=3),
        Sheet(path=file, step=1, ms=2),
        DataInputs(inputs=(DataInput({"name": "streets", "profile": None}, "train", "aa"),)),
        GeneratorModel(path=file),
        End(status="FINISHED", ms=4),
    ]
    for record in records:
        spool.append(record)
    for record, (name, back) in zip(records, spool.owed(), strict=True):
        expected = {**vars(record), "path": spool.path / name / "a.txt"} if "path" in vars(record) else vars(record)
        assert (type(back), vars(back)) == (type(record), expected)
    spool.append(Metrics(metrics=(Point("loss", math.nan, 1, 2),)))
    assert math.isnan(spool.owed()[-1][1].metrics[0].value)


EARLIER = {
    "about.json": """{"key": "run", "store": "own", "weights": null, "start_ms": 1, "name": "streets-run", "tags": {},
        "params": {"a.b": "1"}, "run_id": null, "making": false, "made": false, "whole": true, "ended": false}""",
    "000001.json": '{"kind": "metrics", "metrics": [["train/loss", NaN, 5, 1]], "only_if_made": true}',
    "000002.json": '{"kind": "files", "path": "000002/a.txt", "to": "x"}',
}
"""A folder as it was written before records had types."""


def test_an_earlier_versions_folder_is_read(tmp_path):
    for name, text in EARLIER.items():
        write_text(tmp_path / "spool/run" / name, text)
    (spool,) = Spool.unclaimed(tmp_path / "spool")
    assert (spool.description.whole, spool.description.params, spool.description.curves) == (True, {"a.b": "1"}, ())
    (_, metrics), (_, files) = spool.owed()
    assert (metrics.metrics[0][2:], metrics.only_if_made) == ((5, 1), True)
    assert files == Files(path=tmp_path / "spool/run/000002/a.txt", to="x")


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("no JSON", "must be complete JSON"),
        ("[]", "Input should be a valid dictionary or object"),
        ('{"kind": "zebra"}', "Input tag 'zebra' found using 'kind' does not match any of the expected tags"),
        ('{"kind": "end", "ms": 1}', "end: status: Field required"),
        ('{"kind": "end", "ms": 1, "status": "FAILED", "new": 1}', "end: new: Unexpected keyword argument"),
    ],
)
def test_a_record_that_cannot_be_read_is_named_in_one_line(spool, text, fault):
    (spool.path / "000001.json").write_text(text)
    with pytest.raises(UserError) as told:
        spool.owed()
    assert str(told.value).startswith(f"{spool.path / '000001.json'}: ")
    assert fault in str(told.value)
    assert str(told.value).endswith("record it with the version that wrote it, or remove its folder to give it up")
    assert "\n" not in str(told.value)
    assert not spool.is_empty()


def test_a_folder_is_one_process_at_a_time(spool, tmp_path):
    claim = (
        "import sys; from pathlib import Path; from pix2street.tracking.spool import Spool\n"
        "for spool in Spool.unclaimed(Path(sys.argv[1])): print(spool.description.name); spool.close()"
    )

    def claimed_elsewhere():
        command = [sys.executable, "-c", claim, str(tmp_path / "spool")]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()

    assert claimed_elsewhere() == []
    spool.note(name="noted")
    spool.close()
    assert claimed_elsewhere() == ["noted"]
    again = Spool.claim(spool.path, RUN)
    assert again.description.name == "noted"
    again.remove()
    assert claimed_elsewhere() == []
    assert list((tmp_path / "spool").iterdir()) == []


def test_a_folder_whose_process_died_at_once_is_removed(spool, tmp_path):
    (spool.path / "about.json").unlink()
    spool.close()
    assert list(Spool.unclaimed(tmp_path / "spool")) == []
    assert list((tmp_path / "spool").iterdir()) == []


class BusyStore:
    """A store in which another run records the same data at the moment of the first `failures` calls."""

    def __init__(self, failures: int):
        self.failures, self.taken = failures, []

    def log_inputs(self, run_id, inputs):
        if self.failures:
            self.failures -= 1
            raise MlflowException("duplicate key value")
        self.taken.append((run_id, len(inputs)))


def test_data_that_another_run_records_at_the_same_moment_are_recorded():
    data = {"name": "a", "digest": "b", "source_type": "c", "source": "d", "schema": None, "profile": None}
    record = DataInputs(inputs=(DataInput(data, "train", "e"),))
    store = BusyStore(1)
    record.send(Target(store, "0", "run", "key"))
    assert store.taken == [("run", 1)]
    with pytest.raises(MlflowException):
        record.send(Target(BusyStore(2), "0", "run", "key"))
