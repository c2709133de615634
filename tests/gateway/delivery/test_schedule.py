from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from gateway.delivery.backlog_pace import LEAST
from gateway.delivery.present_life import PresentLife
from gateway.delivery.receipts import Reach
from gateway.delivery.release_policy import release_policy
from gateway.delivery.resend import CHUNK, Resend
from gateway.delivery.schedule import BACKLOG_ROWS_PER_S, LIVE_LAG, READ_GAPS, SendSchedule
from gateway.machine.fault_counts import FaultCounts
from gateway.model.row import Gap, Row
from gateway.outbox.outbox import Outbox
from gateway.wire.receipt import Receipt
from tests.gateway.damage import run_sql
from tests.gateway.samples import measurement, ward
from tests.servers import wait_until


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    made = Outbox(tmp_path / "outbox.db", commit_s=0.01)
    yield made
    made.close()


def make(outbox: Outbox, n: int) -> None:
    outbox.append(ward(n, slots=10))
    assert outbox.flush()


def seqs(messages: list[list[Row]]) -> list[int]:
    return sorted(row.seq for rows in messages for row in rows)


def drain(schedule: SendSchedule, now: float, *, old: bool) -> list[list[Row]]:
    messages = []
    while rows := schedule.old(now) if old else schedule.live(now):
        messages.append(rows)
    return messages


def test_the_present_goes_before_a_long_past(outbox: Outbox) -> None:
    make(outbox, LIVE_LAG + 5_000)
    schedule = SendSchedule(outbox, resend=Resend(), now=0.0, receipts=False)
    assert schedule.live(0.0) == []
    make(outbox, 10)
    assert seqs(drain(schedule, 0.0, old=False)) == list(range(LIVE_LAG + 5_001, LIVE_LAG + 5_011))
    assert schedule.backlog == LIVE_LAG + 5_000
    old = [each for i in range(1, 100) for each in drain(schedule, i / 10, old=True)]
    assert seqs(old) == list(range(1, LIVE_LAG + 5_001))
    assert schedule.backlog == 0


def test_a_short_past_is_the_present(outbox: Outbox) -> None:
    make(outbox, LIVE_LAG)
    schedule = SendSchedule(outbox, resend=Resend(), now=0.0)
    assert seqs([each for now in range(300) for each in drain(schedule, now, old=False)]) == list(
        range(1, LIVE_LAG + 1)
    )
    assert schedule.backlog == 0


def test_the_past_keeps_to_its_rate(outbox: Outbox) -> None:
    make(outbox, 12_000)
    schedule = SendSchedule(outbox, resend=Resend(), now=0.0, receipts=False)
    schedule.live(0.0)
    for now in (0.1, 0.2, 0.5):
        sent = 12_000 - schedule.backlog
        more = sum(map(len, drain(schedule, now, old=True)))
        assert sent + more <= BACKLOG_ROWS_PER_S * now + 200


def test_the_past_waits_for_the_receipts_of_what_was_sent(outbox: Outbox) -> None:
    make(outbox, 6_000)
    schedule, unpaced = (
        SendSchedule(outbox, resend=Resend(), now=0.0, receipts=receipts) for receipts in (True, False)
    )
    for each in (schedule, unpaced):
        each.live(0.0)
    sent = seqs(drain(schedule, 1.0, old=True))
    assert LEAST <= len(sent) < 2 * LEAST
    assert len(seqs(drain(unpaced, 1.0, old=True))) == 6_000
    assert drain(schedule, 20.0, old=True) == []
    schedule.receipt(Reach(len(sent)), 21.0)
    assert LEAST <= len(seqs(drain(schedule, 22.0, old=True))) < 2 * LEAST
    assert drain(schedule, 40.0, old=True) == []
    assert drain(schedule, 60.0, old=True)  # nobody has answered for half a minute


