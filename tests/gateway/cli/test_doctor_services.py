"""What the doctor asks of others, with what the gateway would use: a broker, a store, certificates, the dashboard."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from config.settings import Broker, Dashboard, Historian, Settings, Site, Store
from gateway.broker.embedded import find_mosquitto
from gateway.broker.link import Limits
from gateway.cli.doctor.doctor import examine
from gateway.cli.doctor.files import judge_certificates, judge_data, judge_users, missing_files
from gateway.cli.doctor.services import judge_broker, judge_dashboard, judge_limits, judge_store
from gateway.dashboard.users import make, save
from tests.certificates import Authority
from tests.servers import Child, free_port, missing, wait_until

PASSWORD = "p#ss:w o$rd"  # noqa: S105 - of a broker that is gone after the test


@contextmanager
def guarded(folder: Path, *more: str) -> Iterator[int]:
    """A real mosquitto that asks for a password."""
    program, hasher = find_mosquitto(), shutil.which("mosquitto_passwd")
    if program is None or hasher is None:
        missing("mosquitto")
    assert program
    assert hasher
    folder.chmod(0o755)
    subprocess.run([hasher, "-b", "-c", str(folder / "pw"), "ward", PASSWORD], check=True, capture_output=True)
    port, user = free_port(), Path("/proc/self").owner()
    (folder / "pw").chmod(0o600)
    lines = [f"listener {port} 127.0.0.1", "allow_anonymous false", f"password_file {folder}/pw", f"user {user}", *more]
    (folder / "m.conf").write_text("\n".join(lines) + "\n", "utf-8")
    child = Child(port, [program, "-c", str(folder / "m.conf")])
    try:
        yield port
    finally:
        child.end()


@pytest.mark.broker
def test_the_broker_is_asked_with_the_password(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    with guarded(tmp_path) as port:
        settings = Settings(broker=Broker(embedded=False, port=port, username="ward", password_file=secret))
        for written, state, word in (
            (PASSWORD, "ok", "lets us in"), (f"\ufeff{PASSWORD}\r\n", "ok", "lets us in"),
            ("something else", "fail", "Not authorized"), ("", "fail", "holds no secret"),
        ):  # fmt: skip
            secret.write_text(written, "utf-8", newline="")
            finding = judge_broker(settings)
            assert (finding.state, word in finding.found) == (state, True), finding
            assert PASSWORD not in f"{finding}"
        secret.unlink()
        assert judge_broker(settings).state == "fail"


@pytest.mark.broker
def test_a_broker_for_small_messages_only_is_reported(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(PASSWORD, "utf-8")
    with guarded(tmp_path, "max_packet_size 2000") as port:
        broker = Broker(embedded=False, port=port, username="ward", password_file=tmp_path / "secret")
        finding = judge_broker(Settings(broker=broker))
    assert finding.state == "warn"
    assert "max_packet_size" in finding.advice
    assert judge_limits("x", Limits(largest_packet=131_072), 70).state == "ok"
    assert judge_limits("x", Limits(largest_packet=131_072), 200).state == "warn"
    assert judge_limits("x", Limits(receive_maximum=1), 1).state == "warn"


def test_certificates_are_read_compared_and_dated(tmp_path: Path) -> None:
    ours, others = Authority(tmp_path / "ours"), Authority(tmp_path / "others")
    cert, key = ours.issue("gateway-1")
    _, wrong_key = ours.issue("gateway-2", file="second")
    old, old_key = ours.issue("gateway-3", days=-1, file="old")
    soon, soon_key = ours.issue("gateway-4", days=5, file="soon")
    mixed = tmp_path / "mixed.pem"
    mixed.write_bytes(cert.read_bytes() + others.path.read_bytes())
    chain = tmp_path / "chain.pem"
    chain.write_bytes(cert.read_bytes() + ours.path.read_bytes())
    marked = tmp_path / "marked.pem"
    marked.write_bytes(b"\xef\xbb\xbf" + cert.read_bytes())
    for one, its, state, word in (
        (cert, key, "ok", "in force"), (chain, key, "ok", "in force"), (cert, wrong_key, "fail", "is not the key of"),
        (old, old_key, "fail", "has ended"), (soon, soon_key, "warn", "ends in"), (mixed, key, "fail", "is no chain"),
        (tmp_path / "absent.pem", key, "fail", "cannot be read"), (tmp_path, key, "fail", "is a folder"),
        (marked, key, "ok", "in force"), (cert, tmp_path / "secret", "fail", "cannot be read"),
    ):  # fmt: skip
        settings = Settings(broker=Broker(embedded=False, ca_file=ours.path, cert_file=one, key_file=its))
        finding = judge_certificates(settings)
        assert finding
        assert (finding.state, word in finding.found) == (state, True), finding
        assert (finding.state == "ok") == (not finding.advice)
    assert judge_certificates(Settings()) is None


def test_users_are_read_as_the_dashboard_reads_them(tmp_path: Path) -> None:
    users = tmp_path / "users.jsonl"
    assert judge_users(None) is None
    absent = judge_users(users)
    assert absent
    assert absent.state == "fail"
    save(users, [make("anna", "clinician", "violet anchor piano river")])
    good = judge_users(users)
    assert good
    assert (good.state, good.found) == ("ok", "1 may sign in")


@contextmanager
def store(status: int) -> Iterator[tuple[str, list[str]]]:
    seen: list[str] = []

    class Answers(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            seen.append(f"{self.path} {self.headers.get('Authorization')}")
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    server = HTTPServer(("127.0.0.1", 0), Answers)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", seen
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize(
    ("status", "state"), [(204, "ok"), (400, "ok"), (200, "fail"), (401, "fail"), (403, "fail"), (404, "fail")]
)
def test_the_store_is_asked_with_the_token(tmp_path: Path, status: int, state: str) -> None:
    token = tmp_path / "token"
    token.write_bytes(b"\xef\xbb\xbfs3cret\r\n")
    with store(status) as (url, seen):
        asked = Store(kind="influxdb2", url=url, organisation="o", bucket="b", token_file=token)
        finding = judge_store(asked)
    assert finding
    assert finding.state == state
    assert seen == ["/api/v2/write?org=o&bucket=b&precision=ms Token s3cret"]
    assert "s3cret" not in f"{finding}"
    gone = judge_store(asked)
    assert gone
    assert gone.state == "fail"
    assert judge_store(None) is None


def test_the_dashboards_port_is_free_or_ours(tmp_path: Path) -> None:
    settings = Settings(site=Site(data=tmp_path), dashboard=Dashboard(port=free_port()))
    assert judge_dashboard(settings).found.endswith("is free")
    config = tmp_path / "ward.toml"
    config.write_text(f"[dashboard]\nport = {settings.dashboard.port}\n", "utf-8")
    ours = Child(settings.dashboard.port, [sys.executable, "-m", "gateway", "dashboard", str(config)])
    try:
        assert judge_dashboard(settings).found.startswith("a dashboard runs on")
    finally:
        ours.end()
    with store(204) as (url, _):
        other = Settings(dashboard=Dashboard(port=int(url.rpartition(":")[2])))
        assert judge_dashboard(other).state == "fail"


def test_files_that_are_not_there_are_named_by_their_keys(tmp_path: Path) -> None:
    settings = Settings(
        broker=Broker(embedded=False, username="ward", password_file=Path("hunter2"), ca_file=tmp_path),
        historian=Historian(store=Store(kind="influxdb3", url="http://x", token_file=tmp_path / "t")),
    )
    found = dict(missing_files(settings))
    assert found.keys() == {"broker.password_file", "broker.ca_file", "historian.store.token_file"}
    assert "hunter2" not in str(found)  # somebody wrote the password itself where its file belongs


def test_a_pipe_or_a_device_is_no_file_and_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with (tmp_path / "pipe").open("r+b", buffering=0) as pipe:  # it has somebody who writes: opening it would not wait
        pipe.write(b"word")
        settings = Settings(broker=Broker(embedded=False, username="ward", password_file=tmp_path / "pipe"))
        assert dict(missing_files(settings)) == {"broker.password_file": "is a pipe or a device, and no file"}
        assert pipe.read(4) == b"word"


def test_a_database_of_somebody_else_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "history.db").write_bytes(b"")
    # Root may always.
    monkeypatch.setattr("os.access", lambda path, mode, **_: mode == os.F_OK or not str(path).endswith("history.db"))
    findings = {finding.name: finding for finding in examine(Settings(site=Site(data=tmp_path)))}
    assert findings["data"].state == "fail"
    assert "chown" in findings["data"].advice


@pytest.mark.parametrize("name", ["ward.db", "outbox.db", "history.db"])
def test_a_database_that_is_none_is_reported_before_run_refuses_it(tmp_path: Path, name: str) -> None:
    settings = Settings(site=Site(data=tmp_path))
    (tmp_path / name).write_bytes(b"")
    assert judge_data(settings) is None
    with closing(sqlite3.connect(tmp_path / name)) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("CREATE TABLE x (y)")
        assert judge_data(settings) is None
    (tmp_path / name).write_bytes(b"\0" * 8192)  # as a power cut may leave it on a cheap card
    found = judge_data(settings)
    assert found is not None
    assert (found.state, name in found.found, "restore" in found.advice) == ("fail", True, True)


@pytest.mark.broker
def test_asking_leaves_nothing_behind_at_the_broker(mosquitto: Child) -> None:
    before = time.monotonic()
    assert judge_broker(Settings(broker=Broker(embedded=False, port=mosquitto.port))).state == "ok"
    assert time.monotonic() - before < 10
    wait_until(lambda: not [thread for thread in threading.enumerate() if thread.name.startswith("mqtt-doctor")])
