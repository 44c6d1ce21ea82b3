"""A store of any kind that cannot be opened is given up once, within a limit, and named without its password."""

import importlib.util
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import mlflow
import numpy as np
import pytest
from web import serving

from pix2street import stage
from pix2street.cli import main
from pix2street.core.errors import UserError
from pix2street.core.images import write_png
from pix2street.layout import Layout
from pix2street.tracking import probe, store
from pix2street.tracking.delivery import deliver_all
from pix2street.tracking.probe import StoreAway, public
from pix2street.tracking.run import Run
from pix2street.tracking.store import connect

ROOT = Path(__file__).parents[1]
PARAMS = {"train": {"epochs": 2}}
POSTGRES = pytest.mark.skipif(not importlib.util.find_spec("psycopg2"), reason="no driver: pip install -e '.[server]'")
PASSWORD_REFUSED = b'SFATAL\0VFATAL\0C28P01\0Mpassword authentication failed for user "user"\0\0'


class Listener:
    """A port that accepts connections and calls `answer` with each; without `answer` it stays silent."""

    def __init__(self, answer=None):
        self.connections, self.called = [], threading.Event()
        self._answer = answer
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:  # closed
                return
            self.connections.append(connection)
            self.called.set()
            if self._answer:
                self._answer(connection)

    def close(self):
        # A thread in `accept` holds the port until it is woken.
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        for connection in self.connections:
            connection.close()


def refuse_the_password(connection):
    """Answer like PostgreSQL: no TLS, then an error."""
    if connection.recv(8).endswith((1234 << 16 | 5679).to_bytes(4, "big")):
        connection.sendall(b"N")
        connection.recv(4096)
    connection.sendall(b"E" + (len(PASSWORD_REFUSED) + 4).to_bytes(4, "big") + PASSWORD_REFUSED)


@pytest.fixture
def listen():
    listeners = []

    def start(answer=None):
        listeners.append(Listener(answer))
        return listeners[-1]

    yield start
    for listener in listeners:
        listener.close()


@pytest.fixture
def layout(tmp_path, monkeypatch):
    """Return an empty repository, in which a silent store is given up at once and nothing is asked a second time."""
    for variable in ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI", "DVC_ROOT", "DVC_EXP_NAME"):
        monkeypatch.delenv(variable, raising=False)
    for variable, value in stage.ENVIRONMENT.items():
        monkeypatch.setenv(variable, value)
    monkeypatch.setenv("MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL", "3600")
    monkeypatch.setenv("TQDM_MININTERVAL", "10")
    monkeypatch.setattr(probe, "_given_up", {})
    monkeypatch.setattr(probe, "ASK_AGAIN_AFTER_S", float("inf"))
    (tmp_path / "project").mkdir()
    yield Layout(tmp_path / "project")
    mlflow.set_tracking_uri(None)


@pytest.fixture
def impatient(monkeypatch):
    """Set a short limit for stores that stay silent, whose answer cannot come too late."""
    monkeypatch.setenv("PIX2STREET_STORE_TIMEOUT_S", "0.1")


def a_folder(place):
    (place / "folder").mkdir()
    return f"sqlite:///{place / 'folder'}"


def no_database(place):
    (place / "notes.txt").write_text("no database " * 100)
    return f"sqlite:///{place / 'notes.txt'}"


def below_a_file(place):
    (place / "file").touch()
    return f"sqlite:///{place / 'file/mlflow.db'}"


def known(host):
    if host == "nobody.invalid":
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    return host