def test_a_second_silence_makes_one_past(outbox: Outbox) -> None:
    make(outbox, 3_000)
    schedule = SendSchedule(outbox, resend=Resend(), now=0.0, receipts=False)
    schedule.live(0.0)
    make(outbox, 3_000)
    schedule.live(0.0)
    assert schedule.backlog == 6_000
    assert seqs([each for i in range(1, 50) for each in drain(schedule, i / 10, old=True)]) == list(range(1, 6_001))


def test_resent_rows_follow_the_old_schedule_from_the_receipt_on(outbox: Outbox) -> None:
    make(outbox, 100)
    schedule = SendSchedule(outbox, resend=Resend(after_s=5.0), now=0.0)
    schedule.acknowledged(
        [(row.seq, row.seq) for now in range(3) for rows in drain(schedule, now, old=False) for row in rows], now=3.0
    )
    assert schedule.taken_upto == 100
    schedule.receipt(Reach(40), 3.0)
    assert not schedule.again(7.0)
    schedule.tick(8.0)
    assert schedule.again(8.0)
    assert seqs(drain(schedule, 9.0, old=True)) == list(range(41, 101))
    assert schedule.resent == 60


def test_what_the_past_waits_for_is_sent_again_though_more_of_it_waits(outbox: Outbox) -> None:
    """One message of the first was lost behind the broker: no receipt moves, and the past would wait for each."""
    make(outbox, 6_000)
    schedule = SendSchedule(outbox, resend=Resend(after_s=5.0), now=0.0)
    schedule.live(0.0)
    lost, *arrived = drain(schedule, 1.0, old=True)
    schedule.acknowledged([(row.seq, row.seq) for rows in (lost, *arrived) for row in rows], now=1.0)
    sent = sum(map(len, arrived)) + len(lost)
    schedule.receipt(reach_of(arrived), 2.0, heard=True)
    assert not schedule.again(2.0)
    schedule.receipt(reach_of(arrived), 6.0, heard=True)
    schedule.tick(6.0)
    assert schedule.again(6.0)
    probed = [seq for seq in seqs([lost]) if seq <= CHUNK]
    assert seqs(drain(schedule, 6.1, old=True)) == probed
    assert schedule.resent == len(probed)
    schedule.receipt(Reach(sent), 7.0, heard=True)
    assert seqs(drain(schedule, 7.1, old=True))[0] == sent + 1


def reach_of(messages: list[list[Row]]) -> Reach:
    there = seqs(messages)
    upto = next(n for n in range(len(there) + 1) if n + 1 not in there)
    return Reach(upto, sum(1 << (seq - upto - 1) for seq in there if seq > upto))


def test_what_an_earlier_run_sent_and_some_historian_has_is_neither_sent_nor_sent_again(tmp_path: Path) -> None:
    with closing(Outbox(tmp_path / "outbox.db", commit_s=0.01)) as earlier:
        make(earlier, 100)
    with closing(Outbox(tmp_path / "outbox.db", commit_s=0.01)) as outbox:
        leave_out_what_is_there(outbox)


def leave_out_what_is_there(outbox: Outbox) -> None:
    schedule = SendSchedule(outbox, resend=Resend(after_s=5.0), now=0.0)
    schedule.receipt(Reach(10, 0b1100), 0.0)  # 1 to 10, 13 and 14
    sent = [rows for now in range(3) for rows in drain(schedule, now, old=False)]
    assert seqs(sent) == [11, 12, *range(15, 101)]
    schedule.acknowledged([(row.seq, row.seq) for rows in sent for row in rows], now=3.0)
    assert schedule.taken_upto == 100
    schedule.receipt(Reach(20, 0b1110), 3.0)  # 1 to 20, 22 to 24
    schedule.tick(8.0)
    assert schedule.again(8.0)
    assert seqs(drain(schedule, 9.0, old=True)) == [21, *range(25, 101)]
    assert schedule.resent == 77


