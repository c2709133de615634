"""What somebody would try who is in the network, or has a gateway in their hands: each is refused, and said."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import orjson
import pytest
from paho.mqtt.subscribeoptions import SubscribeOptions

from config.settings import Broker
from gateway.broker.link import Incoming, Limits, Link
from gateway.fleet.enrolment import MOST_A_DAY
from gateway.fleet.joining import JoinError, make_requests
from gateway.fleet.member_folder import FOLDER
from gateway.fleet.plan import Plan, decode_plan, describe, encode_plan
from gateway.fleet.register import MOST_TRIES
from gateway.fleet.signing import load_key, make_key, sign, verified
from gateway.fleet.topics import FleetTopics
from gateway.wire.topics import Topics
from tests.gateway.fleet.hospital import FIRST_VERSION, SITE, Hospital, LightGateway
from tests.servers import wait_until

pytestmark = [pytest.mark.broker, pytest.mark.timeout(300)]

TOPICS = FleetTopics(SITE)
WITHIN_S = 10.0
DEEP = b"[" * 1000 + b"]" * 1000
"""A list in a thousand lists: JSON, and more than Python can write out."""
NOT_AUTHORISED = 0x87  # MQTT 5, section 3.4.2.1
TAKEN = {0, 0x10}  # taken, or taken and nobody heard it


class Somebody:
    """Whoever has a certificate, or none, at the broker."""

    def __init__(self, broker: Broker, *topics: str) -> None:
        self._changed = threading.Condition()
        self._codes: dict[int, int] = {}
        self.heard: list[Incoming] = []
        self._connection = 0
        self.link = Link(
            broker, client_id="somebody", handler=self,
            subscriptions=[(topic, SubscribeOptions(qos=1)) for topic in topics],
        )  # fmt: skip
        self.link.start()
        with self._changed:
            assert self._changed.wait_for(lambda: self._connection, WITHIN_S), self.link.last_error

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> int:
        """Publish, and return the broker's reason code."""
        info = self.link.publish(self._connection, topic, payload, qos=1, retain=retain)
        assert info is not None
        with self._changed:
            assert self._changed.wait_for(lambda: info.mid in self._codes, WITHIN_S)
        return self._codes[info.mid]

    def say(self, topic: str, payload: bytes) -> None:
        """Publish, and wait for nothing."""
        assert self.link.publish(self._connection, topic, payload, qos=1) is not None

    def connected(self, connection: int, limits: Limits) -> None:
        with self._changed:
            self._connection = connection
            self._changed.notify_all()

    def lost(self, connection: int, reason: str) -> None: ...

    def acknowledged(self, connection: int, number: int, code: int) -> None:
        with self._changed:
            self._codes[number] = code
            self._changed.notify_all()

    def arrived(self, message: Incoming) -> None:
        with self._changed:
            self.heard.append(message)
            self._changed.notify_all()


@pytest.fixture
def enter() -> Iterator[Callable[..., Somebody]]:
    """Let somebody in; everybody leaves at the end."""
    here: list[Somebody] = []

    def come(broker: Broker, *topics: str) -> Somebody:
        here.append(Somebody(broker, *topics))
        return here[-1]

    yield come
    for one in here:
        one.link.stop()


def broker_of(hospital: Hospital, gateway: str, part: str) -> Broker:
    """Return the broker as whoever stole a gateway's certificate reaches it."""
    stolen = hospital.folder / gateway / "data" / FOLDER / f"{part}.pem"
    ca = hospital.fleet_folder / "ca.pem"
    return Broker(
        embedded=False, host="localhost", port=hospital.port, ca_file=ca, cert_file=stolen, key_file=stolen
    )  # fmt: skip


def plan_of(hospital: Hospital) -> Plan:
    """Return the plan that stands."""
    key = load_key(hospital.fleet_folder / "plan.key").public_key().public_bytes_raw().hex()
    return decode_plan(verified(key, hospital.fleet.register.fact("plan").encode()))


def upgraded(hospital: Hospital, version: str) -> LightGateway:
    """Return a gateway that has had a roll-out."""
    made = hospital.enrol("a", "first")
    hospital.roll_out(hospital.bundle(version), version, "all")
    hospital.until("done")
    return made


