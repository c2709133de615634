from __future__ import annotations

from gateway.machine.allowance import Allowance


def test_it_refills_with_time_and_never_beyond_its_most() -> None:
    allowance = Allowance(10.0, 2.0, 100.0, left=0.0)
    assert allowance.left(100.0) == 0.0
    assert allowance.left(102.0) == 4.0
    assert allowance.left(1_000.0) == 10.0


def test_more_than_there_is_can_be_spent_and_is_made_up_for() -> None:
    allowance = Allowance(10.0, 2.0, 0.0, left=10.0)
    allowance.spend(16.0)
    assert allowance.left(0.0) == -6.0
    assert allowance.left(3.0) == 0.0
    assert allowance.left(4.0) == 2.0


def test_time_at_rest_brings_nothing_back() -> None:
    allowance = Allowance(10.0, 2.0, 0.0, left=1.0)
    allowance.rest(5.0)
    assert allowance.left(6.0) == 3.0
