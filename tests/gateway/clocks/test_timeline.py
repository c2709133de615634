import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.packet import Packet, StreamSpec
from gateway.clocks.device_clock import FIRST_UNCERTAINTY_S, NS
from gateway.clocks.timeline import ANCHOR_EVERY, ANCHORS_KEPT, DROPPED, FIRST_ROOM, Placed, Timeline, Timelines

SPEC = StreamSpec("imu", ("acc_x",), ("m/s2",), rate_hz=60.0, tick_hz=1e6, tick_bits=32)
ORIGIN_NS = 5 * NS


def one(spec: StreamSpec = SPEC) -> tuple[Timelines, Timeline]:
    streams = Timelines(ORIGIN_NS)
    return streams, streams.add(spec)


def place(streams: Timelines, timeline: Timeline, packet: Packet) -> Placed:
    return streams.place_packets([timeline], [packet])


def packet(number: np.ndarray, *, first_tick: int = 0, rate_hz: float = 60.0, delay_s: float = 0.01) -> Packet:
    """Samples by number, taken from second 1 on."""
    ticks = first_tick + np.round(number * 1e6 / rate_hz).astype(np.int64)
    arrival = ORIGIN_NS + np.round((1.0 + number / rate_hz + delay_s) * NS).astype(np.int64)
    return Packet("imu", arrival, ticks % 2**32, number[:, None] * 1.0, np.zeros(len(number), np.uint8))


@settings(deadline=None)  # the first call compiles
@given(st.sets(st.integers(1, 600), max_size=200), st.lists(st.integers(1, 30), min_size=1, max_size=4))
def test_lost_samples_are_missing_numbers_in_any_chunking(lost: set[int], sizes: list[int]) -> None:
    number = np.array([n for n in range(700) if n not in lost])
    streams, timeline = one()
    index, at, turn = [], 0, 0
    while at < len(number):
        size = sizes[turn % len(sizes)]
        index.append(place(streams, timeline, packet(number[at : at + size], first_tick=2**32 - 3_000_000)).index)
        at, turn = at + size, turn + 1
    assert np.array_equal(np.concatenate(index), number)
    assert timeline.count("lost") == len(lost)
    assert timeline.count("samples") == len(number)
    assert timeline.at(number.astype(float)) == pytest.approx(1.01 + number / 60.0, abs=1e-4)


def test_a_rate_a_little_off_never_slips_a_sample() -> None:
    number = np.arange(60_000)
    streams, timeline = one()
    placed = place(streams, timeline, packet(number, rate_hz=60.2))
    assert np.array_equal(placed.index, number)
    assert timeline.count("lost") == 0


def test_a_clock_that_starts_again_while_nothing_is_missing_loses_nothing() -> None:
    streams, timeline = one()
    place(streams, timeline, packet(np.arange(120), first_tick=50_000_000))
    again = packet(np.arange(120, 180))
    placed = place(
        streams, timeline,
        Packet("imu", again.arrival_ns, again.ticks - again.ticks[0], again.samples, again.flags),
    )  # fmt: skip
    assert placed.index[0] > 120 + 60  # what came before is not bridged
    assert (timeline.count("samples"), timeline.count("lost"), timeline.count("resets")) == (180, 0, 1)


def test_a_clock_that_starts_again_leaves_a_gap_that_nothing_bridges() -> None:
    streams, timeline = one()
    place(streams, timeline, packet(np.arange(120), first_tick=50_000_000))
    again = packet(np.arange(150, 180))
    again = Packet("imu", again.arrival_ns, again.ticks - again.ticks[0], again.samples, again.flags)
    placed = place(streams, timeline, again)
    assert placed.reset == [1]
    assert timeline.count("resets") == 1
    assert placed.index[0] - 119 > 2 * 60
    assert timeline.at(placed.index[:1].astype(float))[0] == pytest.approx(1.01 + 150 / 60, abs=0.02)


