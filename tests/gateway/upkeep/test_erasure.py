"""Erasing a subject: from every table and every byte of the files; what is late stays out; the audit stays whole."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import orjson
import pytest

from config.settings import Settings, Slot
from gateway.audit.chain import Books, KnownGap, check
from gateway.broker.link import Link
from gateway.historian.historian import Historian
from gateway.history.books.erased_subjects import ERASED
from gateway.history.history import History
from gateway.history.reader import HistoryReader
from gateway.intake.frames import STEP_NS, ward_frame
from gateway.model.measurement import Measurement
from gateway.model.records import Record, body
from gateway.model.row import METRIC, Chain, Row
from gateway.model.wall_correction import Correction, measurements
from gateway.model.ward import Bed, encode_ward
from gateway.outbox.outbox import encode
from gateway.recordings.recording import Header, RecordingWriter
from gateway.upkeep.erasure import erase, find
from gateway.upkeep.upkeep import Upkeep
from gateway.ward.kept_ward import KeptWard
from gateway.wire.payload import DecodedRecord, Message, Rejected, encode_measurements
from gateway.wire.topics import Topics
from tests.gateway.historian.test_historian import Quiet
from tests.gateway.samples import START_US, ward
from tests.servers import Child, wait_until

EPOCH = "0123456789abcdef"
GONE, STAYS = "p-4711", "p-47112"
"""One pseudonym is the begin of the other: the neighbour's rows must stay."""
NOW_US = START_US + 10_000_000_000


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "history.db"


@pytest.fixture
def history(path: Path) -> Iterator[History]:
    made = History(path)
    yield made
    made.close()


def of(subject: str, made: list[Measurement]) -> list[Measurement]:
    return [replace(m, subject=subject, session=f"s-{subject[-2:]}-{i % 40}") for i, m in enumerate(made)]


