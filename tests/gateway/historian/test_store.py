from __future__ import annotations

import json
import random
import signal
import sqlite3
import threading
import urllib.parse
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from gzip import decompress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from config.settings import Broker, Settings, Site, Store
from config.settings import Historian as HistorianSettings
from gateway.broker.link import backoff_s
from gateway.delivery.publisher import Publisher
from gateway.historian import store_writer
from gateway.historian.copying import Copier
from gateway.historian.historian import Historian
from gateway.historian.store import LineWriter, RemoteStore, WriteError, line
from gateway.history.history import History
from gateway.history.reader import HistoryReader
from gateway.history.schema import Stored
from gateway.outbox.outbox import Outbox
from gateway.wire.payload import Message
from gateway.wire.topics import Topics
from tests.gateway.samples import START_US, measurement, ward
from tests.servers import Child, wait_until

PRECISION = 1e-11
"""VictoriaMetrics keeps some twelve decimal digits of a value, which is a property of its format."""


Answer = Callable[[bytes], tuple[int, dict[str, str]]]


def stored(n: int = 100) -> list[Stored]:
    return [Stored(i, "g-1", "0" * 16, i, m) for i, m in enumerate(ward(n), 1)]


def test_line_is_what_the_documentation_says() -> None:
    row = Stored(1, "g-1", "0" * 16, 1, measurement())
    assert line(row, "s") == (
        "cadence,site=s,gateway=g-1,slot=bay-1,session=s-1,subject=p-01,side=both,algorithm=cadence/1,"
        "devices=dot-1+dot-2,simulated=true"
        f" value=1.25,n=7i,n_rejected=1i,quality=0i,duration_ms=10000.0,sync_ms=2.5 {START_US // 1000}"
    )


def test_line_without_a_value_has_no_value() -> None:
    row = Stored(1, "g-1", "0" * 16, 1, replace(measurement(value=None), sync_ms=None, devices=()))
    assert "value=" not in line(row, "s")
    assert "sync_ms" not in line(row, "s")
    assert "devices" not in line(row, "s")
    assert ",quality=2i," in line(row, "s")


def export(port: int) -> dict[tuple[str, str, str, int], float]:
    """Everything that VictoriaMetrics holds: (name, slot, side, ms) → value."""
    urllib.request.urlopen(f"http://127.0.0.1:{port}/internal/force_flush").read()
    query = urllib.parse.urlencode({"match[]": '{site!=""}', "start": 0})
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/export?{query}") as answer:
        found = [json.loads(text) for text in answer.read().splitlines()]
    return {
        (series["metric"]["__name__"], series["metric"]["slot"], series["metric"]["side"], ms): value
        for series in found
        for ms, value in zip(series["timestamps"], series["values"], strict=True)
    }


