"""A message that ends the process again and again is set apart, and what is stored beside it goes on."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from config.settings import Broker, Settings, Site
from config.settings import Historian as HistorianSettings
from gateway.broker.link import Incoming
from gateway.historian.historian import Historian
from gateway.historian.parked import MOST_PARKED, MOST_PARKED_BYTES, Parked, numbers_in
from gateway.history.reader import HistoryReader
from gateway.model.row import METRIC, Row
from gateway.outbox.outbox import encode
from gateway.wire.payload import PARKED, decode_measurements, encode_measurements
from tests.gateway.samples import ward
from tests.servers import free_port, wait_until

EPOCH = "0123456789abcdef"
ROOT = Path(__file__).parents[3]


def payload(first: int, n: int) -> bytes:
    rows = [Row(seq, "bay-0", METRIC, encode(m, seq)) for seq, m in enumerate(ward(n, slots=1), first)]
    return encode_measurements("g-1", EPOCH, 0, rows)


def incoming(body: bytes, number: int = 1) -> Incoming:
    return Incoming(1, number, "rehab/v1/demo/g-1/measurements/bay-0", body, 1, False)


def settings(folder: Path) -> Settings:
    return Settings(
        site=Site(data=folder), broker=Broker(port=free_port()), historian=HistorianSettings(keep_days=100_000)
    )


# Whatever it is that ends a process: here the decoder does at one text.
POISONED = """
import os, sys, time
from pathlib import Path
from gateway.historian import storing
from gateway.historian.historian import Historian
from tests.gateway.historian.test_parked import incoming, payload, settings
decode = storing.decode_measurements
def poisoned(gateway, slot, body):
    if b'"seq":11,' in body or b'"seq": 11,' in body:
        os.kill(os.getpid(), 9)
    return decode(gateway, slot, body)
storing.decode_measurements = poisoned
historian = Historian(settings(Path(sys.argv[1])))
historian.start()
for n, first in enumerate((1, 11, 21)):
    historian.mailbox.arrived(incoming(payload(first, 10), n))
while historian.state().messages < 3:
    time.sleep(0.01)
historian.stop()
"""


def live(folder: Path) -> int:
    return subprocess.run(
        [sys.executable, "-c", POISONED, str(folder)], check=False, cwd=ROOT, capture_output=True, timeout=60
    ).returncode


def test_what_ended_the_process_twice_is_set_apart_and_the_others_are_stored(tmp_path: Path) -> None:
    ends = [live(tmp_path) for _ in range(5)]
    assert ends == [-9, -9, -9, 0, 0]
    with closing(HistoryReader(tmp_path / "history.db")) as reader:
        assert sorted(row.seq for row in reader.stored()) == [*range(1, 11), *range(21, 31)]
        assert [row[2:4] for row in reader.rejected()] == [(seq, PARKED) for seq in range(11, 21)]
        assert {record.what for record in reader.records("notice")} == {"message-parked"}
        assert "parked" in {record.what for record in reader.records("audit")}
    [kept] = (tmp_path / "history.db.parked").iterdir()
    assert kept.read_bytes().partition(b"\n")[2] == payload(11, 10)
    assert kept.stat().st_mode & 0o777 == 0o640
    with closing(sqlite3.connect(tmp_path / "history.db")) as db:
        assert db.execute("SELECT received FROM epochs WHERE gateway = 'g-1'").fetchone() == (30,)


def test_one_that_fails_in_words_is_set_apart_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def spoilt(gateway: str, slot: str, body: bytes) -> object:
        if b'"seq":11,' in body:
            raise MemoryError
        return decode_measurements(gateway, slot, body)

    monkeypatch.setattr("gateway.historian.storing.decode_measurements", spoilt)
    historian = Historian(settings(tmp_path))
    historian.start()
    for n, first in enumerate((1, 11, 21)):
        historian.mailbox.arrived(incoming(payload(first, 10), n))
    wait_until(lambda: historian.state().messages == 3)
    historian.stop()
    assert historian.state().bad[PARKED] == 1
    with closing(HistoryReader(tmp_path / "history.db")) as reader:
        assert sorted(row.seq for row in reader.stored()) == [*range(1, 11), *range(21, 31)]
        assert len(reader.rejected()) == 10


def test_kills_while_others_are_worked_on_park_nothing(tmp_path: Path) -> None:
    history = tmp_path / "history.db"
    for n in range(20):
        parked = Parked(history)  # the one before did not end in good order
        assert parked.careful == (n > 0)
        assert parked.begin(incoming(b"a"))
        parked.done()
        assert parked.begin(incoming(b"%d" % n))
    assert not (tmp_path / "history.db.parked").exists()


def test_an_end_in_good_order_leaves_nothing_behind(tmp_path: Path) -> None:
    history = tmp_path / "history.db"
    for _ in range(2):
        parked = Parked(history)
        assert not parked.careful
        assert parked.begin(incoming(b"a"))
        parked.close()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("note", [b"", b"\0" * 128, b"{", b"[]", b'{"sum":1}', b"\xff" * 500])
def test_a_note_that_rotted_is_no_note(tmp_path: Path, note: bytes) -> None:
    (tmp_path / "history.db.working").write_bytes(note)
    parked = Parked(tmp_path / "history.db")
    assert parked.careful
    assert parked.begin(incoming(b"a"))
    parked.close()


def test_what_is_kept_is_bounded(tmp_path: Path) -> None:
    parked = Parked(tmp_path / "history.db")
    for n in range(2 * MOST_PARKED):
        parked.park(incoming(b"%d" % n + b"x" * (MOST_PARKED_BYTES // 40)))
    kept = list((tmp_path / "history.db.parked").iterdir())
    assert len(kept) == len(parked.sums)
    assert sum(path.stat().st_size for path in kept) <= MOST_PARKED_BYTES
    parked.close()


def test_numbers_are_read_off() -> None:
    assert numbers_in(payload(11, 5), 100) == [11, 12, 13, 14, 15]
    assert numbers_in(payload(11, 5), 2) == [11, 12]
    assert numbers_in(b'{"seq": 7, "seq":1.5,"seq":1e9,"seq":-3,"seq":"4","seq":99999999999999999999}', 9) == [7]
