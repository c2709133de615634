from __future__ import annotations

import json
import random
import signal
import threading
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import replace
from gzip import decompress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from config.settings import Broker, Settings, Site, Store
from config.settings import Historian as HistorianSettings
from gateway.broker.link import backoff_s
from gateway.delivery.publisher import Publisher
from gateway.historian.historian import Historian, database
from gateway.historian.store import LineWriter, RemoteStore, WriteError, line
from gateway.history.history import HistoryReader, Stored
from gateway.outbox.outbox import Outbox
from gateway.wire.topics import Topics
from tests.gateway.samples import START_US, measurement, ward
from tests.servers import Child, wait_until

PRECISION = 1e-11
"""VictoriaMetrics keeps some twelve decimal digits of a value, which is a property of its format."""


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
        site=Site(data=tmp_path), broker=Broker(port=mosquitto.port),
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
    reader = HistoryReader(database(settings))
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
    writer.write(["a,t=1 v=1 5", "a,t=2 v=2 5"])
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


def test_pause_that_the_store_asks_for_is_kept(server: ThreadingHTTPServer, tmp_path: Path) -> None:
    answers(server).status = staticmethod(lambda _: (429, {"Retry-After": "17"}))
    writer = store(server, tmp_path)
    with pytest.raises(WriteError) as refused:
        writer.write(["a v=1 5"])
    assert (refused.value.retry_after_s, refused.value.lasting) == (17.0, False)
    writer.close()


def test_stop_ends_a_write_that_waits(tmp_path: Path) -> None:
    class Down:
        def write(self, lines: object) -> None:
            tried.set()
            raise WriteError("down", lasting=False, retry_after_s=250)

        def missing(self, rows: object, site: str) -> list[Stored]:
            return []

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
