"""Work that is shared among processes, with little of it in memory at a time."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from itertools import islice
from typing import TypeVar

CHUNK_ITEMS = 8
"""The items that a process gets, and whose results it returns, at one time."""

T, R = TypeVar("T"), TypeVar("R")


def in_processes(function: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
    """Yield the result of each item in order, computed by a process for each core.

    Unlike `ProcessPoolExecutor.map`, which takes all items at once, it takes an item when its turn is near.
    """
    processes = os.cpu_count() or 1
    rest = iter(items)
    with ProcessPoolExecutor(processes) as pool:
        waiting = deque()
        while chunk := [*islice(rest, CHUNK_ITEMS)]:
            waiting.append(pool.submit(_all, function, chunk))
            if len(waiting) > 4 * processes:
                yield from waiting.popleft().result()
        while waiting:
            yield from waiting.popleft().result()


def _all(function: Callable[[T], R], items: list[T]) -> list[R]:
    return [function(item) for item in items]
