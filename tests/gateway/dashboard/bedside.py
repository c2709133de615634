"""A gateway that runs as a process of its own, for tests of what changes its ward; nobody is on the air."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
from argon2 import PasswordHasher
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from config.loader import load
from config.settings import Settings
from gateway.dashboard.access import ROLES
from gateway.dashboard.users import User, save
from gateway.wire.topics import Topics
from tests.gateway.dashboard.conftest import free_port
from tests.servers import leave_broker, wait_until

PASSWORD = "correct horse battery"  # noqa: S105 - of people who do not exist
START_S = 120.0  # of a process on a busy machine
STOP_S = 60.0
STRAP = (
    '[[slot.device]]\nid = "{name}"\ndriver = "heart_rate"\nplacement = "chest"\naddress = "02:48:52:00:{n:02d}:00"\n'
)


def ward_file(folder: Path, broker_port: int, *, site: str, beds: int, gateway: str = "") -> Path:
    """Write a configuration: beds bay-1 … with subjects p-1 … who wear a strap each, and users of every role."""
    digest = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
    save(folder / "users.jsonl", [User(f"{role}-1", role, digest) for role in ROLES])
    slots = "".join(
        f'[[slot]]\nid = "bay-{n}"\nlabel = "Bay {n}"\nsubject = "p-{n}"\n{STRAP.format(name=f"strap-{n}", n=n)}'
        for n in range(1, beds + 1)
    )
    path = folder / "ward.toml"
    named = f'gateway = "{gateway}"\n' if gateway else ""
    path.write_text(
        f'simulated = true\n[site]\nsite = "{site}"\n{named}data = "{folder}/data"\n'
        f'[radio]\nname = "simulated"\nsocket = "{folder}/radio"\n[broker]\nembedded = false\nport = {broker_port}\n'
        f'[dashboard]\nport = {free_port()}\nusers_file = "{folder}/users.jsonl"\n{slots}'
    )
    return path


class Listener:
    """Hears the registry and the audit of a gateway."""

    def __init__(self, settings: Settings) -> None:
        topics = Topics(settings.site.site, settings.site.gateway)
        self.ward: dict[str, Any] = {}
        self._records: list[dict[str, Any]] = []
        self._lock = threading.Lock()
        self._client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
        self._client.on_message = self._on_message
        self._client.connect("127.0.0.1", settings.broker.port)
        self._client.subscribe([(topics.ward, 1), (topics.records, 1)])
        self._client.loop_start()

    def changes(self) -> list[dict[str, Any]]:
        """Return what the audit told of changes of the ward, each once, in their order."""
        with self._lock:
            changes = {record["number"]: record for record in self._records if record["what"] == "ward-changed"}
        return [changes[number] for number in sorted(changes)]

    def records(self) -> list[dict[str, Any]]:
        """Return all records, in the order in which they came."""
        with self._lock:
            return list(self._records)

    def close(self) -> None:
        """Go away."""
        leave_broker(self._client)

    def _on_message(self, _client: object, _data: object, message: MQTTMessage) -> None:
        payload = orjson.loads(message.payload)
        with self._lock:
            if message.topic.endswith("/ward"):
                self.ward = payload
            else:
                self._records += payload["records"]


class Bedside:
    """The process, its settings, and who hears it."""

    def __init__(self, path: Path) -> None:
        self.settings = load(path)
        self.heard = Listener(self.settings)
        self._path = path
        self.begin()

    def begin(self) -> None:
        """Start it, perhaps again."""
        self.process = subprocess.Popen(
            [sys.executable, "-m", "gateway", "run", str(self._path)],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def end(self) -> None:
        """Stop it in good order."""
        self.process.terminate()
        self.process.wait(STOP_S)


@contextmanager
def bedside(folder: Path, broker_port: int, *, site: str, beds: int = 1, gateway: str = "") -> Iterator[Bedside]:
    """Run a gateway until left."""
    made = Bedside(ward_file(folder, broker_port, site=site, beds=beds, gateway=gateway))
    try:
        wait_until(lambda: made.heard.ward, START_S)
        yield made
    finally:
        made.end()
        made.heard.close()
