"""Who is translated next, where only one can be."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Result = TypeVar("Result")


class Replaced(Exception):
    """The same page has asked again before its turn came."""


class Full(Exception):
    """As many pages wait as may."""


class Turns:
    """Work in one thread, one piece after the other; of each page the newest alone waits."""

    def __init__(self, places: int):
        self._places = places
        self._thread = ThreadPoolExecutor(1, "translate")
        self._waiting: dict[str, asyncio.Future[None]] = {}
        self._busy = False

    async def take(self, page: str, work: Callable[[], Result]) -> Result:
        """What `work` gives, once it is this page's turn.

        Raises:
            Replaced: a newer call of the same page came first.
            Full: `places` other pages wait already.
        """
        if older := self._waiting.pop(page, None):
            older.set_exception(Replaced())
        if len(self._waiting) >= self._places:
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
            if not turn.cancelled():  # who waited may have been told to stop
                turn.set_result(None)
                self._busy = True
