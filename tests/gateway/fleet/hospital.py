"""A hospital's fleet for tests: a real mosquitto over TLS, the desk, and light gateways of the product's own parts.

A light gateway has the product's agent, outbox and publisher, each over its own TLS connection with the certificate
that it got by joining. It has no devices and no pipeline: what it measures is made up, and `upgrade` is a script.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from config.loader import load
from config.settings import Broker, Fleet
from gateway.broker.embedded import find_mosquitto
from gateway.delivery.publisher import Publisher
from gateway.fleet.agent import Agent
from gateway.fleet.beginning import begin
from gateway.fleet.desk import Desk
from gateway.fleet.enrolment import invite
from gateway.fleet.joining import join
from gateway.fleet.member_folder import FOLDER
from gateway.fleet.members import FleetFolder
from gateway.fleet.plan import Bundle, describe, rings_of
from gateway.fleet.register import RollOut
from gateway.fleet.roll_outs import RollOuts
from gateway.outbox.outbox import Outbox
from gateway.wire.topics import Topics
from tests.servers import Child, free_port, missing, wait_until

SITE = "north"
FIRST_VERSION = "1.0.0"
STATUS_EVERY_S = 0.25
SETTLE_S = 0.3
TURN_S = 0.1
DESK_WITHIN_S = 90.0

INSTALL = """\
import sys
from pathlib import Path
home, bundle = Path(sys.argv[1]), Path(sys.argv[-1])
(home / "said").write_text("\\n".join(sys.argv[2:-1]))
if (home / "broken").exists():
    print("the new version did not send a receipt within 5 minutes; 1.0.0 runs again")
    sys.exit(1)
