"""Turns of many devices in one task: others are served in between, and one that fails costs nobody else a turn."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from itertools import groupby
from pathlib import Path

import pytest

from simulators.devices.shimmer3 import Shimmer3
from simulators.motion.rounds import SLICE_S, Rounds
from simulators.motion.source import Motion
from simulators.motion.timeline import Timeline
from tests.simulators.helpers import Counting, until

DEVICES = 40
WORK_S = 0.002  # of each in a turn


async def test_who_waits_for_one_device_does_not_wait_for_the_turns_of_all(tmp_path: Path) -> None:
    served: list[int] = []  # how often others had been served, at each turn
    others = 0

    class Slow(Counting):
        def read_until(self, until_s: float) -> Motion | None:
            served.append(others)
            until_s_of_work = time.perf_counter() + WORK_S
            while time.perf_counter() < until_s_of_work:
                pass
            return super().read_until(until_s)

    timeline = Timeline()
    devices = [
        Shimmer3(name=f"d-{n}", timeline=timeline, path=tmp_path / f"d-{n}", source=Slow()) for n in range(DEVICES)
    ]
    for device in devices:
        device.streaming = True
        await device.start()
    async with asyncio.timeout(30):
        while len(served) < 3 * DEVICES:
            others += 1
            await asyncio.sleep(0)
    for device in devices:
        await device.stop()
    at_a_stretch = max(len(list(turns)) for _, turns in groupby(served))
    assert at_a_stretch <= SLICE_S / WORK_S + 2


async def test_everybody_has_a_turn_in_each_round_and_nobody_after_leaving() -> None:
    timeline, turns = Timeline(), Counter[str]()

    def first() -> None:
        turns["first"] += 1
        timeline.rounds.leave(second)

    def second() -> None:
        turns["second"] += 1

    def third() -> None:
        turns["third"] += 1

    for turn in (first, second, third, first):
        timeline.rounds.join(turn)
    await until(lambda: turns["third"] >= 3)
    timeline.rounds.leave(first)
    timeline.rounds.leave(third)
    assert turns["first"] == turns["third"]
    assert not turns["second"]
    counted = dict(turns)
    await timeline.tick()
    await timeline.tick()
    assert turns == counted


async def test_one_that_fails_is_reported_and_silences_nobody_else(caplog: pytest.LogCaptureFixture) -> None:
    ticks = Timeline()
    rounds, turns = Rounds(ticks.tick), Counter[str]()

    def broken() -> None:
        turns["broken"] += 1
        raise RuntimeError("no such channel")

    def sound() -> None:
        turns["sound"] += 1

    rounds.join(broken)
    rounds.join(sound)
    await until(lambda: turns["sound"] >= 3)
    rounds.leave(sound)
    assert turns["broken"] == 1
    assert "no such channel" in caplog.text


def test_the_ticks_of_slow_time_are_as_far_apart_as_its_seconds() -> None:
    fast, real, slow = (Timeline(speed=speed, running=False).tick_s for speed in (4.0, 1.0, 0.25))
    assert fast == real == slow / 4
