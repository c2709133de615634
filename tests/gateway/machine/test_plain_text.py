"""Text of others on terminals and in logs, as the real commands print it."""

from __future__ import annotations

import ast
import json
import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.history.history import History
from gateway.machine.plain_text import OneLine, all_visible, plain_json, visible
from gateway.model.records import Record, body
from gateway.model.row import Chain
from gateway.wire.payload import DecodedRecord, Message
from tests.gateway.cli.test_status import a_status, saying
from tests.servers import Child

ROOT = Path(__file__).parents[3]
NASTY = "\x1b]0;owned\x07\x1b[2J\x9b31m\u202eevil\u2066\u200b\ufeff\r\n2026-01-01 ERROR forged [bold red]x[/] [link=http://x]y"
HARMFUL = {*map(chr, range(0x20)), *map(chr, range(0x7F, 0xA0)), *"\u202e\u2066\u200b\ufeff\u2028"} - {"\n"}


def rehab_gateway(*arguments: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    """Run the program for a terminal that shows colours."""
    return subprocess.run(
        [sys.executable, "-m", "gateway", *arguments],
        capture_output=True, check=False, timeout=60, cwd=ROOT,
        env={**os.environ, "COLUMNS": "200", "FORCE_COLOR": "1", "TERM": "xterm-256color", **environment},
    )  # fmt: skip


def is_harmless(output: bytes) -> bool:
    """Whether nothing is left for a terminal to obey but rich's own colours."""
    text = output.decode("utf-8")
    for own in ("\x1b[0m", "\x1b[1m", "\x1b[2m", "\x1b[1;32m", "\x1b[1;33m", "\x1b[1;31m", "\x1b[33m", "\x1b[31m"):
        text = text.replace(own, "")
    return not HARMFUL & set(text)


@given(st.text())
def test_whatever_is_shown_is_one_line_that_can_be_seen(text: str) -> None:
    shown = visible(text)
    assert not HARMFUL & set(shown)
    assert "\n" not in shown
    assert visible(shown) == shown
    assert all_visible({"a": [text, {text: 1}]}) == {"a": [shown, {shown: 1}]}


@given(st.recursive(st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=5))
def test_json_is_the_same_to_a_program(value: object) -> None:
    line = plain_json(value)
    assert json.loads(line) == value
    assert not HARMFUL & set(line.decode("utf-8"))


def test_what_people_write_stays_as_it_is() -> None:
    for text in ("Zürich, Bett 7", "ward \N{NO-BREAK SPACE}7", "病房", "20 °C · ± 3 µV", "C:\\x1b is no escape"):
        assert visible(text) == text
    assert visible("a\tb\n") == "a\\tb\\n"


def test_a_line_of_the_log_is_one_line() -> None:
    record = logging.LogRecord(
        "drivers.transport.ble", logging.WARNING, __file__, 1, "%s is %s", ("strap", NASTY), None
    )
    written = OneLine("%(levelname)s %(message)s").format(record)
    assert written.startswith("WARNING strap is \\x1b]0;owned\\x07")
    assert is_harmless(written.encode())
    assert written.count("\n") == 0
    failure = ValueError(NASTY)
    record.exc_info = (ValueError, failure, None)
    assert is_harmless(OneLine("%(message)s").format(record).encode())


@pytest.fixture
def config(tmp_path: Path, mosquitto: Child) -> Path:
    path = tmp_path / "ward.toml"
    path.write_text(f'[site]\ndata = "{tmp_path}"\n[broker]\nembedded = false\nport = {mosquitto.port}\n', "utf-8")
    return path


@pytest.mark.broker
def test_a_status_from_the_broker_does_nothing_to_a_terminal(config: Path, mosquitto: Child) -> None:
    device = {
        "id": "dot-1", "slot": NASTY, "placement": NASTY, "state": NASTY, "error": NASTY, "advice": NASTY,
        "rate_hz": 60.0, "lost": 0, "samples": 1, "battery": None, "clock": None, "age_s": None,
    }  # fmt: skip
    notice = {"id": "n", "code": "c", "text": NASTY, "advice": NASTY, "device": "dot-1", "priority": "low"}
    status = a_status(device, recorder={"recording": False, "error": NASTY, "file": NASTY, "bytes": 1})
    status["notices"] = {"active": [notice]}
    with saying(mosquitto.port, status):
        shown, line = rehab_gateway("status", str(config)), rehab_gateway("status", str(config), "--json")
    assert is_harmless(shown.stdout)
    assert is_harmless(shown.stderr)
    assert b"[bold red]x[/] [link=http://x]y" in shown.stdout.replace(b"\n", b"")
    assert is_harmless(line.stdout)
    assert json.loads(line.stdout)["status"]["notices"]["active"][0]["text"] == NASTY


def test_an_audit_does_nothing_to_a_terminal(tmp_path: Path) -> None:
    history = History(tmp_path / "history.db")
    payload, _ = body(Record("audit", NASTY, 10**15, {"by": NASTY, "[red]k": [NASTY]}), Chain())
    history.store([Message("gateway-1", "0" * 16, records=[DecodedRecord(1, "audit", NASTY, 10**15, payload)])])
    history.close()
    config = tmp_path / "ward.toml"
    config.write_text(f'[site]\ndata = "{tmp_path}"\n', "utf-8")
    for options in ([], ["--json"]):
        done = rehab_gateway("audit", str(config), *options)
        assert is_harmless(done.stdout)
        assert is_harmless(done.stderr)
        assert b"owned" in done.stdout


def test_names_of_files_do_nothing_to_a_terminal(tmp_path: Path) -> None:
    strange = tmp_path / NASTY.replace("/", "|")
    strange.write_text('[broker]\nhots = "x"\n', "utf-8")
    for arguments in (
        ["check", str(strange)], ["decode", "heart_rate", "--file", str(strange)], ["replay", str(strange)],
        ["user", "list", str(strange)], ["doctor", str(strange)], ["demo", "--data", str(strange)],
    ):  # fmt: skip
        done = rehab_gateway(*arguments)
        assert done.returncode != 0
        assert is_harmless(done.stdout + done.stderr), arguments
    strange.write_text("", "utf-8")
    done = rehab_gateway("check", str(strange))
    assert (done.returncode, is_harmless(done.stdout)) == (0, True)
    assert b"[bold red]x[|]" in done.stdout.replace(b"\n", b"")


def test_a_traceback_for_debugging_does_nothing_to_a_terminal(tmp_path: Path) -> None:
    done = rehab_gateway("--debug", "decode", "heart_rate", "--file", str(tmp_path / NASTY.replace("/", "|")))
    assert b"Traceback" in done.stderr
    assert is_harmless(done.stderr)


def test_there_is_one_console_and_it_takes_no_markup() -> None:
    """Who prints by another console prints whatever a device calls itself."""
    makers = {
        str(path.relative_to(ROOT))
        for folder in ("gateway", "simulators", "drivers", "config", "dsp")
        for path in (ROOT / folder).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.ImportFrom) and any(alias.name == "Console" for alias in node.names)
    }
    assert {Path(maker).name for maker in makers} == {"terminal.py"}
