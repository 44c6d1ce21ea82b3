"""One device, several devices and several processes give the same training. Each training runs in a new process."""

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from pix2street.core.errors import UserError
from pix2street.training.distribution import explain_lost_worker

SCRIPT = Path(__file__).parents[1] / "tiny_training.py"


class Training:
    """A training that has started."""

    def __init__(self, strategy: str, out: Path, *arguments: str, config: dict | None = None):
        environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "TQDM_MININTERVAL": "0", "TQDM_MINITERS": "1"}
        if config:
            environment["TF_CONFIG"] = json.dumps(config)
        self._out = out
        self.process = subprocess.Popen(
            [sys.executable, SCRIPT, strategy, out, *arguments],
            env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def stands_still(self) -> None:
        """Wait until the training has stopped, as it was asked to."""
        _, status = os.waitpid(self.process.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status), self.process.communicate()

    def end(self) -> tuple[int, str]:
        """Return its exit code and all its output."""
        output = "".join(self.process.communicate(timeout=3600))
        return self.process.returncode, output

    def result(self) -> dict[str, np.ndarray]:
        code, output = self.end()
        assert code == 0, output
        with np.load(self._out) as arrays:
            return dict(arrays)


def workers(folder: Path, *arguments: str) -> list[Training]:
    """Start two processes that train together over the loopback."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
    addresses = [f"127.0.0.1:{each.getsockname()[1]}" for each in sockets]
    for each in sockets:
        each.close()
    tasks = [{"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}} for index in range(2)]
    return [
        Training("multi_worker", folder / f"worker_{index}.npz", *arguments, config=config)
        for index, config in enumerate(tasks)
    ]


def equal(one: dict, other: dict) -> bool:
    return one.keys() == other.keys() and all((one[name] == other[name]).all() for name in one)


def devices(folder: Path, *settings: str) -> list[Training]:
    """Start a training on one device, and one on two."""
    one = Training("one_device", folder / "one.npz", *settings)
    return [one, Training("mirrored", folder / "two.npz", "--devices", "2", *settings)]


SETTINGS = ("--epochs", "5", "--ema-decay", "0.9", "--dropout-share", "0")
"""Twenty steps of a global batch of 2, without dropout, which draws otherwise on two devices."""


@pytest.fixture(scope="module")
def results(tmp_path_factory) -> list[dict[str, np.ndarray]]:
    """Return what one device, two devices, and each of two workers make."""
    folder = tmp_path_factory.mktemp("strategies")
    return [training.result() for training in [*devices(folder, *SETTINGS), *workers(folder, *SETTINGS)]]


def test_losses_are_those_of_one_device(results):
    one, *others = (result["rows"] for result in results)
    for other in others:
        # The first epoch is four steps: its means hold only if those of the first step do.
        np.testing.assert_allclose(other[0], one[0], rtol=1e-5)


def test_weights_are_those_of_one_device_and_equal_on_both_workers(results):
    one, two, first, second = results
    assert equal(first, second)
    for other in (two, first):
        for name, weight in one.items():
            np.testing.assert_allclose(other[name], weight, rtol=1e-3, atol=1e-4, err_msg=name)


@pytest.fixture(
    scope="module", params=["cyclegan", *(pytest.param(name, marks=pytest.mark.nightly) for name in ("cut", "stargan"))]
)
def family(request, tmp_path_factory) -> tuple[list[str], list[dict[str, np.ndarray]]]:
    """Return the options of another family but its epochs, and what two epochs make on one device and on two."""
    options = ["--model", request.param, "--epochs"]
    folder = tmp_path_factory.mktemp(request.param)
    return options, [training.result() for training in devices(folder, *options, "2")]


def check_alike(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> None:
    for name, value in one.items():
        np.testing.assert_allclose(other[name], value, rtol=1e-3, atol=1e-3, err_msg=name)
    np.testing.assert_allclose(other["rows"][0], one["rows"][0], rtol=1e-4, atol=1e-6)


def test_other_families_train_on_two_devices_as_on_one(family):
    check_alike(*family[1])


@pytest.mark.nightly
def test_other_families_train_in_two_processes_as_on_one_device_and_go_on_exactly(family, tmp_path):
    options, (one, _) = family
    whole = [training.result() for training in workers(tmp_path, *options, "2")]
    assert equal(*whole)
    check_alike(one, whole[0])
    kept = ["--checkpoints", str(tmp_path / "checkpoints")]
    for training in workers(tmp_path, *options, "1", *kept):
        training.result()
    resumed = workers(tmp_path, *options, "2", *kept)
    results = [training.end() for training in resumed]
    assert all("training goes on after epoch 1, step 0" in output for _, output in results), results
    for training in resumed:
        with np.load(training._out) as arrays:
            assert equal(dict(arrays), whole[0])


def check_a_killed_worker(folder: Path, settings: tuple[str, ...], whole: list[dict[str, np.ndarray]]) -> None:
    """Check that the death of a worker within epoch 3 ends the run, and that the next one ends as `whole` did."""
    settings = (*settings, "--checkpoints", str(folder / "checkpoints"))
    chief, worker = workers(folder, *settings, "--stand-still-at", "20")
    chief.stands_still()
    worker.stands_still()
    worker.process.kill()
    chief.process.send_signal(signal.SIGCONT)
    code, output = chief.end()
    assert code == 1
    assert "another worker has ended or cannot be reached" in output
    assert "start all workers again" in output
    resumed = workers(folder, *settings)
    results = [training.end() for training in resumed]
    assert [code for code, _ in results] == [0, 0]
    assert all("training goes on after epoch 2, step " in output for _, output in results)
    for training, expected in zip(resumed, whole, strict=True):
        with np.load(training._out) as arrays:
            assert equal(dict(arrays), expected)


@pytest.mark.nightly
def test_a_killed_worker_ends_the_run_and_the_next_one_goes_on_exactly(results, tmp_path):
    check_a_killed_worker(tmp_path, SETTINGS, results[2:])


def test_a_lost_worker_is_named_only_where_there_are_others():
    error = tf.errors.UnavailableError(None, None, "Connection reset by peer")
    several = object.__new__(tf.distribute.MultiWorkerMirroredStrategy)
    told = explain_lost_worker(several, error)
    assert isinstance(told, UserError)
    assert "another worker has ended or cannot be reached (UnavailableError); start all workers again" in str(told)
    assert explain_lost_worker(tf.distribute.get_strategy(), error) is error


@pytest.mark.nightly
def test_what_dropout_draws_goes_on_exactly_after_a_worker_was_killed(tmp_path):
    settings = (*SETTINGS[:-1], "0.5")
    (tmp_path / "whole").mkdir()
    check_a_killed_worker(
        tmp_path, settings, [training.result() for training in workers(tmp_path / "whole", *settings)]
    )


def test_a_batch_that_cannot_be_shared_out_is_refused(tmp_path):
    code, output = Training("mirrored", tmp_path / "out.npz", "--devices", "3").end()
    assert code == 1
    assert "train.run.batch: 2 cannot be shared equally by 3 devices; choose a multiple" in output


def test_several_workers_need_their_addresses(tmp_path):
    code, output = Training("multi_worker", tmp_path / "out.npz").end()
    assert code == 1
    assert "train.device.strategy: multi_worker needs TF_CONFIG" in output
