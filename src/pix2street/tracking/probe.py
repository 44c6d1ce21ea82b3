"""The probe of a tracking store: it finds within seconds whether the store can be opened, and hides its password.

MLflow tries a database for minutes before it reports it as away, and some drivers wait for an answer without end. So
every store is asked here before MLflow opens it.
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

from pix2street.core.errors import UserError

ASK_AGAIN_AFTER_S = 300
"""A process leaves a store that was away for so long: a training is not slowed, and finds a store that is back."""

_given_up: dict[str, tuple[float, str]] = {}
"""The time at which this process gave up a store, and the reason, by the store's address."""


class StoreAway(Exception):
    """A store that cannot be opened, or that failed after it was opened."""


@contextmanager
def opening(address: str, timeout_s: float) -> Iterator[None]:
    """Ask the store at `address`, then let the caller open it.

    Raises:
        StoreAway: it does not answer within `timeout_s`, it cannot be opened, or it was given up a short while ago.
    """
    # MLflow prints a traceback where a database fails; the caller reports it in one line.
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
    """Give up a store for a while; return the reason, which joins its address, `what` happened and the error."""
    missing = isinstance(error, ModuleNotFoundError)
    fault = f"its driver {error.name} is not installed here" if missing else one_line(error)
    reason = f"the tracking store {public(address)} {what}: {fault}"
    _given_up[address] = time.monotonic(), reason
    return reason


def one_line(error: Exception) -> str:
    """Return an error's kind and first line, without the password of an address; our own errors need no kind."""
    if isinstance(error, StoreAway | UserError):
        return str(error).splitlines()[0]
    if isinstance(error, sqlalchemy.exc.DBAPIError) and error.orig is not None:
        error = error.orig
    return public(f"{type(error).__name__}: {str(error).strip()}".splitlines()[0])


def public(text: str) -> str:
    """Return `text` without the users and passwords of the addresses in it."""
    # A password may hold an unquoted @ or /: the last @ of a word is the one before the host.
    text = re.sub(r"//[^\s'\"]*@", "//", text)
    return re.sub(r"(?i)((?:password|passwd|pwd|token|secret)(?:=|%3d)).*?(?=[&;\s'\"]|%3b|$)", r"\1***", text)


def _question_to(address: str, timeout_s: float) -> Callable[[], object]:
    """Return a question that a store of this kind answers at once; its driver is imported before it is asked."""
    kind = get_uri_scheme(address)
    if kind in DATABASE_ENGINES:
        engine = create_sqlalchemy_engine(address)
        return lambda: _read(engine)
    if kind in ("http", "https"):
        # The caller limits the whole question; this limit ends the connection after the caller gave it up.
        limits = {"max_retries": 0, "timeout": timeout_s + 1}
        return lambda: http_request(get_default_host_creds(address), "/health", "GET", **limits)
    return lambda: MlflowClient(address)


def _read(engine: sqlalchemy.Engine) -> None:
    if engine.dialect.name == "sqlite" and engine.url.database:
        Path(engine.url.database).parent.mkdir(parents=True, exist_ok=True)  # MLflow does the same
    # A file that is no database is found only by reading.
    sqlalchemy.inspect(engine).has_table("experiments")
    engine.dispose()


def _within(seconds: float, ask: Callable[[], object]) -> None:
    """Call `ask`, and go on without it where it hangs in a resolver, a connection or a driver, which have no limit.

    A thread costs nothing where a store answers, unlike a process, and it ends with this process.

    Raises:
        TimeoutError: `ask` did not return in time.
        Exception: the error of `ask`.
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
