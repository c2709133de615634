from __future__ import annotations

from itertools import pairwise

from gateway.delivery.resend import CHUNK, MOST_CHUNK, MOST_S, Resend


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
