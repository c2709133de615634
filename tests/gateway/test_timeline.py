import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.packet import Packet, StreamSpec
from gateway.clock import NS
from gateway.timeline import Timeline

SPEC = StreamSpec("imu", ("acc_x",), ("m/s2",), rate_hz=60.0, tick_hz=1e6, tick_bits=32)
ORIGIN_NS = 5 * NS


def packet(number: np.ndarray, *, first_tick: int = 0, rate_hz: float = 60.0, delay_s: float = 0.01) -> Packet:
    """Samples by number, taken from second 1 on."""
    ticks = first_tick + np.round(number * 1e6 / rate_hz).astype(np.int64)
    arrival = ORIGIN_NS + np.round((1.0 + number / rate_hz + delay_s) * NS).astype(np.int64)
    return Packet("imu", arrival, ticks % 2**32, number[:, None] * 1.0, np.zeros(len(number), np.uint8))


@given(st.sets(st.integers(1, 600), max_size=200), st.lists(st.integers(1, 30), min_size=1, max_size=4))
def test_lost_samples_are_missing_numbers_in_any_chunking(lost: set[int], sizes: list[int]) -> None:
    number = np.array([n for n in range(700) if n not in lost])
    timeline = Timeline(SPEC, ORIGIN_NS)
    index, total, at, turn = [], 0, 0, 0
    while at < len(number):
        size = sizes[turn % len(sizes)]
        placed = timeline.push(packet(number[at : at + size], first_tick=2**32 - 3_000_000))
        index.append(placed.index)
        total += placed.lost
        at, turn = at + size, turn + 1
    assert np.array_equal(np.concatenate(index), number)
    assert total == len(lost)
    assert timeline.at(number.astype(float)) == pytest.approx(1.01 + number / 60.0, abs=1e-4)


def test_a_rate_a_little_off_never_slips_a_sample() -> None:
    number = np.arange(60_000)
    timeline = Timeline(SPEC, ORIGIN_NS)
    placed = timeline.push(packet(number, rate_hz=60.2))
    assert np.array_equal(placed.index, number)
    assert placed.lost == 0


def test_a_clock_that_starts_again_leaves_a_gap_that_nothing_bridges() -> None:
    timeline = Timeline(SPEC, ORIGIN_NS)
    timeline.push(packet(np.arange(120), first_tick=50_000_000))
    again = packet(np.arange(150, 180))
    again = Packet("imu", again.arrival_ns, again.ticks - again.ticks[0], again.samples, again.flags)
    placed = timeline.push(again)
    assert placed.reset
    assert placed.index[0] - 119 > 2 * 60
    assert timeline.at(placed.index[:1].astype(float))[0] == pytest.approx(1.01 + 150 / 60, abs=0.02)


def test_streams_without_a_clock_are_placed_by_arrival() -> None:
    timeline = Timeline(StreamSpec("heart_rate", ("heart_rate",), ("/min",)), ORIGIN_NS)
    arrival = ORIGIN_NS + np.array([1.0, 2.1, 9.0]) * NS
    placed = timeline.push(
        Packet("heart_rate", arrival.astype(np.int64), np.empty(0, np.int64), np.ones((3, 1)), np.zeros(3, np.uint8))
    )
    assert placed.lost == 0
    assert timeline.at(placed.index.astype(float)) == pytest.approx([1.0, 2.1, 9.0])