def test_a_plan_that_the_desk_has_not_signed_is_refused(
    hospital: Hospital, enter: Callable[..., Somebody], tmp_path: Path
) -> None:
    gateway = upgraded(hospital, "1.1.0")
    forged = replace(plan_of(hospital), counter=99, roll_out=9, state="open")
    make_key(tmp_path / "own.key")
    desk = enter(hospital.fleet.broker())  # even whoever has the desk's place at the broker, and not its key
    bodies = sign(load_key(tmp_path / "own.key"), encode_plan(forged)), b"{}", b"\xff", b"[" * 9999
    for number, body in enumerate(bodies, 1):
        assert desk.publish(TOPICS.plan, body, retain=True) in TAKEN
        wait_until(lambda number=number: gateway.agent.refused["forged"] >= number)  # type: ignore[misc]
    assert hospital.versions() == {"a": "1.1.0"}


def test_an_older_plan_is_refused_and_so_is_another_with_the_same_number(
    hospital: Hospital, enter: Callable[..., Somebody]
) -> None:
    gateway = upgraded(hospital, "1.1.0")
    old = hospital.fleet.register.fact("plan").encode()
    hospital.roll_out(hospital.bundle("1.2.0"), "1.2.0", "all")
    hospital.until("done")
    newest = plan_of(hospital)
    hospital.stop_desk()
    desk = enter(hospital.fleet.broker())
    desk.publish(TOPICS.plan, old, retain=True)
    wait_until(lambda: gateway.agent.refused["older"] == 1)
    other = sign(load_key(hospital.fleet_folder / "plan.key"), encode_plan(replace(newest, state="open", roll_out=7)))
    desk.publish(TOPICS.plan, other, retain=True)
    wait_until(lambda: gateway.agent.refused["older"] == 2)
    gateway.stop_agent()
    gateway.start_agent()  # it has not forgotten
    wait_until(lambda: gateway.agent.refused["older"] == 1)
    assert hospital.versions() == {"a": "1.2.0"}
    hospital.start_desk()


def test_a_plan_of_another_site_is_refused(hospital: Hospital, enter: Callable[..., Somebody]) -> None:
    gateway = upgraded(hospital, "1.1.0")
    other = replace(plan_of(hospital), site="south", counter=50)
    enter(hospital.fleet.broker()).publish(
        TOPICS.plan, sign(load_key(hospital.fleet_folder / "plan.key"), encode_plan(other))
    )
    wait_until(lambda: gateway.agent.refused["not understood"] == 1)


@pytest.mark.parametrize("way", ["the desk", "a share"])
def test_a_bundle_that_was_changed_after_it_was_signed_is_refused(hospital: Hospital, way: str) -> None:
    share = hospital.folder / "share"
    share.mkdir()
    hospital.enrol("a", "first", share=str(share) if way == "a share" else None)
    bundle = hospital.bundle("1.1.0")
    signed = describe(bundle, "upgrade", "1.1.0")
    whole = bundle.read_bytes()
    changed = whole[:300_000] + b"y" + whole[300_001:]  # one byte, of the second part
    (bundle if way == "the desk" else share / bundle.name).write_bytes(changed)
    hospital.roll_out(bundle, "1.1.0", "all", described=signed)
    stopped = hospital.until("stopped")
    assert "is not what was signed" in stopped.why
    assert "part 2" in stopped.why
    assert hospital.versions() == {"a": FIRST_VERSION}


def test_a_code_is_good_once(hospital: Hospital) -> None:
    code = hospital.code("a")
    first, second = (LightGateway(hospital.folder / name, "a", hospital.enrol_broker()) for name in ("one", "two"))
    first.join(code)
    with pytest.raises(JoinError, match="wrong, used, or over"):
        second.join(code)
    assert not (second.folder / "data" / FOLDER).exists()


