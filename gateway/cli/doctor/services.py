"""The doctor's look at what the gateway talks to, with the user, password, certificate and token that it would use."""

from __future__ import annotations

import http.client
import ssl
import threading
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from urllib.parse import urlencode

from config.secret import read_secret
from config.settings import Broker, Settings, Store
from config.wording import without_password
from gateway.broker.certificates import explain, refusal
from gateway.broker.link import LARGEST_PACKET, Incoming, Limits, Link
from gateway.cli.doctor.finding import Finding
from gateway.cli.doctor.postgresql import judge_postgresql
from gateway.machine import facts

ANSWER_S = 6.0  # a broker or store on a hospital network answers within this, or is not there for us
STATUS_BYTES, DEVICE_BYTES = 4000, 1000  # of the status: all but its devices, and each; its largest message
WINDOW_WANTED = 5  # messages under way: with fewer, a backlog goes out slowly


@dataclass
class _Asker:
    """Hears whether a broker lets us in; a handler of ``gateway.broker.link.Link``."""

    limits: Limits | None = None
    changed: threading.Event = field(default_factory=threading.Event)

    def connected(self, connection: int, limits: Limits) -> None:
        """Note that we are in."""
        del connection
        self.limits = limits
        self.changed.set()

    def lost(self, connection: int, reason: str) -> None:
        """We were in before."""

    def acknowledged(self, connection: int, number: int, code: int) -> None:
        """Nothing is sent."""

    def arrived(self, message: Incoming) -> None:
        """Nothing is subscribed to."""


def judge_broker(settings: Settings) -> Finding:
    """The broker elsewhere lets us in, or there is one to start, which needs no port."""
    broker = settings.broker
    if not broker.embedded:
        where = f"{broker.host}:{broker.port}"
        if silent := facts.answers(broker.host, broker.port):
            return Finding(
                "broker",
                "fail",
                f"{where}: {silent}",
                "Is the network cable in? Else ask the hospital's IT: is broker.host right, does the firewall let us?",
            )
        return judge_admission(broker, sum(len(slot.device) for slot in settings.slot))
    found = facts.mosquitto()
    if found is None:
        return Finding("broker", "warn", "no mosquitto: iotcore takes its place", "Better: sudo apt install mosquitto")
    return Finding("broker", "ok", f"{found}, which 'run' starts for this gateway alone")


def judge_admission(broker: Broker, devices: int) -> Finding:
    """Ask a broker for admission with what the gateway has, and whether its limits will do.

    With a certificate we shake hands and go: a broker that knows its clients by their certificates would throw out the
    gateway that runs meanwhile.
    """
    where = f"{broker.host}:{broker.port}"
    if broker.cert_file is not None:
        if refused := refusal(broker):
            return Finding(
                "broker",
                "fail",
                f"{where}: {refused}",
                "Mend that (the hospital's IT issues the certificates), then ask again.",
            )
        return Finding("broker", "ok", f"{where} takes our certificate")
    asker = _Asker()
    link = Link(broker, client_id=f"doctor-{time.time_ns():x}", handler=asker)
    link.start()
    try:
        deadline = time.monotonic() + ANSWER_S
        while not asker.changed.wait(0.02) and not link.last_error and time.monotonic() < deadline:
            pass
    finally:
        link.stop()
    if asker.limits is None:
        trouble = explain(link.last_error or "no answer to MQTT 5")
        return Finding(
            "broker",
            "fail",
            f"{where}: {trouble}",
            "Ask the hospital's IT for user name, password and authority: broker.username, password_file, ca_file.",
        )
    return judge_limits(where, asker.limits, devices)


