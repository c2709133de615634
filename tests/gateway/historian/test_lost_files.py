"""Outbox and history are removed, replaced or restored, with a real broker between: nothing goes without a word."""

from __future__ import annotations

import random
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from config.settings import Broker, Settings, Site
from config.settings import Historian as HistorianOf
from gateway.delivery.publisher import Publisher
from gateway.historian.historian import Historian
from gateway.history.history import History
from gateway.history.opening import HistoryAccessError, open_history
from gateway.history.reader import HistoryReader
from gateway.machine.file_lock import HeldError
from gateway.outbox.outbox import Outbox
from gateway.wire.payload import Message
from gateway.wire.receipt import Receipt
from gateway.wire.topics import Topics
from tests.gateway.samples import ward
from tests.servers import Child, wait_until

TOPICS = Topics("demo", "g-1")
EPOCH = "ab" * 8


def message(first: int, n: int) -> Message:
    return Message("g-1", EPOCH, 0, list(enumerate(ward(2000), 1))[first - 1 : first - 1 + n])


class Ward:
    """A gateway's end, a broker and a historian, on files that a test may harm."""

    def __init__(self, port: int, folder: Path) -> None:
        self.settings = Settings(
            site=Site(site="demo", gateway="g-1", data=folder),
            broker=Broker(embedded=False, port=port),
            historian=HistorianOf(keep_days=36_500),
        )
        self.path = folder / "outbox.db"
        self.history = self.settings.history_file
        self.made: dict[str, int] = {}
        self.outbox: Outbox | None = None
        self.historian: Historian | None = None

    def start(self) -> None:
        self.outbox = Outbox(self.path, commit_s=0.02, gateway="g-1")
        self.publisher = Publisher(self.outbox, TOPICS, self.settings.broker, resend_after_s=0.5, rng=random.Random(1))
        self.publisher.start()

    def stop(self) -> None:
        if self.outbox is not None:
            self.publisher.stop()
            self.outbox.close()
            self.outbox = None

    def start_historian(self) -> None:
        self.historian = Historian(self.settings, rng=random.Random(2))
        self.historian.start()
        wait_until(lambda: self.historian and self.historian.state().connected)

    def stop_historian(self) -> None:
        if self.historian is not None:
            self.historian.stop()
            self.historian = None

    def make(self, n: int) -> None:
        assert self.outbox
        self.outbox.append(ward(n, seed=len(self.made)), urgent=True)
        assert self.outbox.flush()
        self.made[f"{self.outbox.epoch}/{self.outbox.state().last_seq}"] = n

    def all_stored(self) -> None:
        box = self.outbox
        assert box
        earlier = box.earlier
        wait_until(
            lambda: earlier.settled and not box.state().depth and not box.state().earlier and not earlier.outboxes, 20.0
        )

    def count(self) -> int:
        with closing(sqlite3.connect(self.history)) as db:
            return int(db.execute("SELECT count(*) FROM measurements").fetchone()[0])

    def gaps(self) -> list[tuple[int, int, str]]:
        reader = HistoryReader(self.history)
        found = [gap[2:] for gap in reader.gaps()]
        reader.close()
        return found

    def incidents(self) -> list[str]:
        assert self.outbox
        return [incident.what for incident in self.outbox.incidents.drain()]

    def wait_for(self, what: str) -> None:
        heard: list[str] = []

        def came() -> bool:
            heard.extend(self.incidents())
            return what in heard

        wait_until(came, 15.0)


@pytest.fixture
def site(mosquitto: Child, tmp_path: Path) -> Iterator[Ward]:
    made = Ward(mosquitto.port, tmp_path)
    made.start_historian()
    made.start()
    yield made
    made.stop()
    made.stop_historian()


