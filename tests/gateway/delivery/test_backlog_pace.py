"""Old rows wait for the history's receipts, and not for ever."""

from __future__ import annotations

from gateway.delivery.backlog_pace import LEAST, MOST, SOON_S, BacklogPace

PIECE = LEAST // 4


def full(now: float = 0.0) -> BacklogPace:
    """A flow with as many rows under way as may be at first."""
    flow = BacklogPace(now, patience_s=30.0)
    for n in range(1, 5):
        assert flow.open(now)
        flow.sent(n * PIECE, PIECE, now)
    return flow


def keep_up(flow: BacklogPace, receipt_s: float, rounds: int) -> None:
    """Send all that may go and have it stored after a while, again and again."""
    last = MOST * 1000
    for turn in range(rounds):
        now = turn * receipt_s
        while flow.open(now):
            last += PIECE
            flow.sent(last, PIECE, now)
        flow.receipt(last, now + receipt_s)


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
    flow.sent(8 * PIECE, LEAST, 31.0)
    assert not flow.open(60.0)
    assert flow.open(62.0)


def test_a_historian_that_is_slow_is_waited_for() -> None:
    flow = full()
    for second in range(1, 100):
        flow.receipt(second, float(second))  # it moves, by one row a second
        assert not flow.open(float(second))


def test_time_without_anything_to_send_is_no_silence() -> None:
    flow = BacklogPace(0.0, patience_s=30.0)
    flow.sent(LEAST, LEAST, 1000.0)
    assert not flow.open(1001.0)


def test_the_sooner_the_receipts_the_more_may_go() -> None:
    flow = BacklogPace(0.0)
    keep_up(flow, SOON_S / 2, 10)
    assert flow.window == MOST
    keep_up(flow, 2 * SOON_S, 3)
    assert flow.window < MOST / 2
    keep_up(flow, 2 * SOON_S, 10)
    assert flow.window == LEAST
