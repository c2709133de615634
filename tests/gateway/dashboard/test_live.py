"""The state of a page to its viewers: latest wins, and nobody waits for the slowest."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any

import orjson
import pytest

from gateway.dashboard.live import SPACING_S, VIEWERS, Live, TooManyViewersError


class Source:
    """A state that counts how often it was rendered."""

    def __init__(self) -> None:
        self.value = 0
        self.rendered = 0

    def render(self, name: str) -> dict[str, Any]:
        """Return the state."""
        self.rendered += 1
        return {"name": name, "value": self.value}

    def revision(self, name: str) -> object:
        """Return what changes with the state."""
        return self.value


@asynccontextmanager
async def running(live: Live) -> AsyncIterator[None]:
    """Have the live task run."""
    task = asyncio.create_task(live.run(), name="live")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def value(event: bytes) -> int:
    """Return what an event says."""
    return int(orjson.loads(event.removeprefix(b"data: "))["value"])


@pytest.mark.parametrize("page", ["slot/bay-1", "ward"])
async def test_a_change_of_a_slot_is_reported_before_the_next_beat(page: str) -> None:
    source = Source()
    live = Live(render=source.render, revision=source.revision)
    async with running(live), aclosing(live.follow(page)) as updates:
        assert value(await anext(updates)) == 0
        await anext(updates)
        source.value = 7
        live.look()
        async with asyncio.timeout(0.4):  # a beat is half a second
            while value(await anext(updates)) != 7:
                pass


async def test_a_slow_viewer_gets_the_latest_state_and_not_the_missed_ones() -> None:
    source = Source()
    live = Live(render=source.render, revision=source.revision)
    async with aclosing(live.follow("slot/bay-1")) as slow:
        await anext(slow)
        async with running(live), aclosing(live.follow("slot/bay-1")) as quick:
            await anext(quick)
            for number in (1, 2, 3):
                source.value = number
                live.look()
                async with asyncio.timeout(2):
                    while value(await anext(quick)) != number:
                        pass
            assert value(await anext(slow)) == 3


async def test_a_page_is_rendered_once_for_all_its_viewers() -> None:
    source = Source()
    live = Live(render=source.render, revision=source.revision)
    followers = [live.follow("ward") for _ in range(50)]
    for follower in followers:
        await anext(follower)
    before = source.rendered
    async with running(live):
        events = await asyncio.gather(*(anext(follower) for follower in followers))
    assert source.rendered == before + 1
    assert len(set(map(id, events))) == 1  # the very same bytes
    for follower in followers:
        await follower.aclose()
    assert live.viewers == 0


async def test_viewers_are_bounded_and_let_go_at_the_end() -> None:
    source = Source()
    live = Live(render=source.render, revision=source.revision)
    followers = [live.follow("ward") for _ in range(VIEWERS)]
    for follower in followers:
        await anext(follower)
    with pytest.raises(TooManyViewersError):
        await anext(live.follow("ward"))
    live.close()
    ends = await asyncio.gather(*(anext(follower, None) for follower in followers))
    assert ends == [None] * VIEWERS


TRIES = 20  # a beat that falls due just then, on a machine that is busy, spoils one


async def next_in_turns(updates: AsyncGenerator[bytes], turns: int) -> bytes | None:
    """Return the next state if it is there within so many turns of the loop, which need no clock."""
    waiting = asyncio.ensure_future(anext(updates))
    for _ in range(turns):
        await asyncio.sleep(0)
        if waiting.done():
            return waiting.result()
    async with asyncio.timeout(30):  # a beat
        await waiting
    return None


async def rest_after_a_state(updates: AsyncGenerator[bytes]) -> None:
    """Come to where a page may be told again."""
    await anext(updates)
    await asyncio.sleep(1.5 * SPACING_S)


async def test_a_change_goes_out_in_the_same_turns_of_the_loop_and_waits_for_no_timer() -> None:
    source = Source()
    live = Live(render=source.render, revision=source.revision)
    async with running(live), aclosing(live.follow("slot/bay-1")) as updates:
        await anext(updates)
        for number in range(1, TRIES):
            await rest_after_a_state(updates)
            source.value = number
            live.look()
            event = await next_in_turns(updates, 10)
            if event is not None and value(event) == number:
                return
    pytest.fail("it waited each time")


async def test_changes_that_follow_closely_share_one_state_and_the_last_is_not_lost() -> None:
    source = Source()
    live = Live(render=source.render, revision=source.revision)
    async with running(live), aclosing(live.follow("slot/bay-1")) as updates:
        await anext(updates)
        await rest_after_a_state(updates)
        before = source.rendered
        begun = asyncio.get_running_loop().time()
        for number in range(1, 101):
            source.value = number
            live.look()
            await asyncio.sleep(0)
        async with asyncio.timeout(30):
            while value(await anext(updates)) != 100:
                pass
        took = asyncio.get_running_loop().time() - begun
        assert source.rendered - before <= 2 + took / SPACING_S


async def test_a_large_page_is_sent_less_often_and_a_small_one_beside_it_is_not() -> None:
    source = Source()

    def render(name: str) -> dict[str, Any]:
        return source.render(name) | {"long": "x" * 80_000 * (name == "ward")}

    live = Live(render=render, revision=source.revision)
    heard = {"ward": 0, "slot/bay-1": 0}

    async def count(name: str) -> None:
        async with aclosing(live.follow(name)) as updates:
            async for _ in updates:
                heard[name] += 1

    async with running(live), asyncio.TaskGroup() as group:
        tasks = [group.create_task(count(name)) for name in heard]
        async with asyncio.timeout(30):
            while heard["slot/bay-1"] < 12:
                source.value += 1
                live.look()
                await asyncio.sleep(SPACING_S / 5)
        for task in tasks:
            task.cancel()
    assert heard["ward"] < heard["slot/bay-1"]


async def test_it_says_how_far_the_pages_are_behind() -> None:
    source = Source()
    behind: list[float] = []
    live = Live(render=source.render, revision=source.revision, on_shown=behind.append)
    async with running(live), aclosing(live.follow("slot/bay-1")) as updates:
        await anext(updates)
        async with asyncio.timeout(30):
            while not behind or behind[-1] == 0.0:  # changes that come closer together than a page is told
                source.value += 1
                live.look()
                await asyncio.sleep(0)
            while value(await anext(updates)) != source.value:
                pass
    assert behind[-1] == 0.0  # it has all
    assert min(behind) == 0.0
