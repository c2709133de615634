"""The state of a page to its viewers: latest wins, and nobody waits for the slowest."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any

import orjson
import pytest

from gateway.dashboard.live import VIEWERS, Live, TooManyViewersError


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
