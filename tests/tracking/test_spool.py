import subprocess
import sys
from pathlib import Path

import pytest

from pix2street.tracking.spool import Spool


@pytest.fixture
def spool(tmp_path):
    return Spool.claim(tmp_path / "spool/run", {"key": "run"})


def test_entries_come_back_in_order_with_copies_of_their_files(spool, tmp_path):
    file, folder = tmp_path / "a.txt", tmp_path / "b"
    file.write_text("then")
    folder.mkdir()
    (folder / "c.txt").write_text("c")
    for number in range(11):
        spool.append({"number": number, "loss": float("nan")})
    spool.append({"path": str(file)})
    spool.append({"path": str(folder)})
    file.write_text("now")
    entries = spool.entries()
    assert [entry["number"] for _, entry in entries[:11]] == list(range(11))
    assert Path(entries[11][1]["path"]).read_text() == "then"
    assert Path(entries[12][1]["path"], "c.txt").read_text() == "c"
    for name, _ in entries[:12]:
        spool.drop(name)
    assert [name for name, _ in spool.entries()] == ["000013"]
    assert sorted(path.name for path in spool.path.iterdir()) == ["000013", "000013.json", "about.json", "lock"]


def test_a_folder_is_one_process_at_a_time(spool, tmp_path):
    claim = (
        "import sys; from pathlib import Path; from pix2street.tracking.spool import Spool\n"
        "for spool in Spool.unclaimed(Path(sys.argv[1])): print(spool.about['key']); spool.close()"
    )

    def claimed_elsewhere():
        command = [sys.executable, "-c", claim, str(tmp_path / "spool")]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()

    assert claimed_elsewhere() == []
    spool.close()
    assert claimed_elsewhere() == ["run"]
    again = Spool.claim(spool.path, {"key": "another word"})
    assert again.about == {"key": "run"}
    again.remove()
    assert claimed_elsewhere() == []
    assert list((tmp_path / "spool").iterdir()) == []


def test_a_folder_whose_process_died_at_once_is_removed(spool, tmp_path):
    (spool.path / "about.json").unlink()
    spool.close()
    assert list(Spool.unclaimed(tmp_path / "spool")) == []
    assert list((tmp_path / "spool").iterdir()) == []
