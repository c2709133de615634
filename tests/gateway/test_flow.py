"""Old rows wait for the history's receipts, and not for ever."""

from __future__ import annotations

from gateway.flow import UNDER_WAY, Flow

PIECE = UNDER_WAY // 4


def full(now: float = 0.0) -> Flow:
    """A flow with as many rows under way as may be."""
    flow = Flow(now, patience_s=30.0)
    for n in range(1, 5):
        assert flow.open(now)
        flow.sent(n * PIECE, PIECE, now)
    return flow


def test_so_many_may_go_and_no_more() -> None:
    assert not full().open(1.0)


def test_a_receipt_lets_as_many_go_as_it_covers() -> None:
    flow = full()
    flow.receipt(PIECE - 1, 1.0)
    assert not flow.open(1.0)
    flow.receipt(2 * PIECE, 2.0)
    assert flow.open(2.0)
    flow.sent(6 * PIECE, 2 * PIECE, 2.0)
    assert not flow.open(2.0)


def test_where_nobody_answers_more_go_after_a_while() -> None:
    flow = full()
    assert not flow.open(29.0)
    assert flow.open(31.0)
    flow.sent(8 * PIECE, UNDER_WAY, 31.0)
    assert not flow.open(60.0)
    assert flow.open(62.0)


def test_a_historian_that_is_slow_is_waited_for() -> None:
    flow = full()
    for second in range(1, 100):
        flow.receipt(second, float(second))  # it moves, by one row a second
        assert not flow.open(float(second))


def test_time_without_anything_to_send_is_no_silence() -> None:
    flow = Flow(0.0, patience_s=30.0)
    flow.sent(UNDER_WAY, UNDER_WAY, 1000.0)
    assert not flow.open(1001.0)