def test_streams_without_a_clock_are_placed_by_arrival() -> None:
    streams, timeline = one(StreamSpec("heart_rate", ("heart_rate",), ("/min",)))
    arrival = ORIGIN_NS + np.array([1.0, 2.1, 9.0]) * NS
    placed = place(
        streams,
        timeline,
        Packet("heart_rate", arrival.astype(np.int64), np.empty(0, np.int64), np.ones((3, 1)), np.zeros(3, np.uint8)),
    )
    assert timeline.count("lost") == 0
    assert timeline.at(placed.index.astype(float)) == pytest.approx([1.0, 2.1, 9.0])
    assert timeline.fit is None
    assert timeline.uncertainty_s == FIRST_UNCERTAINTY_S


PACED = StreamSpec("imu", ("acc_x",), ("m/s2",), rate_hz=100.0)


def unstamped(taken_s: np.ndarray, delay_s: np.ndarray) -> Packet:
    """Return samples of a device without clock: when each was taken, and how long the radio kept it."""
    arrival = ORIGIN_NS + np.round(np.maximum.accumulate(taken_s + delay_s) * NS).astype(np.int64)
    nothing = np.empty(0, np.int64)
    return Packet("imu", arrival, nothing, taken_s[:, None] * 1.0, np.zeros(len(taken_s), np.uint8))


def each_event(taken_s: np.ndarray, interval_s: float) -> np.ndarray:
    """Return delays of a radio that sends what there is at the end of each of its intervals."""
    return np.asarray(np.ceil(taken_s / interval_s) * interval_s - taken_s)


@pytest.mark.parametrize("rate_hz", [98.5, 100.0, 101.5])
@pytest.mark.parametrize("interval_s", [0.0075, 0.03, 0.1])
def test_samples_without_a_stamp_lie_at_their_rate_however_the_radio_bundles_them(
    rate_hz: float, interval_s: float
) -> None:
    streams, timeline = one(PACED)
    taken_s = np.arange(6000) / rate_hz
    placed = place(streams, timeline, unstamped(taken_s, each_event(taken_s, interval_s)))
    assert np.diff(placed.index).tolist() == [1] * 5999
    assert timeline.count("lost") == 0
    late_s = timeline.at(placed.index[1000:].astype(float)) - taken_s[1000:]
    assert late_s.min() > -0.012
    assert late_s.max() < interval_s + 0.012
    assert np.ptp(late_s) < 0.025


def test_samples_that_a_radio_held_up_are_not_lost_and_not_moved() -> None:
    streams, timeline = one(PACED)
    taken_s = np.arange(3000) / 100.0
    held = (taken_s > 10.0) & (taken_s < 11.5)
    placed = place(streams, timeline, unstamped(taken_s, np.where(held, 11.5 - taken_s, 0.005)))
    assert np.diff(placed.index).tolist() == [1] * 2999
    assert timeline.at(placed.index.astype(float)) == pytest.approx(taken_s + 0.005, abs=0.02)


@pytest.mark.parametrize("gap_s", [0.5, 30.0])
def test_samples_that_never_came_leave_a_gap_and_are_not_counted(gap_s: float) -> None:
    """How many a device without clock did not send, nobody knows; that the time is another one, arrivals tell."""
    streams, timeline = one(PACED)
    taken_s = np.arange(2000) / 100.0
    taken_s[1000:] += gap_s
    placed = place(streams, timeline, unstamped(taken_s, each_event(taken_s, 0.03)))
    assert timeline.count("lost") == 0
    assert placed.index[-1] == pytest.approx(1999 + 100 * gap_s, abs=8)
    settled = placed.index[1300:]
    assert timeline.at(settled.astype(float)) == pytest.approx(taken_s[1300:], abs=0.08)


