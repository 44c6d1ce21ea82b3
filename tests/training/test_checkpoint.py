import re
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from disk import small_disk

from pix2street.core.errors import UserError
from pix2street.models import MODELS
from pix2street.training.checkpoint import Checkpoints, State, training_key


def state(epoch: int, step: int = 0) -> State:
    values = [np.full((3, 4), epoch, np.float32), np.array(7, np.int64), np.array([2**63, step], np.uint64)]
    return State(
        epoch, step, {"a": 0.1, "b": epoch / 3}, [{"gen_l1": 0.1 + epoch}] * epoch, values, best=values[:epoch]
    )


def same(a: State, b: State) -> bool:
    return (
        (a.epoch, a.step, a.sums, a.history) == (b.epoch, b.step, b.sums, b.history)
        and all((x == y).all() and x.dtype == y.dtype for x, y in zip(a.variables, b.variables, strict=True))
        and all((x == y).all() for x, y in zip(a.best, b.best, strict=True))
    )


def files(root: Path) -> list[Path]:
    return sorted(root.glob("*/*.npz"))


def test_the_newest_state_comes_back_and_two_are_kept(tmp_path):
    with Checkpoints(tmp_path, "a" * 64, 1.0) as checkpoints:
        assert checkpoints.newest() is None
        for epoch, step in ((1, 0), (1, 50), (2, 0)):
            checkpoints.save(state(epoch, step))
        assert len(files(tmp_path)) == 2
        assert same(checkpoints.newest(), state(2))
    with Checkpoints(tmp_path, "a" * 64, 1.0) as checkpoints:
        assert same(checkpoints.newest(), state(2))
        checkpoints.remove()
    assert list(tmp_path.iterdir()) == []


def test_a_state_up_to_a_place_can_be_asked_for(tmp_path):
    with Checkpoints(tmp_path, "a" * 64, 1.0) as checkpoints:
        for epoch, step in ((1, 50), (2, 0)):
            checkpoints.save(state(epoch, step))
        assert same(checkpoints.newest((2, 0)), state(2))
        assert same(checkpoints.newest((1, 99)), state(1, 50))
        assert checkpoints.newest((1, 49)) is None


@pytest.mark.parametrize("damage", ["cut", "flip", "empty"])
def test_a_broken_one_is_passed_over_for_the_one_before(tmp_path, capsys, damage):
    with Checkpoints(tmp_path, "a" * 64, 1.0) as checkpoints:
        checkpoints.save(state(1))
        checkpoints.save(state(2))
        path = files(tmp_path)[-1]
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes({"cut": content[:-100], "flip": content, "empty": b""}[damage])
        assert same(checkpoints.newest(), state(1))
    assert capsys.readouterr().out == (
        f"{path}: a broken checkpoint (its content does not match its name); removed, the one before it is tried\n"
    )
    assert len(files(tmp_path)) == 1


def test_what_a_kill_left_half_written_is_never_used(tmp_path):
    with Checkpoints(tmp_path, "a" * 64, 1.0) as checkpoints:
        checkpoints.save(state(1))
    (files(tmp_path)[0].parent / "newest.partial").write_bytes(b"half")
    with Checkpoints(tmp_path, "a" * 64, 1.0) as checkpoints:
        assert same(checkpoints.newest(), state(1))
    assert list(tmp_path.rglob("*.partial")) == []


def test_those_of_another_training_are_never_used_and_said(tmp_path, capsys):
    with Checkpoints(tmp_path, "a" * 64, 1.0) as checkpoints:
        checkpoints.save(state(1))
    with Checkpoints(tmp_path, "b" * 64, 1.0) as checkpoints:
        assert checkpoints.newest() is None
    others = "holds checkpoints of 1 trainings with other parameters, data or code, which are not used"
    assert capsys.readouterr().out == f"{tmp_path}: {others}\n"


def test_the_disk_they_take_is_bounded_but_running_ones_stay(tmp_path, capsys):
    for key in "ab":
        with Checkpoints(tmp_path, key * 64, 1.0) as checkpoints:
            checkpoints.save(state(1))
    with Checkpoints(tmp_path, "a" * 64, 1.0), Checkpoints(tmp_path, "c" * 64, 1e-9):
        assert {path.parent.name[0] for path in files(tmp_path)} == {"a"}
    assert "checkpoints removed; all may take 1e-09 GiB (train.run.max_checkpoint_gib)" in capsys.readouterr().out


def test_the_same_training_does_not_run_twice_at_once(tmp_path):
    with Checkpoints(tmp_path, "a" * 64, 1.0), pytest.raises(UserError, match="the same training runs already"):
        Checkpoints(tmp_path, "a" * 64, 1.0).__enter__()


def test_a_full_disk_costs_a_checkpoint_and_nothing_else(tmp_path, capsys):
    with small_disk(tmp_path, "256k"):
        with Checkpoints(tmp_path, "a" * 64, 1.0) as checkpoints:
            checkpoints.save(state(1))
            large = state(2)
            large.variables.append(np.zeros(100_000))
            checkpoints.save(large)
            assert same(checkpoints.newest(), state(1))
        said = capsys.readouterr().out
        assert re.fullmatch(r".*: no checkpoint after epoch 2, step 0 \(.*No space left.*\); training goes on\n", said)
        assert list(tmp_path.rglob("*.partial")) == []


def test_the_key_follows_settings_data_and_code():
    key = training_key({"epochs": 1}, "data", MODELS["pix2pix"])
    assert key == training_key({"epochs": 1}, "data", MODELS["pix2pix"])
    others = training_key({"epochs": 2}, "data", MODELS["pix2pix"]), training_key({"epochs": 1}, "o", MODELS["pix2pix"])
    assert len({key, *others}) == 3


def test_the_key_follows_the_chosen_family_and_no_other(monkeypatch, tmp_path):
    for name in ("one", "other"):
        (tmp_path / f"{name}.py").write_text("A = 1")
        module = ModuleType(f"pix2street.models.{name}")
        module.__file__ = str(tmp_path / f"{name}.py")
        monkeypatch.setitem(sys.modules, module.__name__, module)
        monkeypatch.setitem(MODELS, name, module.__name__)
    key = training_key({}, "data", "pix2street.models.one")
    (tmp_path / "other.py").write_text("A = 2")
    assert training_key({}, "data", "pix2street.models.one") == key
    (tmp_path / "one.py").write_text("A = 2")
    assert training_key({}, "data", "pix2street.models.one") != key
