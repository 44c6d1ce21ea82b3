"""The choice of what is fastest on a machine: times by turns, a clear gain, and what is written."""

import shutil

import pytest
from project import ROOT
from shipped import PARAMS

from pix2street import cli
from pix2street.models import pix2pix
from pix2street.params import read_params
from pix2street.profiles import set_values
from pix2street.training import runtime, tuning


def test_steps_take_turns_and_their_first_ones_are_not_timed(monkeypatch):
    now, order = [0.0], []
    monkeypatch.setattr(tuning.time, "perf_counter", lambda: now[0])

    def step(name: str, costs: list[float]) -> None:
        order.append(name)
        now[0] += costs.pop(0)

    slow, fast = [9.0, 9.0, 0.003, 0.005, 0.004], [9.0, 9.0, 0.001, 0.002, 0.009]
    found = tuning.by_turns({"a": lambda: step("a", slow), "b": lambda: step("b", fast)}, rounds=3)
    assert order == ["a", "b"] * 5
    assert found == pytest.approx({"a": 4.0, "b": 2.0})


@pytest.mark.parametrize(
    ("milliseconds", "best"),
    [
        ({"float32": 10.0, "mixed_bfloat16": 5.0}, "mixed_bfloat16"),
        ({"float32": 10.0, "mixed_bfloat16": 9.6}, "float32"),
        ({8: 10.0, 0: 9.4, 16: 9.0}, 16),
        ({8: 10.0, 0: 20.0, 16: 30.0}, 8),
    ],
)
def test_the_present_value_stays_unless_another_is_clearly_faster(milliseconds, best):
    assert tuning.fastest(milliseconds) == best


def test_the_choices_are_those_of_the_family():
    assert tuning.choices_of(PARAMS.train) == {
        "train.device.precision": ["float32", "mixed_bfloat16"],
        "train.pix2pix.product_side_px": [8, 0, 16],
    }
    oasis = tuning.changed(tuning.changed(PARAMS, "train.model", "oasis"), "train.device.precision", "mixed_float16")
    assert tuning.choices_of(oasis.train) == {
        "train.device.precision": ["mixed_float16", "float32", "mixed_bfloat16"],
    }


def test_the_fastest_is_written_and_a_dry_run_writes_nothing(road_and_sky, tmp_path, monkeypatch, capsys):
    params = tmp_path / "params.yaml"
    shutil.copy(ROOT / "params.yaml", params)
    set_values(
        params,
        {"train.pix2pix.generator_filters": 4, "train.pix2pix.discriminator_filters": 4, "train.data.holdout_pairs": 0},
    )
    (tmp_path / "data").mkdir()
    (tmp_path / "data/split").symlink_to(road_and_sky)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(runtime, "prepare", lambda *_, **__: None)  # the threads of this process are set already
    taken = {"float32": 3.0, "mixed_bfloat16": 1.0, 0: 5.0, 8: 4.0, 16: 3.9}

    def by_turns(steps, rounds):
        assert rounds == 3
        for step in steps.values():
            assert step().shape == (1, len(pix2pix.TERMS) + 1)
        return {value: taken[value] for value in steps}

    monkeypatch.setattr(tuning, "by_turns", by_turns)
    before = params.read_text()
    cli.main(["tune", "--rounds", "3", "--dry-run"])
    assert params.read_text() == before
    cli.main(["tune", "--rounds", "3"])
    train = read_params(params).train
    assert (train.device.precision, train.pix2pix.product_side_px) == ("mixed_bfloat16", 8)
    assert len(params.read_text().splitlines()) == len(before.splitlines())
    said = capsys.readouterr().out
    assert "train.device.precision: mixed_bfloat16" in said
    assert "train.device.precision: float32 -> mixed_bfloat16\n" in said


@pytest.mark.parametrize(
    ("values", "fault"),
    [
        ({}, "pix2street tune: data/split: must have the pairs to measure with, but is empty; run `dvc repro split`"),
        ({"train.device.strategy": "mirrored"}, "pix2street tune: train.device.strategy: mirrored, but tune measures "),
    ],
)
def test_what_cannot_be_measured_is_one_message(values, fault, tmp_path, monkeypatch):
    shutil.copy(ROOT / "params.yaml", tmp_path)
    set_values(tmp_path / "params.yaml", values)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stopped:
        cli.main(["tune"])
    assert str(stopped.value).startswith(fault)
