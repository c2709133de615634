"""What waits for desk and agents: one who sends more than is read takes nobody else's place."""

from __future__ import annotations

from gateway.broker.link import Incoming
from gateway.fleet.inbox import MOST_BYTES_OF_ONE, MOST_OF_ONE, MOST_SENDERS, Inbox
from gateway.fleet.topics import NOBODY, FleetTopics, whose
from gateway.wire.topics import Topics

FLEET = FleetTopics("north")


def message(topic: str, payload: bytes = b"{}") -> Incoming:
    return Incoming(1, 0, topic, payload, 1, retained=False)


def read(inbox: Inbox) -> list[Incoming]:
    found = []
    while (one := inbox.wait(0.0)) is not None:
        found.append(one)
    return found


def test_who_sends_more_than_is_read_loses_their_own_oldest() -> None:
    inbox = Inbox(whose)
    inbox.arrived(message(FLEET.state("quiet"), b"committed"))
    for number in range(10_000):
        inbox.arrived(message(FLEET.request(f"{number}"), str(number).encode()))
        inbox.arrived(message(FLEET.want("loud"), str(number).encode()))
    first = [inbox.wait(0.0) for _ in range(3)]
    assert b"committed" in [one.payload for one in first if one]
    rest = [one.payload for one in read(inbox)]
    assert len(rest) == 2 * MOST_OF_ONE - 2
    assert rest[-1] == b"9999"
    assert inbox.dropped == 2 * (10_000 - MOST_OF_ONE)


def test_bytes_are_bounded_and_one_that_is_larger_than_all_is_left() -> None:
    inbox = Inbox(whose)
    for _ in range(4):
        inbox.arrived(message(FLEET.state("a"), bytes(MOST_BYTES_OF_ONE // 2)))
    assert len(read(inbox)) == 2
    inbox.arrived(message(FLEET.state("a"), bytes(MOST_BYTES_OF_ONE + 1)))
    assert read(inbox) == []


def test_names_are_bounded() -> None:
    inbox = Inbox(str)
    for number in range(MOST_SENDERS + 7):
        inbox.arrived(message(str(number)))
    assert len(read(inbox)) == MOST_SENDERS
    assert inbox.dropped == 7


def test_whose_a_message_is() -> None:
    own = Topics("north", "a")
    assert {whose(topic) for topic in (own.status, f"{own.status}/1", FLEET.state("a"), FLEET.renew("a"))} == {"a"}
    assert {whose(FLEET.request(client)) for client in ("a", "b")} == {NOBODY}
