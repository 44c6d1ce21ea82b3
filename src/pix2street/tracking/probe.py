"""Whether a tracking store can be opened: found out within seconds, and told without the password in its address.

MLflow tries a database again for minutes before it says that it is away, and some drivers wait for an answer without
end. So every store is asked here before MLflow is let near it.
"""

import logging
import queue
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy
from mlflow import MlflowClient
from mlflow.store.db.db_types import DATABASE_ENGINES
from mlflow.store.db.utils import create_sqlalchemy_engine
from mlflow.utils.credentials import get_default_host_creds
from mlflow.utils.rest_utils import http_request
from mlflow.utils.uri import get_uri_scheme

ASK_AGAIN_AFTER_S = 300
"""A process asks a store that was away at most so often: a training is not slowed, and finds one that is back."""

_given_up: dict[str, tuple[float, str]] = {}
"""When a store was given up in this process, and why, by its address."""


class StoreAway(Exception):
    """A store that cannot be opened, or that failed after it was."""


@contextmanager
def opening(address: str, timeout_s: float) -> Iterator[None]:
    """Ask the store at `address`, then let the caller open it.

    Raises:
        StoreAway: it gives no answer within `timeout_s`, it cannot be opened, or it was given up a short while ago.
    """
    # MLflow prints a traceback where a database fails; whoever asked tells it in one line.
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)
    when, reason = _given_up.get(address, (0.0, ""))
    if reason and time.monotonic() - when < ASK_AGAIN_AFTER_S:
        raise StoreAway(reason)
    try:
        _within(timeout_s, _question_to(address, timeout_s))
        yield
    except Exception as error:
        raise StoreAway(give_up(address, error)) from error
    _given_up.pop(address, None)


def give_up(address: str, error: Exception, what: str = "cannot be opened") -> str:
    """Leave a store alone for a while; the reason that is told, `what` its trouble is and the error."""
    missing = isinstance(error, ModuleNotFoundError)
    fault = f"its driver {error.name} is not installed here" if missing else one_line(error)
    reason = f"the tracking store {public(address)} {what}: {fault}"
    _given_up[address] = time.monotonic(), reason
    return reason


def one_line(error: Exception) -> str:
    """An error's kind and first line, without the password of an address."""
    if isinstance(error, StoreAway):
        return str(error)
    if isinstance(error, sqlalchemy.exc.DBAPIError) and error.orig is not None:
        error = error.orig
    return public(f"{type(error).__name__}: {str(error).strip()}".splitlines()[0])


def public(text: str) -> str:
    """`text` without the users and passwords of the addresses in it."""
    # A password may hold an @ or a / that nobody has quoted: the last @ of a word is the one before the host.
    text = re.sub(r"//[^\s'\"]*@", "//", text)
    return re.sub(r"(?i)((?:password|passwd|pwd|token|secret)(?:=|%3d)).*?(?=[&;\s'\"]|%3b|$)", r"\1***", text)


def _question_to(address: str, timeout_s: float) -> Callable[[], object]:
    """What a store of this kind answers at once; drivers are imported here, which is no answer of the store."""
    kind = get_uri_scheme(address)
    if kind in DATABASE_ENGINES:
        engine = create_sqlalchemy_engine(address)
        return lambda: _read(engine)
    if kind in ("http", "https"):
        # The limit on the whole is the caller's; this one ends the connection that the caller has given up.
        limits = {"max_retries": 0, "timeout": timeout_s + 1}
        return lambda: http_request(get_default_host_creds(address), "/health", "GET", **limits)
    return lambda: MlflowClient(address)


def _read(engine: sqlalchemy.Engine) -> None:
    if engine.dialect.name == "sqlite" and engine.url.database:
        Path(engine.url.database).parent.mkdir(parents=True, exist_ok=True)  # as MLflow does
    # Only reading tells a file that is no database.
    sqlalchemy.inspect(engine).has_table("experiments")
    engine.dispose()


def _within(seconds: float, ask: Callable[[], object]) -> None:
    """Call `ask`, and go on without it where it hangs: in a resolver, a connection or a driver, which know no limit.

    A thread costs nothing where a store answers, unlike a process, and the end of this process ends it.
    """
    answers = queue.SimpleQueue()

    def answer() -> None:
        try:
            ask()
            answers.put(None)
        except Exception as error:  # noqa: BLE001
            answers.put(error)

    threading.Thread(target=answer, name="pix2street-probe", daemon=True).start()
    try:
        error = answers.get(timeout=seconds)
    except queue.Empty:
        raise TimeoutError(f"no answer within {seconds:g} seconds") from None
    if error is not None:
        raise error