REFUSED = {
    "a folder": (a_folder, "unable to open database file"),
    "not writable": (lambda _: "sqlite:////proc/mlflow.db", "unable to open database file"),
    "no database": (no_database, "file is not a database"),
    "below a file": (below_a_file, "File exists"),
    "no driver": (lambda _: "mysql+pymysql://user:s3cret@127.0.0.1:9/x", "driver pymysql is not installed here"),
    "no such driver": (lambda _: "mysql+zebra://user:s3cret@127.0.0.1:9/x", "Can't load plugin"),
    "server refuses": (lambda _: "http://user:s3cret@127.0.0.1:9", "Connection refused"),
    "no such name": (lambda _: "http://user:s3cret@nobody.invalid", "resolve 'nobody.invalid'"),
    "unknown scheme": (lambda _: "gopher://user:s3cret@host/x", "unsupported URI 'gopher://host/x'"),
    "files below a file": (lambda place: below_a_file(place).replace("sqlite:///", "file:"), "Not a directory"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_a_store_that_cannot_be_opened_is_told_before_mlflow_tries_it_for_minutes(layout, tmp_path, monkeypatch, kind):
    address, fault = REFUSED[kind]
    address = address(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.setitem(sys.modules, "pymysql", None)
    resolve = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, *rest, **more: resolve(known(host), *rest, **more))
    monkeypatch.setattr("mlflow.store.db.utils.create_sqlalchemy_engine_with_retry", lambda _: pytest.fail("was tried"))
    monkeypatch.setattr("mlflow.store.tracking.sqlalchemy_store.SqlAlchemyStore", lambda *_: pytest.fail("was tried"))
    with pytest.raises(StoreAway) as told:
        connect(layout)
    assert f"the tracking store {public(address)} cannot be opened: " in str(told.value)
    assert fault in str(told.value)
    assert "s3cret" not in str(told.value)
    assert "\n" not in str(told.value)


@POSTGRES
def test_a_database_that_refuses_or_hangs_up_is_told(layout, listen, monkeypatch):
    for answer, fault in ((refuse_the_password, "password authentication failed"), (socket.socket.close, "closed")):
        listener = listen(answer)
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"postgresql+psycopg2://user:s3cret@127.0.0.1:{listener.port}/x")
        with pytest.raises(StoreAway, match=rf"postgresql\+psycopg2://127.0.0.1:{listener.port}/x .*{fault}") as told:
            connect(layout)
        assert "s3cret" not in str(told.value)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("kind", ["http", pytest.param("postgresql+psycopg2", marks=POSTGRES)])
def test_a_training_asks_a_silent_store_once_and_is_kept(layout, listen, monkeypatch, capsys, kind):
    listener, asked, within = listen(), [], probe._within
    monkeypatch.setattr(probe, "_within", lambda *question: asked.append(question) or within(*question))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"{kind}://user:s3cret@127.0.0.1:{listener.port}/x")
    with Run.start(layout, PARAMS, "key") as run:
        for epoch in range(1, 101):
            run.record_epoch(epoch, {"gen_l1": 0.5}, None)
    listener.called.wait()
    assert len(asked) == len(listener.connections) == 1
    said = capsys.readouterr().out
    assert "tracking: kept for later: the run, epoch 1, " in said
    assert f"(the tracking store {kind}://127.0.0.1:{listener.port}/x cannot be opened: TimeoutError: no answer" in said
    assert "s3cret" not in said
    (kept,) = layout.spool.iterdir()
    assert len(list(kept.glob("0*.json"))) == 102  # epochs, samples of the machine, the end
    assert "s3cret" not in "".join(path.read_text() for path in kept.glob("*.json"))


def test_nothing_in_a_training_lets_mlflow_try_a_store_for_minutes(layout, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", a_folder(tmp_path))
    monkeypatch.setattr("mlflow.store.db.utils.create_sqlalchemy_engine_with_retry", lambda _: pytest.fail("was tried"))
    with Run.start(layout, PARAMS, "key") as run:
        run.record_epoch(1, {"gen_l1": 0.5}, None)
    said = capsys.readouterr().out
    assert "tracking: kept for later: the run, epoch 1, system metrics, the end of the run (the tracking store" in said


@pytest.mark.usefixtures("impatient")
def test_a_name_that_is_never_resolved_is_given_up(layout, monkeypatch):
    over = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: over.wait())
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://mlflow.example.org")
    with pytest.raises(StoreAway, match=r"no answer within 0\.1 seconds"):
        connect(layout)
    over.set()


@pytest.mark.usefixtures("impatient")
def test_a_locked_database_is_given_up(layout, tmp_path, monkeypatch):
    database = sqlite3.connect(tmp_path / "locked.db", isolation_level=None)
    database.execute("CREATE TABLE experiments (id)")
    database.execute("BEGIN EXCLUSIVE")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'locked.db'}")
    with pytest.raises(StoreAway, match=r"no answer within 0\.1 seconds|locked"):
        connect(layout)
    database.close()


def test_a_server_that_answers_and_then_fails_is_given_up_once(layout, monkeypatch, capsys):
    asked = []

    def answer(handler):
        asked.append(handler.path)
        handler.send(200 if handler.path == "/health" else 500)

    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with serving(answer) as address:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
        with Run.start(layout, PARAMS, "key") as run:
            for epoch in range(1, 101):
                run.record_epoch(epoch, {"gen_l1": 0.5}, None)
    assert len([path for path in asked if path != "/health"]) == 1
    said = capsys.readouterr().out
    assert "tracking: kept for later: the run, epoch 1, " in said
    assert f"(the tracking store {address} failed: MlflowException: " in said


