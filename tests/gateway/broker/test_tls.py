"""A real mosquitto over TLS: who gets in, what they may do there, and what is said of those who do not."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import pytest
from paho.mqtt.subscribeoptions import SubscribeOptions

from config.settings import Broker, Dashboard, Historian, Settings, Site
from gateway.broker.access_list import access_list, listener
from gateway.broker.certificates import Certificates, broker_for, context_for, days_left, explain
from gateway.broker.embedded import find_mosquitto
from gateway.broker.link import Incoming, Limits, Link
from gateway.wire.topics import Topics
from tests.certificates import Authority
from tests.servers import Child, free_port, missing

pytestmark = pytest.mark.broker

WITHIN_S = 10.0
SITE = "north"
NOT_AUTHORISED = 0x87  # MQTT 5, section 3.4.2.1
TAKEN = {0, 0x10}  # taken, or taken and nobody heard it
ALL = f"rehab/v1/{SITE}/#"


@dataclass
class Mosquitto:
    """A broker that knows everybody by certificate."""

    port: int
    authority: Authority
    folder: Path
    child: Child

    def broker(self, name: str, **more: Path) -> Broker:
        cert, key = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        if not cert.exists():
            self.authority.issue(name)
        files = {"ca_file": self.authority.path, "cert_file": cert, "key_file": key} | more
        return Broker(embedded=False, host="localhost", port=self.port, **files)


@pytest.fixture(scope="module")
def mosquitto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    """Run mosquitto with what ``broker-acl`` makes."""
    program = find_mosquitto()
    if program is None:
        missing("mosquitto")
    assert program
    folder = tmp_path_factory.mktemp("tls")
    authority = Authority(folder)
    authority.issue("broker", server=True)
    revoked, _ = authority.issue("taken-back")
    authority.revoke(revoked)
    port = free_port()
    (folder / "acl").write_text(access_list(SITE, ["ward-7", "ward-8"], ["historian", "h-1", "h-2"], ["dashboard"]))
    (folder / "mosquitto.conf").write_text(f"user {Path('/proc/self').owner()}\n{listener(folder, port)}")
    child = Child(port, [program, "-c", str(folder / "mosquitto.conf")])
    try:
        yield Mosquitto(port, authority, folder, child)
    finally:
        child.end()


@dataclass
class Client:
    """Somebody at the broker, over the product's own link."""

    link: Link = field(init=False)
    here: int = 0
    times: int = 0
    codes: dict[tuple[int, int], int] = field(default_factory=dict)
    heard: list[Incoming] = field(default_factory=list)
    changed: threading.Condition = field(default_factory=threading.Condition)

    def at(self, broker: Broker, *topics: str, client_id: str = "anybody") -> Self:
        subscriptions = [(topic, SubscribeOptions(qos=1)) for topic in topics]
        self.link = Link(broker, client_id=client_id, handler=self, subscriptions=subscriptions)
        self.link.start()
        return self

    def until(self, wanted: Callable[[], bool]) -> None:
        with self.changed:
            assert self.changed.wait_for(wanted, WITHIN_S), self.link.last_error

    def try_publish(self, topic: str) -> int:
        """Publish, and return the broker's reason code."""
        connection = self.here
        info = self.link.publish(connection, topic, b"{}", qos=1)
        assert info is not None
        self.until(lambda: (connection, info.mid) in self.codes)
        return self.codes[connection, info.mid]

    def connected(self, connection: int, limits: Limits) -> None:
        with self.changed:
            self.here, self.times = connection, self.times + 1
            self.changed.notify_all()

    def lost(self, connection: int, reason: str) -> None:
        with self.changed:
            self.here = 0
            self.changed.notify_all()

    def acknowledged(self, connection: int, number: int, code: int) -> None:
        with self.changed:
            self.codes[connection, number] = code
            self.changed.notify_all()

    def arrived(self, message: Incoming) -> None:
        with self.changed:
            self.heard.append(message)
            self.changed.notify_all()


