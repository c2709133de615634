"""A whole ward over TLS with users, and then a search for what must not be found in anything that it left behind."""

from __future__ import annotations

import os
import re
import signal
import ssl
import subprocess
import sys
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import orjson
import pytest
from argon2 import PasswordHasher
from paho.mqtt.subscribeoptions import SubscribeOptions

from config.loader import load
from config.pseudonym import check_digit, nhs_numbers
from gateway.broker.access_list import access_list, listener
from gateway.broker.certificates import broker_for
from gateway.broker.embedded import find_mosquitto
from gateway.broker.link import Incoming, Limits, Link
from gateway.dashboard.users import User, save
from gateway.history.reader import HistoryReader
from gateway.recordings.recording import RecordingReader
from tests.certificates import Authority
from tests.servers import Child, free_port, missing, wait_until

pytestmark = pytest.mark.broker

STARTS_WITHIN_S = 60.0
STOPPED_WITHIN_S = 20.0
PASSWORD = "paper lamp orchard nine"  # noqa: S105 - of somebody who does not exist
SECRETS = {
    "the broker's password": "mq-7f3c91d2ab",
    "the store's token": "tok-55aa01c3f9",
    "the user's password": PASSWORD,
}


@dataclass
class Ear:
    """Hears everything at the broker."""

    topics: set[str] = field(default_factory=set)
    payloads: list[bytes] = field(default_factory=list)

    def connected(self, connection: int, limits: Limits) -> None:
        pass

    def lost(self, connection: int, reason: str) -> None:
        pass

    def acknowledged(self, connection: int, number: int, code: int) -> None:
        pass

    def arrived(self, message: Incoming) -> None:
        self.topics.add(message.topic)
        self.payloads.append(message.payload)


@dataclass
class Left:
    """What a run left behind, as text by where it was found."""

    topics: set[str]
    client_ids: set[str]
    logs: dict[str, str]
    everything: dict[str, str]
    secrets: dict[str, str]
    subjects: set[str]


def simulated_ward(folder: Path, stack: ExitStack) -> Path:
    """Start simulators; return the configuration that they write."""
    config = folder / "ward.toml"
    words = ["simulate", "ward", "--beds", "1", "--socket", str(folder / "radio"), "--ports", str(folder / "ports"),
             "--write-config", str(config)]  # fmt: skip
    stack.enter_context(process(folder, words))
    wait_until(lambda: config.exists() and (folder / "radio").exists(), STARTS_WITHIN_S)
    return config


@contextmanager
def process(folder: Path, arguments: list[str]) -> Iterator[subprocess.Popen[bytes]]:
    """Run a part of the product with its log beside its data; ``--debug`` says the most."""
    with (folder / f"{arguments[0]}.log").open("wb") as log:
        child = subprocess.Popen([sys.executable, "-m", "gateway", "--debug", *arguments], stdout=log, stderr=log)
        try:
            yield child
        finally:
            child.send_signal(signal.SIGTERM)
            child.wait(STOPPED_WITHIN_S)


def at_a_broker(folder: Path) -> tuple[Child, Authority, int]:
    """Start a mosquitto as ``broker-acl`` has it, which logs who comes."""
    program = find_mosquitto()
    if program is None:
        missing("mosquitto")
    place = folder / "broker"
    authority, port = Authority(place), free_port()
    for name in ("broker", "web"):
        authority.issue(name, server=True)
    for name in ("demo-gateway", "historian", "dashboard", "ear"):
        authority.issue(name)
    (place / "acl").write_text(access_list("demo", ["demo-gateway"], ["historian"], ["dashboard", "ear"]))
    log = f"user {Path('/proc/self').owner()}\nlog_dest file {place}/log\nlog_type all\n"
    (place / "mosquitto.conf").write_text(log + listener(place, port))
    return Child(port, [str(program), "-c", str(place / "mosquitto.conf")]), authority, port


def complete(config: Path, folder: Path, port: int, web_port: int) -> dict[str, str]:
    """Add what a site adds; return its secrets."""
    place, hidden = folder / "broker", folder / "hidden"
    hidden.mkdir()
    for name, secret in (("mqtt", "the broker's password"), ("token", "the store's token")):
        (hidden / name).write_text(f"{SECRETS[secret]}\n")
    digest = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
    save(hidden / "users.jsonl", [User("anna", "admin", digest)])
    with config.open("a") as file:
        file.write(
            f'\n[site]\nsite = "demo"\ngateway = "demo-gateway"\ndata = "data"\n[recorder]\nenabled = true\n'
            f'[broker]\nembedded = false\nhost = "localhost"\nport = {port}\nca_file = "{place}/ca.pem"\n'
            f'crl_file = "{place}/crl.pem"\ncert_file = "{place}/demo-gateway.pem"\nusername = "demo-gateway"\n'
            f'key_file = "{place}/demo-gateway.key"\npassword_file = "$CREDENTIALS_DIRECTORY/mqtt"\n'
            f'[historian]\ncert_file = "{place}/historian.pem"\nkey_file = "{place}/historian.key"\n'
            f'[historian.store]\nkind = "influxdb3"\nurl = "http://127.0.0.1:{free_port()}"\n'
            f'token_file = "$CREDENTIALS_DIRECTORY/token"\n'
            f'[dashboard]\nhost = "0.0.0.0"\nport = {web_port}\ncert_file = "{place}/web.pem"\n'
            f'key_file = "{place}/web.key"\nusers_file = "$CREDENTIALS_DIRECTORY/users.jsonl"\n'
            f'broker_cert_file = "{place}/dashboard.pem"\nbroker_key_file = "{place}/dashboard.key"\n'
        )
    keys = {f"the key {path.name}": path.read_text().splitlines()[1] for path in place.glob("*.key")}
    return {**SECRETS, "the user's hash": digest, **keys}


