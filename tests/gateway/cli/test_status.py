"""What a technician and a monitoring program are told: by the real command, against a real broker."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from gateway.cli.status import Heard, concerns
from gateway.status.notices import Finding, Notices, Rule
from tests.gateway.dashboard.simulated_gateway import device
from tests.servers import Child, free_port

pytestmark = pytest.mark.broker

TOPIC = "rehab/v1/demo/gateway-1/status"
RULE = Rule("link-lost", "medium", 0.0, 0.0, "m", "the gateway searches for it")


def a_status(*devices: dict[str, Any], notices: Notices | None = None, **fields: Any) -> dict[str, Any]:
    return {
        "v": 1, "gateway": "gateway-1", "state": "online", "simulated": True, "time_us": time.time_ns() // 1000,
        "slots": [], "devices": list(devices),
        "pipeline": {"samples_per_s": 60.0, "measurements_per_s": 3.0, "dropped": {},
                     "latency_ms": {"p50": 41.0, "p95": 77.5}},
        "outbox": {"depth": 3, "bytes": 81920, "max_bytes": 5 << 20, "oldest_s": 0.4, "dropped": {"size cap": 2}},
        "publisher": {"connected": True, "under_way": 1, "sent": 640, "errors": {}},
        "clock": {"synchronised": True, "steps": 1, "step_s": -3600.0},
        "recorder": {"recording": True, "file": "run.rgrec", "bytes": 1 << 20, "error": ""},
        "disk": {"free_bytes": 20 << 30, "keep_free": 0},
        "parts": {"pipeline": {"failures": 2, "given_up": False, "error": "x"}},
        "notices": {"active": notices.active(0) if notices else [], "raised": {}},
        **fields,
    }  # fmt: skip


@contextmanager
def saying(port: int, status: dict[str, Any], *, again: bool = True) -> Iterator[None]:
    """Publish a status, retained, and go on as a gateway does."""
    client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
    client.connect("127.0.0.1", port)
    client.loop_start()
    client.publish(TOPIC, orjson.dumps(status), 1, retain=True).wait_for_publish(10)
    done = threading.Event()

    def go_on() -> None:
        while again and not done.wait(0.2):
            client.publish(TOPIC, orjson.dumps(status), 1, retain=True)

    thread = threading.Thread(target=go_on)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
        client.disconnect()
        client.loop_stop()


@pytest.fixture
def config(tmp_path: Path, mosquitto: Child) -> Path:
    path = tmp_path / "ward.toml"
    path.write_text(f"[broker]\nembedded = false\nport = {mosquitto.port}\n", "utf-8")
    return path


def ask(config: Path, *options: str) -> tuple[int, str, str]:
    done = subprocess.run(
        [sys.executable, "-m", "gateway", "status", str(config), *options], capture_output=True, text=True,
        check=False, timeout=60, env={**os.environ, "COLUMNS": "160"},
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


def test_all_is_well(config: Path, mosquitto: Child) -> None:
    with saying(mosquitto.port, a_status(device("bay-1", "left_foot"))):
        code, shown, _ = ask(config)
    assert code == 0
    assert "All is well." in shown
    for part in ("Gateway gateway-1 (simulated)", "bay-1-left-foot", "left foot", "● streaming", "60.0", "0.20 %",
                 "82 %", "+12.5 ppm", "delay 41 ms (95 %: 78 ms)", "3 waiting", "size cap 2", "640 messages sent",
                 "set 1 times, last by -3600.0 s", "run.rgrec", "21.5 GB free", "pipeline 2 times"):  # fmt: skip
        assert part in shown, part


def test_a_ward_that_measures_nothing_is_not_called_well_altogether(config: Path, mosquitto: Child) -> None:
    with saying(mosquitto.port, a_status()):
        code, shown, _ = ask(config)
    assert code == 0
    assert "nothing is measured" in shown
    assert "All is well" not in shown


def test_a_lost_device_needs_attention_and_its_advice_is_shown(config: Path, mosquitto: Child) -> None:
    notices = Notices("gateway-1")
    notices.update(0.0, 0, [Finding(RULE, "bay-1-chest is not connected", "bay-1-chest", "bay-1")])
    lost = device("bay-1", "chest", state="waiting", error="the link was lost", advice="Range or battery")
    with saying(mosquitto.port, a_status(device("bay-1", "left_foot"), lost, notices=notices)):
        code, shown, _ = ask(config)
        json_code, output, _ = ask(config, "--json")
    assert (code, json_code) == (1, 1)
    assert "▲ waiting" in shown
    assert "the link was lost. Range or battery" in shown
    assert "the gateway searches for it" in shown
    answer = orjson.loads(output)
    assert answer["attention"] == ["bay-1-chest is not connected"]
    assert (answer["ok"], answer["fresh"], answer["broker"]) == (False, True, True)
    assert len(answer["status"]["devices"]) == 2


def test_a_gateway_that_stopped_without_a_word_is_reported_by_its_age(config: Path, mosquitto: Child) -> None:
    old = a_status(device("bay-1", "left_foot"), time_us=(time.time_ns() // 1000) - 3 * 3_600_000_000)
    with saying(mosquitto.port, old, again=False):
        code, shown, _ = ask(config)
    assert code == 1
    assert "says nothing; its last word is 3 h old" in shown


def test_an_offline_an_unknown_and_an_unreachable_one(config: Path, mosquitto: Child, tmp_path: Path) -> None:
    assert "is not known to the broker" in ask(config)[1]
    with saying(mosquitto.port, {"v": 1, "gateway": "gateway-1", "state": "offline"}, again=False):
        code, shown, _ = ask(config)
    assert code == 1
    assert "is offline" in shown
    elsewhere = tmp_path / "elsewhere.toml"
    elsewhere.write_text(f"[broker]\nembedded = false\nport = {free_port()}\n", "utf-8")
    code, shown, _ = ask(elsewhere)
    assert code == 1
    assert "cannot be reached" in shown


def test_a_status_of_another_kind_is_an_error_in_one_sentence(config: Path, mosquitto: Child) -> None:
    with saying(mosquitto.port, a_status({"id": 7})):
        code, shown, problem = ask(config)
    assert (code, shown) == (1, "")
    assert problem.count("\n") == 1
    assert "not as expected" in problem


def test_a_wrong_configuration_is_a_matter_of_usage(tmp_path: Path) -> None:
    assert ask(tmp_path / "missing.toml")[0] == 2


def test_watching_notices_that_it_became_quiet() -> None:
    from config.settings import Settings

    heard = Heard(broker=True, status=a_status(device("bay-1", "left_foot")), fresh_at=100.0)
    assert concerns(heard, Settings(), now=101.0) == []
    assert concerns(heard, Settings(), now=110.0) == ["Gateway gateway-1 has said nothing for 10 s: look at its log"]
