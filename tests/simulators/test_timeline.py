"""Simulated time."""

from __future__ import annotations

import asyncio

import pytest

from simulators.motion.timeline import Timeline
from simulators.motion.wearer import Wearer


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


async def test_who_is_cancelled_wakes_nobody_else() -> None:
    timeline = Timeline()
    first, second = asyncio.create_task(timeline.tick()), asyncio.create_task(timeline.tick())
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.wait_for(second, 5)
    assert first.cancelled()


def test_a_person_moves_from_when_the_first_sensor_is_started() -> None:
    wearer = Wearer()
    assert wearer.own_s(7.0) is None
    wearer.begin(7.0)
    wearer.begin(9.0)  # the second sensor: they stay in step
    assert wearer.own_s(10.0) == 3.0
