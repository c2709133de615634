"""InfluxDB: version 1 as a real server; of versions 2 and 3, which no Debian has, what their documentation says.

The answers of the table are those of the write API's pages "Troubleshoot issues writing data" (InfluxDB OSS v2,
InfluxDB 3 Core) and "Response codes": what a status and a body mean for the measurements that were sent.
"""

from __future__ import annotations

import json
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from config.settings import Historian, Settings, Site, Store
from gateway.cli.doctor.services import judge_store
from gateway.cli.erasure_places import erase_remotely
from gateway.historian.store import LineWriter, RemoteStore, WriteError
from gateway.historian.store_writer import refusal
from gateway.history.schema import Stored
from tests.gateway.samples import ward
from tests.servers import Child, influxdb_in


@pytest.fixture(scope="module")
def influxdb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Child]:
    with influxdb_in(tmp_path_factory.mktemp("influxdb") / "server") as server:
        yield server


@pytest.fixture
def settings(influxdb: Child) -> Store:
    ask(influxdb.port, "DROP DATABASE rehab")
    ask(influxdb.port, "CREATE DATABASE rehab")
    return Store(kind="influxdb1", url=f"http://127.0.0.1:{influxdb.port}")


def ask(port: int, query: str) -> list[dict[str, object]]:
    """Return the series of an answer to a query in InfluxQL, as a person would ask."""
    body = urllib.parse.urlencode({"db": "rehab", "q": query, "epoch": "ms"}).encode()
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/query", body) as answer:
        return list(json.load(answer)["results"][0].get("series", []))


def points(port: int) -> int:
    """Return how many points there are, whatever their measurement's name."""
    found = ask(port, "SELECT count(n) FROM /.*/")
    return sum(series["values"][0][1] for series in found)  # type: ignore[index]


def stored(n: int) -> list[Stored]:
    return [Stored(i, "g-1", "0" * 16, i, m) for i, m in enumerate(ward(n), 1)]


def fail(row: Stored, why: str) -> None:
    pytest.fail(f"{row} was set apart: {why}")


def test_influxdb_1_holds_each_measurement_once_however_often_it_is_written(influxdb: Child, settings: Store) -> None:
    rows = stored(300)
    with closing(RemoteStore(LineWriter(settings), "s", fail)) as remote:
        assert remote.write(rows)
        assert remote.write(rows[100:])
    assert points(influxdb.port) == 300
    values = ask(influxdb.port, "SELECT sum(value), sum(n) FROM cadence WHERE slot = 'bay-1'")[0]["values"]
    of_bay = [m for m in (row.measurement for row in rows) if m.slot == "bay-1" and m.metric == "cadence"]
    assert values[0][1:] == [  # type: ignore[index]
        pytest.approx(sum(m.value for m in of_bay if m.value is not None)), sum(m.n for m in of_bay)
    ]  # fmt: skip


def test_influxdb_1_refuses_one_line_and_only_that_one_is_set_apart(influxdb: Child, settings: Store) -> None:
    rows = stored(100)
    beyond = replace(rows[41].measurement, n=2**70)  # no integer of the line protocol
    rows[41] = replace(rows[41], measurement=beyond)
    refused: list[int] = []
    with closing(RemoteStore(LineWriter(settings), "s", lambda row, _why: refused.append(row.seq))) as remote:
        assert remote.write(rows)
    assert refused == [42]
    assert points(influxdb.port) == 99


def test_a_database_that_is_not_there_is_held_against_no_measurement(influxdb: Child, settings: Store) -> None:
    elsewhere = settings.model_copy(update={"bucket": "no-such"})
    with closing(LineWriter(elsewhere)) as writer, pytest.raises(WriteError, match="url and bucket") as raised:
        writer.write(stored(3), "s")
    assert not raised.value.divisible
    found = judge_store(elsewhere)
    assert found is not None
    assert found.state == "fail"
    well = judge_store(settings)
    assert well is not None
    assert well.state == "ok", well
    assert points(influxdb.port) == 0


def test_erasing_a_subject_reaches_influxdb_1(influxdb: Child, settings: Store, tmp_path: Path) -> None:
    rows = stored(60)
    rows[0] = replace(rows[0], measurement=replace(rows[0].measurement, subject="p-other"))
    with closing(LineWriter(settings)) as writer:
        writer.write(rows, "s")
    whole = Settings(site=Site(site="s", data=tmp_path), historian=Historian(store=settings))
    assert erase_remotely(whole, rows[1].measurement.subject) == []
    assert points(influxdb.port) == 1


DOCUMENTED = (
    # InfluxDB 2: nothing of the request is written where a line is malformed; of rejected points the others are.
    (2, 400, '{"code":"invalid","message":"unable to parse line: bad timestamp"}', True),
    (2, 422, '{"code":"unprocessable entity","message":"failure writing points: field type conflict"}', True),
    (2, 401, '{"code":"unauthorized","message":"unauthorized access"}', False),
    (2, 403, '{"code":"forbidden","message":"insufficient permissions for write"}', False),
    (2, 404, '{"code":"not found","message":"bucket \\"rehab\\" not found"}', False),
    (2, 500, '{"code":"internal error","message":"internal error"}', False),
    (2, 503, '{"code":"unavailable","message":"service unavailable"}', False),
    # InfluxDB 3 Core: some or all points are rejected, the others are written; up to 100 are named.
    (3, 400, '{"error":"partial write of line protocol occurred","data":[{"original_line":"a"}]}', True),
    (3, 401, '{"error": "the request was not authenticated"}', False),
    (3, 403, '{"error": "the request was not authorized"}', False),
)  # fmt: skip


@pytest.mark.parametrize(("version", "status", "body", "about_the_lines"), DOCUMENTED)
def test_a_documented_answer_is_understood(version: int, status: int, body: str, *, about_the_lines: bool) -> None:
    del version
    understood = refusal(status, {"Content-Type": "application/json"}, body.encode())
    assert understood.divisible is about_the_lines
    said = json.loads(body)
    assert (said.get("message") or said["error"]) in str(understood)


def test_too_large_is_halved_and_a_pause_is_kept() -> None:
    assert refusal(413, {}, b"").divisible
    assert not refusal(413, {}, b"").lasting
    assert refusal(429, {"Retry-After": "7"}, b"").retry_after_s == 7