def values(rows: list[Stored]) -> dict[tuple[str, str, str, int], float]:
    return {
        (f"{r.measurement.metric}_value", r.measurement.slot, r.measurement.side, r.measurement.end_us // 1000): v
        for r in rows
        if (v := r.measurement.value) is not None
    }


def test_victoria_metrics_holds_what_the_history_holds(
    mosquitto: Child, victoria_metrics: Child, tmp_path: Path
) -> None:
    settings = Settings(
        site=Site(data=tmp_path), broker=Broker(embedded=False, port=mosquitto.port),
        historian=HistorianSettings(
            keep_days=100_000,
            store=Store(kind="victoriametrics", url=f"http://127.0.0.1:{victoria_metrics.port}", hold_back_s=2.0),
        ),
    )  # fmt: skip
    historian = Historian(settings, rng=random.Random(1))
    historian.start()
    outbox = Outbox(tmp_path / "outbox.db", commit_s=0.02)
    publisher = Publisher(outbox, Topics("demo", "gateway-1"), settings.broker)
    wait_until(lambda: historian.state().connected)
    publisher.start()
    outbox.append(ward(600))
    wait_until(lambda: outbox.state().released_seq == 600)

    # A store that is away: the history goes on, receipts wait, and nothing is missing afterwards.
    victoria_metrics.end()
    outbox.append(ward(900)[600:])
    reader = HistoryReader(settings.history_file)
    wait_until(lambda: reader.count() == 900 and historian.state().errors.get("store is down"))
    assert outbox.state().depth == 300
    victoria_metrics.start()
    wait_until(lambda: outbox.state().depth == 0)
    publisher.stop()
    historian.stop()
    outbox.close()

    rows = reader.stored()
    reader.close()
    held = export(victoria_metrics.port)
    assert {key: value for key, value in held.items() if key[0].endswith("_value")} == pytest.approx(
        values(rows), rel=PRECISION
    )
    assert len(values(rows)) > 800
    assert sum(value for key, value in held.items() if key[0].endswith("_n")) == sum(r.measurement.n for r in rows)


class Answers(BaseHTTPRequestHandler):
    """A store of the InfluxDB 2 API that answers as the test says."""

    status: Callable[[bytes], tuple[int, dict[str, str]]]
    seen: list[tuple[str, str, bytes]]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        body = decompress(body) if self.headers["Content-Encoding"] == "gzip" else body
        self.seen.append((self.path, self.headers["Authorization"] or "", body))
        status, headers = type(self).status(body)
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key, value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def server() -> Iterator[ThreadingHTTPServer]:
    handler = type("Handler", (Answers,), {"seen": [], "status": staticmethod(lambda _: (204, {}))})
    made = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=made.serve_forever, args=(0.01,))
    thread.start()
    yield made
    made.shutdown()
    thread.join()
    made.server_close()


def answers(server: ThreadingHTTPServer) -> type[Answers]:
    handler = server.RequestHandlerClass
    assert isinstance(handler, type)
    assert issubclass(handler, Answers)
    return handler


def store(server: ThreadingHTTPServer, folder: Path, kind: str = "influxdb2") -> LineWriter:
    token = folder / "token"
    token.write_text("secret\n")
    return LineWriter(
        Store(kind=kind, url=f"http://127.0.0.1:{server.server_port}", organisation="o", bucket="b", token_file=token)
    )


@pytest.mark.parametrize(
    ("kind", "authorization"),
    [("influxdb2", "Token secret"), ("influxdb3", "Token secret"), ("victoriametrics", "Bearer secret")],
)
def test_request_is_that_of_the_write_api(
    server: ThreadingHTTPServer, tmp_path: Path, kind: str, authorization: str
) -> None:
    writer = store(server, tmp_path, kind)
    writer.write_lines(["a,t=1 v=1 5", "a,t=2 v=2 5"])
    [(path, token, body)] = answers(server).seen
    assert urllib.parse.parse_qs(path.partition("?")[2]) == {"org": ["o"], "bucket": ["b"], "precision": ["ms"]}
    assert path.startswith("/api/v2/write?")
    assert (token, body) == (authorization, b"a,t=1 v=1 5\na,t=2 v=2 5")
    writer.close()


def test_poisoned_measurement_is_found_and_set_apart(server: ThreadingHTTPServer, tmp_path: Path) -> None:
    rows = stored(1000)
    poison = line(rows[617], "s").encode()
    answers(server).status = staticmethod(lambda body: (400 if poison in body else 204, {}))
    refused: list[tuple[Stored, str]] = []
    remote = RemoteStore(store(server, tmp_path), "s", lambda row, why: refused.append((row, why)))
    assert remote.write(rows)
    remote.close()
    assert [row for row, _ in refused] == [rows[617]]
    assert "status 400" in refused[0][1]
    assert remote.written == 999
    # Halving, not a storm.
    assert len(answers(server).seen) <= 2 * 10 + 1


