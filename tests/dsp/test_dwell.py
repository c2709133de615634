"""Postures that last."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from dsp.posture.dwell import Dwelling

LEAST = 0.5
Timeline = list[tuple[float, tuple[str, str]]]


def in_the_end(reported: Timeline) -> Timeline:
    """Return what holds once all is told: each takes the place of what was told from its beginning on."""
    kept: Timeline = []
    for at, state in reported:
        kept = [before for before in kept if before[0] < at]
        if not kept or kept[-1][1] != state:
            kept.append((at, state))
    return kept


def reported_of(found: Timeline, *, wait: float = 0.0, now: float = 1000.0) -> Timeline:
    """Return what is told of what was found, all of it at once."""
    dwelling = Dwelling[tuple[str, str]](LEAST, wait)
    for at, state in found:
        dwelling.find(at, state)
    return list(dwelling.report(now))


def test_what_comes_after_a_moment_begins_where_it_began() -> None:
    lies, sits, stands = ("lying", ""), ("sitting", ""), ("standing", "")
    assert reported_of([(0.0, lies), (10.0, sits), (10.05, stands)]) == [(0.0, lies), (10.0, stands)]
    assert reported_of([(0.0, lies), (10.0, sits), (10.5, stands)]) == [(0.0, lies), (10.0, sits), (10.5, stands)]


def test_what_was_only_interrupted_goes_on() -> None:
    assert reported_of([(0.0, ("lying", "")), (10.0, ("sitting", "")), (10.3, ("lying", ""))]) == [(0.0, ("lying", ""))]


def test_a_reason_that_is_over_at_once_is_none() -> None:
    doubted, sure = ("standing", "bent"), ("standing", "")
    assert reported_of([(0.0, ("lying", "")), (10.0, doubted), (10.05, sure)]) == [(0.0, ("lying", "")), (10.0, sure)]
    assert reported_of([(0.0, sure), (10.0, doubted), (10.05, sure)]) == [(0.0, sure)]


def test_a_posture_is_reported_though_none_of_its_reasons_lasts() -> None:
    found = [(0.0, ("lying", ""))] + [(10.0 + 0.2 * n, ("standing", str(n % 2))) for n in range(6)]
    reported = reported_of(found, now=11.1)
    assert [state[0] for _, state in reported] == ["lying", "standing", "standing"]
    assert reported[1][0] == 10.0
    assert reported[2][0] - reported[1][0] >= LEAST


def test_what_was_reported_and_turns_out_to_be_a_moment_is_taken_back() -> None:
    dwelling = Dwelling[tuple[str, str]](LEAST)
    dwelling.find(0.0, ("sitting", ""))
    dwelling.find(10.0, ("standing", ""))
    assert list(dwelling.report(11.0)) == [(0.0, ("sitting", "")), (10.0, ("standing", ""))]
    dwelling.find(10.05, ("walking", ""))  # known late, and dated back
    assert list(dwelling.report(11.5)) == [(10.0, ("walking", ""))]
    dwelling.find(9.0, ("sitting", ""))
    assert list(dwelling.report(12.0)) == [(10.0, ("sitting", ""))]
    assert list(dwelling.report(13.0)) == []


def test_one_that_waits_is_reported_when_it_is_old_enough_and_not_later() -> None:
    dwelling = Dwelling[tuple[str, str]](LEAST, 1.0)
    dwelling.find(0.0, ("sitting", ""))
    dwelling.find(10.0, ("standing", ""))
    assert list(dwelling.report(10.9)) == [(0.0, ("sitting", ""))]
    assert list(dwelling.report(11.0)) == [(10.0, ("standing", ""))]


STEPS = st.lists(
    st.tuples(st.floats(0.01, 3.0), st.floats(0.0, 2.0), st.sampled_from("abc"), st.sampled_from("xy")), max_size=150
)


@given(STEPS, st.sampled_from([0.0, 1.0]))
def test_nothing_lasts_less_in_the_end_and_what_lasts_long_is_kept(
    steps: list[tuple[float, float, str, str]], wait: float
) -> None:
    dwelling = Dwelling[tuple[str, str]](LEAST, wait)
    found, reported, now = Timeline(), Timeline(), 0.0
    for later, back, name, reason in steps:
        now += later
        at = max(0.0, now - back)
        found = [before for before in found if before[0] < at]
        found.append((at, (name, reason)))
        dwelling.find(at, (name, reason))
        reported += dwelling.report(now)
    reported += dwelling.report(now + 2)
    kept = in_the_end(reported)
    assert all(b[0] - a[0] >= LEAST - 1e-6 for a, b in pairwise(kept))
    for (at, state), (end, _) in pairwise([*found, (now + 2, ("", ""))]):
        if end - at >= LEAST + 1e-6:
            middle = [held for held in kept if held[0] <= at + 1e-9]
            assert middle, (found, kept)
            assert middle[-1][1][0] == state[0], (found, kept)