@pytest.fixture
def enter(mosquitto: Mosquitto) -> Iterator[Callable[..., Client]]:
    """Let somebody in with the certificate of that name; everybody leaves at the end."""
    here: list[Client] = []

    def come(name: str, *topics: str, client_id: str = "anybody") -> Client:
        client = Client().at(mosquitto.broker(name), *topics, client_id=client_id)
        here.append(client)
        client.until(lambda: client.here > 0)
        return client

    yield come
    for client in here:
        client.link.stop()


@pytest.fixture
def entered(mosquitto: Mosquitto) -> Callable[[str], AbstractContextManager[Client]]:
    """Let somebody in for a moment."""

    @contextmanager
    def come(name: str) -> Iterator[Client]:
        client = Client().at(mosquitto.broker(name))
        try:
            client.until(lambda: client.here > 0)
            yield client
        finally:
            client.link.stop()

    return come


def refused(broker: Broker) -> str:
    """Return what is said of somebody who does not get in."""
    client = Client().at(broker)
    try:
        deadline = time.monotonic() + WITHIN_S
        while not client.link.last_error:
            assert not client.here, "the broker let it in"
            assert time.monotonic() < deadline
            time.sleep(0.01)
        return client.link.last_error
    finally:
        client.link.stop()


def own_topics(gateway: str) -> list[str]:
    topics = Topics(SITE, gateway)
    return [topics.measurements("bay-1"), topics.gaps, topics.status, topics.notices, topics.waveform("dot-1", "imu")]


def test_a_gateway_writes_its_own_topics_and_no_others(
    enter: Callable[..., Client], entered: Callable[[str], AbstractContextManager[Client]]
) -> None:
    listening = enter("dashboard", ALL)
    topics, other = Topics(SITE, "ward-7"), Topics(SITE, "ward-8")
    forbidden = [
        *own_topics("ward-8"), topics.stored, other.stored, topics.command("watch"), other.command("watch"),
        Topics("south", "ward-7").status, "anything", "$SYS/broker/clients/total", "$CONTROL/dynamic-security/v1",
    ]  # fmt: skip
    for topic in forbidden:
        with entered("ward-7") as gateway:  # a new one each time: after a refusal mosquitto 2.0.11 ends the connection
            assert gateway.try_publish(topic) == NOT_AUTHORISED, topic
    with entered("ward-7") as gateway:
        assert {gateway.try_publish(topic) for topic in own_topics("ward-7")} <= TAKEN
    listening.until(lambda: len(listening.heard) >= 5)  # what was refused would have come before these
    assert {message.topic for message in listening.heard} == set(own_topics("ward-7"))


def test_a_gateway_reads_its_receipts_and_commands_and_nothing_else(enter: Callable[..., Client]) -> None:
    gateway, historian, dashboard = enter("ward-7", "#"), enter("historian"), enter("dashboard")
    for client, topic in (
        (historian, Topics(SITE, "ward-8").stored), (dashboard, Topics(SITE, "ward-8").command("watch")),
        (dashboard, Topics(SITE, "ward-7").command("watch")), (historian, Topics(SITE, "ward-7").stored),
    ):  # fmt: skip
        assert client.try_publish(topic) in TAKEN
    gateway.try_publish(Topics(SITE, "ward-7").status)
    gateway.until(lambda: len(gateway.heard) >= 2)
    assert {message.topic for message in gateway.heard} == {
        Topics(SITE, "ward-7").command("watch"), Topics(SITE, "ward-7").stored,
    }  # fmt: skip


def test_a_historian_writes_receipts_and_a_dashboard_asks_to_watch(
    entered: Callable[[str], AbstractContextManager[Client]],
) -> None:
    topics = Topics(SITE, "ward-7")
    forbidden = {
        "historian": (*own_topics("ward-7"), topics.command("watch")),
        "dashboard": (*own_topics("ward-7"), topics.stored, topics.command("start")),
    }
    for name, others in forbidden.items():
        for topic in others:
            with entered(name) as client:
                assert client.try_publish(topic) == NOT_AUTHORISED, topic


