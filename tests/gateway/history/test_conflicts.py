"""A number that comes again with another content: both are kept, somebody is told, and the same again costs nothing."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from gateway.history.history import History
from gateway.history.reader import HistoryReader
from gateway.model import wall_correction
from gateway.model.measurement import Measurement
from gateway.model.records import canonical
from gateway.model.row import Gap
from gateway.model.wall_correction import Correction
from gateway.wire.payload import DecodedRecord, Message, Rejected
from tests.gateway.samples import START_US, measurement, ward

EPOCH = "0123456789abcdef"


def message(*rows: tuple[int, Measurement], epoch: str = EPOCH, gateway: str = "g-1", **more: Any) -> Message:
    return Message(gateway, epoch, 0, list(rows), **more)


def conflicts(path: Path) -> list[tuple[int, dict[str, Any], dict[str, Any]]]:
    with closing(sqlite3.connect(path)) as db:
        found = db.execute("SELECT seq, first, later FROM conflicts ORDER BY epoch, seq, noted_us").fetchall()
    return [(seq, orjson.loads(first), orjson.loads(later)) for seq, first, later in found]


def codes(history: History, gateway: str = "g-1") -> list[str]:
    return [notice.code for notice in history.notices(gateway)]


def note(seq: int, text: str) -> DecodedRecord:
    return DecodedRecord(
        seq, "notice", "link-lost", START_US, canonical({"kind": "notice", "what": "link-lost", "text": text})
    )


def correction(by_us: int) -> Measurement:
    return wall_correction.measurements(Correction(by_us, True), [("s-1", "p-01")], at_us=START_US, simulated=True)[0]


CHANGES: list[dict[str, Any]] = [
    {"value": 1.26}, {"value": None}, {"start_us": START_US}, {"n": 8}, {"quality": "degraded"}, {"reason": "other"},
    {"subject": "p-02"}, {"side": "left"}, {"devices": ("dot-9",)}, {"sync_ms": None}, {"session": "s-2"},
]  # fmt: skip


@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_both_contents_are_kept_and_reported(history: History, path: Path, change: dict[str, Any]) -> None:
    first, later = measurement(1), replace(measurement(1), **change)
    history.store([message((1, first))])
    for _ in range(3):
        assert history.store([message((1, later))]) == 0
    [(seq, kept, other)] = conflicts(path)
    (key, value), *_ = change.items()
    assert seq == 1
    assert other[key] == (list(value) if isinstance(value, tuple) else value)
    assert kept["metric"] == "cadence"
    assert codes(history) == ["numbers-conflict"]
    assert codes(history, "g-2") == []
    with closing(HistoryReader(path)) as reader:
        assert [row.measurement for row in reader.stored()] == [first]
        audit = [orjson.loads(record.body) for record in reader.records("audit")]
    assert [(entry["what"], entry["gateway"], entry["seq"]) for entry in audit] == [("conflict", "g-1", 1)]


def test_twice_in_one_message_is_one_too(history: History, path: Path) -> None:
    history.store([message((1, measurement(1)), (1, measurement(1)), (1, measurement(1, value=7.0)))])
    assert [(seq, other["value"]) for seq, _, other in conflicts(path)] == [(1, 7.0)]


KINDS: dict[str, dict[str, Any]] = {
    "measurements": {"measurements": [(1, measurement(1))]},
    "records": {"records": [note(1, "dot-1 is gone")]},
    "clocks": {"measurements": [(1, correction(1))]},
    "rejected": {"rejected": [Rejected(1, "bad n", b'{"n":-1}')]},
}


@pytest.mark.parametrize("first", KINDS)
@pytest.mark.parametrize("later", KINDS)
def test_of_whatever_kind_they_are(history: History, path: Path, first: str, later: str) -> None:
    history.store([Message("g-1", EPOCH, **KINDS[first])])
    history.store([Message("g-1", EPOCH, **KINDS[later])])
    history.store([Message("g-1", EPOCH, **KINDS[first])])
    found = [(one["kind"], other["kind"]) for _, one, other in conflicts(path)]
    if first == later:
        assert not found
        assert codes(history) == []
    else:
        assert found[0] == (first, later)
        assert codes(history) == ["numbers-conflict"]
        with closing(sqlite3.connect(path)) as db:
            kept = [table for table in KINDS if db.execute(f"SELECT 1 FROM {table} WHERE epoch = 1").fetchone()]  # noqa: S608
        assert first in kept


def test_another_notice_or_word_about_the_clock_is_one(history: History, path: Path) -> None:
    history.store([Message("g-1", EPOCH, records=[note(1, "dot-1 is gone")], measurements=[(2, correction(1))])])
    history.store([Message("g-1", EPOCH, records=[note(1, "dot-2 is gone")], measurements=[(2, correction(9))])])
    assert [seq for seq, _, _ in conflicts(path)] == [1, 2]


def test_gaps_and_what_comes_after_all_are_none(history: History, path: Path) -> None:
    history.store([message((1, measurement(1)), gaps=[Gap(1, 5, "outbox full")])])
    history.store([message((3, measurement(3)), gaps=[Gap(1, 5, "outbox full")])])
    assert conflicts(path) == []
    assert codes(history) == []
    with closing(HistoryReader(path)) as reader:
        assert [gap[2:4] for gap in reader.gaps()] == [(2, 2), (4, 5)]
        assert [row.seq for row in reader.stored()] == [1, 3]


def test_a_measurement_that_could_not_be_read_at_first_is_taken_and_reported(history: History, path: Path) -> None:
    history.store([Message("g-1", EPOCH, rejected=[Rejected(1, "bad side", b'{"side":"up"}')])])
    assert history.store([message((1, measurement(1)))]) == 1
    assert [(one["kind"], other["kind"]) for _, one, other in conflicts(path)] == [("rejected", "measurements")]


def test_other_epochs_and_gateways_and_mended_times_are_none(history: History, path: Path) -> None:
    history.store([message((1, measurement(1)))])
    history.store([message((1, measurement(9)), epoch="f" * 16), message((1, measurement(8)), gateway="g-2")])
    history.store([message((2, correction(3_600_000_000)))])
    assert history.store([message((1, measurement(1)))]) == 0  # its times are an hour later by now
    assert conflicts(path) == []


@pytest.mark.parametrize(
    "word", [Correction(0, True), Correction(0, False), Correction(0, False, likely=True)], ids=str
)
def test_a_word_about_the_clock_that_comes_again_is_the_same(history: History, path: Path, word: Correction) -> None:
    """A clock that nobody has confirmed is kept as 2, which is not 'believed'."""
    [said] = wall_correction.measurements(word, [("s-1", "p-01")], at_us=START_US, simulated=True)
    for _ in range(2):
        history.store([message((1, said))])
    assert conflicts(path) == []


def test_everything_again_is_free_of_conflicts_also_after_a_restart(path: Path) -> None:
    for _ in range(2):
        history = History(path)
        for _ in range(2):
            history.store([message(*enumerate(ward(500), 1))])
        assert codes(history) == []
        history.close()
    assert conflicts(path) == []


def test_a_second_outbox_with_the_same_numbers_is_seen_at_once_and_bounded(history: History, path: Path) -> None:
    history.store([message(*enumerate(ward(2_000), 1))])
    for first in range(0, 2_000, 500):
        history.store([message(*list(enumerate(ward(2_000, seed=5), 1))[first : first + 500])])
    assert 1_000 < len(conflicts(path)) <= 2_000
    [notice] = history.notices("g-1")
    assert notice.count == len(conflicts(path))
