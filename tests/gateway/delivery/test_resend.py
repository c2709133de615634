from __future__ import annotations

from itertools import pairwise

from gateway.delivery.resend import CHUNK, MOST_CHUNK, MOST_S, STANDS_S, Resend


def acknowledged(upto: int, *, until: float = 0.0) -> Resend:
    policy = Resend(after_s=30.0)
    now = 0.0
    policy.acknowledged(upto, now)
    while now < until:
        now += 0.5
        policy.acknowledged(upto, now)
    return policy


def test_nothing_is_suspect_before_its_time() -> None:
    policy = acknowledged(100, until=29.0)
    assert policy.next_piece(29.0) is None
    policy.acknowledged(100, 30.0)
    assert policy.next_piece(30.0) == (0, 100)


def test_receipts_in_time_mean_no_resending() -> None:
    policy = Resend(after_s=30.0)
    for now in range(200):
        policy.acknowledged(now * 100, now)
        policy.receipt(max(0, now - 1) * 100, now)
        assert policy.next_piece(now) is None


def test_silence_gets_ever_rarer_probes_of_one_size() -> None:
    policy = acknowledged(100_000)
    probes = []
    for now in range(30, 7200):
        policy.acknowledged(100_000, now)
        if piece := policy.next_piece(now):
            assert piece == (0, CHUNK)
            probes.append(now)
    gaps = [b - a for a, b in pairwise(probes)]
    assert gaps[:6] == [30, 60, 120, 240, 480, MOST_S]
    assert set(gaps[6:]) == {MOST_S}


def test_lost_queue_is_recovered_piece_by_piece_ever_faster() -> None:
    policy, stored, now, pieces = acknowledged(100_000, until=30.0), 0, 30.0, []
    while stored < 100_000:
        if piece := policy.next_piece(now):
            assert piece[0] == stored
            pieces.append(piece[1] - piece[0])
            stored = piece[1]
            policy.receipt(stored, now + 0.2)
        now += 0.1
        assert now < 90
    assert pieces[:4] == [CHUNK, 2 * CHUNK, 4 * CHUNK, 8 * CHUNK]
    assert max(pieces) == MOST_CHUNK


def test_historian_that_works_through_its_queue_is_left_alone() -> None:
    policy, stored = acknowledged(100_000, until=30.0), 0
    assert policy.next_piece(30.0) == (0, CHUNK)
    for i in range(200):
        stored += 500
        policy.receipt(stored, 31.0 + i * 0.2)
        assert policy.next_piece(31.0 + i * 0.2) is None


def test_historian_that_lost_what_it_had_gets_it_again() -> None:
    policy = Resend()
    policy.acknowledged(1000, 0)
    policy.receipt(900, 1)
    policy.acknowledged(1000, 31)
    policy.receipt(200, 32)  # a new history, with what the outbox still holds beyond 200
    assert policy.next_piece(33) is None
    assert policy.next_piece(63) == (200, 700)


def test_a_historian_that_speaks_and_stands_still_has_a_hole() -> None:
    policy, heard_from = Resend(after_s=30.0), 5.0
    due: dict[float, tuple[int, int]] = {}
    for tenth in range(300):
        now = tenth / 10
        policy.acknowledged(int(now * 10), now)
        policy.receipt(0, now, heard=now >= heard_from)
        if piece := policy.next_piece(now):
            due[now] = piece
    first = min(due)
    assert heard_from + STANDS_S <= first < heard_from + STANDS_S + 0.2
    assert due[first] == (0, 50)  # what was taken before it spoke; the rest may be on its way
    assert len(due) == 1  # it is not flooded: the next probe waits as ever


def test_an_overtaking_message_is_no_hole() -> None:
    policy = Resend(after_s=30.0)
    for tenth in range(300):
        now = tenth / 10
        policy.acknowledged(10 * tenth, now)
        # It stands still for two seconds, and comes on by all of that at once.
        policy.receipt(10 * (tenth - tenth % 20), now, heard=True)
        assert policy.next_piece(now) is None


def test_a_memory_of_the_broker_shows_no_hole() -> None:
    policy = Resend(after_s=30.0)
    for now in range(29):
        policy.acknowledged(100, now)
        policy.receipt(0, now)
        assert policy.next_piece(now) is None
