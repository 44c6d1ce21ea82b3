"""Turns: several pages share one network, which translates one drawing at a time."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Result = TypeVar("Result")


class Replaced(Exception):
    """The error of a call whose page has called again before its turn came."""


class Full(Exception):
    """The queue is full."""


class Turns:
    """A queue for one thread, in which only the newest call of each page waits.

    Args:
        capacity: the number of pages that may wait.
    """

    def __init__(self, capacity: int):
        self._capacity = capacity
        self._thread = ThreadPoolExecutor(1, "translate")
        self._waiting: dict[str, asyncio.Future[None]] = {}
        self._busy = False

    async def take(self, page: str, work: Callable[[], Result]) -> Result:
        """Wait until it is this page's turn, and return what `work` returns.

        Raises:
            Replaced: a newer call of the same page came first.
            Full: `capacity` other pages wait already.
        """
        if older := self._waiting.pop(page, None):
            older.set_exception(Replaced())
        if len(self._waiting) >= self._capacity:
            raise Full
        loop = asyncio.get_running_loop()
        turn = self._waiting[page] = loop.create_future()
        self._call_next()
        await turn
        try:
            return await loop.run_in_executor(self._thread, work)
        finally:
            self._busy = False
            self._call_next()

    def _call_next(self) -> None:
        while self._waiting and not self._busy:
            turn = self._waiting.pop(next(iter(self._waiting)))
            if not turn.cancelled():  # the caller may have been cancelled
                turn.set_result(None)
                self._busy = True
