"""The movement and the results of timed tests, as the dashboard keeps them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from gateway.dashboard.slot_state import SlotState, Wearer
from gateway.dashboard.timed_traces import BIN_US, Trace
from gateway.wire.waveform import encode
from tests.gateway.samples import measurement

MICRO = 1_000_000


def test_a_trace_has_one_value_each_fiftieth_of_a_second_and_says_what_is_missing() -> None:
    columns = {"acc": ([0, 1, 2], 1.0), "gyr": ([3, 4, 5], 2.0)}
    start_us = 1_790_000_000_000_000
    samples = np.tile([3.0, 0.0, 4.0, 0.0, 6.0, 8.0], (60, 1))
    trace = Trace("dot-1", "lower_back")
    trace.add(encode(start_us, 60.0, samples), columns)
    trace.add(encode(start_us + 2 * MICRO, 60.0, samples), columns)
    trace.add(encode(start_us - MICRO, 60.0, samples), columns)
    trace.add(b"\x07nonsense", columns)
    assert trace.start_us == start_us
    a_second = MICRO // BIN_US
    assert trace.values["acc"] == [5.0] * a_second + [None] * a_second + [5.0] * a_second
    assert trace.values["gyr"][0] == 20.0


def test_what_was_corrected_stands_beside_what_was_found() -> None:
    state = SlotState()
    found = replace(measurement(1), metric="tug_total", value=12.0, session="s-1", side="none")
    state.give_to(Wearer(found.subject, "s-2", found.simulated), found.end_us + 1)
    assert state.keep_test(found)
    assert state.keep_test(replace(found, value=11.0, algorithm="by-hand/1", end_us=found.end_us + 1))
    assert sorted(one.value or 0.0 for one in state.last_tests()) == [11.0, 12.0]
    assert [one.value for one in state.results] == [12.0, 11.0]
    state.give_to(Wearer("p-another", "s-3", found.simulated), found.end_us + 2)
    assert state.results == []