@pytest.mark.parametrize("status", [401, 404, 429, 500, 503])
def test_store_that_is_not_ready_is_asked_again(server: ThreadingHTTPServer, tmp_path: Path, status: int) -> None:
    replies = [(status, {"Retry-After": "0"}), (status, {}), (204, {})]
    answers(server).status = staticmethod(lambda _: replies.pop(0))
    remote = RemoteStore(store(server, tmp_path), "s", lambda _row, _why: None, rng=random.Random(1))
    assert remote.write(stored(10))
    assert remote.errors == {"store is down": 2}
    bodies = [body for _, _, body in answers(server).seen]
    assert len(bodies) == 3
    assert bodies[0] == bodies[1] == bodies[2]
    remote.close()


def page(status: int, where: str = "") -> Answer:
    headers = {"Content-Type": "text/html"} | ({"Location": where} if where else {})
    return lambda _: (status, headers)


def invalid(_: bytes) -> tuple[int, dict[str, str]]:
    return 400, {"Content-Type": "application/json"}


WRONG: list[tuple[str, Answer, str]] = [
    *((f"{status}", page(status), "store.url") for status in (301, 302, 307, 308)),
    ("elsewhere", page(307, "http://user:secret@portal/login"), "it sends us to portal/login"),
    *((f"{status}", page(status), f"status {status}") for status in (200, 201, 202, 203, 206)),
    ("a page of 400", page(400), "status 400: a web page"),
    ("a page of 422", page(422), "status 422: a web page"),
    ("400 to everything", invalid, "refuses everything alike"),
    ("413 to everything", lambda _: (413, {}), "small requests only"),
    ("401", lambda _: (401, {}), "token_file"),
    ("403", lambda _: (403, {}), "rights of the token"),
    ("404", lambda _: (404, {}), "historian.store.url and bucket"),
    ("405", lambda _: (405, {}), "historian.store.url"),
    ("407", lambda _: (407, {}), "proxy"),
    ("500", lambda _: (500, {}), "status 500"),
]


@pytest.mark.parametrize(("answer", "advice"), [row[1:] for row in WRONG], ids=[row[0] for row in WRONG])
@pytest.mark.parametrize("n", [1, 300])
def test_what_is_wrong_with_the_request_is_held_against_no_measurement(
    server: ThreadingHTTPServer, tmp_path: Path, answer: Answer, advice: str, n: int
) -> None:
    answers(server).status = staticmethod(answer)
    refused: list[Stored] = []
    remote = RemoteStore(store(server, tmp_path), "s", lambda row, _: refused.append(row), rng=random.Random(1))
    rows = stored(n)
    results: list[bool] = []

    def copy() -> None:
        while not any(results) and len(results) < 100:
            results.append(remote.write(rows))

    thread = threading.Thread(target=copy)
    thread.start()
    wait_until(lambda: remote.failures >= (1 if n > 1 else 2))
    assert refused == [] or (n == 1 and answer is invalid)
    assert advice in remote.trouble
    assert "secret" not in remote.trouble
    assert remote.written == 0
    before = len(answers(server).seen)
    assert before < 200  # and no storm of halves
    answers(server).status = staticmethod(lambda _: (204, {}))
    thread.join(20)
    assert results[-1] is True
    assert (remote.written, remote.trouble, refused) == (n, "", [])
    remote.close()


def test_a_line_alone_is_set_apart_once_on_the_word_of_a_right_one(server: ThreadingHTTPServer, tmp_path: Path) -> None:
    answers(server).status = staticmethod(
        lambda body: (204 if body.startswith(b"rehab_gateway_store_check,site=s ") else 400, {})
    )
    refused: list[Stored] = []
    remote = RemoteStore(store(server, tmp_path), "s", lambda row, _: refused.append(row), rng=random.Random(1))
    rows = stored(3)
    assert [remote.write([row]) for row in rows] == [True, False, False]  # the next ones may not be to blame
    assert refused == rows[:1]
    assert "refuses everything alike" in remote.trouble
    remote.close()


