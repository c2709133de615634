"""A gateway joins: it makes its keys, proves that it has the code, and keeps what the desk answers."""

from __future__ import annotations

import logging
import os
import secrets
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
from paho.mqtt import client as paho

from config.loader import PARTS_FOLDER
from config.settings import Broker
from gateway.broker.certificates import context_for, explain
from gateway.broker.paho_client import PahoClient
from gateway.fleet.agent_memory import FILE as MEMORY
from gateway.fleet.agent_memory import AgentMemory
from gateway.fleet.authority import OF_OLD, PARTS, make_request
from gateway.fleet.codes import ProofError, key_of, opened, sealed
from gateway.fleet.member_folder import FOLDER, MEMBER
from gateway.fleet.topics import FleetTopics
from gateway.machine.durable import replace_file
from gateway.machine.ownership import acting_as_owner_of, give_to_owner_of_folder, who_else_may_change
from gateway.machine.plain_text import printable

log = logging.getLogger(__name__)

OPEN_TO_GATEWAY = 0o640
"""Of what 'run' and commands read besides the agent: their user is the group of a folder that is root's."""
AGENTS_ALONE = 0o600
JOIN_PART = "10-joined.toml"
ANSWER_S = 30.0
"""For the desk to sign and mosquitto to hear of a new gateway."""
TRIES = 3
TOPICS = FleetTopics("-")


class JoinError(Exception):
    """Why a gateway has not joined, in a sentence with what to do."""


def join(
    config: Path, data: Path, gateway: str, code: str, broker: Broker, *, folder: Path | None = None
) -> dict[str, Any]:
    """Join a fleet: ask over ``broker``, and write certificates, keys and settings. Raises JoinError.

    Args:
        config: The gateway's configuration; the settings are a part of it.
        data: Its data folder.
        gateway: How it is called.
        code: As 'fleet invite' printed it.
        broker: Where to ask.
        folder: Where certificates and keys come to lie; by default in the data folder.

    Returns:
        What the fleet told: site, host, port and the like.
    """
    folder = folder or data / FOLDER
    key = key_of(code, gateway)
    keys, requests = make_requests(gateway)
    nonce = secrets.token_hex(16)
    asked = sealed(key, "request", {"nonce": nonce, **requests})
    request = orjson.dumps({**orjson.loads(asked), "gateway": gateway})
    answer = _read(_exchange(broker, request), key, nonce, gateway)
    about = {name: answer[name] for name in ("site", "gateway", "host", "port", "plan_key", "historians")}
    with _made(folder, data):
        _forget_other_fleet(folder, about["plan_key"])
        _write(folder, keys, answer)
        replace_file(folder / MEMBER, orjson.dumps(about, option=orjson.OPT_INDENT_2))
    parts = config.with_name(config.name + PARTS_FOLDER)
    parts.mkdir(exist_ok=True, mode=0o750)
    give_to_owner_of_folder(parts)
    replace_file(parts / JOIN_PART, _settings(folder, about, data / FOLDER).encode(), mode=0o640)
    return about


def _forget_other_fleet(folder: Path, plan_key: object) -> None:
    """Forget which plans another fleet's desk had: a new desk counts from one, and no key but its own is believed.

    A memory that cannot be read goes, too: who joins has a code from the desk, and no agent works with it.
    """
    try:
        AgentMemory(folder)
        known = orjson.loads((folder / MEMBER).read_bytes())["plan_key"]
    except (OSError, ValueError, KeyError, TypeError):
        known = ""
    if known != plan_key:
        (folder / MEMORY).unlink(missing_ok=True)


def _read(payload: bytes, key: bytes, nonce: str, gateway: str) -> dict[str, Any]:
    try:
        envelope = orjson.loads(payload)
        if "refused" in envelope:
            raise JoinError(f"the fleet refuses: {printable(str(envelope['refused']))}")
        answer = opened(key, "answer", envelope)
    except ProofError:
        raise JoinError(
            "what answered does not have the code: this is not the fleet's broker, or somebody stands between"
        ) from None
    except (ValueError, TypeError):
        raise JoinError("the answer cannot be read: are both of the same version?") from None
    if answer.get("nonce") != nonce or answer.get("gateway") != gateway:
        raise JoinError("the answer is to another question: try again")
    return answer


