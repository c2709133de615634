"""What is done for a radio that does not work: one step after the other, each given time, from the bottom again."""

from __future__ import annotations

from itertools import pairwise

from drivers.transport.ladder import LONGEST_S, RUNGS, STEP_S, Ladder, Step


def climbed(ladder: Ladder, until_s: float, every_s: float = 1.0) -> list[tuple[float, Step]]:
    """Return the steps that a radio takes which asks all the time, and when."""
    times = (n * every_s for n in range(int(until_s / every_s)))
    return [(now, step) for now in times if (step := ladder.climb(now)) is not None]


def test_steps_come_in_order_and_none_before_the_last_had_time_to_help() -> None:
    ladder = Ladder()
    steps = climbed(ladder, 1000.0)
    assert tuple(step for _, step in steps[: len(RUNGS)]) == RUNGS
    gaps = [after - before for (before, _), (after, _) in pairwise(steps)]
    assert min(gaps) >= STEP_S
    assert gaps == sorted(gaps), "ever more rarely: a laboratory at night may have nobody who advertises"
    assert ladder.exhausted


def test_what_does_not_help_is_not_done_more_and_more() -> None:
    ladder = Ladder()
    steps = climbed(ladder, 24 * 3600.0, every_s=10.0)
    assert len(steps) <= 10 + 24 * 3600.0 / LONGEST_S
    assert sum(step is Step.RESTART for _, step in steps) == RUNGS.count(Step.RESTART)


def test_a_radio_that_works_begins_at_the_bottom_again() -> None:
    ladder = Ladder()
    climbed(ladder, 1000.0)
    ladder.worked()
    assert not ladder.exhausted
    assert ladder.climb(1000.0) is RUNGS[0]