def test_a_store_that_takes_nothing_but_the_check_gets_no_storm(server: ThreadingHTTPServer, tmp_path: Path) -> None:
    answers(server).status = staticmethod(lambda body: (204 if body.startswith(b"rehab_gateway_store") else 400, {}))
    refused: list[Stored] = []
    remote = RemoteStore(store(server, tmp_path), "s", lambda row, _: refused.append(row), rng=random.Random(1))
    assert not remote.write(stored(1000))
    assert refused == []
    assert len(answers(server).seen) < 100
    remote.close()


@pytest.mark.parametrize("wrong", [range(1), range(10), range(999), range(1, 1000), range(0, 1000, 7)])
def test_all_wrong_lines_among_right_ones_are_found(server: ThreadingHTTPServer, tmp_path: Path, wrong: range) -> None:
    rows = stored(1000)
    poison = {line(rows[i], "s").encode() for i in wrong}
    answers(server).status = staticmethod(lambda body: (400 if poison & set(body.split(b"\n")) else 204, {}))
    refused: list[Stored] = []
    remote = RemoteStore(store(server, tmp_path), "s", lambda row, _: refused.append(row), rng=random.Random(1))
    if len(poison) > 900:  # nobody can tell a wrong store from wrong lines before one is taken
        assert not remote.write(rows) or refused == [rows[i] for i in wrong]
    else:
        assert remote.write(rows)
        assert refused == [rows[i] for i in wrong]
    remote.close()


def test_what_says_yes_to_everything_is_no_influxdb(server: ThreadingHTTPServer, tmp_path: Path) -> None:
    handler = answers(server)

    def anything(self: Answers) -> None:
        self.send_response(204)
        self.end_headers()

    handler.do_GET = anything  # type: ignore[attr-defined]
    writer = store(server, tmp_path)
    with pytest.raises(WriteError, match="not from InfluxDB: what answers there is no such store") as refused:
        writer.write_lines(["a v=1 5"])
    assert not refused.value.divisible
    assert handler.seen == []

    def ping(self: Answers) -> None:
        self.send_response(204)
        self.send_header("X-Influxdb-Version", "v2.7.1")
        self.end_headers()

    handler.do_GET = ping  # type: ignore[attr-defined]
    writer.write_lines(["a v=1 5"])
    writer.close()


class Forgetful:
    """A store that says yes, and has what its rule says of the row and of how often it came."""

    def __init__(self, keeps: Callable[[Stored, int], bool]) -> None:
        self._keeps = keeps
        self._lines: Counter[str] = Counter()

    def write(self, rows: Sequence[Stored], site: str) -> None:
        self._lines.update(line(row, site) for row in rows)

    def prove(self, site: str) -> None: ...

    def missing(self, rows: Sequence[Stored], site: str) -> list[Stored]:
        return [row for row in rows if not self._keeps(row, self._lines[line(row, site)])]

    def erase(self, site: str, subject: str, of: object = None) -> None: ...

    def has(self, site: str, subject: str, of: object = None) -> bool:
        return False

    def close(self) -> None: ...


def test_a_store_that_keeps_nothing_is_held_against_no_measurement(tmp_path: Path) -> None:
    """VictoriaMetrics is asked what it has; another server that says yes, and has nothing, is not one."""
    history = History(tmp_path / "h.db", copying=True)
    history.store([Message("g-1", "0" * 16, measurements=[(i, m) for i, m in enumerate(ward(50), 1)])])

    refused: list[Stored] = []
    remote = RemoteStore(Forgetful(lambda _row, _times: False), "s", lambda row, _: refused.append(row))
    now = [0.0]
    copier = Copier(history.copies, remote, lambda row, _: refused.append(row), hold_back_s=1.0, clock=lambda: now[0])
    for _ in range(20):
        copier.write()
        now[0] += 2.0
        assert copier.confirm() == set()
    assert refused == []
    assert "says yes and keeps nothing" in remote.trouble
    assert history.receipt("g-1", "0" * 16).stored == 0
    history.close()