def remove(path: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def test_nothing_is_reported_while_nothing_happens(site: Ward) -> None:
    site.make(50)
    site.all_stored()
    site.stop()
    site.stop_historian()
    site.start_historian()
    site.start()
    site.make(50)
    site.all_stored()
    assert site.incidents() == []
    assert (site.count(), site.gaps()) == (100, [])


def test_what_was_set_aside_reaches_the_history_once(site: Ward) -> None:
    site.make(50)
    site.all_stored()
    site.stop_historian()
    site.make(600)
    site.stop()
    site.path.rename(site.path.with_name("outbox.db.corrupt-1"))
    site.start_historian()
    site.start()
    site.make(30)
    site.all_stored()
    assert site.count() == 680
    assert site.gaps() == []
    assert not list(site.path.parent.glob("*.left-*"))
    assert site.incidents() == ["set-aside-imported"]


def test_a_restored_image_of_the_outbox_loses_and_doubles_nothing(site: Ward) -> None:
    site.make(100)
    site.stop()  # whatever of it was stored: the image may hold rows that were
    image = site.path.with_name("image")
    shutil.copy(site.path, image)
    site.start()
    site.make(200)
    site.all_stored()
    site.stop()
    shutil.copy(image, site.path)
    site.start()
    assert site.outbox
    old = site.outbox.epoch
    site.make(70)
    site.wait_for("outbox-restored")
    site.make(10)
    site.all_stored()
    assert site.outbox.epoch != old
    with closing(sqlite3.connect(site.history)) as db:
        by_epoch = dict(
            db.execute(
                "SELECT epochs.epoch, count(*) FROM measurements m JOIN epochs ON epochs.id = m.epoch GROUP BY 1"
            )
        )
    assert sum(by_epoch.values()) >= 380
    assert by_epoch[site.outbox.epoch] == 80
    assert site.gaps() == []


def test_a_forged_receipt_for_what_was_never_given_drops_nothing(site: Ward) -> None:
    site.stop_historian()
    site.make(300)
    assert site.outbox
    old = site.outbox.epoch
    forger = Publisher(
        Outbox(site.path.with_name("forger.db")), Topics("demo", "forger"), site.settings.broker, rng=random.Random(3)
    )
    forger.start()
    forger.publish_live(TOPICS.stored, b"")  # not connected yet: counted
    wait_until(lambda: forger.state().connected)
    forger.publish_live(TOPICS.stored, Receipt(old, 5_000, 5_000).encode())
    site.wait_for("outbox-restored")
    forger.stop()
    site.make(20)
    site.start_historian()
    site.all_stored()
    assert site.count() == 320
    assert site.gaps() == []


def test_an_outbox_that_was_removed_between_runs_is_missed(site: Ward) -> None:
    site.make(40)
    site.all_stored()
    site.stop()
    remove(site.path)
    site.start()
    site.wait_for("outbox-missing")
    site.make(10)
    site.all_stored()
    site.stop()
    site.start()
    site.make(10)
    site.all_stored()
    assert site.incidents() == []
    assert site.count() == 60


def test_an_outbox_that_is_removed_while_it_runs_loses_nothing(site: Ward) -> None:
    site.stop_historian()
    site.make(400)
    remove(site.path)
    site.wait_for("outbox-removed")
    site.make(100)
    site.start_historian()
    site.all_stored()
    assert (site.count(), site.gaps()) == (500, [])


@pytest.mark.parametrize("put", ["nothing", "an older copy", "nonsense"])
def test_a_history_that_is_removed_under_the_historian_is_noticed(site: Ward, put: str) -> None:
    site.make(100)
    site.all_stored()
    copy = site.history.with_name("copy.db")
    with closing(sqlite3.connect(site.history)) as db, closing(sqlite3.connect(copy)) as other:
        db.backup(other)
    site.make(50)
    site.all_stored()
    if put == "nothing":
        remove(site.history)
    else:
        if put == "nonsense":
            copy.write_bytes(b"nonsense" * 4096)
        copy.replace(site.history)
    site.make(30)
    site.wait_for("history-changed")
    site.make(20)
    site.all_stored()
    if put == "an older copy":
        assert site.count() == 150
        assert [(first, last) for first, last, _ in site.gaps()] == [(101, 150)]
    else:
        assert site.count() == 50
        assert site.gaps() == [(1, 150, "stored in a history that was removed")]


def test_a_history_that_was_removed_between_runs_is_noticed(site: Ward) -> None:
    site.make(60)
    site.all_stored()
    site.stop_historian()
    remove(site.history)
    site.start_historian()
    site.make(10)
    site.wait_for("history-changed")
    site.all_stored()
    assert site.count() == 10
    assert site.gaps() == [(1, 60, "released before it was stored")]


def test_what_a_removed_history_held_of_earlier_lives_becomes_gaps(site: Ward) -> None:
    made = []
    for n in (40, 50):
        site.make(n)
        site.all_stored()
        made.append((1, site.outbox.state().last_seq if site.outbox else 0))
        site.stop()
        remove(site.path)
        site.start()
        site.make(1)
        site.wait_for("outbox-missing")
    site.make(10)
    site.all_stored()
    site.stop_historian()
    remove(site.history)
    site.start_historian()
    site.make(10)
    site.wait_for("history-changed")
    site.all_stored()
    wait_until(lambda: len(site.gaps()) >= 3, 20.0)
    gaps = sorted((first, last) for first, last, _ in site.gaps())
    assert [last for _, last in made] == [40, 51]
    assert gaps[1:] == made
    site.stop()
    site.start()
    site.make(5)
    site.all_stored()
    assert sorted((first, last) for first, last, _ in site.gaps()) == gaps
    assert site.incidents() == []


def test_the_history_that_came_last_hears_of_a_life_that_another_knew(site: Ward) -> None:
    site.make(40)
    site.all_stored()
    site.stop()
    remove(site.path)
    site.start()
    site.wait_for("outbox-missing")
    site.make(10)
    site.all_stored()
    for _ in range(2):
        site.stop_historian()
        remove(site.history)
        site.start_historian()
        site.make(10)
        site.wait_for("history-changed")
        wait_until(lambda: (1, 40) in [(first, last) for first, last, _ in site.gaps()], 20.0)


def test_a_history_of_which_an_older_copy_was_put_back_between_runs_is_noticed(site: Ward) -> None:
    site.make(60)
    site.all_stored()
    site.stop_historian()
    copy = site.history.with_name("copy")
    shutil.copy(site.history, copy)
    for _ in range(2):
        site.start_historian()
        site.make(20)
        site.all_stored()
        site.stop_historian()
    shutil.copy(copy, site.history)
    site.start_historian()
    site.wait_for("history-lost")
    site.make(10)
    site.all_stored()
    assert site.count() == 70
    assert [(first, last) for first, last, _ in site.gaps()] == [(61, 100)]


def test_the_gateway_remembers_the_history_over_its_own_restart(site: Ward) -> None:
    site.make(60)
    site.all_stored()
    site.stop()
    site.stop_historian()
    remove(site.history)
    site.start_historian()
    site.start()
    site.make(10)
    site.wait_for("history-changed")


def test_two_historians_of_one_database_are_refused(site: Ward) -> None:
    with pytest.raises(HeldError, match=r"history\.db"):
        Historian(site.settings)


def test_the_log_of_a_history_that_is_removed_costs_nothing(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    history = History(path)
    history.store([message(1, 100)])
    path.with_name("history.db-wal").unlink()
    history.store([message(101, 10)])
    receipt = history.receipt("g-1", EPOCH)
    assert receipt.stored == 110
    history.close()
    again = History(path)
    assert again.receipt("g-1", EPOCH).stored == 110
    again.close()


def test_a_receipt_says_which_history_it_is_of(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    receipts = []
    for _ in range(2):
        history = History(path)
        receipts.append(Receipt.decode(history.receipt("g-1", "a" * 16).encode()))
        history.close()
    path.unlink()
    history = History(path)
    receipts.append(history.receipt("g-1", "a" * 16))
    history.close()
    assert [receipt.opened for receipt in receipts] == [1, 2, 1]
    assert receipts[0].history == receipts[1].history != receipts[2].history
    assert len(receipts[0].history) == 16


@pytest.mark.parametrize("spoilt", [0, 4])
def test_what_was_set_aside_of_a_history_is_brought_over(site: Ward, spoilt: int) -> None:
    site.make(500)
    site.all_stored()
    site.stop_historian()
    aside = site.history.with_name("history.db.corrupt-1")
    site.history.rename(aside)
    whole = bytearray(aside.read_bytes())
    at = len(whole) // 2  # tables and their indexes lie mixed in the middle
    whole[at : at + spoilt * 4096] = b"\xa5" * (spoilt * 4096)
    aside.write_bytes(whole)
    site.start_historian()
    site.make(20)
    site.all_stored()
    wait_until(aside.with_name("history.db.corrupt-1.imported").exists, 20.0)
    stored, gaps = site.count(), site.gaps()
    assert stored + sum(last - first + 1 for first, last, _ in gaps) == 520
    assert stored == 520 if not spoilt else 20 < stored <= 520
    assert aside.exists()


def test_an_error_about_a_whole_history_sets_nothing_aside(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    history = History(path)
    history.store([message(1, 100)])
    history.database.replace(sqlite3.DatabaseError("database disk image is malformed"))
    assert history.database.replaced == 0
    assert history.receipt("g-1", EPOCH).stored == 100
    history.close()
    assert not list(tmp_path.glob("*.corrupt-*"))


def test_a_history_that_cannot_be_written_is_reported_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "history.db"
    History(path).close()
    connect: Callable[..., sqlite3.Connection] = sqlite3.connect

    def read_only(file: Path, **options: object) -> sqlite3.Connection:
        return connect(f"{Path(file).absolute().as_uri()}?mode=ro", **{**options, "uri": True})

    monkeypatch.setattr(sqlite3, "connect", read_only)  # as another user's file: tests may run as root
    with pytest.raises(HistoryAccessError, match=r"history\.db cannot be written: attempt to write a readonly"):
        open_history(path, gateway="g-1")
    monkeypatch.undo()
    history, lock = open_history(path, gateway="g-1")
    history.close()
    lock.release()


def write_over(path: Path, source: Path) -> None:
    """Do what ``cp`` onto a file does: the same file, other contents."""
    with source.open("rb") as found, path.open("r+b") as file:
        file.truncate(0)
        shutil.copyfileobj(found, file)


def backup(path: Path) -> Path:
    """Make a copy of a database as it is now, while it is in use."""
    copy = path.with_name(f"{path.name}.copy")
    with closing(sqlite3.connect(path)) as db, closing(sqlite3.connect(copy)) as other:
        db.backup(other)
    return copy


@pytest.mark.parametrize("put", ["an older copy", "another history", "nonsense"])
def test_a_history_that_is_written_over_under_the_historian_is_noticed(site: Ward, put: str) -> None:
    site.make(100)
    site.all_stored()
    copy = backup(site.history)
    if put == "another history":
        copy.unlink()
        History(copy).close()
    elif put == "nonsense":
        copy.write_bytes(b"nonsense" * 4096)
    contents = copy.read_bytes()
    site.make(50)
    site.all_stored()
    write_over(site.history, copy)
    site.make(30)
    site.wait_for("history-changed")
    site.make(20)
    site.all_stored()
    if put == "an older copy":
        assert site.count() == 150
        assert [(first, last) for first, last, _ in site.gaps()] == [(101, 150)]
    else:
        assert site.count() == 50
        assert site.gaps() == [(1, 150, "stored in a history that was removed")]
    if put == "nonsense":
        (kept,) = site.history.parent.glob("history.db.replaced-*")
        assert kept.read_bytes() == contents  # nothing of ours was written into it
    with closing(sqlite3.connect(site.history)) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)


@pytest.mark.parametrize("put", ["an older copy", "another outbox", "nonsense"])
def test_an_outbox_that_is_written_over_is_reported_number_for_number(site: Ward, put: str) -> None:
    site.make(100)
    site.all_stored()
    site.stop_historian()
    site.make(200)
    copy = backup(site.path)
    if put == "another outbox":
        copy.unlink()
        Outbox(copy).close()
    elif put == "nonsense":
        copy.write_bytes(b"nonsense" * 4096)
    site.make(150)
    assert site.outbox
    old = site.outbox.epoch
    write_over(site.path, copy)
    site.wait_for("outbox-removed")
    assert site.outbox.epoch != old
    site.make(30)
    site.start_historian()
    site.all_stored()
    with closing(sqlite3.connect(site.history)) as db:
        stored = [
            seq
            for (seq,) in db.execute(
                "SELECT seq FROM measurements m JOIN epochs e ON e.id = m.epoch WHERE e.epoch = ?", (old,)
            )
        ]
        gone = db.execute(
            "SELECT first, last FROM gaps g JOIN epochs e ON e.id = g.epoch WHERE e.epoch = ? ORDER BY 1", (old,)
        ).fetchall()
    in_gaps = {n for first, last in gone for n in range(first, last + 1)}
    assert set(stored) | in_gaps == set(range(1, 451))
    assert not set(stored) & in_gaps
    if put == "an older copy":
        assert set(range(1, 301)) <= set(stored)


def test_what_is_done_to_a_file_in_use_by_ourselves_is_no_alarm(site: Ward) -> None:
    """Commits, checkpoints, compaction, copies, readers beside it, and another's checkpoint."""
    for turn in range(30):
        site.make(40)
        for path in (site.history, site.path):
            with closing(sqlite3.connect(path, timeout=10.0)) as other:
                other.execute("SELECT count(*) FROM sqlite_master").fetchone()
                if turn % 3 == 0:
                    other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                if turn % 10 == 5:
                    other.execute("VACUUM")
            if turn % 10 == 7:
                backup(path).unlink()
        reader = HistoryReader(site.history)
        reader.count()
        reader.close()
    site.all_stored()
    assert site.incidents() == []
    assert (site.count(), site.gaps()) == (1200, [])
    assert not list(site.path.parent.glob("*.replaced-*"))
