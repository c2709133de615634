"""The metrics as Prometheus reads them: a strict parser of the text format 0.0.4, written from its specification."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.status.prometheus import CONTENT_TYPE, METRICS, PREFIX, exposition, serve_metrics
from tests.servers import free_port

Key = tuple[str, tuple[tuple[str, str], ...]]

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
SAMPLE = re.compile(rf"({NAME})(?:\{{(.*)\}})? (\S+)")
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\\\|\\"|\\n)*)"(?:,|$)')
ESCAPES = {"\\\\": "\\", '\\"': '"', "\\n": "\n"}

STATUS: Any = {
    "gateway": "gateway-1", "simulated": True, "slots": [{"id": "bay-a"}],
    "certificates": [{"name": "broker.cert_file", "days_left": 2.5}],
    "devices": [
        {"id": "dot-1", "slot": "bay-a", "state": "streaming", "samples": 6000, "rate_hz": 60.0, "lost": 10,
         "resets": 0, "faults": {"truncated frame": 2}, "age_s": 0.1, "battery": 80.0,
         "clock": {"offset_s": 1.0, "drift_ppm": 11.0, "uncertainty_ms": 3.0}},
        {"id": "hr-1", "slot": "bay-a", "state": "searching", "samples": 0, "rate_hz": 0.0, "lost": 0, "resets": 0,
         "faults": {}, "age_s": None, "battery": None, "clock": None},
    ],
    "pipeline": {"measurements": 7, "latency_ms": {"p50": 40.0, "p95": None}, "dropped": {"pipeline too slow": 1}},
    "outbox": {"depth": 3, "bytes": 900, "max_bytes": 1000, "oldest_s": 1.5, "dropped": {"outbox full": 9},
               "set_aside": 0,
               "classes": {"metric": {"depth": 2, "oldest_s": 1.5, "dropped": {"outbox full": 9}},
                           "event": {"depth": 1, "oldest_s": 0.5, "dropped": {}}}},
    "publisher": {"connected": False, "under_way": 0, "sent": 5, "resent": 0, "errors": {"refused": 1}},
    "recorder": {"recording": True, "bytes": 5, "dropped": {}},
    "disk": {"free_bytes": 1 << 34, "keep_free": 1 << 30},
    "clock": {"synchronised": True, "steps": 0},
    "parts": {"device:dot-1": {"failures": 2, "given_up": False, "error": "x"}},
    "notices": {"active": [{"priority": "medium"}], "raised": {"link-lost": 2}},
}  # fmt: skip


def parse(text: str) -> tuple[dict[Key, float], dict[str, str]]:
    """Return values by name and labels, and the kinds of all families; fail on anything that is not the format."""
    values: dict[Key, float] = {}
    kinds: dict[str, str] = {}
    helped: set[str] = set()
    family = ""
    assert text == "" or text.endswith("\n")
    for line in text.splitlines():
        if line.startswith("# HELP "):
            family, _, description = line.removeprefix("# HELP ").partition(" ")
            assert family not in helped, "one family, one group"
            assert description
            assert not re.search(r"\\(?![\\n])", description)
            helped.add(family)
        elif line.startswith("# TYPE "):
            name, kind = line.removeprefix("# TYPE ").split(" ")
            assert name == family
            assert kind in ("counter", "gauge", "histogram", "summary", "untyped")
            kinds[name] = kind
        else:
            match = SAMPLE.fullmatch(line)
            assert match, line
            name, within, number = match.groups()
            assert name == family, "samples stand below their family"
            assert kinds[name] != "counter" or (name.endswith("_total") and float(number) >= 0)
            labels = tuple(sorted(labelled(within or "")))
            assert len({label for label, _ in labels}) == len(labels)
            assert (name, labels) not in values, "every sample once"
            values[name, labels] = float(number)
    return values, kinds


def labelled(within: str) -> list[tuple[str, str]]:
    found, at = [], 0
    while at < len(within):
        match = LABEL.match(within, at)
        assert match, within
        found.append((match[1], re.sub(r'\\[\\"n]', lambda escape: ESCAPES[escape[0]], match[2])))
        at = match.end()
    return found


def test_what_the_status_says_is_there_in_base_units() -> None:
    values, kinds = parse(exposition(STATUS))
    dot = (("device", "dot-1"), ("slot", "bay-a"))
    assert values[PREFIX + "up", ()] == 1
    assert values[PREFIX + "device_samples_total", dot] == 6000
    assert values[PREFIX + "device_battery_ratio", dot] == pytest.approx(0.8)
    assert values[PREFIX + "device_clock_uncertainty_seconds", dot] == pytest.approx(0.003)
    assert values[PREFIX + "device_state", (*dot, ("state", "streaming"))] == 1
    assert values[PREFIX + "pipeline_delay_seconds", (("quantile", "0.5"),)] == pytest.approx(0.04)
    assert values[PREFIX + "publisher_connected", ()] == 0
    assert values[PREFIX + "notices_active", (("priority", "medium"),)] == 1
    assert values[PREFIX + "notices_active", (("priority", "low"),)] == 0
    assert values[PREFIX + "info", (("gateway", "gateway-1"), ("simulated", "true"))] == 1
    assert values[PREFIX + "beds_occupied", ()] == 1
    assert values[PREFIX + "certificate_left_seconds", (("certificate", "broker.cert_file"),)] == 216_000
    assert values[PREFIX + "disk_keep_free_bytes", ()] == 1 << 30
    assert kinds[PREFIX + "outbox_bytes"] == "gauge"


def test_what_is_not_known_is_not_reported() -> None:
    values, _ = parse(exposition(STATUS))
    devices = {labels for name, labels in values if name == PREFIX + "device_battery_ratio"}
    assert devices == {(("device", "dot-1"), ("slot", "bay-a"))}
    assert (PREFIX + "pipeline_delay_seconds", (("quantile", "0.95"),)) not in values
    assert parse(exposition({}))[0] == {(PREFIX + "up", ()): 0.0}


words = st.text(st.characters(exclude_categories=["Cs", "Co"]), max_size=10)


@given(words, st.dictionaries(words, st.integers(0, 2**53), max_size=4))
def test_whatever_is_reported_in_words_stays_one_label(name: str, table: dict[str, int]) -> None:
    status = deepcopy(STATUS)
    status["devices"][0] |= {"id": name, "faults": table}
    status["publisher"]["errors"] = table
    text = exposition(status)
    values = parse_lines(text)
    documented = {
        dict(labels)["kind"]: value for (family, labels), value in values.items() if family.endswith("errors_total")
    }
    assert documented == table


def parse_lines(text: str) -> dict[Key, float]:
    """Parse with line feeds only: label values may hold what Python takes for other ends of lines."""
    odd = "\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"
    there = {ord(c): chr(0xE000 + i) for i, c in enumerate(odd)}
    back = {chr(0xE000 + i): c for i, c in enumerate(odd)}
    values, _ = parse(text.translate(there))
    return {
        (family, tuple((label, "".join(back.get(c, c) for c in word)) for label, word in labels)): value
        for (family, labels), value in values.items()
    }


def test_every_metric_is_documented_and_has_a_name_of_its_own() -> None:
    page = (Path(__file__).parents[3] / "docs/operations.md").read_text("utf-8")
    assert [metric.name for metric in METRICS if f"`{PREFIX}{metric.name}`" not in page] == []
    assert len({metric.name for metric in METRICS}) == len(METRICS)
    for metric in METRICS:
        assert (metric.kind == "counter") == metric.name.endswith("_total")


@pytest.fixture
async def port() -> AsyncIterator[int]:
    port = free_port()
    task = asyncio.create_task(serve_metrics(port, lambda: STATUS))
    async with asyncio.timeout(10):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except ConnectionRefusedError:
                await asyncio.sleep(0.01)
            else:
                writer.close()
                break
    yield port
    task.cancel()
    await asyncio.wait({task})


async def test_a_scrape(port: int) -> None:
    async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}/metrics") as answer:
        assert answer.status == 200
        assert answer.headers["Content-Type"] == CONTENT_TYPE
        assert len(parse(await answer.text())[0]) > 30


@pytest.mark.parametrize(("method", "path", "host", "status"), [
    ("GET", "/", "127.0.0.1", 404), ("POST", "/metrics", "127.0.0.1", 405), ("GET", "/metrics", "example.org", 421),
])  # fmt: skip
async def test_nothing_else_is_answered(port: int, method: str, path: str, host: str, status: int) -> None:
    url = f"http://127.0.0.1:{port}{path}"
    async with aiohttp.ClientSession() as session, session.request(method, url, headers={"Host": host}) as answer:
        assert answer.status == status