class Copying:
    """A copier over a history with batches of ten, beside a clock that the test moves."""

    def __init__(self, folder: Path, store: Forgetful, batches: int) -> None:
        self.refused: list[int] = []
        self.now = 0.0
        self.history = History(folder / "h.db", copying=True)
        self.remote = RemoteStore(store, "s", self._refuse)
        self.copier = Copier(self.history.copies, self.remote, self._refuse, hold_back_s=60.0, clock=lambda: self.now)
        rows = list(enumerate(ward(10 * batches), 1))
        for first in range(0, len(rows), 10):
            self.history.store([Message("g-1", "0" * 16, measurements=rows[first : first + 10])])
            assert self.copier.write()

    def _refuse(self, row: Stored, reason: str) -> None:
        self.refused.append(row.seq)
        self.history.copies.reject(row, reason, b"")

    def hold_back(self) -> int:
        """Let one hold-back pass; return up to where the store has everything."""
        self.now += 61.0
        self.copier.confirm()
        return self.history.receipt("g-1", "0" * 16).stored


def test_what_a_store_lost_of_many_batches_is_back_after_one_hold_back(tmp_path: Path) -> None:
    """It was killed, and back before the next write: no write failed, and half of every batch is gone."""
    copying = Copying(tmp_path, Forgetful(lambda row, times: times > row.seq % 2), batches=50)
    assert copying.hold_back() == 0
    assert copying.hold_back() == 500
    assert copying.remote.written == 500 + 250
    assert copying.refused == []
    copying.history.close()


def test_what_a_store_never_keeps_holds_nothing_else_back_for_long(tmp_path: Path) -> None:
    """One in every batch, and a batch whole: given up after three rounds, all at once, since the store has the rest."""
    never = {*range(5, 300, 10), *range(101, 111)}
    copying = Copying(tmp_path, Forgetful(lambda row, times: times > 0 and row.seq not in never), batches=30)
    assert [copying.hold_back() for _ in range(3)] == [0, 0, 300]
    assert sorted(copying.refused) == sorted(never)
    copying.history.close()


def test_what_a_new_history_holds_is_not_taken_for_what_the_old_one_had_copied(tmp_path: Path) -> None:
    """The file is removed, and another one filled, while the store is still asked for what was in the old one."""
    asked: list[int] = []

    def keeps(row: Stored, times: int) -> bool:
        asked.append(row.seq)
        if len(asked) == 30:  # of the first batch, for the second time
            for file in tmp_path.glob("h.db*"):
                file.unlink()
            copying.history.store([Message("g-2", "1" * 16, measurements=list(enumerate(ward(20), 1)))])
        return times > (row.gateway == "g-1" and row.seq <= 10)

    copying = Copying(tmp_path, Forgetful(keeps), batches=2)
    copying.hold_back()
    copying.hold_back()
    assert copying.history.receipt("g-2", "1" * 16).stored == 0
    written = copying.remote.written
    assert copying.copier.write()
    assert copying.remote.written == written + 20
    copying.hold_back()
    assert copying.history.receipt("g-2", "1" * 16).stored == 20
    copying.history.close()


def test_a_store_that_was_exchanged_for_a_sieve_is_held_against_no_measurement(tmp_path: Path) -> None:
    kept = True
    copying = Copying(tmp_path, Forgetful(lambda _row, _times: kept), batches=3)
    assert copying.hold_back() == 30
    copying.history.store([Message("g-1", "0" * 16, measurements=[(31, ward(1)[0])])])
    assert copying.copier.write()
    kept = False
    assert [copying.hold_back() for _ in range(10)] == [30] * 10
    assert copying.refused == []
    assert "says yes and keeps nothing" in copying.remote.trouble
    copying.history.close()