def judge_limits(where: str, limits: Limits, devices: int) -> Finding:
    """What the broker takes at once is enough for the status of so many devices."""
    needed = STATUS_BYTES + devices * DEVICE_BYTES
    if limits.largest_packet < needed:
        trouble = f"{where} lets us in, and takes messages of {limits.largest_packet} bytes at most"
        advice = f"The status may need {needed}: raise max_packet_size there."
        return Finding("broker", "warn", trouble, advice)
    if limits.receive_maximum < WINDOW_WANTED:
        trouble = f"{where} lets us in, and takes {limits.receive_maximum} messages at a time"
        return Finding("broker", "warn", trouble, "A backlog goes out slowly: raise max_inflight_messages there.")
    largest = "" if limits.largest_packet >= LARGEST_PACKET else f", messages of up to {limits.largest_packet} bytes"
    return Finding("broker", "ok", f"{where} lets us in{largest}")


def judge_store(store: Store | None) -> Finding | None:
    """The remote store answers and takes our token; nothing is written. None where none is configured."""
    if store is None or store.kind == "postgresql":
        return judge_postgresql(store, without_password(store.url)) if store else None
    where = without_password(store.url)
    try:
        request = _nothing_to_write(store)
    except (OSError, ValueError) as error:
        trouble = f"historian.store.token_file: {getattr(error, 'strerror', None) or error}"
        return Finding("store", "fail", trouble, "Write the token, and nothing else, into that file.")
    try:
        with urllib.request.urlopen(request, timeout=ANSWER_S) as answer:  # noqa: S310 - http or https, as checked
            status = answer.status
    except urllib.error.HTTPError as error:
        status = error.code
        error.close()
    except (OSError, http.client.HTTPException, ValueError) as error:
        trouble = f"{where}: {getattr(error, 'reason', None) or error}"
        return Finding(
            "store",
            "fail",
            trouble,
            "Is the network cable in? Else ask the hospital's IT: is store.url right, does the firewall let us?",
        )
    if status in {204, 400}:  # written, or "there is nothing to write"
        return Finding("store", "ok", f"{where} answers and lets us write")
    if status in {401, 403}:
        return Finding(
            "store",
            "fail",
            f"{where} refuses the token ({status})",
            "Ask whoever runs the database for a new token, and write it into token_file.",
        )
    advice = "Check historian.store.url, kind and bucket: that is no answer of a store."
    return Finding("store", "fail", f"{where} answers with status {status}", advice)


def _nothing_to_write(store: Store) -> urllib.request.Request:
    base = store.url.rstrip("/")
    if store.kind == "influxdb1":
        url = f"{base}/write?{urlencode({'db': store.bucket, 'precision': 'ms'})}"
    else:
        query = {"org": store.organisation or "-", "bucket": store.bucket, "precision": "ms"}
        url = f"{base}/api/v2/write?{urlencode(query)}"
    request = urllib.request.Request(url, data=b"", method="POST")  # noqa: S310 - http or https, as checked
    if store.token_file is not None:
        scheme = "Bearer" if store.kind == "victoriametrics" else "Token"
        request.add_header("Authorization", f"{scheme} {read_secret(store.token_file)}")
    return request


def judge_dashboard(settings: Settings) -> Finding:
    """The dashboard's port is free, or a dashboard of ours has it."""
    host, port = settings.dashboard.host, settings.dashboard.port
    where = f"{host}:{port}"
    target = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - to ask, not to listen
    if silent := facts.answers(target, port):
        del silent
        return Finding("dashboard", "ok", f"{where} is free")
    if _is_ours(target, port, tls=settings.dashboard.cert_file is not None):
        return Finding("dashboard", "ok", f"a dashboard runs on {where}")
    return Finding(
        "dashboard",
        "fail",
        f"{where} is taken by another program",
        "Stop that program, or write another number into dashboard.port.",
    )


def _is_ours(host: str, port: int, *, tls: bool) -> bool:
    connection: http.client.HTTPConnection
    if tls:
        unverified = ssl.create_default_context()
        unverified.check_hostname, unverified.verify_mode = False, ssl.CERT_NONE  # only its name is asked for
        connection = http.client.HTTPSConnection(host, port, timeout=ANSWER_S, context=unverified)
    else:
        connection = http.client.HTTPConnection(host, port, timeout=ANSWER_S)
    try:
        connection.request("GET", "/api/catalogue")
        return connection.getresponse().getheader("Server") == "rehab-gateway"
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
