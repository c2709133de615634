"""PostgreSQL as a store: a real server, which is killed, locked, refused to and asked what it holds."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from config.settings import Historian, Settings, Site, Store
from gateway.cli.doctor.postgresql import judge_postgresql
from gateway.cli.erasure_places import erase_remotely
from gateway.historian.copying import Copier
from gateway.historian.postgres_writer import PostgresWriter, tls_of
from gateway.historian.store import RemoteStore, WriteError, writer_of
from gateway.history.history import History
from gateway.history.schema import Stored
from gateway.wire.payload import Message
from tests.certificates import Authority
from tests.gateway.history.ward_gateway import Gateway
from tests.gateway.samples import measurement, ward
from tests.servers import PASSWORD, PostgreSql, free_port, postgresql, wait_until

COUNT = "SELECT count(*), count(DISTINCT (gateway, epoch, seq)) FROM rehab_measurements"


@pytest.fixture(scope="module")
def running() -> Iterator[PostgreSql]:
    with postgresql() as server:
        yield server


@pytest.fixture
def server(running: PostgreSql) -> PostgreSql:
    running.sql("DROP TABLE IF EXISTS rehab_measurements")
    return running


@pytest.fixture
def settings(server: PostgreSql, tmp_path: Path) -> Store:
    return settings_for(server.port, tmp_path)


@pytest.fixture
def writer(settings: Store) -> Iterator[PostgresWriter]:
    with closing(PostgresWriter(settings)) as made:
        yield made


def settings_for(port: int, folder: Path, **others: object) -> Store:
    password = folder / "password"
    password.write_text(f"{PASSWORD}\n")
    fields = {"url": f"postgresql://127.0.0.1:{port}", "username": "rehab", "token_file": password, **others}
    return Store.model_validate({"kind": "postgresql", **fields})


def stored(n: int, *, gateway: str = "g-1") -> list[Stored]:
    return [Stored(i, gateway, "0" * 16, i, m) for i, m in enumerate(ward(n), 1)]


def fail(row: Stored, why: str) -> None:
    pytest.fail(f"{row} was set apart: {why}")


def test_a_row_says_everything_that_a_measurement_says(server: PostgreSql, writer: PostgresWriter) -> None:
    m = replace(
        measurement(), value=None, sync_ms=2.5, quality="invalid", reason="the sensor's clock was reset, ü 'x'",
        devices=("dot-1", "dot-2"), placement=("left_foot", "right_foot"),
    )  # fmt: skip
    row = Stored(7, "g-1", "ab" * 8, 9, m, clock="doubtful")
    writer.write([row], "s")
    columns = "site, gateway, epoch, seq, metric, value, sync_ms, quality, reason, devices, placement, clock, simulated"
    times = "(extract(epoch FROM time) * 1000000)::bigint, (extract(epoch FROM start_time) * 1000000)::bigint"
    found = server.sql(f"SELECT {columns}, {times} FROM rehab_measurements")  # noqa: S608 - our own names
    simulated = "t" if m.simulated else "f"
    assert found == [["s", "g-1", "ab" * 8, "9", m.metric, "", "2.5", "invalid", m.reason, "dot-1+dot-2",
                      "left_foot+right_foot", "doubtful", simulated, str(m.end_us), str(m.start_us)]]  # fmt: skip


def test_written_again_it_stands_once_and_is_not_touched(server: PostgreSql, writer: PostgresWriter) -> None:
    rows = stored(300)
    writer.write(rows, "s")
    before = server.sql("SELECT xmin, ctid, seq FROM rehab_measurements ORDER BY seq")
    writer.write(rows, "s")
    assert server.sql("SELECT xmin, ctid, seq FROM rehab_measurements ORDER BY seq") == before
    assert server.sql(COUNT) == [["300", "300"]]
    assert writer.missing(rows, "s") == []


def test_what_was_corrected_takes_the_place_of_what_was_written_before(
    server: PostgreSql, writer: PostgresWriter
) -> None:
    rows = stored(20)
    writer.write(rows, "s")
    of_another = replace(rows[3], measurement=replace(rows[3].measurement, subject="p-right"))
    mended = replace(rows[4].measurement, end_us=rows[4].measurement.end_us + 3_600_000_000)
    writer.write([of_another, replace(rows[4], measurement=mended)], "s")
    assert server.sql(COUNT) == [["20", "20"]]
    assert server.sql("SELECT seq FROM rehab_measurements WHERE subject = 'p-right'") == [["4"]]
    assert writer.missing(rows, "s") == [rows[4]]  # under its old time


def test_it_is_asked_what_it_has(writer: PostgresWriter) -> None:
    rows = stored(50)
    writer.write(rows[:30] + rows[31:], "s")
    assert writer.missing(rows, "s") == [rows[30]]
    assert writer.missing(rows[:5], "another-site") == rows[:5]


def test_only_the_row_that_it_cannot_hold_is_set_apart(server: PostgreSql, settings: Store) -> None:
    rows = stored(1000)
    nul = replace(rows[617].measurement, reason="a text of PostgreSQL has no \0")
    huge = replace(rows[31].measurement, n=2**70)
    rows[617], rows[31] = replace(rows[617], measurement=nul), replace(rows[31], measurement=huge)
    refused: list[tuple[int, str]] = []
    with closing(RemoteStore(writer_of(settings), "s", lambda row, why: refused.append((row.seq, why)))) as remote:
        assert remote.write(rows)
        assert remote.trouble == ""
    assert {seq for seq, _ in refused} == {32, 618}, refused
    assert server.sql(COUNT) == [["998", "998"]]


def test_a_table_that_takes_nothing_is_held_against_no_row(server: PostgreSql, settings: Store) -> None:
    with closing(PostgresWriter(settings)) as writer:
        writer.prove("s")  # makes the table
    assert server.sql(COUNT) == [["0", "0"]]
    server.sql("ALTER TABLE rehab_measurements ADD CHECK (seq < 0)")
    remote = RemoteStore(writer_of(settings), "s", fail)
    thread = threading.Thread(target=remote.write, args=(stored(3),))
    thread.start()
    wait_until(lambda: remote.errors["refused as a whole"])
    remote.stop()
    thread.join(10)
    remote.close()
    assert "the store refuses everything alike" in remote.trouble


@pytest.mark.parametrize(
    ("others", "word"),
    [
        ({"username": "nobody-here"}, "historian.store.username and token_file"),
        ({"bucket": "no-such"}, "historian.store.bucket"),
        ({"url": "postgresql://127.0.0.1:{free}"}, "ConnectionRefusedError"),
        ({"ca_file": Path("/etc/ssl/certs/ca-certificates.crt")}, "TLS failed"),
    ],
)
def test_what_is_wrong_with_the_address_is_said_and_waits(
    server: PostgreSql, tmp_path: Path, others: dict[str, object], word: str
) -> None:
    if "url" in others:
        others = {"url": f"postgresql://127.0.0.1:{free_port()}"}
    settings = settings_for(server.port, tmp_path, **others)
    with closing(PostgresWriter(settings)) as writer, pytest.raises(WriteError, match=word) as raised:
        writer.write(stored(1), "s")
    assert not raised.value.divisible
    assert PASSWORD not in str(raised.value)
    finding = judge_postgresql(settings, settings.url)
    assert finding.state == "fail"
    assert word in finding.found


def test_a_user_without_rights_is_told_which(server: PostgreSql, tmp_path: Path) -> None:
    server.sql("DROP ROLE IF EXISTS guest")
    server.sql(f"CREATE ROLE guest LOGIN PASSWORD '{PASSWORD}'")
    settings = settings_for(server.port, tmp_path, username="guest")
    with closing(PostgresWriter(settings)) as writer, pytest.raises(WriteError, match="GRANT CREATE ON SCHEMA public"):
        writer.write(stored(1), "s")
    assert "make our table" in judge_postgresql(settings, "x").found
    with closing(PostgresWriter(settings_for(server.port, tmp_path))) as owner:
        owner.prove("s")
    assert "write into our table" in judge_postgresql(settings, "x").found
    server.sql("GRANT SELECT, INSERT, UPDATE, DELETE ON rehab_measurements TO guest")
    assert "answers and lets us write" in judge_postgresql(settings, "x").found
    with closing(PostgresWriter(settings)) as writer:
        writer.write(stored(1), "s")


def test_two_that_come_first_at_the_same_instant_make_one_table(server: PostgreSql, settings: Store) -> None:
    writers = [PostgresWriter(settings) for _ in range(4)]
    start = threading.Barrier(4)
    errors: list[Exception] = []

    def write(writer: PostgresWriter) -> None:
        start.wait()
        try:
            for _ in range(5):
                writer.write(stored(200)[::-1], "s")
        except WriteError as error:
            errors.append(error)
        writer.close()

    threads = [threading.Thread(target=write, args=(writer,)) for writer in writers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert errors == []
    assert server.sql(COUNT) == [["200", "200"]]


def test_a_server_that_crashes_has_what_it_answered_for(server: PostgreSql, settings: Store) -> None:
    rows = stored(400)
    remote = RemoteStore(writer_of(settings), "s", fail)
    assert remote.write(rows[:100])
    server.end(signal.SIGQUIT)  # no checkpoint: as after a crash
    thread = threading.Thread(target=remote.write, args=(rows[100:],))
    thread.start()
    wait_until(lambda: remote.errors["store is down"])
    server.start()
    thread.join(30)
    assert not thread.is_alive()
    assert remote.missing(rows) == []
    remote.close()
    assert server.sql(COUNT) == [["400", "400"]]


def test_erasing_a_subject_reaches_it(server: PostgreSql, settings: Store, tmp_path: Path) -> None:
    rows = stored(40)
    subject = rows[0].measurement.subject
    others = sum(row.measurement.subject != subject for row in rows)
    with closing(PostgresWriter(settings)) as writer:
        writer.write(rows, "s")
    whole = Settings(site=Site(site="s", data=tmp_path), historian=Historian(store=settings))
    assert erase_remotely(whole, subject) == []
    assert server.sql("SELECT count(*) FROM rehab_measurements") == [[str(others)]]


def test_a_session_of_the_wrong_person_is_deleted_there_and_written_as_the_right_ones(
    server: PostgreSql, settings: Store, tmp_path: Path
) -> None:
    history = History(tmp_path / "history.db", copying=True)
    gateway = Gateway(tmp_path, subject="p-wrong")
    with closing(history), closing(gateway.registry):
        remote = RemoteStore(writer_of(settings), "demo", fail)
        copier = Copier(history.copies, remote, fail, hold_back_s=0.0)
        session = gateway.session(0, 20, value=2.0)
        gateway.send(history)
        copy_all(copier)
        gateway.do(50, "session-correct", session=session, subject="p-right")
        gateway.send(history)
        copy_all(copier)
        remote.close()
    assert server.sql("SELECT DISTINCT subject FROM rehab_measurements WHERE value = 2.0") == [["p-right"]]


def copy_all(copier: Copier) -> None:
    while copier.write():
        copier.confirm()


def test_the_history_waits_for_it_and_counts_as_copied_what_is_there(server: PostgreSql, settings: Store) -> None:
    with closing(History(Path(settings.token_file or "").parent / "h.db", copying=True)) as history:
        history.store([Message("g-1", "0" * 16, measurements=[(i, m) for i, m in enumerate(ward(50), 1)])])
        remote = RemoteStore(writer_of(settings), "s", fail)
        now = [0.0]
        copier = Copier(history.copies, remote, fail, hold_back_s=1.0, clock=lambda: now[0])
        assert copier.write()
        copier.confirm()
        assert history.copies.copied_upto() == 0  # it may still be lost
        server.sql("DELETE FROM rehab_measurements WHERE seq = 7")  # as by a standby that was promoted too early
        now[0] = 2.0
        copier.confirm()
        assert copier.errors["not there after the hold-back"] == 1
        now[0] = 4.0
        copier.confirm()
        assert history.copies.copied_upto() > 0
        remote.close()
    assert server.sql(COUNT) == [["50", "50"]]


def test_tls_is_checked_to_another_machine_and_only_words_turn_it_off(tmp_path: Path) -> None:
    elsewhere = {"url": "postgresql://db.example:5432"}
    assert tls_of(settings_for(1, tmp_path)) is False
    assert tls_of(settings_for(1, tmp_path, **elsewhere, clear_text="accepted")) is False
    context = tls_of(settings_for(1, tmp_path, **elsewhere))
    assert context is not False
    assert context is not True
    assert context.check_hostname


def test_a_server_is_believed_by_its_certificate_alone(tmp_path: Path) -> None:
    authority, other = Authority(tmp_path / "right", "right"), Authority(tmp_path / "wrong", "wrong")
    with postgresql(tls=authority.issue("server", server=True)) as server:
        right = settings_for(server.port, tmp_path, ca_file=authority.path)
        wrong = settings_for(server.port, tmp_path, ca_file=other.path)
        with closing(PostgresWriter(right)) as writer:
            writer.write(stored(1), "s")
            encrypted = "SELECT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)"
            assert server.sql(f"{encrypted} WHERE datname = 'rehab' AND pid <> pg_backend_pid()") == [["t"]]
        with closing(PostgresWriter(wrong)) as writer, pytest.raises(WriteError, match="TLS failed"):
            writer.write(stored(1), "s")


def test_without_the_package_it_is_said_how_to_get_it(settings: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "asyncpg", None)
    with closing(PostgresWriter(settings)) as writer, pytest.raises(WriteError, match="pip install") as raised:
        writer.write(stored(1), "s")
    assert not raised.value.divisible
