"""Somebody presses Start when the patient stands or walks already: what comes afterwards is found all the same."""

from __future__ import annotations

from functools import cache

import pytest

from dsp.transfers.found import Found, Transfer, Tug
from dsp.transfers.transfers import Placement, Transfers
from simulators.clinic.patient import patient
from simulators.clinic.perform import Performance, perform
from simulators.clinic.timed_tests import ten_metre_walk, timed_up_and_go
from simulators.clinic.transfers import Rising, SittingDown, Staying

RATE_HZ = 60.0
SENSORS: dict[Placement, str] = {"lower_back": "lower_back", "thigh": "left_thigh", "wrist": "right_wrist"}
SEVERITIES = (0.05, 0.3)
TRUNKS_EVERY_S, LIMBS_EVERY_S = 0.8, 5.0
NEAR_S = 1.0
FORGIVEN = 1
"""Tests that may be missed before it is known whether who was taken for seated sits."""


@cache
def played(severity: float) -> Performance:
    script = []
    for number in range(3):
        script += [Staying(15.0), *timed_up_and_go(left=number % 2 == 0), Rising(), *ten_metre_walk(), SittingDown()]
    return perform(script, patient(seed=2, severity=severity), rate_hz=RATE_HZ, placements=SENSORS.values(), loss=0.003)


def find(placement: Placement, severity: float, begin_s: float) -> list[Found]:
    signals = played(severity).signals[SENSORS[placement]]
    later = signals.only(signals.index >= begin_s * RATE_HZ)
    return list(Transfers(RATE_HZ, placement=placement, height_m=1.7).process(*later))


def spans_of(found: list[Found]) -> list[tuple[float, float]]:
    return [(one.start / RATE_HZ, one.end / RATE_HZ) for one in found if isinstance(one, Tug)]


@pytest.mark.parametrize("severity", SEVERITIES)
@pytest.mark.parametrize("placement", SENSORS)
def test_tests_are_found_wherever_in_a_round_it_begins(placement: Placement, severity: float) -> None:
    tests = [(did.start_s, did.end_s) for did in played(severity).truth.of("tug")]
    every_s = TRUNKS_EVERY_S if placement == "lower_back" else LIMBS_EVERY_S
    begin_s = tests[0][0] - every_s
    while begin_s < (tests[0][1] if placement == "lower_back" else tests[1][0]):
        wanted = [test for test in tests if test[0] > begin_s + NEAR_S]
        found = spans_of(find(placement, severity, begin_s))
        hit = [any(abs(a - c) < NEAR_S and abs(b - d) < NEAR_S for c, d in found) for a, b in wanted]
        assert all(hit[FORGIVEN:]), f"begun at {begin_s:.0f} s: of {wanted} only {found}"
        begin_s += every_s


@pytest.mark.parametrize("placement", SENSORS)
def test_what_is_found_before_up_is_sure_is_in_doubt(placement: Placement) -> None:
    rise = played(SEVERITIES[0]).truth.of("tug")[0]
    begin_s = rise.start_s + 1.5  # the patient walks
    early = [
        one for one in find(placement, SEVERITIES[0], begin_s)
        if isinstance(one, Transfer) and one.start < (begin_s + 3.0) * RATE_HZ
    ]  # fmt: skip
    assert all("began in the middle of a movement" in one.reason for one in early)


def test_a_test_that_begins_seated_is_in_no_doubt() -> None:
    first = next(one for one in find("lower_back", SEVERITIES[0], 0.0) if isinstance(one, Tug))
    assert (first.quality, first.reason) == ("ok", "")
