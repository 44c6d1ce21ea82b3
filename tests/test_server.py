"""A team's server: MLflow with PostgreSQL and artifacts behind its proxy, as docs/tracking.md starts it."""

import getpass
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import mlflow
import pytest
from project import Project, prepared
from web import first_answer, free_port


def postgres_program(name: str) -> str | None:
    """Return the path of a program of PostgreSQL; Debian keeps it out of PATH."""
    versions = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return shutil.which(name) or (str(versions[-1]) if versions else None)


@pytest.fixture(scope="module")
def database():
    """Yield the address of a fresh PostgreSQL; None if the program or the driver is missing."""
    driver, initdb, pg_ctl = (
        importlib.util.find_spec("psycopg2"),
        postgres_program("initdb"),
        postgres_program("pg_ctl"),
    )
    if not (driver and initdb and pg_ctl):
        yield None
        return
    port = free_port()
    folder = Path(tempfile.mkdtemp(prefix="pix2street_pg_"))
    # PostgreSQL refuses to run as root.
    other = {"user": "postgres", "group": "postgres", "extra_groups": []} if getpass.getuser() == "root" else {}
    if other:
        shutil.chown(folder, "postgres")
    data = str(folder / "data")
    settings = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder} -c fsync=off"
    quiet = {"check": True, "stdout": subprocess.DEVNULL, "cwd": "/", **other}
    subprocess.run([initdb, "-D", data, "-U", "postgres", "-A", "trust"], **quiet)
    subprocess.run([pg_ctl, "-D", data, "-w", "-l", str(folder / "log"), "-o", settings, "start"], **quiet)
    yield f"postgresql+psycopg2://postgres@127.0.0.1:{port}/postgres"
    subprocess.run([pg_ctl, "-D", data, "-m", "immediate", "stop"], **quiet)
    shutil.rmtree(folder)