(home / "version").write_text(bundle.read_text().split()[0])
print("committed")
"""
"""Stands for ``rehab-gateway upgrade FILE``: its exit status and last line are all that an agent goes by."""


class LightGateway:
    """One gateway; it lives until `stop`."""

    def __init__(self, folder: Path, name: str, broker: Broker, *, share: str | None = None) -> None:
        folder.mkdir(exist_ok=True)
        self.folder, self.name, self.share = folder, name, share
        self.config = folder / "ward.toml"
        self.config.write_text(f'[site]\ndata = "{folder / "data"}"\n', "utf-8")
        (folder / "version").write_text(FIRST_VERSION)
        (folder / "install.py").write_text(INSTALL)
        self._enrol_broker = broker
        self.ended = threading.Event()
        self.restart_command = ["true"]
        self.well_within_s = 5.0
        self.notices: list[dict[str, Any]] = []

    def join(self, code: str) -> None:
        """Join the fleet as 'fleet join' does."""
        join(self.config, self.folder / "data", self.name, code, self._enrol_broker)

    def start(self, *, resend_after_s: float = 5.0) -> None:
        """Start what it is made of."""
        self.start_agent()
        self.start_speaking(resend_after_s=resend_after_s)

    def start_speaking(self, *, resend_after_s: float) -> None:
        """Start what stands for 'run'."""
        settings = load(self.config)
        self.topics = Topics(settings.site.site, self.name)
        self.outbox = Outbox(self.folder / "outbox.db", commit_s=0.05)
        self.publisher = Publisher(
            self.outbox, self.topics, settings.broker, historians=settings.outbox.historians or ("",),
            resend_after_s=resend_after_s,
        )  # fmt: skip
        self.publisher.start()
        self._speaker = threading.Thread(target=self._speak, name=f"status-{self.name}", daemon=True)
        self._speaker.start()

    def start_agent(self) -> None:
        """Start the agent, as its service would."""
        fleet = Fleet(
            share=self.share, upgrade_command=[sys.executable, str(self.folder / "install.py"), str(self.folder)],
            restart_command=self.restart_command, well_within_s=self.well_within_s,
        )  # fmt: skip
        self.agent = Agent(self.folder / "data" / FOLDER, self.config, fleet, settle_s=SETTLE_S)
        self._agent_thread = threading.Thread(target=self._keep_agent, name=f"agent-{self.name}", daemon=True)
        self._agent_thread.start()

    def _keep_agent(self) -> None:
        while self.agent.run() and not self.ended.is_set():  # a new version of itself: the service starts it
            fresh = self.agent
            self.agent = Agent(fresh.folder, self.config, fresh.settings, settle_s=SETTLE_S)

    def status(self) -> dict[str, Any]:
        """Return what it says of itself."""
        return {
            "v": 1, "gateway": self.name, "state": "online", "simulated": True, "time_us": time.time_ns() // 1000,
            "version": (self.folder / "version").read_text(), "slots": [], "devices": [],
            "publisher": {"connected": True}, "outbox": {"depth": self.outbox.state().depth},
            "notices": {"active": self.notices, "raised": {}},
        }  # fmt: skip

    def _speak(self) -> None:
        while not self.ended.wait(STATUS_EVERY_S):
            self.publisher.set_status(self.status())

    def stop_agent(self) -> None:
        """End the agent."""
        self.agent.stop()
        self._agent_thread.join()

    def stop(self) -> None:
        """End all of it."""
        self.ended.set()
        self.stop_agent()
        self.stop_speaking()

    def stop_speaking(self) -> None:
        """End what stands for 'run'."""
        self._speaker.join()
        self.publisher.stop()
        self.outbox.close()


class Hospital:
    """The desk's side; gateways join it."""

    def __init__(self, folder: Path, *, historians: tuple[str, ...] = ()) -> None:
        program = find_mosquitto()
        if program is None:
            missing("mosquitto")
        assert program
        self.folder = folder
        self.port, self.enrol_port = free_port(), free_port()
        self.fleet_folder = folder / "fleet"
        begin(
            self.fleet_folder, SITE, hosts=["localhost", "127.0.0.1"], ports=(self.port, self.enrol_port),
            historians=historians, dashboards=[],
        )  # fmt: skip
        config = self.fleet_folder / "mosquitto.conf"
        own = folder / "mosquitto.conf"
        own.write_text(f"user {Path('/proc/self').owner()}\npid_file {folder}/mosquitto.pid\n{config.read_text()}")
        self.mosquitto = Child(self.port, [program, "-c", str(own)])
        wait_until((folder / "mosquitto.pid").exists)
        self.fleet = self.open()
        self.gateways: dict[str, LightGateway] = {}
        self._stop = threading.Event()

    def open(self) -> FleetFolder:
        """Open the fleet's folder as a command does."""
        hang_up = ["sh", "-c", f"kill -HUP $(cat {self.folder}/mosquitto.pid)"]
        return FleetFolder(self.fleet_folder, hang_up)

    def start_desk(self) -> None:
        """Start the desk."""
        self._stop.clear()
        self._at_desk = self.open()
        self.desk = Desk(self._at_desk, turn_s=TURN_S)
        self._desk_thread = threading.Thread(target=self.desk.run, args=(self._stop,), name="desk", daemon=True)
        self._desk_thread.start()
        wait_until(lambda: self.desk.connected, DESK_WITHIN_S)

    def stop_desk(self) -> None:
        """End it."""
        self._stop.set()
        self._desk_thread.join()
        self._at_desk.register.close()

    def enrol_broker(self) -> Broker:
        """Return where whoever is in no fleet may ask."""
        return Broker(embedded=False, host="localhost", port=self.enrol_port)

    def known_enrol_broker(self) -> Broker:
        """Return the same for whoever has the fleet's certificate already."""
        return self.enrol_broker().model_copy(update={"ca_file": self.fleet_folder / "ca.pem"})

    def code(self, name: str, ring: str = "ward", *, minutes: float = 60.0) -> str:
        """Invite somebody."""
        return invite(self.fleet.register, name, ring, minutes=minutes, now_s=time.time())

    def enrol(self, name: str, ring: str = "ward", *, share: str | None = None, start: bool = True) -> LightGateway:
        """Have a gateway join, and start it."""
        made = LightGateway(self.folder / name, name, self.enrol_broker(), share=share)
        made.join(self.code(name, ring))
        if start:
            made.start()
            self.gateways[name] = made
        return made

    def bundle(self, version: str, *, size: int = 700_000) -> Path:
        """Return an upgrade: its version, and bytes enough for several parts."""
        path = self.folder / f"rehab-gateway-{version}.bundle"
        path.write_text(f"{version} {'x' * size}")
        return path

    def roll_out(
        self, path: Path, version: str, *rings: str, soak_s: float = 0.5, within_s: float = 30.0,
        described: Bundle | None = None,
    ) -> int:  # fmt: skip
        """Begin a roll-out."""
        ring_of = {member.gateway: member.ring for member in self.fleet.register.present()}
        kind: Any = "configuration" if path.suffix == ".toml" else "upgrade"
        bundle = described or describe(path, kind, version)
        return RollOuts(self.fleet.register).begin(
            path, bundle, rings_of(rings, ring_of), soak_s=soak_s, within_s=within_s, now_s=time.time()
        )

    def newest(self) -> RollOut:
        """Return the newest roll-out."""
        found = RollOuts(self.fleet.register).newest()
        assert found is not None
        return found

    def until(self, state: str, *, within_s: float = 60.0) -> RollOut:
        """Wait until the newest roll-out is in a state."""
        wait_until(lambda: self.newest().state == state, within_s)
        return self.newest()

    def versions(self) -> dict[str, str]:
        """Return which version each gateway runs."""
        return {name: (one.folder / "version").read_text() for name, one in sorted(self.gateways.items())}

    def settings_of(self, part: str) -> Broker:
        """Return the broker as a historian or dashboard with a certificate of the fleet's reaches it."""
        return self.fleet.broker(part)

    def close(self) -> None:
        """End everything."""
        for one in self.gateways.values():
            one.stop()
        self.stop_desk()
        self.fleet.register.close()
        self.mosquitto.end()


@contextmanager
def hospital_in(folder: Path, *, historians: tuple[str, ...] = ()) -> Iterator[Hospital]:
    """A fleet with nobody in it."""
    made = Hospital(folder, historians=historians)
    try:
        made.start_desk()
        yield made
    finally:
        made.close()
