"""What the fleet's mosquitto needs: two listeners, who may do what, and how it hears of a change at once.

On one listener everybody has a certificate of the fleet. On the other, whoever comes may do one thing: ask to join,
under a random client id of their own, and hear the answer; what they say is proved by a code (`gateway.fleet.codes`).
"""

from __future__ import annotations

import os
import subprocess
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path

from config.settings import Broker
from gateway.broker.access_list import ANSWERS, access_list, listener
from gateway.broker.link import Incoming, Limits, Link
from gateway.fleet.authority import AGENT, COMMAND, Authority
from gateway.fleet.topics import FLEET_ROOT, FleetTopics
from gateway.machine.durable import replace_file
from gateway.wire.commands import COMMANDS
from gateway.wire.topics import Topics

DESK = "fleet-desk"
RESERVED = ("ca", "broker", "plan", DESK)
"""Names of the fleet's own files and of its desk: nobody else has one of them."""
RELOAD_S = 20.0
"""For the command that has mosquitto read its files again."""
EVICTION_S = 10.0
"""For the broker to end a connection by taking another of the same name."""
EVICTION_DAYS = 1 / 144
"""Ten minutes: the certificate that ends a connection is of no use afterwards, and its key is on no disk then."""

ENROLMENT = """\

# Who is in no fleet yet: may ask to join, and nothing else. What is asked is proved by a one-time code.
listener {port}
certfile {folder}/broker.pem
keyfile {folder}/broker.key
tls_version tlsv1.2
allow_anonymous true
acl_file {folder}/enrol-acl
max_connections 50
"""
ENROLMENT_RIGHTS = f"""\
# Made by 'rehab-gateway fleet'. %c is the client id that somebody chose at random for this one question.
pattern write {FLEET_ROOT}/enrol/%c/request
pattern read {FLEET_ROOT}/enrol/%c/answer
"""


def configuration(folder: Path, port: int, enrol_port: int) -> str:
    """Return mosquitto's configuration; the files that it names lie in ``folder``."""
    made = listener(folder, port).replace("'rehab-gateway broker-acl'", "'rehab-gateway fleet init'")
    return f"per_listener_settings true\n\n{made}{ENROLMENT.format(port=enrol_port, folder=folder)}"


def rights(site: str, gateways: Sequence[str], historians: Sequence[str], dashboards: Sequence[str]) -> str:
    """Return the access list of the site with the fleet's part: what is not in it is refused."""
    topics = FleetTopics(site)
    blocks = [access_list(site, gateways, historians, dashboards)]
    for gateway in gateways:
        own = Topics(site, gateway)
        read = (own.status, own.status_page(), topics.plan, topics.part(gateway), topics.renewed(gateway))
        write = (topics.state(gateway), topics.want(gateway), topics.renew(gateway))
        blocks.append(_block(f"agent of {gateway}", f"{gateway}{AGENT}", read, write))
        at, asked = f"{gateway}{COMMAND}", [own.command(name) for name in COMMANDS]
        blocks.append(_block(f"commands on {gateway}", at, (f"{own.prefix}/#", f"{ANSWERS}/{site}/{at}/#"), asked))
    every = Topics(site, "+")
    heard = (every.status, every.status_page(), topics.request(), topics.state(), topics.want(), topics.renew())
    written = (topics.plan, topics.overview, topics.answer("+"), topics.part("+"), topics.renewed("+"), topics.state())
    blocks.append(_block("the fleet's desk", DESK, (*heard, topics.plan, topics.overview), written))
    blocks += [_block("the fleet page", dashboard, (topics.overview, topics.state()), ()) for dashboard in dashboards]
    return "\n".join(blocks)


def _block(what: str, user: str, read: Sequence[str], write: Sequence[str]) -> str:
    lines = [*(f"topic read {topic}" for topic in read), *(f"topic write {topic}" for topic in write)]
    return "\n".join([f"\n# {what}", f"user {user}", *lines]) + "\n"


def write_configuration(folder: Path, port: int, enrol_port: int) -> None:
    """Write mosquitto.conf and what holds for whoever wants to join."""
    replace_file(folder / "mosquitto.conf", configuration(folder, port, enrol_port).encode(), mode=0o644)
    replace_file(folder / "enrol-acl", ENROLMENT_RIGHTS.encode(), mode=0o644)


def write_rights(folder: Path, text: str) -> None:
    """Write the access list; mosquitto hears of it by `reload`."""
    replace_file(folder / "acl", text.encode(), mode=0o644)


def reload(command: Sequence[str]) -> str:
    """Have mosquitto read access list, certificates and revocations again; return what went wrong, or nothing.

    Where root typed what this is part of, it is root that tells mosquitto: the desk's user may not in every shell.
    """
    by = None if os.geteuid() == os.getuid() else os.getuid()
    try:
        done = subprocess.run(  # noqa: S603 - the site's own setting
            list(command), capture_output=True, text=True, check=False, timeout=RELOAD_S, user=by
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"{command[0]}: {error}"
    said = " ".join((done.stderr or done.stdout).split())
    return f"{' '.join(command)} ended with status {done.returncode}: {said}" if done.returncode else ""


def evict(authority: Authority, broker: Broker, name: str) -> bool:
    """End the connection that somebody has: mosquitto itself ends none when rights change.

    A broker that knows people by their certificates has one connection of each name (MQTT 5, section 3.1.4), so it
    ends the old one when a new one comes. Ours comes, forgets the session, and leaves; whose was ended finds their
    certificate on the list of what was taken back.

    Returns:
        Whether the broker took us, and so has nobody else of that name any more.
    """
    with tempfile.TemporaryDirectory(prefix="fleet-") as made:
        cert, key = Path(made) / "cert.pem", Path(made) / "key.pem"
        pem, private, _ = authority.issue(name, days=EVICTION_DAYS)
        cert.write_text(pem, "utf-8")
        key.touch(mode=0o600)
        key.write_text(private, "utf-8")
        come = _Visit()
        link = Link(
            broker.model_copy(update={"cert_file": cert, "key_file": key}), client_id=f"evict-{name}", handler=come
        )
        link.start()
        try:
            return come.here.wait(EVICTION_S)
        finally:
            link.stop(forget=True)


class _Visit:
    """Notes that the broker took us."""

    def __init__(self) -> None:
        self.here = threading.Event()

    def connected(self, connection: int, limits: Limits) -> None:
        del connection, limits
        self.here.set()

    def lost(self, connection: int, reason: str) -> None:
        del connection, reason

    def acknowledged(self, connection: int, number: int, code: int) -> None:
        del connection, number, code

    def arrived(self, message: Incoming) -> None:
        del message
