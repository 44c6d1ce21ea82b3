"""After `kill -9` at any moment of the training, the next start ends with the same bits."""

import multiprocessing
import signal

import numpy as np
import pytest
import tiny_training

KILLS = 20
CALLS = (90_000, 1_000_000)
"""Calls of Python functions: of a step and the writing of its checkpoint, and of the end of an epoch."""
CHANGES = {"seed": 3, "epochs": 4, "schedule": "linear", "ema_decay": 0.9, "keep": "best"}


@pytest.fixture(scope="module")
def start():
    """Start a process that has TensorFlow loaded already, and wait for its end."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(
        ["pix2street.training.loop", "pix2street.training.batches", "pix2street.training.runtime"]
    )

    def run(*arguments) -> int:
        process = context.Process(target=tiny_training.train_or_die, args=arguments, kwargs=CHANGES)
        process.start()
        process.join()
        return process.exitcode

    return run


@pytest.mark.nightly
def test_killed_twenty_times_it_ends_with_the_same_bits(start, tmp_path):
    whole, pieces = tmp_path / "whole.npz", tmp_path / "pieces.npz"
    assert start(tmp_path / "whole", whole, None) == 0
    rng = np.random.default_rng(0)
    kills, newest, halves, finished = 0, set(), 0, 0
    while kills < KILLS or not finished:
        folder = tmp_path / f"pieces_{finished}"
        ended = start(folder, pieces, int(rng.integers(1, rng.choice(CALLS))) if kills < KILLS else None)
        halves += len(list(folder.rglob("*.partial")))
        if ended == 0:
            finished += 1
            one, other = np.load(whole), np.load(pieces)
            assert sorted(one) == sorted(other)
            assert all((one[name] == other[name]).all() for name in one)
        else:
            assert ended == -signal.SIGKILL
            kills += 1
            newest |= {path.name for path in folder.rglob("*.npz")}
    # The kills fell into different parts of a training, and some into the writing of a checkpoint.
    assert len(newest) > 4
    assert halves > 0
    print(f"{kills} kills, {finished} trainings ended, {halves} checkpoints were left half written")