def test_historians_that_share_read_a_part_and_write_receipts_of_their_own(
    enter: Callable[..., Client], entered: Callable[[str], AbstractContextManager[Client]]
) -> None:
    topics, wanted = Topics(SITE, "ward-7"), Topics(SITE, "+").measurements()
    ward, first, second = enter("ward-7", topics.stored_by()), *(
        enter(name, f"$share/ward/{wanted}") for name in ("h-1", "h-2")
    )  # fmt: skip
    for _ in range(20):
        assert ward.try_publish(topics.measurements("bay-1")) in TAKEN
    first.until(lambda: len(first.heard) == 10)
    second.until(lambda: len(second.heard) == 10)
    assert first.try_publish(topics.stored_by("h-1")) in TAKEN
    assert second.try_publish(topics.stored_by("h-2")) in TAKEN
    for other in ("h-1", "h-2"):
        with entered("historian") as third:
            assert third.try_publish(topics.stored_by(other)) == NOT_AUTHORISED
    with entered("ward-8") as gateway:
        assert gateway.try_publish(topics.stored_by("ward-8")) == NOT_AUTHORISED
    ward.until(lambda: len(ward.heard) == 2)


def test_nobody_can_enter_the_session_of_another(enter: Callable[..., Client]) -> None:
    """The client id is the certificate's name, whatever a client asks for."""
    victim = enter("ward-8", client_id="rehab-north-ward-8")
    for wanted in ("rehab-north-ward-8", "ward-8"):
        enter("ward-7", client_id=wanted).try_publish(Topics(SITE, "ward-7").gaps)
    assert victim.try_publish(Topics(SITE, "ward-8").gaps) in TAKEN
    assert victim.times == 1


def test_who_is_no_longer_good_is_refused_with_one_clear_sentence(mosquitto: Mosquitto, tmp_path: Path) -> None:
    old, old_key = mosquitto.authority.issue("ward-7", days=-1, file="old")
    foreign, foreign_key = Authority(tmp_path / "other").issue("ward-7")
    server, server_key = mosquitto.folder / "broker.pem", mosquitto.folder / "broker.key"
    good = mosquitto.broker("ward-7")
    none = good.model_copy(update={"cert_file": None, "key_file": None})
    reasons = {
        "expired": refused(good.model_copy(update={"cert_file": old, "key_file": old_key})),
        "revoked": refused(mosquitto.broker("taken-back")),
        "foreign": refused(good.model_copy(update={"cert_file": foreign, "key_file": foreign_key})),
        "wrong use": refused(good.model_copy(update={"cert_file": server, "key_file": server_key})),
        "none": refused(none),
        "wrong key": refused(good.model_copy(update={"key_file": foreign_key})),
        "no file": refused(good.model_copy(update={"cert_file": tmp_path / "nowhere.pem"})),
        "no certificate": refused(good.model_copy(update={"cert_file": old_key})),
    }
    assert reasons["expired"] == "the broker refused our certificate, which has expired: put a new one in its place"
    assert reasons["revoked"] == "the broker refused our certificate, which has been revoked: ask for a new one"
    assert reasons["foreign"] == "the broker refused our certificate, which is not of its authority"
    assert reasons["wrong use"].startswith("the broker refused our certificate")
    assert reasons["none"].startswith(("the broker asks for a certificate", "the broker and we have no way of TLS"))
    assert reasons["wrong key"] == "broker.key_file is not the key of broker.cert_file"
    assert "FileNotFoundError" in reasons["no file"]
    assert "PEM" in reasons["no certificate"]


def test_a_broker_that_is_not_ours_is_refused(mosquitto: Mosquitto, tmp_path: Path) -> None:
    good = mosquitto.broker("ward-7")
    other = Authority(tmp_path / "other")
    assert refused(good.model_copy(update={"ca_file": other.path})) == (
        "the broker's certificate is not of the authority in broker.ca_file"
    )
    assert refused(good.model_copy(update={"crl_file": other.crl})) == (
        "the revocation list in broker.crl_file is not of the broker's authority"
    )
    assert "another host" in refused(good.model_copy(update={"host": "127.0.0.2"}))