def test_what_was_set_apart_is_sent_again_once_the_address_is_right(
    server: ThreadingHTTPServer, tmp_path: Path
) -> None:
    path = tmp_path / "h.db"
    history = History(path, copying=True)
    made = [(i, m) for i, m in enumerate(ward(60), 1)]
    history.store([Message("g-1", "0" * 16, measurements=made[:40])])
    rows = history.copies.not_copied(100)
    for row in rows:  # as a version did that believed a wrong address
        history.copies.reject(row, "status 400: unsupported path", b"")
    history.copies.mark_copied(rows)
    still_wrong = line(rows[3], "s").encode()
    answers(server).status = staticmethod(lambda body: (400 if still_wrong in body else 204, {}))
    refused: list[Stored] = []
    remote = RemoteStore(store(server, tmp_path), "s", lambda row, _: refused.append(row), rng=random.Random(1))
    now = [0.0]
    copier = Copier(history.copies, remote, lambda *_: None, hold_back_s=60.0, clock=lambda: now[0])
    copier.offer_again()
    assert answers(server).seen == []  # not before the store has taken something
    history.store([Message("g-1", "0" * 16, measurements=made[40:])])
    assert copier.write()
    copier.offer_again()
    assert len(history.copies.set_apart(100)) == 40  # not before the hold-back
    now[0] = 61.0
    copier.offer_again()
    assert [row.seq for row in history.copies.set_apart(100)] == [4]
    assert [row.seq for row in refused] == [4]
    sent = b"\n".join(body for _, _, body in answers(server).seen)
    assert all(line(row, "s").encode() in sent for row in rows)
    before = len(answers(server).seen)
    for _ in range(3):
        copier.offer_again()
    assert len(answers(server).seen) == before
    remote.close()
    history.close()


def notice_states(path: Path) -> list[str]:
    """Return what became of the notice that the store takes nothing: raised, cleared …"""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db, db:
        found = db.execute("SELECT body FROM records WHERE what = 'store-refuses' ORDER BY seq").fetchall()
    return [json.loads(body)["state"] for (body,) in found]


def test_a_wrong_address_is_reported_and_mended_without_a_loss(
    mosquitto: Child, victoria_metrics: Child, tmp_path: Path
) -> None:
    """The whole way, over a real store: what was measured under a wrong address is there once it is right."""

    def historian_at(url: str) -> Historian:
        store = Store(kind="victoriametrics", url=url, hold_back_s=1.0)
        broker = Broker(embedded=False, port=mosquitto.port)
        settings = Settings(
            site=Site(data=tmp_path), broker=broker, historian=HistorianSettings(keep_days=100_000, store=store)
        )
        made = Historian(settings, rng=random.Random(1))
        made.start()
        wait_until(lambda: made.state().connected)
        return made

    right = f"http://127.0.0.1:{victoria_metrics.port}"
    wrong = historian_at(f"{right}/api/v2/write")  # 'check' refuses it; what did not pass 'check' must not cost a row
    outbox = Outbox(tmp_path / "outbox.db", commit_s=0.02)
    publisher = Publisher(outbox, Topics("demo", "gateway-1"), Broker(embedded=False, port=mosquitto.port))
    publisher.start()
    outbox.append(ward(100))
    wait_until(lambda: wrong.state().errors.get("refused as a whole", 0) >= 1)
    wait_until(lambda: notice_states(tmp_path / "history.db")[-1:] == ["raised"])
    assert outbox.state().depth == 100
    wrong.stop()
    mended = historian_at(right)
    wait_until(lambda: outbox.state().depth == 0, 30)
    wait_until(lambda: notice_states(tmp_path / "history.db")[-1:] == ["cleared"])
    publisher.stop()
    mended.stop()
    outbox.close()
    history = History(tmp_path / "history.db", copying=True)
    assert history.copies.set_apart(10) == []
    rows = history.copies.not_copied(1_000, after=0)
    history.close()
    held = export(victoria_metrics.port)
    assert {key: held[key] for key in values(rows)} == pytest.approx(values(rows), rel=PRECISION)
    assert len(rows) == 100