def fill(history: History) -> int:
    """Store rows, corrections, records and rejected messages of two subjects; return the last number."""
    both = of(GONE, ward(3000)) + of(STAYS, ward(3000, seed=2))
    rows = list(enumerate([both[i // 2 + 3000 * (i % 2)] for i in range(6000)], 1))
    for at in range(0, 6000, 500):
        history.store([Message("g-1", EPOCH, 0, rows[at : at + 500])])
    words = measurements(Correction(0, believed=True), [("s-11-0", GONE), ("s-12-0", STAYS)], at_us=0, simulated=True)
    history.store([Message("g-1", EPOCH, 0, list(enumerate(words, 6001)))])
    chain, records = Chain(), []
    for seq, subject in enumerate(["", GONE, STAYS, GONE, ""], 6003):
        fields = {"slot": "bay-1", "subject": subject} if subject else {}
        made, chain = body(Record("audit", "session" if subject else "start", START_US, fields), chain)
        records.append(DecodedRecord(seq, "audit", "session", START_US, made))
    bad = [
        Rejected(seq, "bad n", orjson.dumps({"subject": subject, "n": -1}))
        for seq, subject in enumerate([GONE, STAYS], 6008)
    ]
    history.store([Message("g-1", EPOCH, records=records, rejected=bad)])
    return 6009


def assert_nothing_in(folder: Path) -> None:
    for file in folder.rglob("*"):
        if file.is_file():
            raw = file.read_bytes().replace(STAYS.encode(), b"")
            assert GONE.encode() not in raw, file


def test_nothing_of_a_subject_is_left_in_any_byte_and_the_neighbour_keeps_everything(
    history: History, path: Path, tmp_path: Path
) -> None:
    last = fill(history)
    upkeep = Upkeep(history.database, keep_days=100, share=1.0)
    while upkeep.step():
        pass
    with history.database.transaction() as db:
        both = enumerate([GONE.encode(), STAYS.encode()])
        db.executemany("INSERT INTO conflicts VALUES (1, ?, x'00', ?, x'00', 0)", both)
    done = erase(history.database, GONE, now_us=NOW_US)
    assert done.counts == {
        "measurements": 3000, "minute values": done.counts["minute values"], "series": done.counts["series"],
        "sessions": done.counts["sessions"], "records": 2, "rejected": 1, "conflicts": 1,
    }  # fmt: skip
    assert done.unreached == []
    with closing(HistoryReader(path)) as reader:
        assert {row.measurement.subject for row in reader.stored()} == {STAYS}
        assert len(reader.stored()) == 3000
        assert len(reader.rejected()) == 1
        assert {session.subject for session in reader.sessions()} == {STAYS}
        links = check(reader.records("audit", gateway="g-1"), Books([KnownGap(*gap[1:]) for gap in reader.gaps()]))
        assert [link.state for link in links] == ["begin", "ok", "ok", "ok", "ok"]
        assert ["erased" in link.text for link in links] == [False, True, False, True, False]
        assert reader.unexplained("g-1", EPOCH, 6007) == 0
    assert history.receipt("g-1", EPOCH).stored == last
    history.close()
    assert_nothing_in(tmp_path)
    again = History(path)
    assert again.receipt("g-1", EPOCH).stored == last
    with again.database.transaction() as db:
        assert find(db, GONE).counts == {}
    again.close()


def test_what_comes_late_of_an_erased_subject_is_refused_and_reported(
    history: History, path: Path, tmp_path: Path
) -> None:
    fill(history)
    erase(history.database, GONE, now_us=NOW_US)
    history.close()
    history = History(path)
    late = of(GONE, ward(4)) + of(STAYS, ward(4))
    made, _ = body(Record("audit", "session", START_US, {"subject": GONE}), Chain(5, ""))
    history.store([
        Message("g-1", EPOCH, 0, list(enumerate(late, 6010)),
                records=[DecodedRecord(6018, "audit", "session", 1, made)],
                rejected=[Rejected(6019, "x", GONE.encode())])
    ])  # fmt: skip
    assert history.receipt("g-1", EPOCH).stored == 6019
    assert history.database.refusals.of_erased == 5
    with closing(HistoryReader(path)) as reader:
        assert {row.measurement.subject for row in reader.stored()} == {STAYS}
        gaps = {(first, end) for _, _, first, end, reason in reader.gaps() if reason == ERASED and first >= 6010}
        assert sum(end - first + 1 for first, end in gaps) == 5
    reported: list[str] = []
    Upkeep(history.database, keep_days=1, share=1.0, on_event=lambda what, **_: reported.append(what)).answer_requests()
    assert reported == ["erased-refused"]
    history.close()
    assert_nothing_in(tmp_path)


def test_an_erasure_that_was_broken_off_is_ended_by_the_next(history: History, path: Path, tmp_path: Path) -> None:
    fill(history)
    steps = iter([False, False, False, True])
    first = erase(history.database, GONE, now_us=NOW_US, stopping=lambda: next(steps))
    assert first.unreached == ["the historian was stopped before it was done"]
    history.close()
    history = History(path)
    history.store([Message("g-1", EPOCH, 0, [(6010, of(GONE, ward(1))[0])])])  # refused from the first moment
    erase(history.database, GONE, now_us=NOW_US)
    history.close()
    assert_nothing_in(tmp_path)


def settings(port: int, folder: Path, store: str = "") -> Settings:
    remote = {"store": {"kind": "victoriametrics", "url": store, "hold_back_s": 0}} if store else {}
    return Settings.model_validate({
        "site": {"data": folder / "var"}, "broker": {"embedded": False, "port": port},
        "historian": {"keep_days": 100_000, **remote},
    })  # fmt: skip


def command(tmp_path: Path, made: Settings, *arguments: str) -> subprocess.CompletedProcess[str]:
    file = tmp_path / "ward.toml"
    store = made.historian.store
    file.write_text(
        f'[site]\ndata = "{made.site.data}"\n[broker]\nembedded = false\nport = {made.broker.port}\n'
        f"[historian]\nkeep_days = 100000\n"
        + (f'[historian.store]\nkind = "victoriametrics"\nurl = "{store.url}"\n' if store else ""),
        "utf-8",
    )
    action, *rest = arguments
    return subprocess.run(
        [sys.executable, "-m", "gateway", "history", action, str(file), *rest],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def test_the_command_lists_what_it_cannot_reach_and_reaches_it_the_next_time(tmp_path: Path, mosquitto: Child) -> None:
    made = settings(mosquitto.port, tmp_path)
    recordings = made.site.data / "recordings"
    recordings.mkdir(parents=True)
    history = History(made.site.data / "history.db")
    fill(history)
    history.close()
    for subject in (GONE, STAYS):
        header = Header({"slot": [{"subject": subject}]}, {}, 0, 0, "1")
        RecordingWriter(recordings / f"of-{subject[-1]}.rgrec", header).close()
    (made.site.data / "outbox.db.corrupt-1").write_bytes(b"\0bay-1" + GONE.encode() + b"cadence")
    old = time.time() - 3600
    for file in recordings.iterdir():
        os.utime(file, (old, old))
    shown = command(tmp_path, made, "erase", GONE, "--dry-run")
    assert shown.returncode == 0, shown.stderr
    assert "3,000" in shown.stdout
    assert shown.stdout.count("--delete-files") == 2
    first = command(tmp_path, made, "erase", GONE, "--yes")
    assert (first.returncode, first.stdout.count("not reached")) == (1, 2), first.stdout + first.stderr
    again = command(tmp_path, made, "erase", GONE, "--yes", "--delete-files")
    assert again.returncode == 0, again.stdout + again.stderr
    assert [file.name for file in recordings.iterdir()] == ["of-2.rgrec"]
    assert_nothing_in(made.site.data)
    allowed = command(tmp_path, made, "allow", GONE)
    assert "taken again" in allowed.stdout
    assert "history erase ward.toml" in command(tmp_path, made, "--help").stdout
    assert command(tmp_path, made, "erase", "A Name").returncode == 2


def test_it_looks_at_files_that_are_elsewhere_by_a_link_and_at_what_a_restore_put_aside_and_names_backups(
    tmp_path: Path, mosquitto: Child
) -> None:
    made = settings(mosquitto.port, tmp_path)
    before, elsewhere = made.site.data / "before-restore-20261130T101500Z", tmp_path / "other disk"
    backups = tmp_path / "backups"
    for folder in (before, elsewhere, backups):
        folder.mkdir(parents=True)
    (elsewhere / "ob[1].db").write_bytes(b"")
    (elsewhere / "ob[1].db-wal").write_bytes(b"\0bay-1" + GONE.encode() + b"cadence")
    (made.site.data / "outbox.db").symlink_to(elsewhere / "ob[1].db")
    (backups / "gateway-1-20261130T020000Z.rgbackup").write_bytes(b"sealed")
    for folder in (before, made.site.data):
        history = History(folder / "history.db")
        fill(history)
        history.close()
    first = command(tmp_path, made, "erase", GONE, "--yes", "--delete-files")
    lines = [line for line in first.stdout.splitlines() if "not reached" in line]
    assert (first.returncode, len(lines)) == (1, 1), first.stdout + first.stderr
    assert "other disk/ob[1].db-wal" in lines[0]
    assert not (before / "history.db").exists()
    assert (made.site.data / "history.db").exists()
    (elsewhere / "ob[1].db-wal").unlink()
    with (tmp_path / "ward.toml").open("a", encoding="utf-8") as file:
        file.write(f'[backup]\nfolder = "{backups}"\nkey_file = "key"\n')
    again = subprocess.run(
        [sys.executable, "-m", "gateway", "history", "erase", str(tmp_path / "ward.toml"), GONE, "--yes"],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert again.returncode == 0, again.stdout + again.stderr
    assert f"still hold it (1 in {backups})" in again.stdout


def test_it_reaches_who_came_while_a_recording_was_made_and_the_registry_of_the_ward(
    tmp_path: Path, mosquitto: Child
) -> None:
    made = settings(mosquitto.port, tmp_path)
    recordings = made.site.data / "recordings"
    recordings.mkdir(parents=True)
    History(made.site.data / "history.db").close()
    for subject in (GONE, STAYS):
        with RecordingWriter(recordings / f"of-{subject[-1]}.rgrec", Header({}, {}, 0, 0, "1")) as writer:
            came = (Bed(Slot(id="bay-1", subject=subject), "s"),)
            writer.step(STEP_NS, [ward_frame(1, encode_ward(came))])
    with closing(KeptWard(made, at_us=NOW_US)) as kept:
        for name, fields in (
            ("add-bed", {"bed": "bay-1"}),
            ("admit", {"bed": "bay-1", "subject": GONE}),
        ):
            kept.change(name, dict(fields), at_us=NOW_US, by="", source="test")
    old = time.time() - 3600
    for file in recordings.iterdir():
        os.utime(file, (old, old))
    there = command(tmp_path, made, "erase", GONE, "--yes", "--delete-files")
    assert there.returncode == 1
    assert "discharge them first" in there.stdout
    assert [file.name for file in recordings.iterdir()] == ["of-2.rgrec"]
    with closing(KeptWard(made, at_us=NOW_US)) as kept:
        kept.change("discharge", {"subject": GONE}, at_us=NOW_US, by="", source="test")
    again = command(tmp_path, made, "erase", GONE, "--yes")
    assert again.returncode == 0, again.stdout + again.stderr
    assert_nothing_in(made.site.data)


def test_a_running_historian_erases_in_the_remote_store_and_retained_curves_too(
    tmp_path: Path, mosquitto: Child, victoria_metrics: Child
) -> None:
    made = settings(mosquitto.port, tmp_path, f"http://127.0.0.1:{victoria_metrics.port}")
    historian = Historian(made)
    historian.start()
    stranger = Link(made.broker, client_id="stranger", handler=Quiet())
    stranger.start()
    wait_until(lambda: historian.state().connected and stranger.connected)
    topics = Topics("demo", "gateway-1")
    rows = [(i, m) for i, m in enumerate(of(GONE, ward(60)) + of(STAYS, ward(60)), 1)]
    message = Message("gateway-1", EPOCH, 0, rows)
    stranger.publish(1, topics.cycles("bay-1"), orjson.dumps({"subject": GONE}), qos=1, retain=True)
    for slot in ("bay-0", "bay-1", "bay-2"):
        payload = _encoded([(seq, m) for seq, m in message.measurements if m.slot == slot])
        stranger.publish(1, topics.measurements(slot), payload, qos=1)
    wait_until(lambda: historian.state().copied >= 120, 30)
    done = command(tmp_path, made, "erase", GONE, "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    with closing(HistoryReader(historian.path)) as reader:
        assert {row.measurement.subject for row in reader.stored()} == {STAYS}
        assert [record.what for record in reader.records("audit")] == ["erased"]
    stranger.publish(1, topics.measurements("bay-1"), _encoded([(121, of(GONE, ward(2))[1])]), qos=1)
    with closing(HistoryReader(historian.path)) as reader:
        wait_until(lambda: any(first == 121 for _, _, first, _, _ in reader.gaps()))
    stranger.stop()
    historian.stop()
    for file in made.site.data.glob("history.db*"):
        assert GONE.encode() not in file.read_bytes().replace(STAYS.encode(), b"")


def _encoded(rows: list[tuple[int, Measurement]]) -> bytes:
    coded = [Row(seq, m.slot, METRIC, encode(m, seq)) for seq, m in rows]
    return encode_measurements("gateway-1", EPOCH, 0, coded)


def test_a_subject_that_is_erased_is_not_in_the_record_of_it(history: History, path: Path) -> None:
    fill(history)
    erase(history.database, GONE, now_us=NOW_US)
    with closing(sqlite3.connect(path)) as db:
        ((text, at_us, rows, unreached),) = db.execute("SELECT * FROM erased").fetchall()
    assert (len(text), at_us, rows, unreached) == (64, NOW_US, 3000, "")