class Server:
    """An `mlflow server` on a free port; it can be killed and started again."""

    def __init__(self, folder: Path, database: str):
        self.folder, self.database, self.port = folder, database, free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        self.start()

    def start(self) -> None:
        command = ["mlflow", "server", "--host", "127.0.0.1", "--port", str(self.port), "--workers", "1"]
        command += ["--backend-store-uri", self.database, "--artifacts-destination", str(self.folder / "artifacts")]
        environment = {key: value for key, value in os.environ.items() if not key.startswith("MLFLOW_")}
        environment |= {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
        with (self.folder / "log").open("a") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", *command],
                cwd=self.folder,
                env=environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        answer = first_answer(f"{self.address}/health", self._process)
        assert answer is not None, (self.folder / "log").read_text()
        assert answer.ok

    def die(self) -> None:
        os.killpg(self._process.pid, 9)
        self._process.wait()


@pytest.fixture(scope="module")
def server(tmp_path_factory, database):
    folder = tmp_path_factory.mktemp("server")
    server = Server(folder, database or f"sqlite:///{folder / 'mlflow.db'}")
    yield server
    server.die()


def repro_at_one_time(checkouts: list[Project], address: str, *targets: str) -> None:
    # A busy server answers late, which is no failure.
    patient = {"MLFLOW_TRACKING_URI": address, "MLFLOW_HTTP_REQUEST_TIMEOUT": "3600"}
    processes = [project.start("dvc", "repro", *targets, **patient) for project in checkouts]
    for process in processes:
        out, errors = process.communicate(timeout=3600)
        assert process.returncode == 0, errors
        assert "tracking:" not in out


@pytest.fixture(scope="module")
def checkouts(tmp_path_factory, server) -> list[Project]:
    """Return two checkouts whose trainings ran at the same time, recorded by one server."""
    checkouts = [prepared(tmp_path_factory) for _ in range(2)]
    repro_at_one_time(checkouts, server.address, "train")
    return checkouts


def content_of(client: mlflow.MlflowClient, run) -> tuple:
    files = {
        item.path: len(client.list_artifacts(run.info.run_id, item.path))
        for item in client.list_artifacts(run.info.run_id)
    }
    models = client.search_logged_models([run.info.experiment_id], f"source_run_id = '{run.info.run_id}'")
    steps = [point.step for point in client.get_metric_history(run.info.run_id, "train/gen_l1")]
    return run.info.status, files, [model.name for model in models], steps, len(run.inputs.dataset_inputs)


WHOLE_TRAINING = ["generator"], [1, 2], 2


def runs_of(client: mlflow.MlflowClient, most: int = 10) -> list:
    return client.search_runs([client.get_experiment_by_name("pix2street").experiment_id], max_results=most)


def test_equal_trainings_at_one_time_are_two_complete_runs(database, server, checkouts):
    if database is None:
        pytest.skip("no PostgreSQL here: apt-get install postgresql, pip install -e '.[server]'")
    client = mlflow.MlflowClient(server.address)
    runs = runs_of(client)
    assert len(runs) == 2
    for run in runs:
        assert run.info.artifact_uri.startswith("mlflow-artifacts:/")
        status, files, *rest = content_of(client, run)
        assert status == "FINISHED"
        assert files == {"images": 4, "validate": 1}
        assert tuple(rest) == WHOLE_TRAINING
        (model,) = client.search_logged_models([run.info.experiment_id], f"source_run_id = '{run.info.run_id}'")
        assert client.list_logged_model_artifacts(model.model_id)
    assert runs[0].data.metrics["train/gen_l1"] == runs[1].data.metrics["train/gen_l1"]
    assert not [project.root for project in checkouts if (project.root / "mlflow.db").exists()]


@pytest.mark.nightly
def test_equal_pipelines_at_one_time_complete_their_own_runs(server, checkouts):
    repro_at_one_time(checkouts, server.address)
    client = mlflow.MlflowClient(server.address)
    runs = runs_of(client)
    assert len(runs) == 2
    for run in runs:
        status, files, *rest = content_of(client, run)
        assert status == "FINISHED"
        assert files == {"dvc": 1, "evaluate": 7, "images": 4, "register": 1, "report": 6, "validate": 1}
        assert tuple(rest) == WHOLE_TRAINING
        assert run.data.metrics["generated/l1"] > 0
    assert runs[0].data.metrics["generated/l1"] == runs[1].data.metrics["generated/l1"]
    assert not [project.root for project in checkouts if (project.root / "mlflow.db").exists()]


def test_a_server_that_dies_in_a_training_disturbs_nothing_and_gets_everything(server, checkouts):
    project = checkouts[0]
    outs = ["models/generator/generator.weights.h5", "reports/train/history.csv"]
    outs += [f"reports/train/samples/epoch_{epoch:04d}.png" for epoch in (1, 2)]
    before = {out: (project.root / out).read_bytes() for out in outs}
    # This is within the second epoch.
    process = project.start_until(12, "python", "pipeline/train.py", MLFLOW_TRACKING_URI=server.address)
    server.die()
    process.send_signal(signal.SIGCONT)
    out, errors = process.communicate(timeout=3600)
    assert process.returncode == 0, errors
    assert "tracking: kept for later: epoch 2" in out
    assert {out: (project.root / out).read_bytes() for out in outs} == before

    server.start()
    synced = project.run("pix2street", "sync", MLFLOW_TRACKING_URI=server.address)
    assert synced.returncode == 0, synced.stderr
    assert "runs brought up to date: 1" in synced.stdout
    client = mlflow.MlflowClient(server.address)
    (newest,) = runs_of(client, most=1)
    status, files, *rest = content_of(client, newest)
    assert status == "FINISHED"
    assert files == {"images": 4, "validate": 1}
    assert tuple(rest) == WHOLE_TRAINING
    assert list((project.root / ".mlflow_spool").iterdir()) == []
