"""What several sources told of one time, counted once: against every second counted by itself."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.results.overlap import Stretch, believed_occasions, own_shares


def told(source: str, start_us: int, end_us: int, *, rank: int = 0) -> Stretch:
    return Stretch(source, rank, "any", start_us, end_us, 1.0, 1, is_good=True)


def length(one: Stretch) -> float:
    return one.end_us - one.start_us


stretches = st.lists(
    st.builds(
        lambda source, start, long, rank: told(source, start, start + long, rank=rank),
        st.sampled_from("abc"), st.integers(0, 60), st.integers(1, 20), st.integers(0, 2),
    ),
    max_size=12,
)  # fmt: skip


@given(stretches)
def test_shares_are_those_of_microseconds_counted_one_by_one(of: list[Stretch]) -> None:
    doubts = [(one.rank, one.source) for one in of]
    for i, share in enumerate(own_shares(of, lambda one: (one.rank, one.source))):
        left = sum(
            all(
                other.source == of[i].source or doubts[j] > doubts[i] or not other.start_us <= at < other.end_us
                for j, other in enumerate(of)
            )
            for at in range(of[i].start_us, of[i].end_us)
        )
        assert share == pytest.approx(left / length(of[i]))


@given(stretches)
def test_nothing_is_counted_twice_and_no_occasion_is_left_out(of: list[Stretch]) -> None:
    found = list(believed_occasions(of, length))
    for one in found:
        for other in found:
            assert one.source == other.source or one.end_us <= other.start_us or other.end_us <= one.start_us
    told_us = {at for one in of for at in range(one.start_us, one.end_us)}
    begins = {at for at in told_us if not any(one.start_us < at < one.end_us for one in of)}
    assert {max(at for at in begins if at <= one.start_us) for one in found} == begins


def test_of_one_source_all_counts() -> None:
    of = [told("a", 0, 10), told("a", 10, 20), told("a", 30, 40)]
    assert own_shares(of, length) == [1.0, 1.0, 1.0]
    assert list(believed_occasions(of, length)) == of


def test_of_those_that_saw_alike_the_better_place_is_believed() -> None:
    back, feet = told("back", 0, 10, rank=1), told("feet", 0, 10)
    assert list(believed_occasions([back, feet], length)) == [feet]


def test_an_instant_within_a_walk_is_a_part_of_it() -> None:
    walk, step = told("back", 0, 10, rank=1), told("feet", 5, 5)
    assert list(believed_occasions([step, walk], length)) == [walk]
    assert list(believed_occasions([step], length)) == [step]
