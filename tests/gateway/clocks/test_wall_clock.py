"""The wall clock is set, is wrong from the start, or the machine sleeps: order and durations never change."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.settings import Device, Settings, Slot
from drivers.packet import Frame
from gateway.analysis.pipeline import Pipeline
from gateway.clocks.device_clock import NS
from gateway.clocks.wall_clock import STEP_S, Reading, WallClock, read
from gateway.intake.frames import NO_DEVICE, STEP_NS, Numbered, Origin, clock_frame
from gateway.machine.facts import TRUE_FROM_US, Clock
from gateway.model.measurement import Measurement
from gateway.model.wall_correction import MICRO, Correction
from gateway.recordings.recording import Header, RecordingWriter
from gateway.recordings.replay import Replay

START_US = 1_790_000_000_000_000
HOUR_US = 3_600 * MICRO


class Clocks:
    """Clocks that a test moves."""

    def __init__(self, wall_us: int = START_US, *, synchronised: bool | None = True) -> None:
        self.now = Reading(NS, NS, wall_us)
        self.synchronised = synchronised

    def watch(self) -> WallClock:
        return WallClock(lambda: self.now, lambda: Clock(self.synchronised, 0.0))

    def passes(self, seconds: float, *, step_us: int = 0, asleep_s: float = 0.0) -> None:
        """Let time pass, then set the clock; the machine sleeps for part of it."""
        now = self.now
        self.now = Reading(
            now.monotonic_ns + round((seconds - asleep_s) * NS),
            now.boot_ns + round(seconds * NS),
            now.wall_us + round(seconds * MICRO) + step_us,
        )


@given(st.lists(st.floats(0.01, 5), max_size=50), st.floats(-0.08, 0.08))
def test_slewing_is_no_step(turns: list[float], slew: float) -> None:
    clocks = Clocks()
    wall = clocks.watch()
    for seconds in turns:
        clocks.passes(seconds, step_us=round(seconds * slew * MICRO))
        assert wall.look() == 0
    assert wall.steps == 0


@pytest.mark.parametrize("hours", [1, -1])
def test_a_step_is_noticed_once_and_exactly(hours: int) -> None:
    clocks = Clocks()
    wall = clocks.watch()
    clocks.passes(7.0, step_us=hours * HOUR_US)
    assert wall.look() == hours * HOUR_US
    clocks.passes(1.0)
    assert wall.look() == 0
    assert wall.status() == {
        "synchronised": True, "believed_at_start": True, "steps": 1, "step_s": hours * 3600.0, "slept_s": 0.0,
    }  # fmt: skip


def test_a_start_in_1970_is_reported_and_mended_when_the_time_comes() -> None:
    clocks = Clocks(42 * MICRO, synchronised=False)
    wall = clocks.watch()
    assert wall.status()["synchronised"] is False
    assert wall.status()["believed_at_start"] is False
    clocks.passes(30.0, step_us=START_US)
    clocks.synchronised = True
    assert wall.look() == START_US
    assert wall.status()["synchronised"] is True
    assert wall.status()["believed_at_start"] is False  # what was measured before stays doubtful


def corrections(wall: WallClock) -> list[tuple[int, bool]]:
    return [(correction.by_us, correction.believed) for correction in wall.corrections]


def test_a_start_in_1970_is_doubtful_until_the_clock_is_set() -> None:
    clocks = Clocks(42 * MICRO, synchronised=False)
    wall = clocks.watch()
    assert corrections(wall) == [(0, False)]
    clocks.passes(30.0, step_us=START_US)
    wall.look()
    wall.status()
    clocks.synchronised = True
    wall.status()
    assert corrections(wall) == [(0, False), (START_US, True)]


def test_a_clock_that_nothing_keeps_is_doubtful_until_it_is_set() -> None:
    clocks = Clocks(synchronised=False)
    wall = clocks.watch()
    wall.status()
    assert not wall.believed
    clocks.passes(1.0, step_us=-HOUR_US)
    wall.look()
    assert corrections(wall) == [(0, False), (-HOUR_US, True)]


def test_a_clock_that_nothing_keeps_is_doubtful_until_the_time_service_confirms_it() -> None:
    clocks = Clocks(synchronised=False)
    wall = clocks.watch()
    assert list(wall.corrections) == [Correction(0, believed=False, likely=True)]
    clocks.synchronised = True
    wall.status()
    wall.status()
    assert (corrections(wall), wall.believed) == ([(0, False), (0, True)], True)


def test_a_hand_is_not_believed_until_the_time_service_is_heard() -> None:
    clocks = Clocks()
    wall = clocks.watch()
    clocks.synchronised = False  # as the kernel says after any setting of the clock
    clocks.passes(1.0, step_us=HOUR_US)
    wall.look()
    wall.status()
    assert (corrections(wall), wall.believed) == ([(HOUR_US, False)], False)
    clocks.passes(1.0, step_us=-HOUR_US)
    wall.look()
    clocks.synchronised = True
    wall.status()
    wall.status()
    assert (corrections(wall), wall.believed) == ([(HOUR_US, False), (-HOUR_US, False), (0, True)], True)


def test_sleep_and_the_time_service_going_away_put_nothing_in_doubt() -> None:
    clocks = Clocks()
    wall = clocks.watch()
    clocks.passes(3_600.0, asleep_s=3_000.0)
    wall.look()
    clocks.synchronised = False
    wall.status()
    assert (corrections(wall), wall.believed) == ([], True)


def test_a_step_while_the_machine_slept_corrects_by_the_step_alone() -> None:
    clocks = Clocks()
    wall = clocks.watch()
    clocks.passes(601.0, asleep_s=600.0, step_us=HOUR_US)
    assert wall.look() == HOUR_US + 600 * MICRO
    assert list(wall.corrections) == [Correction(HOUR_US, believed=True)]


def test_a_clock_that_nobody_may_ask_about_is_believed_if_it_is_possible() -> None:
    assert Clocks(synchronised=None).watch().status()["synchronised"] is True
    assert Clocks(TRUE_FROM_US - 1, synchronised=None).watch().status()["synchronised"] is False


def test_sleep_moves_utc_and_is_no_step() -> None:
    clocks = Clocks()
    wall = clocks.watch()
    clocks.passes(601.0, asleep_s=600.0)
    assert wall.look() == 600 * MICRO
    assert wall.steps == 0
    assert wall.status()["slept_s"] == 600.0


def test_an_interrupted_reading_is_made_up_for_by_the_next() -> None:
    clocks = Clocks()
    readings = [clocks.now, None, replace(clocks.now, monotonic_ns=3 * NS, boot_ns=3 * NS, wall_us=START_US + HOUR_US)]
    at = iter(readings)
    wall = WallClock(lambda: next(at), lambda: Clock(True, 0.0))
    assert wall.look() == 0
    assert wall.look() == HOUR_US - 2 * MICRO


def test_the_machines_own_clocks_do_not_step_by_themselves() -> None:
    wall = WallClock()
    deadline = time.monotonic() + 0.2
    while time.monotonic() < deadline:
        assert wall.look() == 0
    assert (reading := read()) is None or abs(reading.wall_us / MICRO - time.time()) < STEP_S


SETTINGS = Settings(
    slot=[Slot(id="bay-1", subject="p-1", device=[Device(id="hr", driver="heart_rate", placement="chest", name="x")])]
)
SESSIONS = {"bay-1": "s-1"}
ORIGIN = Origin(NS, START_US)
BEATS = 240


def frames() -> list[list[Numbered]]:
    """Steps of a minute with a beat every quarter second, the wall clock set back and then forth on the way."""
    steps: list[list[Numbered]] = [[] for _ in range(BEATS * 5)]
    for i in range(BEATS):
        step = i * 5 + 2
        at_ns = ORIGIN.monotonic_ns + step * STEP_NS + 1_000
        steps[step].append((0, Frame(at_ns, "measurement", bytes((0x10, 75, 0x33, 0x03)))))
    for step, by_us in ((400, -HOUR_US), (800, 2 * HOUR_US)):
        steps[step].append(clock_frame(ORIGIN.monotonic_ns + step * STEP_NS + 2_000, by_us))
    return steps


def lived(steps: list[list[Numbered]], path: Path | None = None) -> list[Measurement]:
    pipeline = Pipeline(SETTINGS, ORIGIN, SESSIONS)
    header = Header(SETTINGS.model_dump(mode="json"), SESSIONS, ORIGIN.monotonic_ns, ORIGIN.utc_us, "0")
    writer = RecordingWriter(path, header) if path else None
    out: list[Measurement] = []
    for number, step in enumerate(steps, start=1):
        if writer:
            writer.step(ORIGIN.monotonic_ns + number * STEP_NS, step)
        out += pipeline.step(step)
    if writer:
        writer.close()
    return out + pipeline.finish()


def test_live_equals_replay_across_steps_of_the_wall_clock(tmp_path: Path) -> None:
    live = lived(frames(), tmp_path / "run.rgrec")
    assert len(live) > BEATS / 4
    assert [m for step in Replay(tmp_path / "run.rgrec").steps() for m in step] == live


def test_a_step_moves_utc_from_then_on_and_nothing_else() -> None:
    undisturbed = lived([[f for f in step if f[0] != NO_DEVICE] for step in frames()])
    disturbed = lived(frames())
    assert len(disturbed) == len(undisturbed)
    shifts = [m.end_us - was.end_us for m, was in zip(disturbed, undisturbed, strict=True)]
    assert set(shifts) == {0, -HOUR_US, HOUR_US}
    assert [shift for i, shift in enumerate(shifts) if i == 0 or shift != shifts[i - 1]] == [0, -HOUR_US, HOUR_US]
    for m, was, shift in zip(disturbed, undisturbed, shifts, strict=True):
        assert replace(m, start_us=m.start_us - shift, end_us=m.end_us - shift) == was


@given(st.binary(max_size=12), st.text(max_size=4))
def test_a_damaged_word_about_the_clock_moves_nothing(data: bytes, channel: str) -> None:
    pipeline = Pipeline(SETTINGS, ORIGIN, SESSIONS)
    assert pipeline.step([(NO_DEVICE, Frame(NS, channel, data))]) == []
    assert pipeline.origin == ORIGIN