@settings(deadline=None)  # the first call compiles
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(1, 30)), min_size=1, max_size=60))
def test_many_streams_at_once_are_each_placed_as_alone(portions: list[tuple[int, int]]) -> None:
    """Three streams in one call, in any order and portions, one of them in several packets of the same step."""
    together, alone = Timelines(ORIGIN_NS), [one() for _ in range(3)]
    shared = [together.add(SPEC) for _ in range(3)]
    taken, packets, single = [0, 0, 0], [], []
    for stream, size in portions:
        number = np.arange(taken[stream], taken[stream] + size) * (stream + 1)  # the third loses two of three
        taken[stream] += size
        packets.append((shared[stream], packet(number, first_tick=stream * 10**9)))
        single.append(place(*alone[stream], packets[-1][1]))
    placed = together.place_packets([timeline for timeline, _ in packets], [part for _, part in packets])
    assert np.array_equal(placed.index, np.concatenate([part.index for part in single]))
    assert placed.before.tolist() == [before for part in single for before in part.before]
    assert placed.missing.tolist() == [missing for part in single for missing in part.missing]
    for many, (_, lone) in zip(shared, alone, strict=True):
        assert many.fit == lone.fit
        assert many.newest_s == lone.newest_s


@settings(deadline=None)  # the first call compiles
@given(
    st.lists(st.tuples(st.integers(1, 400), st.integers(1, 9), st.floats(0.0, 0.3)), min_size=1, max_size=40),
    st.sampled_from(
        [SPEC, PACED, StreamSpec("rr", ("rr",), ("s",)), StreamSpec("level", ("level",), ("%",), None, 1e6)]
    ),
)
def test_as_written_the_kernels_place_to_the_last_bit_as_compiled(
    portions: list[tuple[int, int, float]], spec: StreamSpec
) -> None:
    """While they are being compiled, heart rates are placed by the kernels as written."""
    (compiled, one_of), (plain, other) = one(spec), one(spec)
    plain.compiled = False
    number = 0
    for skipped, size, delay_s in portions:
        number += skipped
        sent = packet(np.arange(number, number + size), delay_s=delay_s)
        number += size
        first, second = place(compiled, one_of, sent), place(plain, other, sent)
        assert first.index.tolist() == second.index.tolist()
        assert (first.before, first.missing, first.reset) == (second.before, second.missing, second.reset)
    assert compiled.clocks.tobytes() == plain.clocks.tobytes()
    assert compiled.grids.tobytes() == plain.grids.tobytes()
    asked = np.concatenate([np.arange(first.index[-1] + 1) - 0.25, [-np.inf]])
    assert one_of.at(asked).tobytes() == other.at(asked).tobytes()
    rows = np.zeros(len(asked), np.int64)
    assert compiled.at(rows, asked).tobytes() == plain.at(rows, asked).tobytes()


def test_a_repeated_sample_is_dropped_and_flagged() -> None:
    streams, timeline = one()
    place(streams, timeline, packet(np.arange(10)))
    placed = place(streams, timeline, packet(np.array([9, 10, 11])))
    assert placed.dropped
    assert placed.index.tolist() == [DROPPED, 10, 11]
    assert timeline.count("repeated") == 1


def test_streams_come_and_the_first_ones_stay_where_they_are() -> None:
    streams, first = one()
    place(streams, first, packet(np.arange(200)))
    before = first.at(np.array([0.0, 63.5, 199.0]))
    others = [streams.add(SPEC) for _ in range(3 * FIRST_ROOM)]
    assert first.at(np.array([0.0, 63.5, 199.0])).tolist() == before.tolist()
    assert all(other.newest_s == -np.inf for other in others)


@pytest.mark.compiled
def test_what_is_long_past_is_forgotten_by_halves_and_taken_at_the_nominal_rate() -> None:
    """The present stays exact, and memory does not grow."""
    streams, timeline = one()
    size = 60_000
    for begin in range(0, ANCHOR_EVERY * ANCHORS_KEPT + 2 * size, size):
        place(streams, timeline, packet(np.arange(begin, begin + size)))
    newest = begin + size - 1
    asked = np.array([0.0, newest - 1000.25, newest])
    assert timeline.at(asked) == pytest.approx(1.01 + asked / 60.0, abs=2e-3)