def test_a_code_of_another_gateway_is_none_and_one_that_is_over_neither(hospital: Hospital) -> None:
    code, over = hospital.code("a"), hospital.code("c", minutes=-1)
    for name, tried in (("b", code), ("c", over)):
        with pytest.raises(JoinError, match="wrong, used, or over"):
            LightGateway(hospital.folder / name, name, hospital.enrol_broker()).join(tried)


def test_a_code_is_guessed_five_times_and_no_more(hospital: Hospital) -> None:
    code = hospital.code("a")
    gateway = LightGateway(hospital.folder / "a", "a", hospital.enrol_broker())
    for number in range(MOST_TRIES):
        with pytest.raises(JoinError, match="wrong, used, or over"):
            gateway.join(f"22222-2222{number + 2}")
    with pytest.raises(JoinError, match="wrong, used, or over"):
        gateway.join(code)
    assert hospital.fleet.register.present() == []


def test_whoever_may_ask_to_join_may_do_nothing_else(hospital: Hospital, enter: Callable[..., Somebody]) -> None:
    stranger = enter(hospital.known_enrol_broker())
    own = Topics(SITE, "a")
    others = (own.status, own.measurements("bay-1"), own.stored, TOPICS.plan, TOPICS.state("a"), TOPICS.answer("other"))
    for topic in (*others, TOPICS.request("other")):
        assert stranger.publish(topic, b"{}") == NOT_AUTHORISED, topic
    listener = enter(hospital.known_enrol_broker(), "#", TOPICS.answer("+"))
    hospital.enrol("a", start=False)
    assert listener.heard == []


def test_a_gateway_speaks_for_itself_alone(hospital: Hospital, enter: Callable[..., Somebody]) -> None:
    hospital.enrol("a", start=False)
    hospital.enrol("b", start=False)
    agent, gateway = (enter(broker_of(hospital, "a", part)) for part in ("agent", "gateway"))
    other = Topics(SITE, "b")
    assert agent.publish(TOPICS.state("a"), b"{}") in TAKEN
    for topic in (TOPICS.state("b"), TOPICS.want("b"), TOPICS.renew("b"), TOPICS.plan, TOPICS.part("b"), other.status):
        assert agent.publish(topic, b"{}") == NOT_AUTHORISED, topic
    for topic in (other.measurements("bay-1"), other.status, other.stored, TOPICS.state("a"), TOPICS.plan):
        assert gateway.publish(topic, b"{}") == NOT_AUTHORISED, topic


def test_certificates_are_for_whom_the_fleet_says_whatever_a_request_names(hospital: Hospital) -> None:
    """A gateway that asks for new certificates in another's name gets its own."""
    from cryptography import x509

    from gateway.fleet.authority import make_request

    _, request = make_request("dashboard")
    pem, _ = hospital.fleet.authority.sign_request(request, "a")
    assert x509.load_pem_x509_certificate(pem.encode()).subject.rfc4514_string() == "CN=a"


@pytest.mark.parametrize("part", ["gateway", "agent", "command"])
def test_who_has_the_certificates_of_before_is_put_out_when_a_gateway_joins_anew(
    hospital: Hospital, enter: Callable[..., Somebody], part: str
) -> None:
    """A broker looks at its list of revocations when somebody comes: who is there already would stay for months."""
    hospital.enrol("a", start=False)
    thief = enter(broker_of(hospital, "a", part))
    wait_until(lambda: thief.link.connected)
    stolen = (hospital.folder / "a" / "data" / FOLDER / f"{part}.pem").read_bytes()
    LightGateway(hospital.folder / "new", "a", hospital.enrol_broker()).join(hospital.code("a"))
    wait_until(lambda: "revoked" in thief.link.last_error)
    assert stolen == (hospital.folder / "a" / "data" / FOLDER / f"{part}.pem").read_bytes()