@pytest.mark.parametrize("old", [False, True])
def test_what_another_outbox_of_this_name_gave_a_historian_goes_all_the_same(outbox: Outbox, old: bool) -> None:
    make(outbox, LIVE_LAG + 1 if old else 100)
    last = outbox.state().last_seq
    schedule = SendSchedule(outbox, resend=Resend(), now=0.0, receipts=False)
    schedule.live(0.0)  # what is beyond the lag becomes old; the first messages of the others are under way
    schedule.receipt(Reach(60, 0b1100), 0.0)  # a copy of this outbox was faster
    assert schedule.taken_upto == 0
    make(outbox, 20)
    schedule.receipt(Reach(last + 20), 0.1)
    sent = [each for now in range(1, 5) for each in drain(schedule, now, old=old)]
    if old:
        assert seqs(sent) == list(range(1, last + 1))
    assert set(range(last + 1, last + 21)) <= set(seqs(sent + drain(schedule, 6.0, old=False)))


def test_a_row_leaves_the_outbox_only_when_the_broker_took_it_from_here(outbox: Outbox) -> None:
    make(outbox, 20)
    policy, faults = release_policy("stored", outbox), FaultCounts(logging.getLogger(__name__))
    life = PresentLife(outbox, policy, faults, resend_after_s=5.0, signed=False, now=0.0)
    sent = drain(life.schedule, 2.0, old=False)
    life.sent([(1, 20)])
    life.receipt("", Receipt(life.epoch, stored=20, received=20), 3.0, retained=False)
    life.apply_receipts(3.0, heard=True)
    make(outbox, 1)  # with its commit, what was let go is gone
    assert outbox.state().released_seq == 0
    life.acknowledged([(row.seq, row.seq) for rows in sent for row in rows], 4.0)
    wait_until(lambda: outbox.state().released_seq == 20)


def test_a_gap_is_reported_but_for_what_arrived_before(outbox: Outbox) -> None:
    schedule = SendSchedule(outbox, resend=Resend(), now=0.0)
    schedule.receipt(Reach(4, 0b10010), 0.0)  # 1 to 4, 6 and 9
    gaps = [Gap(2, 10, "full"), Gap(12, 12, "bad")]
    assert schedule.unheard(gaps, 10) == [
        Gap(5, 5, "full"), Gap(7, 8, "full"), Gap(10, 10, "full"), Gap(12, 12, "bad"),
    ]  # fmt: skip
    assert schedule.unheard(gaps, 3) == gaps


def test_the_schedule_of_a_replaced_file_read_no_more(outbox: Outbox) -> None:
    make(outbox, 50)
    schedule = SendSchedule(outbox, resend=Resend(), now=0.0)
    held = schedule.live(0.0)
    run_sql(outbox.path, "DROP TABLE metrics")
    make(outbox, 20)
    assert schedule.epoch != outbox.epoch
    assert schedule.old(9.0) == []
    assert seqs([held, *schedule.drain()]) == list(range(1, 51))
    assert schedule.live(9.0) == []


def reported_gaps(schedule: SendSchedule) -> list[tuple[int, int]]:
    return [(gap.first, gap.last) for gap in schedule.gaps(10_000)]


def dropping(outbox: Outbox, n: int, *, max_bytes: int) -> None:
    """Make metrics and events in turn, and let most metrics go."""
    outbox.append([measurement(i, event=i % 2 == 0) for i in range(n)])
    assert outbox.flush()
    outbox.limits.max_bytes = max_bytes
    outbox.append([measurement(n)])
    assert outbox.flush()


def test_gaps_go_with_the_rows_that_they_lie_between(outbox: Outbox) -> None:
    dropping(outbox, 200, max_bytes=60_000)
    schedule = SendSchedule(outbox, resend=Resend(), now=0.0)
    sent = seqs(drain(schedule, 0.0, old=False)) + seqs(drain(schedule, 10.0, old=False))
    gaps = reported_gaps(schedule)
    assert len(gaps) > 50
    numbers = sent + [seq for first, last in gaps for seq in range(first, last + 1)]
    assert sorted(numbers) == list(range(1, 202))
    assert reported_gaps(schedule) == [], "once"


