"""Simulated time."""

from __future__ import annotations

import asyncio

import pytest

from simulators.motion.timeline import Timeline


async def test_time_runs_as_fast_as_asked_for() -> None:
    slow, fast = Timeline(), Timeline(speed=50.0)
    await fast.reach(5.0)
    assert fast.now_s >= 5.0
    assert fast.now_s == pytest.approx(50 * slow.now_s, rel=0.2)


async def test_time_stands_still_until_it_begins() -> None:
    timeline = Timeline(speed=100.0, running=False)
    waiting = asyncio.create_task(timeline.reach(1.0))
    await timeline.tick()
    assert timeline.now_s == 0.0
    assert not waiting.done()
    timeline.start()
    begun = asyncio.get_running_loop().time()
    timeline.start()  # a second time changes nothing
    await asyncio.wait_for(waiting, 5)
    assert timeline.now_s >= 1.0
    assert asyncio.get_running_loop().time() - begun < 1.0
