"""What is delivered twice is found by what cannot be; a radio held up and a steady heart are not taken for it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config.settings import Device, Settings, Slot
from drivers.heart_rate.driver import LEAST_BEAT_S, HeartRateDecoder
from drivers.packet import Frame
from gateway.analysis.pipeline import Pipeline
from gateway.clocks.device_clock import NS
from gateway.intake.frames import STEP_NS, Numbered, Origin
from gateway.intake.repeats import SETTLED_S, TWINS, Repeats
from gateway.model.measurement import Measurement
from simulators.body.body import WalkingBody
from simulators.body.heart import Heart
from simulators.devices.heart_rate import encode_measurement
from simulators.sensing.imu import PERFECT
from tests.gateway.analysis.test_pipeline import PROGRAMME, RATE_HZ, SESSIONS, SETTINGS, dot_frames

HOUR_S = 3600
LAG_S = 0.005  # from one delivery to the other
Sent = list[tuple[float, bytes]]


def heart(seconds: int, seed: int = 7) -> Sent:
    source = Heart(seed, rest_bpm=66)
    sent = []
    for second in range(1, seconds):
        beats = source.read_until(float(second))
        assert beats is not None
        sent.append((float(second), encode_measurement(66, beats.rr_s.tolist(), contact=True)))
    return sent


def paced(seconds: int) -> Sent:
    """A pacemaker: the same bytes each second."""
    return [(float(second), encode_measurement(60, [1.0], contact=True)) for second in range(1, seconds)]


def arrivals(sent: Sent, rng: np.random.Generator, *, stalls: float, longest_s: float, jitter_s: float) -> Sent:
    """Bring what was sent over a radio that is held up now and then, and delivers what waited at once."""
    arrived: Sent = []
    until_s = 0.0
    for time_s, data in sent:
        if rng.random() < stalls:
            until_s = max(until_s, time_s + rng.uniform(0.5, longest_s))
        earliest_s = arrived[-1][0] + 0.0075 if arrived else 0.0
        arrived.append((max(time_s + rng.uniform(0.0, jitter_s), until_s, earliest_s), data))
    return arrived


def found(arrived: Sent, repeats: Repeats | None = None) -> list[bool]:
    decoder, repeats = HeartRateDecoder(), repeats or Repeats(LEAST_BEAT_S)
    return [repeats.again(at, data, decoder.span_s(Frame(0, "measurement", data))) for at, data in arrived]


def twice(arrived: Sent) -> Sent:
    return [(at + lag, data) for at, data in arrived for lag in (0.0, LAG_S)]


@pytest.mark.parametrize("sent", [paced(2 * HOUR_S), heart(2 * HOUR_S)], ids=["paced", "heart"])
@pytest.mark.parametrize(("stalls", "longest_s", "jitter_s"), [(0.0, 1.0, 0.05), (0.02, 4.0, 0.05), (0.1, 4.0, 0.5)])
def test_a_radio_that_is_held_up_repeats_nothing(sent: Sent, stalls: float, longest_s: float, jitter_s: float) -> None:
    air = arrivals(sent, np.random.default_rng(1), stalls=stalls, longest_s=longest_s, jitter_s=jitter_s)
    repeats = Repeats(LEAST_BEAT_S)
    assert not any(found(air, repeats))
    assert repeats.counted == 0


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**31), st.floats(0.0, 0.1), st.floats(1.0, 5.0), st.floats(0.0, 0.5), st.booleans())
def test_no_burst_of_a_steady_heart_is_reported(
    seed: int, stalls: float, longest_s: float, jitter_s: float, pacemaker: bool
) -> None:
    sent = paced(900) if pacemaker else heart(900, seed % 50)
    air = arrivals(sent, np.random.default_rng(seed), stalls=stalls, longest_s=longest_s, jitter_s=jitter_s)
    repeats = Repeats(LEAST_BEAT_S)
    assert sum(found(air, repeats)) <= 2
    assert repeats.counted == 0


@pytest.mark.parametrize("sent", [paced(HOUR_S), heart(HOUR_S)], ids=["paced", "heart"])
@pytest.mark.parametrize("stalls", [0.0, 0.05])
def test_every_second_delivery_is_found_once_the_connection_has_settled(sent: Sent, stalls: float) -> None:
    air = arrivals(sent, np.random.default_rng(2), stalls=stalls, longest_s=4.0, jitter_s=0.1)
    repeats = Repeats(LEAST_BEAT_S)
    again = found(twice(air), repeats)
    settled = sum(at > SETTLED_S + 2.0 for at, _ in air)
    assert sum(again) >= 0.99 * settled
    assert repeats.counted >= 0.99 * settled


def test_a_burst_that_is_delivered_again_as_a_whole_is_found() -> None:
    sent = heart(120)
    again = [*sent[:60], *[(60.5 + 0.01 * k, data) for k, (_, data) in enumerate(sent[57:60])], *sent[60:]]
    assert [at for at, is_again in enumerate(found(again)) if is_again] == [60, 61, 62]


def test_the_first_deliveries_stay() -> None:
    again = found(twice(heart(600)))
    assert not any(again[::2])


def test_where_no_time_is_given_five_twins_in_succession_are_a_repetition() -> None:
    """A strap without intervals, an oximeter: the same byte each second is no proof."""
    steady = [(float(s), bytes((0x00, 66))) for s in range(1, 100)]
    assert not any(found(steady))
    again = found(twice(steady))
    assert not any(again[: 2 * TWINS])
    assert all(again[2 * TWINS + 1 :: 2])
    burst = [*steady[:50], (50.01, bytes((0x00, 66))), (50.02, bytes((0x00, 66))), *steady[50:]]
    assert not any(found(burst))


ORIGIN = Origin(7 * NS, 1_760_000_000_000_000)
WARD = Settings(
    simulated=True,
    slot=[
        Slot(
            id="bed-1",
            subject="p-1",
            device=[Device(id="strap", driver="heart_rate", placement="chest", address="02:48:52:00:01:00")],
        )
    ],
)


def measured(arrived: Sent) -> tuple[Pipeline, list[Measurement]]:
    pipeline = Pipeline(WARD, ORIGIN, {"bed-1": "bed-1-a"})
    frames: list[Numbered] = [
        (0, Frame(ORIGIN.monotonic_ns + round(at * NS), "measurement", data)) for at, data in arrived
    ]
    out: list[Measurement] = []
    first = 0
    while first < len(frames):
        last = first
        while last < len(frames) and frames[last][1].arrival_ns < pipeline.end_ns + STEP_NS:
            last += 1
        out += pipeline.step(frames[first:last])
        first = last
    return pipeline, out


def test_variability_is_that_of_the_heart_and_says_that_messages_were_left_out() -> None:
    sent = heart(330)
    (_, once), (pipeline, again) = measured(sent), measured(twice(sent))

    def newest(measurements: list[Measurement]) -> Measurement:
        return [m for m in measurements if m.metric == "hrv_rmssd"][-1]

    right, found_ = newest(once), newest(again)
    assert (found_.value, found_.n) == (right.value, right.n)
    assert right.quality == "ok"
    assert found_.quality == "degraded"
    assert found_.reason == "60 messages were delivered twice"
    intake = pipeline.intakes[0]
    assert intake.repeated == intake.faults["repeated"] > 300


def test_a_device_with_a_clock_shows_it_by_its_stamps() -> None:
    """Every sample of a foot twice: nothing is measured otherwise, and it is counted."""
    body = WalkingBody(3, programme=PROGRAMME, repeat=False)
    once = dot_frames(0, body.sensor("left_foot", rate_hz=RATE_HZ, imperfections=PERFECT))
    again = [
        (number, frame._replace(arrival_ns=frame.arrival_ns + lag_ns))
        for number, frame in once
        for lag_ns in (0, round(LAG_S * NS))
    ]

    def steps(frames: list[Numbered]) -> tuple[Pipeline, list[Measurement]]:
        pipeline = Pipeline(SETTINGS, ORIGIN, SESSIONS)
        out: list[Measurement] = []
        waiting = sorted(frames, key=lambda numbered: numbered[1].arrival_ns)
        while waiting:
            due = [numbered for numbered in waiting if numbered[1].arrival_ns < pipeline.end_ns + STEP_NS]
            waiting = waiting[len(due) :]
            out += pipeline.step(due)
        return pipeline, out

    (_, right), (pipeline, found_) = steps(once), steps(again)
    assert [(m.metric, m.value, m.quality) for m in found_] == [(m.metric, m.value, m.quality) for m in right]
    assert right
    counts = pipeline.intakes[0].counts["imu"]
    assert (counts.samples, counts.repeated, counts.lost) == (len(once), len(once), 0)


def test_one_that_floods_is_looked_through_in_no_more_time_than_others() -> None:
    """Four hundred notifications a second, each with something new: half a core went into comparing them."""
    compared = 0

    class Counted(bytes):
        def __eq__(self, other: object) -> bool:
            nonlocal compared
            compared += 1
            return bytes.__eq__(self, other) is True

        __hash__ = bytes.__hash__

    repeats, rate_hz, seconds = Repeats(LEAST_BEAT_S), 400, 10
    for at in range(rate_hz * seconds):
        repeats.again(at / rate_hz, Counted(at.to_bytes(4, "little")), 0.001)
    assert compared < 1000 * rate_hz * seconds