def test_what_a_historian_has_of_a_gap_counts_as_taken(outbox: Outbox) -> None:
    make(outbox, 20)
    outbox.limits.max_bytes = 1
    make(outbox, 1)
    schedule = SendSchedule(outbox, resend=Resend(), now=0.0)
    schedule.receipt(Reach(3, 0b1100110), 0.0)  # 1 to 3, 5, 6, 9 and 10
    schedule.live(0.0)
    assert reported_gaps(schedule) == [(4, 4), (7, 8), (11, 21)]
    schedule.acknowledged([(4, 4)], 0.0)
    assert schedule.taken_upto == 6
    schedule.acknowledged([(7, 8)], 0.0)
    assert schedule.taken_upto == 10


def test_a_long_past_brings_its_gaps_in_order_and_never_many_at_once(outbox: Outbox) -> None:
    dropping(outbox, 3 * LIVE_LAG, max_bytes=1_700_000)
    schedule = SendSchedule(outbox, resend=Resend(), now=0.0, receipts=False)
    schedule.live(0.0)
    sent: list[int] = []
    numbers: list[int] = []
    for now in range(1, 60):
        sent += seqs(drain(schedule, now, old=True))
        gaps = reported_gaps(schedule)
        assert len(gaps) <= 2 * READ_GAPS
        numbers += [seq for first, last in gaps for seq in range(first, last + 1)]
    assert numbers == sorted(numbers)
    assert len(numbers) > READ_GAPS
    assert sorted(sent + numbers) == list(range(1, 3 * LIVE_LAG + 2))
    assert schedule.backlog == 0


def test_what_is_sent_again_brings_never_many_gaps_at_once(outbox: Outbox) -> None:
    n = 13 * READ_GAPS
    dropping(outbox, n, max_bytes=2_800_000)
    schedule = SendSchedule(outbox, resend=Resend(after_s=1.0), now=0.0, receipts=False)
    schedule.live(0.0)
    for second in range(1, 20):
        drain(schedule, second, old=True)
        reported_gaps(schedule)
    schedule.acknowledged([(1, n + 1)], 20.0)
    now, reached, most = 22.0, 0, 0
    while reached <= n:
        now += 2.0
        schedule.tick(now)
        assert schedule.again(now)
        rows = seqs(drain(schedule, now, old=True))
        gaps = reported_gaps(schedule)
        most = max(most, len(gaps))
        numbers = sorted(rows + [seq for first, last in gaps for seq in range(first, last + 1)])
        assert numbers == list(range(reached + 1, reached + 1 + len(numbers)))
        reached = numbers[-1]
        schedule.receipt(Reach(reached), now)
    assert READ_GAPS <= most < 2 * READ_GAPS


def test_a_range_that_is_one_gap_holds_nothing_up(outbox: Outbox) -> None:
    make(outbox, 50)
    outbox.limits.max_bytes = 1
    make(outbox, 1)
    outbox.limits.max_bytes = 1 << 20
    make(outbox, 5)
    schedule = SendSchedule(outbox, resend=Resend(), now=0.0)
    assert seqs([each for now in range(20) for each in drain(schedule, now, old=False)]) == list(range(52, 57))
    assert reported_gaps(schedule) == [(1, 51)]


def test_rows_that_are_dropped_behind_the_schedule_are_reported(outbox: Outbox) -> None:
    make(outbox, 50)
    schedule = SendSchedule(outbox, resend=Resend(), now=0.0)
    drain(schedule, 0.0, old=False)
    schedule.acknowledged([(1, 20)], 0.0)
    outbox.limits.max_bytes = 1
    make(outbox, 1)
    assert [(gap.first, gap.last) for gap in schedule.gaps_behind(10)] == [(1, 51)]
    schedule.acknowledged([(1, 51)], 0.0)
    assert schedule.gaps_behind(10) == []


def test_spoilt_rows_stop_no_reader(outbox: Outbox) -> None:
    """More of them in a row than are read at once."""
    make(outbox, 50)
    for table in ("metrics", "events"):
        run_sql(outbox.path, f"UPDATE {table} SET payload = x'00' WHERE seq <= 40")  # noqa: S608
    assert [row.seq for row in outbox.read(0, 10)] == list(range(41, 51))
