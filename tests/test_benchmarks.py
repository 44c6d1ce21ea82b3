"""The benchmarks run and print what they promise; what they measure is no test."""

import json
import subprocess
import sys
from pathlib import Path

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


def test_training_steps_are_timed_in_turn(tmp_path):
    command = ["--sizes", "32:1:2", "--rounds", "1", "--steps", "2", "--variants", "tutorial", "ours"]
    done = subprocess.run(
        [sys.executable, BENCHMARKS / "step.py", *command, "--out", tmp_path / "results.json"],
        capture_output=True, text=True, timeout=300, check=True,
    )  # fmt: skip
    assert "32x32, batch 1, 2 filters" in done.stdout
    results = json.loads((tmp_path / "results.json").read_text())
    rows = results["32x32, batch 1, 2 filters"]["variants"]
    assert rows["tutorial"]["ratio_to_tutorial"] == 1
    assert rows["ours"]["ms"] > 0
    assert results["machine"]["cores"] >= 1


def test_cityscapes_is_timed_beside_its_decoding():
    done = subprocess.run(
        [sys.executable, BENCHMARKS / "cityscapes.py", "--frames", "3", "--rounds", "1"],
        capture_output=True, text=True, timeout=300, check=True,
    )  # fmt: skip
    result = json.loads(done.stdout[done.stdout.index("{") :])
    assert result["frames"] == 3
    assert result["download_to_decode"] > 0