@pytest.mark.parametrize(("days", "revoke", "reason"), [(-1, False, "has expired"), (9, True, "has been revoked")])
def test_a_broker_whose_certificate_is_over_is_refused(tmp_path: Path, days: int, revoke: bool, reason: str) -> None:
    authority = Authority(tmp_path)
    cert, key = authority.issue("broker", server=True, days=days)
    if revoke:
        authority.revoke(cert)
    port, program = free_port(), find_mosquitto()
    if program is None:
        missing("mosquitto")
    config = tmp_path / "mosquitto.conf"
    files = f"cafile {authority.path}\ncertfile {cert}\nkeyfile {key}\n"
    config.write_text(f"listener {port} 127.0.0.1\nuser {Path('/proc/self').owner()}\nallow_anonymous true\n{files}")
    child = Child(port, [str(program), "-c", str(config)])
    try:
        broker = Broker(embedded=False, port=port, ca_file=authority.path, crl_file=authority.crl)
        assert reason in refused(broker)
    finally:
        child.end()


def test_a_certificate_that_was_replaced_works_without_a_restart(mosquitto: Mosquitto) -> None:
    mosquitto.authority.issue("ward-8", days=-1, file="renewed")
    cert, key = mosquitto.folder / "renewed.pem", mosquitto.folder / "renewed.key"
    broker = mosquitto.broker("ward-8").model_copy(update={"cert_file": cert, "key_file": key})
    client = Client().at(broker)
    try:
        deadline = time.monotonic() + WITHIN_S
        while "expired" not in client.link.last_error:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        mosquitto.authority.issue("ward-8", file="renewed")
        client.until(lambda: client.here > 0)
    finally:
        client.link.stop()


def test_days_are_counted_from_the_file_as_it_is_now(tmp_path: Path) -> None:
    authority, now = Authority(tmp_path), [0.0]
    cert, _ = authority.issue("ward-7", days=29)
    settings = Settings(
        site=Site(data=tmp_path),
        broker=Broker(embedded=False, ca_file=authority.path, cert_file=cert),
        historian=Historian(cert_file=tmp_path / "nowhere.pem"),
    )
    watched = Certificates(settings, clock=lambda: now[0])
    assert days_left(cert) == pytest.approx(29, abs=0.01)
    assert [(c["name"], round(c["days_left"])) for c in watched.status()] == [
        ("of the gateway", 29), ("of the broker's authority", 3650),
    ]  # fmt: skip
    authority.issue("ward-7", days=365)
    assert round(watched.status()[0]["days_left"]) == 29
    now[0] += 61
    assert round(watched.status()[0]["days_left"]) == 365


@pytest.mark.parametrize("data", [b"", b"nonsense", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
def test_a_file_that_is_no_certificate_says_so(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "x.pem"
    path.write_bytes(data)
    with pytest.raises(ValueError):  # noqa: PT011 - the words are the library's
        days_left(path)
    settings = Settings(broker=Broker(embedded=False, ca_file=path))
    assert Certificates(settings).status() == []
    with pytest.raises(OSError) as problem:  # noqa: PT011 - what it says is looked at below
        context_for(settings.broker)
    assert explain(problem.value)


def test_historian_and_dashboard_may_have_certificates_of_their_own() -> None:
    settings = Settings(
        broker=Broker(cert_file=Path("g.pem"), key_file=Path("g.key")),
        historian=Historian(cert_file=Path("h.pem"), key_file=Path("h.key")),
        dashboard=Dashboard(cert_file=Path("web.pem"), key_file=Path("web.key")),
    )
    assert broker_for(settings, "historian").cert_file == Path("h.pem")
    assert broker_for(settings, "dashboard").cert_file == Path("g.pem")


def test_one_name_for_two_is_refused() -> None:
    with pytest.raises(ValueError, match="'historian' is two of them"):
        access_list(SITE, ["historian"], ["historian"], ["dashboard"])


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ConnectionRefusedError(111, "Connection refused"), "nobody answers there"),
        (OSError(113, "No route to host"), "no route to host"),
        (ValueError("odd"), "ValueError: odd"),
    ],
)
def test_a_connection_that_does_not_come_about_is_told_in_words(error: Exception, words: str) -> None:
    assert explain(error).startswith(words)
