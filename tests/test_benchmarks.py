"""The benchmarks run and print what they promise; what they measure is no test."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


def test_training_steps_are_timed_in_turn(tmp_path):
    out = tmp_path / "results.json"
    command = ["--sizes", "32:2:2", "--rounds", "1", "--calls", "2", "--groups", "references", "--out", out]
    done = subprocess.run(
        [sys.executable, BENCHMARKS / "step.py", *command], capture_output=True, text=True, timeout=3600, check=True
    )
    assert "32x32, batch 2, 2 filters: references" in done.stdout
    results = json.loads(out.read_text())
    rows = results["32x32, batch 2, 2 filters: references"]["variants"]
    assert rows["tutorial"]["ratio"] == 1
    assert rows["ours"]["ms"] > 0
    assert rows["ours"]["epoch_s"]["400"] == pytest.approx(400 / 2 * rows["ours"]["ms"] / 1e3, abs=0.1)
    assert all(row["peak_mib"] > 100 for row in rows.values())
    assert results["machine"]["cores"] >= 1


def test_every_mode_can_be_timed():
    modes = ["--data", "disk", "--steps-per-call", "2", "--jit-compile", "--precision", "mixed_bfloat16"]
    command = [sys.executable, BENCHMARKS / "worker.py", "--kind", "ours", "--size", "32", "--filters", "2", *modes]
    done = subprocess.run(command, input="2\nquit\n", capture_output=True, text=True, timeout=3600, check=True)
    ready, times = (json.loads(line) for line in done.stdout.splitlines())
    assert ready["gigaflop"] > 0
    assert len(times) == 2


def test_cityscapes_is_timed_beside_its_decoding():
    done = subprocess.run(
        [sys.executable, BENCHMARKS / "cityscapes.py", "--frames", "3", "--rounds", "1"],
        capture_output=True, text=True, timeout=3600, check=True,
    )  # fmt: skip
    result = json.loads(done.stdout[done.stdout.index("{") :])
    assert result["frames"] == 3
    assert result["download_to_decode"] > 0


def test_evaluation_and_inception_are_timed():
    done = subprocess.run(
        [sys.executable, BENCHMARKS / "evaluation.py", "--pairs", "2", "--rounds", "1", "--photos", "2"],
        capture_output=True, text=True, timeout=3600, check=True,
    )  # fmt: skip
    result = json.loads(done.stdout[done.stdout.index("{") :])
    assert result["pairs"] == 2
    assert result["evaluation_s"] >= 0
    assert result["confusion_matrices_per_s"] >= 0
    assert result["inception_photos_per_s"]["clean_share"] > 0
