"""The audit: what it holds and what it never holds, and that what is taken out of it shows."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.loader import load
from config.pseudonym import check_digit
from config.settings import Device, Settings, Slot
from gateway.audit.access_log import NAME, AccessLog
from gateway.audit.audit import LISTED_MOST, REPEAT_S, Audit, sender
from gateway.audit.chain import Books, GivenTwice, KnownGap, check
from gateway.broker.link import Incoming
from gateway.cli.verifying import verify
from gateway.history.history import History
from gateway.history.reader import HistoryReader
from gateway.history.schema import StoredRecord
from gateway.model.records import Record, body
from gateway.model.row import AUDIT, Chain, Gap, Row
from gateway.model.usage import UsageError
from gateway.model.ward import ward_of
from gateway.outbox.outbox import Outbox
from gateway.wire.payload import decode_gaps, decode_records, encode_gaps, encode_records
from tests.gateway.old_histories import make_version_1
from tests.gateway.samples import START_US, measurement

GATEWAY = "gateway-1"
NHS_NUMBER = f"943476591{check_digit('943476591')}"
OK, NO = {"v": 1, "ok": True}, {"v": 1, "ok": False, "error": f"no device '{NHS_NUMBER}'"}


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    box = Outbox(tmp_path / "outbox.db", commit_s=0.01)
    yield box
    box.close()


class Trail:
    """An audit with a clock of its own."""

    def __init__(self, outbox: Outbox) -> None:
        self.at = 1_000.0
        device = Device(id="dot-1", driver="movella_dot", placement="left_foot", address="AA:BB:CC:DD:EE:FF")
        self.settings = Settings(slot=[Slot(id="bay-1", subject="p-01", label="Bay 1", device=[device])])
        self.audit = Audit(outbox, self.settings, now=lambda: START_US / 1e6, monotonic=lambda: self.at)
        self.outbox = outbox

    def command(self, payload: Any, answer: dict[str, Any], *, name: str = "watch", by: str = "dashboard") -> None:
        topic = f"rehab/v1/demo/gateway-1/command/{name}"
        raw = payload if isinstance(payload, bytes) else orjson.dumps(payload)
        self.audit.command(Incoming(1, 1, topic, raw, 1, False, f"rehab/answers/demo/{by}/1", b""), answer)

    def entries(self) -> list[dict[str, Any]]:
        assert self.outbox.flush()
        rows = [row for row in self.outbox.read(0, 1000) if row.rank == AUDIT]
        plumbing = ("seq", "kind", "time_us", "n", "previous")
        return [{k: v for k, v in orjson.loads(row.payload).items() if k not in plumbing} for row in rows]


@pytest.fixture
def trail(outbox: Outbox) -> Trail:
    return Trail(outbox)


def test_start_sessions_clock_files_and_stop_are_reported(trail: Trail) -> None:
    trail.outbox.aside.append("outbox.db.corrupt-1")
    trail.audit.started(ward_of(trail.settings, {"bay-1": "bay-1-20251009t085320z"}))
    trail.audit.clock_moved(-3_600_000_000)
    trail.audit.look()
    trail.audit.stopped("asked")
    start, session, aside, clock, stop = trail.entries()
    assert start["what"] == "start"
    assert len(start["configuration"]) == 64
    assert start["version"]
    assert session == {
        "what": "session", "slot": "bay-1", "session": "bay-1-20251009t085320z", "subject": "p-01",
        "protocol": "free_walk", "devices": ["dot-1"],
    }  # fmt: skip
    assert aside == {"what": "set-aside", "file": "outbox.db.corrupt-1"}
    assert clock == {"what": "clock", "by_s": -3600.0}
    assert stop == {"what": "stop", "why": "asked"}


def test_another_configuration_has_another_sum(trail: Trail) -> None:
    trail.audit.started(ward_of(trail.settings, {"bay-1": "s"}))
    Audit(trail.outbox, trail.settings.model_copy(update={"speed": 2.0})).started(())
    sums = [entry["configuration"] for entry in trail.entries() if entry["what"] == "start"]
    assert len(set(sums)) == 2


def test_a_command_is_reported_once_and_its_repetitions_are_counted(trail: Trail) -> None:
    watch = {"device": "dot-1", "stream": "imu", "for_s": 10}
    for _ in range(20):
        trail.command(watch, OK)
    trail.command(watch, OK, by="ward-desk")
    entry = {"what": "command", "command": "watch", "device": "dot-1", "stream": "imu", "ok": True}
    assert trail.entries() == [{**entry, "by": "dashboard"}, {**entry, "by": "ward-desk"}]
    trail.at += REPEAT_S
    trail.audit.look()
    assert trail.entries()[2:] == [{**entry, "what": "command-again", "by": "dashboard", "times": 19}]
    trail.command(watch, OK)
    assert trail.entries()[3:] == [{**entry, "by": "dashboard"}]


def test_each_change_of_the_ward_is_reported_with_who_asked_and_from_where(trail: Trail) -> None:
    request = {"subject": "p-02", "bed": "bay-1", "aids": "Mrs. Miller's stick", "by": "anna"}
    for number in (4, 5):
        trail.command(request, {**OK, "number": number, "change": "admit"}, name="admit", by="ward-desk")
    trail.command({"device": {"id": "dot-2"}}, {**OK, "number": 6, "change": "add-device"}, name="add-device", by="")
    trail.command(request, NO, name="admit", by="ward-desk")
    started = {**OK, "number": 7, "change": "session-start", "session": "bay-1-b"}
    trail.command({"subject": "p-02", "protocol": "10mwt"}, started, name="session-start", by="ward-desk")
    entry = {"what": "ward-changed", "change": "admit", "by": "anna", "from": "ward-desk", "subject": "p-02"}
    first, second, device, refused, begun = trail.entries()
    assert (begun["session"], begun["protocol"]) == ("bay-1-b", "10mwt")
    assert [first, second] == [{**entry, "bed": "bay-1", "number": 4}, {**entry, "bed": "bay-1", "number": 5}]
    assert device == {
        "what": "ward-changed", "change": "add-device", "number": 6, "by": "", "from": "", "device": "dot-2",
    }  # fmt: skip
    assert (refused["command"], refused["ok"]) == ("admit", False)
    assert b"Miller" not in b"".join(row.payload for row in trail.outbox.read(0, 10))


def test_nobody_fills_the_audit(trail: Trail) -> None:
    for n in range(1000):
        trail.command({"device": "dot-1", "stream": f"s{n}"}, OK)
    assert len(trail.entries()) == LISTED_MOST
    trail.audit.stopped("asked")
    assert trail.entries()[LISTED_MOST:] == [
        {"what": "commands-unlisted", "times": 1000 - LISTED_MOST}, {"what": "stop", "why": "asked"},
    ]  # fmt: skip


@pytest.mark.parametrize("payload", [b"not JSON", b"[1]", b"\xff", {"device": NHS_NUMBER, "password": "hunter2"}])
def test_the_words_of_a_refused_command_are_not_kept(trail: Trail, payload: Any) -> None:
    trail.command(payload, NO, name=NHS_NUMBER, by=NHS_NUMBER)
    (only,) = trail.entries()
    assert len(only.pop("request_sha256")) == 64
    assert only == {"what": "command", "command": "unknown", "device": "", "stream": "", "by": "", "ok": False}
    raw = b"".join(row.payload for row in trail.outbox.read(0, 10))
    assert NHS_NUMBER.encode() not in raw
    assert b"hunter2" not in raw


@given(st.text())
def test_a_sender_is_a_name_or_nobody(topic: str) -> None:
    assert sender(topic, "demo") == ""
    assert sender(f"rehab/answers/demo/{topic}", "demo") in ("", topic.partition("/")[0])


# The chain.


def chain_of(whats: str, *, epoch: str = "e1", first_seq: int = 10, step: int = 10) -> list[StoredRecord]:
    """Return records as a history has them, one for each letter."""
    chain, made = Chain(), []
    for at, what in enumerate(whats):
        raw, chain = body(Record("audit", what, START_US + at, {"devices": ["ä", "b"], "by_s": 0.1 * at}), chain)
        seq = first_seq + step * at
        made.append(StoredRecord(GATEWAY, epoch, seq, "audit", what, START_US + at, raw.decode()))
    return made


def states(records: list[StoredRecord], gaps: tuple[KnownGap, ...] = ()) -> list[str]:
    return [link.state for link in check(records, Books(gaps))]


def test_a_whole_chain_is_whole() -> None:
    assert states(chain_of("abcd")) == ["begin", "ok", "ok", "ok"]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda r: [*r[:2], *r[3:]],
        lambda r: [*r[:2], replace(r[2], body=r[2].body.replace('"c"', '"x"')), *r[3:]],
        lambda r: [*r[:2], replace(r[2], body=r[2].body.replace(",", ", ")), *r[3:]],
        lambda r: [*r[:2], replace(r[2], body="null"), *r[3:]],
        lambda r: [*r[:2], replace(r[2], body="{"), *r[3:]],
        lambda r: [r[0], r[2], r[1], *r[3:]],
        lambda r: [*r[:3], r[2], *r[3:]],
        lambda r: [*chain_of("zbcd")[:1], *r[1:]],
    ],
    ids=["taken out", "changed", "spaced", "null", "no JSON", "swapped", "doubled", "another start"],
)
def test_what_was_done_to_it_shows(spoil: Callable[[list[StoredRecord]], list[StoredRecord]]) -> None:
    assert "broken" in states(spoil(chain_of("abcdef")))


def test_a_reported_gap_explains_what_is_missing_and_no_more() -> None:
    whole = chain_of("abcdef")
    missing = [*whole[:2], *whole[4:]]
    link = check(missing, Books([KnownGap("e1", 25, 42, "outbox full")]))[2]
    assert (link.state, link.text) == ("gap", "records 3 to 4 are not there: outbox full")
    assert states(missing, (KnownGap("e2", 25, 42, "x"),))[2] == "broken"
    assert states(missing, (KnownGap("e1", 30, 30, "x"),))[2] == "broken", "one number is not two"
    assert states(missing, (KnownGap("e1", 11, 19, "x"),))[2] == "broken"


def test_a_log_that_rotted_lets_the_chain_go_on_from_an_earlier_record() -> None:
    first = chain_of("abcd")
    again = [replace(record, seq=record.seq + 100) for record in chain_of("abxy")[2:]]
    links = check([*first, *again], Books([KnownGap("e1", 45, 100, "corrupt")]))
    assert [link.state for link in links] == ["begin", "ok", "ok", "ok", "gap", "ok"]
    assert states([*first, *again], (KnownGap("e1", 45, 100, "outbox full"),))[4] == "broken"
    assert states([*first, *chain_of("zbxy")[2:]], (KnownGap("e1", 45, 100, "corrupt"),))[4] == "broken"


def test_numbers_that_were_given_twice_let_the_chain_go_on_from_either_time() -> None:
    first = chain_of("abcd")
    again = [replace(record, seq=record.seq + 5) for record in chain_of("abxyz")[2:]]
    told = Books([], twice=[GivenTwice("e1", 40, "")])
    mixed = sorted([*first, *again], key=lambda record: record.seq)
    assert [link.state for link in check(mixed, told)] == ["begin", "ok", "ok", "gap", "gap", "gap", "ok"]
    assert "the outbox gave numbers twice" in check(mixed, told)[3].text
    beside = Books([], twice=[GivenTwice("e1", 40, again[0].body)])
    kept = [*first, *again[1:]]
    assert [link.state for link in check(kept, beside)][4:] == ["gap", "ok"], "the first x lies beside a number"
    assert "broken" in [link.state for link in check(kept, told)], "x is nowhere"
    assert "broken" in states(mixed)
    elsewhere = Books([], twice=[GivenTwice("e2", 40, again[0].body)])
    assert "broken" in [link.state for link in check(mixed, elsewhere)]


def test_a_new_outbox_begins_a_new_chain_and_says_so() -> None:
    links = check([*chain_of("ab"), *chain_of("cd", epoch="e2")], Books([]))
    assert [link.state for link in links] == ["begin", "ok", "begin", "ok"]
    assert "new outbox" in links[2].text
    assert states([*chain_of("ab"), *chain_of("cd", epoch="e2")[1:]]) == ["begin", "ok", "broken"]


def test_a_new_outbox_that_goes_on_with_the_chain_is_no_break() -> None:
    """As after an image was put back: what comes then is given new numbers, and follows what the image had told."""
    whole = chain_of("abcd")
    moved = [replace(record, epoch="e2") for record in whole[2:]]
    links = check([*whole[:2], *moved], Books([]))
    assert [link.state for link in links] == ["begin", "ok", "ok", "ok"]
    assert "goes on with the chain" in links[2].text
    restored = [replace(record, epoch="e2") for record in chain_of("abxy")[2:]]
    links = check([*whole, *restored], Books([]))
    assert [link.state for link in links] == ["begin", "ok", "ok", "ok", "gap", "ok"]
    assert links[4].text == "a new outbox, which goes on from record 2: the last one was an older image of itself"
    assert states([*whole, *[replace(record, epoch="e2") for record in chain_of("zwxy")[2:]]])[4] == "broken"


def test_what_retention_deleted_is_reported_and_no_break() -> None:
    links = check(chain_of("abcd")[2:], Books([]))
    assert [link.state for link in links] == ["begin", "ok"]
    assert "records 1 to 2" in links[0].text


# From the outbox to the command.


def stored(folder: Path, *, tamper: str = "") -> Path:
    """Fill a history from an outbox, and do something to it."""
    box = Outbox(folder / "outbox.db")
    trail = Trail(box)
    trail.audit.started(ward_of(trail.settings, {"bay-1": "s"}))
    box.append([measurement(n) for n in range(5)])
    trail.audit.clock_moved(2_000_000)
    trail.audit.stopped("asked")
    assert box.flush()
    history = History(folder / "history.db")
    rows = [row for row in box.read(0, 100) if row.rank == AUDIT]
    messages = [decode_records(GATEWAY, encode_records(GATEWAY, box.epoch, 0, rows))]
    (first,) = {row.seq for row in box.read(0, 100) if row.rank != AUDIT} & {3}
    messages.append(decode_gaps(GATEWAY, encode_gaps(GATEWAY, box.epoch, 0, [Gap(first, first + 4, "outbox full")])))
    for _ in range(2):
        history.store(messages)  # twice is once
    history.close()
    box.close()
    if tamper:
        with closing(sqlite3.connect(folder / "history.db", isolation_level=None)) as db:
            db.execute(tamper)
    config = folder / "ward.toml"
    config.write_text(f'[site]\ndata = "{folder}"\n', "utf-8")
    return config


def ask(config: Path, *options: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "gateway", "audit", str(config), *options], capture_output=True, text=True,
        check=False, timeout=60, env={**os.environ, "COLUMNS": "160"},
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


def test_the_command_shows_a_whole_chain(tmp_path: Path) -> None:
    config = stored(tmp_path)
    code, output = ask(config)
    assert code == 0, output
    assert "The chain is whole: 4 records." in output
    assert "subject p-01" in output
    code, output = ask(config, "--json")
    assert code == 0
    assert [orjson.loads(line)["what"] for line in output.splitlines()] == ["start", "session", "clock", "stop"]


def test_the_command_says_what_was_let_go_and_is_not_here(tmp_path: Path) -> None:
    lost = "INSERT INTO gaps VALUES (1, 101, 160, 'released before it was stored')"
    code, output = ask(stored(tmp_path, tamper=lost))
    assert code == 0, output
    assert "60 numbers of this gateway had left its outbox and are not in this history" in output


@pytest.mark.parametrize(
    ("tamper", "where"),
    [
        ("DELETE FROM records WHERE what = 'session'", "record 2 is missing without a told gap"),
        ("UPDATE records SET body = replace(body, 'p-01', 'p-02')", "record 2 is not the one that record 3 followed"),
        ("DELETE FROM records WHERE what = 'stop'", "the end may have been cut off"),
    ],
)
def test_the_command_says_where_a_chain_is_broken(tmp_path: Path, tamper: str, where: str) -> None:
    code, output = ask(stored(tmp_path, tamper=tamper))
    assert code == 1
    assert where in " ".join(output.split())


def test_verify_checks_both_records_and_says_which_is_not_whole(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(UsageError, match="neither"):
        verify(load(empty(tmp_path)))
    config = stored(tmp_path)
    log = AccessLog(tmp_path / NAME, keep_days=365, keep_people_days=365)
    for page in ("ward", "beds", "ward"):
        log.write("look", user="anna", page=page)
    log.close()
    done = subprocess.run(
        [sys.executable, "-m", "gateway", "audit", "verify", str(config)], capture_output=True, text=True, check=True,
        timeout=120, env={**os.environ, "COLUMNS": "160"},
    )  # fmt: skip
    assert "The chain is whole: 4 records." in done.stdout
    assert "Access log: ● it is whole: 3 entries." in done.stdout
    with closing(sqlite3.connect(tmp_path / NAME, isolation_level=None)) as db:
        db.execute("DELETE FROM entries WHERE n = 2")
    assert verify(load(config)) == 1
    assert "entries 2 to 2 are missing" in capsys.readouterr().out


def empty(folder: Path) -> Path:
    config = folder / "empty.toml"
    config.write_text(f'[site]\ndata = "{folder}/none"\n', "utf-8")
    return config


def recorded(path: Path, whats: str, *, measured: int = 0) -> tuple[str, list[Row]]:
    """Open an outbox, append measurements and records of the audit, and close it; return its epoch and its rows."""
    box = Outbox(path)
    box.append([measurement(n) for n in range(measured)])
    for what in whats:
        box.record(Record("audit", what, START_US, {}))
    assert box.flush()
    found = box.epoch, box.read(0, 100)
    box.close()
    return found


def test_an_outbox_that_forgot_what_the_history_has_breaks_no_chain(tmp_path: Path) -> None:
    """Its log was cut short, and it went on before a receipt could tell it so."""
    sent, cut_short = tmp_path / "sent.db", tmp_path / "cut_short.db"
    recorded(sent, "ab")
    shutil.copy(sent, cut_short)
    lives = [recorded(sent, "cd"), recorded(cut_short, "wxy", measured=1)]
    history = History(tmp_path / "history.db")
    for epoch, rows in lives:
        records = [row for row in rows if row.rank == AUDIT]
        history.store([decode_records(GATEWAY, encode_records(GATEWAY, epoch, 0, records))])
    history.close()
    assert lives[0][0] == lives[1][0]
    config = tmp_path / "ward.toml"
    config.write_text(f'[site]\ndata = "{tmp_path}"\n', "utf-8")
    code, output = ask(config)
    assert code == 0, output
    assert "the outbox gave numbers twice" in " ".join(output.split())
    with closing(sqlite3.connect(tmp_path / "history.db")) as db, db:
        db.execute("DELETE FROM conflicts")
    assert ask(config)[0] == 1, "without them nothing explains it"


def test_the_command_needs_a_history(tmp_path: Path) -> None:
    config = tmp_path / "ward.toml"
    config.write_text(f'[site]\ndata = "{tmp_path}"\n', "utf-8")
    code, output = ask(config)
    assert code == 2
    assert "there is no such history" in output
    History(tmp_path / "history.db").close()
    code, output = ask(config)
    assert code == 0
    assert "holds no audit" in output


# The history.


def test_a_history_of_version_1_is_read_and_gets_its_table(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    make_version_1(path)
    reader = HistoryReader(path)
    assert reader.records("notice") == []
    history = History(path)
    raw, _ = body(Record("notice", "link-lost", START_US, {}), Chain())
    payload = b'{"v":1,"gateway":"gateway-1","epoch":"0123456789abcdef","records":[{"seq":1,%b]}' % raw[1:]
    history.store([decode_records(GATEWAY, payload)])
    assert [record.what for record in reader.records("notice")] == ["link-lost"]
    assert len(reader.records("notice", from_us=START_US, to_us=START_US + 1)) == 1
    reader.close()
    history.close()


def test_a_record_that_is_not_one_is_set_apart() -> None:
    entries: list[dict[str, Any]] = [
        {"seq": 1, "kind": "notice", "what": "x", "time_us": 5, "list": ["a"], "none": None, "yes": True},
        {"seq": 2, "kind": "other", "what": "x", "time_us": 5},
        {"seq": 3, "kind": "audit", "what": "x", "time_us": -1},
        {"seq": 4, "kind": "audit", "what": "x", "time_us": 5, "deep": {"a": 1}},
        {"seq": 5, "kind": "audit", "what": "x" * 300, "time_us": 5},
        {"seq": 6, "kind": "audit", "what": "x", "time_us": 5, "long": "y" * 2000},
        {"seq": 7, "kind": "audit", "what": "x", "time_us": 5, **{f"k{n}": 1 for n in range(40)}},
    ]
    head = {"v": 1, "gateway": GATEWAY, "epoch": "0123456789abcdef", "released": 0}
    message = decode_records(GATEWAY, orjson.dumps({**head, "records": entries}))
    assert [record.seq for record in message.records] == [1]
    assert [bad.seq for bad in message.rejected] == [2, 3, 4, 5, 6, 7]