def test_pause_that_the_store_asks_for_is_kept(server: ThreadingHTTPServer, tmp_path: Path) -> None:
    answers(server).status = staticmethod(lambda _: (429, {"Retry-After": "17"}))
    writer = store(server, tmp_path)
    with pytest.raises(WriteError) as refused:
        writer.write_lines(["a v=1 5"])
    assert (refused.value.retry_after_s, refused.value.lasting) == (17.0, False)
    writer.close()


def test_stop_ends_a_write_that_waits(tmp_path: Path) -> None:
    class Down:
        def write(self, rows: object, site: str) -> None:
            tried.set()
            raise WriteError("down", lasting=False, retry_after_s=250)

        def prove(self, site: str) -> None: ...

        def missing(self, rows: object, site: str) -> list[Stored]:
            return []

        def erase(self, site: str, subject: str, of: object = None) -> None: ...

        def has(self, site: str, subject: str, of: object = None) -> bool:
            return False

        def close(self) -> None: ...

    tried = threading.Event()
    remote = RemoteStore(Down(), "s", lambda _row, _why: None)
    results: list[bool] = []
    thread = threading.Thread(target=lambda: results.append(remote.write(stored(1))))
    thread.start()
    assert tried.wait(5)
    remote.stop()
    thread.join(5)
    assert results == [False]


def test_backoff_grows_with_jitter_up_to_its_limit() -> None:
    rng = random.Random(0)
    waits = [[backoff_s(attempt, rng) for _ in range(200)] for attempt in range(40)]
    assert max(waits[0]) <= 0.25
    assert all(15 <= wait <= 30 for wait in waits[39])
    assert all(len({round(wait, 6) for wait in each}) > 150 for each in waits)


def test_store_killed_and_back_has_everything_written_after(victoria_metrics: Child) -> None:
    writer = LineWriter(Store(kind="victoriametrics", url=f"http://127.0.0.1:{victoria_metrics.port}"))
    remote = RemoteStore(writer, "s", lambda _row, _why: None, rng=random.Random(1))
    rows = stored(200)
    assert remote.write(rows[:100])
    victoria_metrics.end(signal.SIGKILL)
    thread = threading.Thread(target=remote.write, args=(rows,))
    thread.start()
    wait_until(lambda: remote.errors["store is down"])
    victoria_metrics.start()
    thread.join(10)
    remote.close()
    held = export(victoria_metrics.port)
    assert {key: held[key] for key in values(rows)} == pytest.approx(values(rows), rel=PRECISION)


def test_what_a_ward_has_between_two_times_is_not_fetched_to_find_what_lies_at_them(
    victoria_metrics: Child, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One gateway gets rid of what it had before an outage of a day while others go on: both are in one batch."""
    monkeypatch.setattr(store_writer, "LARGEST_ANSWER", 100_000)
    writer = LineWriter(Store(kind="victoriametrics", url=f"http://127.0.0.1:{victoria_metrics.port}"))
    between = range(START_US // 1000 - 86_400_000, START_US // 1000 - 3_600_000, 10_000)
    writer.write_lines([f"cadence,site=s,gateway=g-1 n=7i {ms}" for ms in between])
    late = replace(measurement(), start_us=START_US - 86_400_000_000, end_us=START_US - 86_399_000_000)
    now = [Stored(n, gateway, "0" * 16, n, measurement()) for n, gateway in enumerate(("g-1", "g-2"), 2)]
    rows = [Stored(1, "g-2", "0" * 16, 1, late), *now]
    writer.write_lines([line(row, "s") for row in rows])
    urllib.request.urlopen(f"http://127.0.0.1:{victoria_metrics.port}/internal/force_flush").read()
    another = Stored(9, "g-2", "0" * 16, 9, replace(late, end_us=late.end_us + 1000))
    assert writer.missing([*rows, another], "s") == [another]
    writer.close()