def test_new_certificates_are_given_some_times_a_day_and_no_more(
    hospital: Hospital, enter: Callable[..., Somebody]
) -> None:
    """Each would be a number on the list that all have to read whose certificate is looked at."""
    hospital.enrol("a", start=False)
    agent = enter(broker_of(hospital, "a", "agent"), TOPICS.renewed("a"))
    _, requests = make_requests("a")
    for _ in range(2 * MOST_A_DAY):
        agent.publish(TOPICS.renew("a"), orjson.dumps(requests))
    wait_until(lambda: len(agent.heard) == 2 * MOST_A_DAY)
    refused = [b"refused" in message.payload for message in agent.heard]
    assert refused == [False] * (MOST_A_DAY - 1) + [True] * (MOST_A_DAY + 1)  # it has had some when it joined
    assert hospital.fleet.revoke("a", "stolen") == []
    assert len(hospital.fleet.register.revoked_numbers(0.0)) == 3 * MOST_A_DAY


def held_mb() -> int:
    """Return how much memory this process holds, of which the desk is a thread."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE") >> 20


def test_who_asks_for_a_thousand_parts_is_handed_one_after_another(
    hospital: Hospital, enter: Callable[..., Somebody]
) -> None:
    hospital.enrol("a", "first", start=False)
    agent = enter(broker_of(hospital, "a", "agent"))
    path = hospital.bundle("1.1.0", size=20_000_000)
    bundle = describe(path, "upgrade", "1.1.0")
    hospital.roll_out(path, "1.1.0", "first", within_s=120.0, described=bundle)
    wait_until(lambda: "has not answered" in hospital.newest().why)  # so the plan is out
    before, most = held_mb(), 0
    for number in range(3000):
        agent.say(TOPICS.want("a"), orjson.dumps({"sha256": bundle.sha256, "part": number % len(bundle.parts)}))
        most = max(most, held_mb())
    hospital.enrol("b", "second", start=False)  # whoever else asks is answered meanwhile
    assert max(most, held_mb()) - before < 150  # 3000 parts have 786 MB


def test_what_is_rubbish_stops_nobody(hospital: Hospital, enter: Callable[..., Somebody]) -> None:
    hospital.enrol("a", "first", start=False)
    agent, gateway = (enter(broker_of(hospital, "a", part)) for part in ("agent", "gateway"))
    stranger = enter(hospital.known_enrol_broker())
    every = b'{"gateway": %b, "body": %b, "proof": %b, "part": %b, "sha256": %b, "gateway_request": %b, "nonce": %b}'
    rubbish = (
        b"", b"\xff\xfe", b"[]", b"null", b'{"part": -1, "sha256": 7}', orjson.dumps({"x": "y" * 99_999}),
        every % ((DEEP,) * 7),
    )  # fmt: skip
    for body in rubbish:
        for topic in (TOPICS.state("a"), TOPICS.want("a"), TOPICS.renew("a")):
            agent.publish(topic, body)
        for page in ("", "/1", f"/{'9' * 5_000}"):
            gateway.publish(f"{Topics(SITE, 'a').status}{page}", body)
        stranger.publish(TOPICS.request("somebody"), body)
    hospital.enrol("b", "second")
    hospital.roll_out(hospital.bundle("1.1.0"), "1.1.0", "second")
    hospital.until("done")


def test_what_a_gateway_says_of_a_roll_out_may_be_anything_and_reaches_nobody_s_terminal(
    hospital: Hospital, enter: Callable[..., Somebody]
) -> None:
    hospital.enrol("a", start=False)
    agent, gateway = (enter(broker_of(hospital, "a", part)) for part in ("agent", "gateway"))
    number = hospital.roll_out(hospital.bundle("1.1.0"), "1.1.0", "all")
    said = b'{"roll_out": %d, "attempt": 1, "outcome": "%b", "why": %b}'
    for outcome, why in ((b"committed", DEEP), (b"committed", b'""')):
        agent.publish(TOPICS.state("a"), said % (number, outcome, why), retain=True)
        status = {"state": "online", "publisher": {"connected": True}, "notices": {"active": []}, "version": "\x1b[2J"}
        gateway.publish(Topics(SITE, "a").status, orjson.dumps(status))
        wait_until(lambda: "says that it runs \\x1b[2J" in hospital.newest().why)
    agent.publish(TOPICS.state("a"), said % (number, b"failed", b'"\\u001b[2J\\n1 of 1 well"'), retain=True)
    assert hospital.until("stopped").why == "ring 'all': a: \\x1b[2J\\n1 of 1 well"