def signed_in(port: int, authority: Authority) -> list[str]:
    """Sign in to the dashboard as people do; return its pages."""
    handlers = (
        urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=authority.path)),
        urllib.request.HTTPCookieProcessor(),
    )
    browser, base = urllib.request.build_opener(*handlers), f"https://localhost:{port}"
    form = urllib.parse.urlencode({"name": "anna", "password": PASSWORD}).encode()
    request = urllib.request.Request(f"{base}/login", form, {"Origin": base})  # noqa: S310 - our own address
    browser.open(request, timeout=20).close()
    pages = []
    for path in ("/", "/devices", "/api/status", "/api/session", "/api/history?slot=bed-1&metric=cadence&side=both"):
        with browser.open(f"{base}{path}", timeout=20) as answer:
            pages.append(answer.read().decode())
    return pages


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> Left:
    """Run everything until there is history and a page has been seen; then collect."""
    folder = tmp_path_factory.mktemp("ward")
    web_port, ear = free_port(), Ear()
    with ExitStack() as stack, pytest.MonkeyPatch.context() as patch:
        patch.setenv("CREDENTIALS_DIRECTORY", str(folder / "hidden"))
        patch.setenv("NUMBA_CACHE_DIR", os.environ.get("NUMBA_CACHE_DIR", ""))
        broker, authority, port = at_a_broker(folder)
        stack.callback(broker.end)
        config = simulated_ward(folder, stack)
        secrets = complete(config, folder, port, web_port)
        settings = load(config)
        place = folder / "broker"
        own = {"cert_file": place / "ear.pem", "key_file": place / "ear.key"}
        link = Link(
            broker_for(settings, "dashboard").model_copy(update=own), client_id="ear", handler=ear,
            subscriptions=[("rehab/#", SubscribeOptions(qos=1))],
        )  # fmt: skip
        link.start()
        stack.callback(link.stop)
        children = [
            stack.enter_context(process(folder, [name, str(config)])) for name in ("historian", "dashboard", "run")
        ]
        measured = f"rehab/v1/demo/demo-gateway/measurements/{settings.slot[0].id}"
        wait_until(lambda: measured in ear.topics, 2 * STARTS_WITHIN_S)
        with closing(HistoryReader(settings.history_file)) as history:
            wait_until(lambda: history.count() > 0, STARTS_WITHIN_S)
        pages = signed_in(web_port, authority)
        found = {f"{name} of process {i}": (Path("/proc") / str(child.pid) / name).read_text(errors="replace")
                 for i, child in enumerate(children) for name in ("cmdline", "environ")}  # fmt: skip
    logs = {path.name: path.read_text(errors="replace") for path in folder.glob("*.log")}
    broker_log = (place / "log").read_text(errors="replace")
    found |= logs | {f"page {i}": page for i, page in enumerate(pages)} | {"the configuration": config.read_text()}
    found["topics"] = "\n".join(ear.topics)
    found["payloads"] = "\n".join(payload.decode("latin-1") for payload in ear.payloads)
    found |= {path.name: path.read_bytes().decode("latin-1") for path in settings.site.data.glob("*.db*")}
    found |= recordings(settings.site.data)
    clients = set(re.findall(r"New client connected from \S+ as (\S+)", broker_log))
    return Left(ear.topics, clients, logs, found, secrets, {slot.subject for slot in settings.slot})


def recordings(data: Path) -> dict[str, str]:
    """Return what recordings say of their run, and their bytes."""
    found = {}
    for path in (data / "recordings").glob("*"):
        reader = RecordingReader(path)
        found[f"the header of {path.name}"] = orjson.dumps(reader.header).decode()
        found[path.name] = "".join(frame.data.decode("latin-1") for _, rows in reader.blocks() for _, frame in rows)
        reader.close()
    return found


def test_the_run_was_one(left: Left) -> None:
    """What is searched below is not empty, or the search would say nothing."""
    assert left.client_ids == {"demo-gateway", "historian", "dashboard", "ear"}
    assert {topic.split("/")[4] for topic in left.topics} >= {"measurements", "status"}
    assert "anna signed in" in left.logs["dashboard.log"]
    assert [name for name in left.everything if name.startswith("the header of")]
    assert len(left.everything["payloads"]) > 1000


def test_no_secret_is_in_anything_that_a_run_leaves_behind(left: Left) -> None:
    found = [(secret, where) for secret, words in left.secrets.items() for where, text in left.everything.items()
             if words in text]  # fmt: skip
    assert found == []


def test_no_number_that_names_a_person_is_in_topics_client_ids_or_logs(left: Left) -> None:
    places = {"topics": "\n".join(left.topics), "client ids": "\n".join(left.client_ids), **left.logs}
    assert {where: numbers for where, text in places.items() if (numbers := nhs_numbers(text))} == {}


def test_no_subject_is_in_topics_client_ids_or_logs(left: Left) -> None:
    """Who is in a bed stands in payloads, for those who may read them, and nowhere else."""
    assert left.subjects
    places = {"topics": "\n".join(left.topics), "client ids": "\n".join(left.client_ids), **left.logs}
    assert [(subject, where) for subject in left.subjects for where, text in places.items() if subject in text] == []
    assert all(subject in left.everything["payloads"] for subject in left.subjects)


def test_the_search_finds_what_it_looks_for() -> None:
    nine = "943476587"
    number = f"{nine}{check_digit(nine)}"
    assert nhs_numbers(f"bed {number}") == [number]
