"""Walk tests of sessions: from what sensors send to the results of the test, live and in a replay alike."""

from __future__ import annotations

import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from config.protocol import read_protocol
from config.settings import Device, Settings, Slot
from drivers.packet import Frame
from dsp.walk_tests.stairs import NOT_MARKED
from gateway.analysis.walk_tests import course_of, timed_walk
from gateway.intake.frames import Numbered
from gateway.model.measurement import Measurement
from gateway.model.ward import Bed, Ward, ward_of
from gateway.recordings.replay import Replay
from simulators.body.body import Placement, WalkingBody
from simulators.body.programme import Piece, Stand, Walk
from tests.dsp.walked import Way, to_and_fro
from tests.gateway.analysis.test_motions import at, lived, ward

RATE_HZ = 60.0
PLACES: tuple[Placement, ...] = ("left_foot", "right_foot", "lower_back")


def slot(protocol: str, places: tuple[Placement, ...] = PLACES) -> Slot:
    devices = [
        Device(
            id=place.replace("_", "-"), driver="movella_dot", placement=place, address=f"00:00:00:00:00:{number:02x}",
            options={"mode": "rate"},
        )
        for number, place in enumerate(places, 1)
    ]  # fmt: skip
    return Slot(id="bed-1", subject="p-1", protocol=protocol, height_m=1.75, device=devices)


def sent(walker: WalkingBody, seconds: float, places: tuple[Placement, ...] = PLACES) -> list[Numbered]:
    """Return the notifications of DOTs in rate mode, each up to one connection interval late."""
    out: list[Numbered] = []
    for number, place in enumerate(places):
        rng = np.random.default_rng(number)
        motion = walker.sensor(place, rate_hz=RATE_HZ, seed=number).read_until(seconds)
        assert motion is not None
        for i, time_s in enumerate(motion.time_s):
            data = struct.pack("<I6f", round(time_s * 1e6), *motion.acc[i], *np.degrees(motion.gyr[i]))
            arrival = at(i / RATE_HZ + 0.005 + rng.uniform(0.0, 0.015))
            out.append((number, Frame(arrival, "measurement", data.ljust(40, b"\0"))))
    return sorted(out, key=lambda numbered: numbered[1].arrival_ns)


def only(results: list[Measurement], metric: str) -> Measurement:
    (found,) = [m for m in results if m.metric == metric]
    return found


PROGRAMME: tuple[Piece, ...] = (Stand(duration_s=4), Walk(speed_mps=1.1, distance_m=14), Stand(duration_s=6))


def test_a_session_of_stairs_has_its_time_and_steps_live_and_in_a_replay(tmp_path: Path) -> None:
    walker = WalkingBody(3, programme=PROGRAMME, repeat=False)
    (bout,) = walker.truth(22.0).bouts
    bed = slot("stairs steps=12", PLACES[:2])
    live = lived(ward(bed), sent(walker, 22.0, PLACES[:2]), 26.0, record=tmp_path / "stairs.rgrec")
    assert live == [m for step in Replay(tmp_path / "stairs.rgrec").steps() for m in step]
    time, steps = only(live, "stairs_time"), only(live, "stairs_steps")
    assert time.value == pytest.approx(bout.end_s - bout.start_s, abs=0.15)
    assert steps.value == len([m for m in live if m.metric == "initial_contact"])
    assert only(live, "stairs_rate").value == pytest.approx(720.0 / (bout.end_s - bout.start_s), rel=0.03)
    assert {(m.quality, m.reason, m.devices) for m in (time, steps)} == {
        ("degraded", NOT_MARKED, ("left-foot", "right-foot"))
    }


@pytest.mark.parametrize("places", [PLACES[:2], PLACES[2:]])
def test_ten_metres_are_timed_by_feet_and_by_the_lower_back(places: tuple[Placement, ...]) -> None:
    walker = WalkingBody(3, programme=PROGRAMME, repeat=False)
    way = Way(walker)
    bed = slot(f"10mwt start=dynamic distance_m={way.whole_m() - 4:.3f}", places)
    speed = only(lived(ward(bed), sent(walker, 22.0, places), 26.0), "tmwt10_speed")
    assert speed.value == pytest.approx(way.timed_mps(2.0, way.whole_m() - 2.0), rel=0.02)
    assert (speed.quality, speed.reason) == ("ok", "")
    assert len(speed.devices) == len(places)


def test_two_minutes_to_and_fro_with_marks_are_the_same_in_a_replay(tmp_path: Path) -> None:
    walker = WalkingBody(3, programme=to_and_fro(1.2, 10.0, 125.0), repeat=False)
    way = Way(walker)
    bed = slot(f"2mwt course_m={way.length_m():.3f}")
    before = ward_of(Settings(simulated=True, slot=[bed]), {"bed-1": "bed-1-a"})
    marked: Ward = (replace(before[0], marks=("start",)),)
    frames = sent(walker, 135.0)
    live = lived(ward(bed), frames, 136.0, {6.0: marked}, tmp_path / "walk.rgrec")
    assert only(live, "mwt2_distance").value == pytest.approx(way.straight_m(6.0, 126.0), rel=0.03)
    assert only(live, "mwt2_distance").quality == "ok"
    assert only(live, "walk_test_stops").value == 0.0
    turns = [m for m in live if m.metric == "u_turn_angle"]
    assert [m.value for m in turns] == pytest.approx([180.0] * len(turns), abs=6)
    assert len(turns) >= only(live, "walk_test_lengths").value  # type: ignore[operator]
    assert {m.metric for m in live} >= {"turn_steps", "turn_peak_velocity", "walk_test_distance_lower_back"}
    assert live == [m for step in Replay(tmp_path / "walk.rgrec").steps() for m in step]


def test_nothing_is_timed_in_a_session_of_another_kind() -> None:
    walker = WalkingBody(3, programme=PROGRAMME, repeat=False)
    metrics = {m.metric for m in lived(ward(slot("free_walk")), sent(walker, 22.0), 23.0)}
    assert not [metric for metric in metrics if metric.startswith(("tmwt", "mwt", "walk_test", "u_turn"))]


def test_the_protocol_says_how_it_is_done() -> None:
    assert course_of(read_protocol("10mwt start=static")) == ("tmwt10_speed", 10.0, 0.0)
    assert course_of(read_protocol("10mwt start=dynamic")).way_m == 14.0
    assert course_of(read_protocol("10mwt start=dynamic distance_m=6")).way_m == 10.0
    assert course_of(read_protocol("4mwt start=dynamic run_up_m=1")).way_m == 6.0


@pytest.mark.parametrize(
    ("protocol", "interrupted", "reason"),
    [
        ("10mwt start=static", False, ""),
        ("10mwt", False, "start=static or start=dynamic not said"),
        ("6mwt course_m=30", True, "the session was interrupted"),
    ],
)
def test_what_is_not_known_of_a_test_is_a_doubt(protocol: str, interrupted: bool, reason: str) -> None:
    walk = timed_walk(Bed(slot(protocol), "bed-1-a", interrupted=interrupted))
    walk.mark("start", 1.0)
    walk.mark("stop", 11.0)
    result = next(iter(walk.finish()))
    assert reason in result.reason