def test_a_store_that_was_away_is_asked_again_after_a_while(layout, tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", a_folder(tmp_path))
    with pytest.raises(StoreAway):
        connect(layout)
    (tmp_path / "folder").rmdir()
    with pytest.raises(StoreAway, match="unable to open database file"):
        connect(layout)
    monkeypatch.setattr(probe, "ASK_AGAIN_AFTER_S", 0)
    assert connect(layout).search_experiments()
    monkeypatch.setattr(probe, "ASK_AGAIN_AFTER_S", float("inf"))
    assert connect(layout).search_experiments()


def test_a_checkouts_own_store_that_cannot_be_opened_is_told(layout):
    (layout.root / "mlflow.db").mkdir()
    with pytest.raises(StoreAway, match=r"sqlite:///.*/project/mlflow.db cannot be opened: .*unable to open"):
        connect(layout)


@pytest.mark.parametrize("limit", ["soon", "0", "-1", "nan", "inf"])
def test_a_limit_that_is_none_is_refused(layout, monkeypatch, limit):
    monkeypatch.setenv("PIX2STREET_STORE_TIMEOUT_S", limit)
    with pytest.raises(UserError, match=f"PIX2STREET_STORE_TIMEOUT_S: must be a number of seconds above 0.* {limit}"):
        connect(layout)


def test_a_registry_that_is_elsewhere_and_away_is_told(layout, monkeypatch):
    monkeypatch.setenv("MLFLOW_REGISTRY_URI", "http://user:s3cret@127.0.0.1:9")
    with pytest.raises(StoreAway, match=r"http://127.0.0.1:9 cannot be opened"):
        store.connect_registry(layout)


COMMANDS = {
    "sync": "nothing was recorded, all is kept in",
    "compare A B": "the run was not read",
    "promote": "the registry was not asked or changed",
    "predict --model models:/pix2street@champion input.png --out photos": "the model was not read",
    "predict --model A input.png --out photos": "the model was not read",
}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_ends_with_one_message(layout, tmp_path, monkeypatch, command):
    monkeypatch.chdir(layout.root)
    shutil.copy(ROOT / "params.yaml", layout.params)
    write_png(layout.root / "input.png", np.zeros((32, 32, 3), np.uint8))
    there = sorted(path.name for path in layout.root.iterdir())
    for address in (a_folder(tmp_path), "http://user:s3cret@127.0.0.1:9"):
        monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
        with pytest.raises(SystemExit) as ended:
            main(command.split())
        message = str(ended.value.code)
        assert message.startswith(f"pix2street {command.split()[0]}: {COMMANDS[command]}")
        assert f"the tracking store {public(address)} cannot be opened" in message
        assert "\n" not in message
        assert "s3cret" not in message
        assert sorted(path.name for path in layout.root.iterdir()) == there


def test_a_process_ends_although_its_question_hangs(layout, tmp_path):
    """Check that the process does not wait for its question at its end either."""
    (tmp_path / "sitecustomize.py").write_text(
        "import socket, threading\nsocket.getaddrinfo = lambda *_, **__: threading.Event().wait()\n"
    )
    command = [sys.executable, "-c", "from pix2street.cli import main; main(['sync'])"]
    paths = {"PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT / 'src'}", "MLFLOW_TRACKING_URI": "http://mlflow.example.org"}
    paths["PIX2STREET_STORE_TIMEOUT_S"] = "1"
    done = subprocess.run(
        command, cwd=layout.root, env={**os.environ, **paths}, capture_output=True, text=True, timeout=3600
    )
    assert done.returncode == 1
    assert "http://mlflow.example.org cannot be opened: TimeoutError: no answer within 1 seconds" in done.stderr
    assert done.stderr.count("\n") == 1


def test_what_a_silent_store_missed_is_delivered_where_it_answers(layout, tmp_path, monkeypatch):
    address = a_folder(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    with Run.start(layout, PARAMS, "key") as run:
        run.record_epoch(1, {"gen_l1": 0.5}, None)
    (tmp_path / "folder").rmdir()
    monkeypatch.setattr(probe, "_given_up", {})  # as in the process of `pix2street sync`
    assert deliver_all(layout) == 1
    client = mlflow.MlflowClient(address)
    (run,) = client.search_runs([client.get_experiment_by_name("pix2street").experiment_id])
    assert run.data.metrics["train/gen_l1"] == 0.5


@pytest.mark.parametrize(
    ("text", "without"),
    [
        ("http://user:pw@host:5000/x failed", "http://host:5000/x failed"),
        ("postgresql://user:p@w/pw@host/x", "postgresql://host/x"),
        ("postgresql://host/x?user=me&password=pw&sslmode=off", "postgresql://host/x?user=me&password=***&sslmode=off"),
        ("mssql+pyodbc:///?odbc_connect=UID%3Dme%3BPWD%3Dpw%3BDATABASE%3Dx", None),
        ("could not open '/home/me@work/mlflow.db'", "could not open '/home/me@work/mlflow.db'"),
    ],
)
def test_no_password_of_an_address_is_told(text, without):
    assert "pw" not in public(text)
    assert public(text) == (without or "mssql+pyodbc:///?odbc_connect=UID%3Dme%3BPWD%3D***%3BDATABASE%3Dx")