def make_requests(gateway: str) -> tuple[dict[str, str], dict[str, str]]:
    """Return a new key of each part of a gateway, and the fields of a message that ask for certificates for them."""
    made = {part: make_request(gateway) for part in PARTS}
    return (
        {part: key for part, (key, _) in made.items()},
        {f"{part}_request": request for part, (_, request) in made.items()},
    )


@contextmanager
def _made(folder: Path, data: Path) -> Iterator[None]:
    """Have a folder to write into as whom it is for: root where nobody else may write there, else who owns its place.

    What is root's may be read by the data folder's group, which is that of 'run'.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    if os.geteuid() == 0 and not who_else_may_change(folder if folder.exists() else folder.parent):
        folder.mkdir(exist_ok=True)
        os.chown(folder, 0, data.stat().st_gid if data.exists() else 0)
        folder.chmod(0o750)
        yield
        return
    with acting_as_owner_of(folder.parent):
        folder.mkdir(exist_ok=True, mode=0o700)
        yield


def mode_of(part: str) -> int:
    """Return with which rights certificate and key of a part of a gateway are kept."""
    return AGENTS_ALONE if part == "agent" else OPEN_TO_GATEWAY


def _write(folder: Path, keys: dict[str, str], answer: dict[str, Any]) -> None:
    for name, key in keys.items():
        if name in OF_OLD or f"{name}_cert" in answer:  # a desk of before gives no more
            replace_file(folder / f"{name}.pem", both(str(answer[f"{name}_cert"]), key), mode=mode_of(name))
    replace_file(folder / "ca.pem", str(answer["ca"]).encode(), mode=0o644)


def both(certificate: str, key: str) -> bytes:
    """Return a certificate and its key as one file: a power cut never leaves one without the other."""
    return f"{certificate.strip()}\n{key.strip()}\n".encode()


def _settings(folder: Path, about: dict[str, Any], usual: Path) -> str:
    """Return the part of the configuration that says which site, broker and folder; JSON's texts are TOML's."""

    def text(value: object) -> str:
        return orjson.dumps(str(value)).decode()

    historians = ", ".join(map(text, about["historians"]))
    where = "" if folder == usual else f"\n[fleet]\nmember_folder = {text(folder)}\n"
    return (
        "# Made by 'rehab-gateway fleet join': what the fleet said. It goes before the file beside it.\n"
        f"[site]\nsite = {text(about['site'])}\ngateway = {text(about['gateway'])}\n\n"
        f"[broker]\nembedded = false\nhost = {text(about['host'])}\nport = {int(about['port'])}\n"
        f"ca_file = {text(folder / 'ca.pem')}\ncert_file = {text(folder / 'gateway.pem')}\n"
        f"key_file = {text(folder / 'gateway.pem')}\n\n[outbox]\nhistorians = [{historians}]\n{where}"
    )


def _exchange(broker: Broker, request: bytes) -> bytes:
    """Ask, and return what is answered; raises JoinError."""
    client_id = secrets.token_hex(16)  # nobody else can know it, and so nobody else hears the answer
    client = PahoClient(None, client_id=client_id)
    client.tls_set_context(context_for(broker) if broker.ca_file else _unproved())
    heard = threading.Event()
    answers: list[bytes] = []

    def on_message(_client: paho.Client, _data: Any, message: paho.MQTTMessage) -> None:
        answers.append(bytes(message.payload))
        heard.set()

    def on_subscribe(*_: Any) -> None:
        client.publish(TOPICS.request(client_id), request, qos=1)

    def on_connect(*_: Any) -> None:
        client.subscribe(TOPICS.answer(client_id), qos=1)

    client.on_connect, client.on_message, client.on_subscribe = on_connect, on_message, on_subscribe
    try:
        client.connect(broker.host, broker.port)
        client.loop_start()
        for _ in range(TRIES):
            if heard.wait(ANSWER_S / TRIES):
                return answers[0]
            client.publish(TOPICS.request(client_id), request, qos=1)
    except OSError as error:
        raise JoinError(f"{broker.host}:{broker.port} cannot be reached: {explain(error)}") from None
    finally:
        client.disconnect()
        client.loop_stop()
        client.forget_users()
    raise JoinError(
        f"nobody answers at {broker.host}:{broker.port}: is that the port that 'fleet invite' printed, for who wants to"
        " join, and is 'rehab-gateway fleet desk' running?"
    )


def _unproved() -> ssl.SSLContext:
    """Return TLS that proves nobody: the code proves both sides to each other, and no secret is sent."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
