import asyncio
import threading

import pytest

from pix2street.demo.turns import Full, Replaced, Turns


async def started(coroutine):
    task = asyncio.create_task(coroutine)
    await asyncio.sleep(0)
    return task


def test_the_newest_of_a_page_alone_waits_and_places_are_bounded():
    async def scenario():
        turns, go, done = Turns(1), threading.Event(), []
        running = await started(turns.take("a", go.wait))
        older = await started(turns.take("b", lambda: done.append("older")))
        newer = await started(turns.take("b", lambda: done.append("newer")))
        with pytest.raises(Full):
            await turns.take("c", lambda: done.append("c"))
        go.set()
        assert await running
        await newer
        with pytest.raises(Replaced):
            await older
        assert done == ["newer"]
        return await turns.take("c", lambda: "free again")

    assert asyncio.run(scenario()) == "free again"


def test_who_waits_no_longer_and_what_fails_hold_nobody_up():
    async def scenario():
        turns, go = Turns(3), threading.Event()
        failing = await started(turns.take("a", lambda: go.wait() and 1 / 0))
        gone = await started(turns.take("b", lambda: "gone"))
        last = await started(turns.take("c", lambda: "last"))
        gone.cancel()
        go.set()
        with pytest.raises(ZeroDivisionError):
            await failing
        return await last

    assert asyncio.run(scenario()) == "last"
