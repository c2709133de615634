"""A record that a device sends again is known by its time; one without any is doubted for a while, never left out."""

from __future__ import annotations

import pytest

from drivers.kept_records import MOST, PERHAPS_AGAIN_S, STANDS_STILL_S, Came, KeptRecords

NS = 1_000_000_000
AT, LATER = "2026-11-29T08:14:59", "2026-11-29T09:00:00"


def test_one_with_a_time_is_known_on_every_later_connection() -> None:
    sent = KeptRecords()
    assert [sent.take(NS, b"a", AT), sent.take(2 * NS, b"b", LATER)] == [Came.NEW, Came.NEW]
    for hours in (1, 24, 24 * 300):
        sent.connected()
        again_ns = hours * 3600 * NS
        assert [sent.take(again_ns, b"a", AT), sent.take(again_ns, b"b", LATER)] == [Came.TWICE, Came.TWICE]
    assert sent.take(again_ns, b"c", "2027-01-01T00:00:00") is Came.NEW
    assert sent.again == 6


def test_one_without_a_time_is_doubted_on_another_connection_for_a_while() -> None:
    sent = KeptRecords()
    assert sent.take(NS, b"a") is Came.NEW
    assert sent.take(NS + NS // 100, b"a") is Came.TWICE, "an indication whose confirmation was lost"
    assert sent.take(20 * NS, b"a") is Came.NEW, "somebody measures again"
    sent.connected()
    assert sent.take(60 * NS, b"a") is Came.PERHAPS
    sent.connected()
    assert sent.take(round((61 + PERHAPS_AGAIN_S) * NS), b"a") is Came.NEW
    assert sent.again == 1


@pytest.mark.parametrize("age_s", [0.0, float("nan")])
def test_a_clock_that_stands_still_proves_nothing(age_s: float) -> None:
    """By its own clock, where it was read, what came an hour ago is of now; else it had other values at that time."""
    sent = KeptRecords()
    hour_ns = 3600 * NS
    assert sent.take(NS, b"36.6", AT, age_s) is Came.NEW
    if age_s:
        sent.connected()
        assert sent.take(NS + round(2 * STANDS_STILL_S * NS), b"37.1", AT, age_s) is Came.NEW
    sent.connected()
    assert sent.take(hour_ns, b"36.6", AT, age_s) is Came.PERHAPS


def test_several_of_one_minute_are_each_known() -> None:
    """Three cuffs in a row by a clock that tells minutes: the clock runs."""
    sent = KeptRecords()
    three = [b"120/80", b"124/82", b"118/79"]
    assert {sent.take((1 + 20 * at) * NS, data, AT) for at, data in enumerate(three)} == {Came.NEW}
    sent.connected()
    assert {sent.take(7200 * NS, data, AT) for data in three} == {Came.TWICE}


def test_what_is_told_is_read_in_another_run_whose_clock_begins_anew() -> None:
    sent = KeptRecords()
    sent.take(5 * NS, b"a", AT)
    sent.take(6 * NS, b"b")
    assert sent.changed
    told = sent.told(lambda ns: ns // 1000)
    assert not sent.changed
    assert not any(b in str(told) for b in ("a'", "b'")), "no value is told"
    again = KeptRecords()
    again.read([*told, "nonsense", [1, 2], ["x", "y", "z", "w"]], lambda us: 1000 * (us - 3_600_000_000))
    assert [again.take(NS, b"a", AT), again.take(NS, b"b"), again.take(NS, b"c", LATER)] == [
        Came.TWICE, Came.NEW, Came.NEW,
    ]  # fmt: skip


def test_only_the_newest_are_known() -> None:
    sent = KeptRecords()
    for at in range(MOST + 1):
        sent.take(at * NS, at.to_bytes(2, "little"), f"{AT}-{at}")
    assert len(sent.told(int)) == MOST
    sent.connected()
    assert sent.take(9999 * NS, (1).to_bytes(2, "little"), f"{AT}-1") is Came.TWICE
    assert sent.take(9999 * NS, (0).to_bytes(2, "little"), f"{AT}-0") is Came.NEW
