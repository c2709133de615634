"""Silence counts only where a stream could have been heard."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import ClassVar

import pytest

from drivers.movella_dot.driver import MovellaDot
from drivers.transport.silence import Silence
from simulators.radio.hub import Hub
from tests.drivers.test_ble import DOT, dot
from tests.drivers.watching import watching
from tests.simulators.helpers import on_air

LONGEST_S = 4.0  # of a strap that notifies once a second


class Time:
    """The event loop's clock, and a gateway's that goes by simulated time."""

    def __init__(self, speed: float) -> None:
        self.now_s, self._speed = 100.0, speed

    def clock_ns(self) -> int:
        return round(self.now_s * self._speed * 1e9)

    def silence(self) -> Silence:
        return Silence(LONGEST_S, self.clock_ns, self.now_s)


@pytest.mark.parametrize(("speed", "after_s"), [(1.0, 4.0), (0.25, 16.0), (8.0, 4.0)])
def test_a_stream_is_silent_by_the_clock_that_runs_more_slowly(speed: float, after_s: float) -> None:
    clock = Time(speed)
    silence, began_s = clock.silence(), clock.now_s
    while left_s := silence.left_s(clock.now_s):
        assert clock.now_s - began_s < after_s
        clock.now_s += min(left_s, 0.5)
    assert clock.now_s - began_s == pytest.approx(after_s, abs=0.1)


def test_what_is_heard_ends_it() -> None:
    clock = Time(1.0)
    silence = clock.silence()
    clock.now_s += 3.0
    silence.heard(clock.now_s, clock.clock_ns())
    clock.now_s += 3.0
    assert silence.left_s(clock.now_s) == pytest.approx(1.0)
    clock.now_s += 1.5
    assert not silence.left_s(clock.now_s)


def test_a_time_in_which_the_process_did_not_run_is_no_silence() -> None:
    clock = Time(1.0)
    silence = clock.silence()
    planned_s = clock.now_s + silence.left_s(clock.now_s)
    clock.now_s = planned_s + 60.0  # a minute in which nothing was read
    silence.woke(clock.now_s - planned_s)
    silence.heard(planned_s - LONGEST_S, 0)  # nothing newer than before
    assert not silence.left_s(clock.now_s)
    silence = clock.silence()
    clock.now_s += 60.0
    silence.woke(60.0 - 1.0)
    assert silence.left_s(clock.now_s) == pytest.approx(3.0)


class QuickDot(MovellaDot):
    """A DOT that is taken for silent early."""

    silence_s: ClassVar[float] = 0.5


async def test_a_device_of_slow_time_is_not_taken_for_silent(tmp_path: Path) -> None:
    hub, began_ns = Hub(), time.monotonic_ns()
    sensor = dot(hub)
    async with (
        on_air(hub, tmp_path / "r", sensor) as radio,
        watching(
            QuickDot(), radio=radio, address=DOT, clock_ns=lambda: (time.monotonic_ns() - began_ns) // 100
        ) as foot,
    ):
        await foot.until_state("streaming")
        await sensor.silence(1.5)
        seen = len(foot.frames)
        await foot.until(lambda: len(foot.frames) > seen)
        await asyncio.sleep(0)
    assert "silent" not in foot.names
