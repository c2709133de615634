"""What comes from the broker's link, on its threads: put in line for the one thread that keeps the books.

Commands are answered at once, on the network thread; receipts and what becomes of messages wait for the publisher's.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from gateway.broker.link import Incoming, Limits
from gateway.delivery.commands import Command, CommandError, dispatch_command, may_answer_on, refusal
from gateway.delivery.in_flight import Outgoing
from gateway.delivery.receipts import MOST_HISTORIANS
from gateway.machine.fault_counts import FaultCounts
from gateway.machine.plain_text import printable
from gateway.wire.receipt import UNLISTED, UNSIGNED, Receipt
from gateway.wire.receipt_key import ReceiptKey
from gateway.wire.topics import Topics

log = logging.getLogger(__name__)

RECEIPTS_MOST = 4 * MOST_HISTORIANS
"""Receipts that wait to be looked at: the newest of each historian for each life of the outbox."""

Obeyed = Callable[[Incoming, dict[str, Any]], None]
"""Called with every command and its answer."""


@dataclass(frozen=True, slots=True)
class Connected:
    """The broker accepted a connection."""

    connection: int
    limits: Limits


@dataclass(frozen=True, slots=True)
class Lost:
    """A connection is over."""

    connection: int
    reason: str


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """The broker took a message, or refused it with a code of 0x80 or more."""

    connection: int
    number: int
    code: int


Event = Connected | Lost | Acknowledged


@dataclass(frozen=True, slots=True)
class ReceivedReceipt:
    """A receipt, whose it is, and whether the broker remembered it from before this connection."""

    historian: str
    receipt: Receipt
    retained: bool


class Inbox:
    """Events, receipts and commands of one link; its handler.

    The events are bounded by what is under way, the receipts by the historians that may be listed.

    Args:
        topics: This gateway's topics.
        faults: Where what cannot be understood is counted.
        notify: Wakes the thread that reads this.
        answer: Queues the answer to a command.
        on_command: Carries commands out; None where this gateway takes none.
        on_obeyed: Is told of every command and its answer.
        historians: Whose receipts are believed.
        receipt_key: With it only receipts that are signed count.
    """

    def __init__(
        self,
        topics: Topics,
        faults: FaultCounts,
        *,
        notify: Callable[[], None],
        answer: Callable[[Outgoing], None],
        on_command: Command | None = None,
        on_obeyed: Obeyed | None = None,
        historians: Sequence[str] = ("",),
        receipt_key: ReceiptKey | None = None,
    ) -> None:
        self._topics = topics
        self._faults = faults
        self._notify = notify
        self._answer = answer
        self._on_command = on_command
        self._on_obeyed = on_obeyed
        self._historians = frozenset(historians)
        self._receipt_key = receipt_key
        self._events: deque[Event] = deque()
        self._lock = threading.Lock()
        self._receipts: dict[tuple[str, str], ReceivedReceipt] = {}  # by historian and epoch; guarded by _lock

    # For the link, on its threads.

    def connected(self, connection: int, limits: Limits) -> None:
        """Put in line that the broker accepted a connection."""
        self._post(Connected(connection, limits))

    def lost(self, connection: int, reason: str) -> None:
        """Put in line that a connection is over."""
        log.info("connection %d lost: %s", connection, reason)
        self._post(Lost(connection, reason))

    def acknowledged(self, connection: int, number: int, code: int) -> None:
        """Put in line what the broker said to a message."""
        self._post(Acknowledged(connection, number, code))

    def arrived(self, message: Incoming) -> None:
        """Keep a receipt; have a command carried out, and answer it."""
        if message.topic == self._topics.stored or message.topic.startswith(self._topics.stored_by("")):
            self._keep_receipt(message)
        elif message.topic.startswith(self._topics.command("")):
            self._obey(message)

    def _post(self, event: Event) -> None:
        self._events.append(event)
        self._notify()

    def _keep_receipt(self, message: Incoming) -> None:
        historian = message.topic.removeprefix(self._topics.stored).removeprefix("/")
        if historian not in self._historians:
            self._faults.note(UNLISTED, printable(message.topic))
            return
        if self._receipt_key is not None and not self._receipt_key.is_signed(message.topic, message.payload):
            self._faults.note(UNSIGNED, message.topic)
            return
        try:
            receipt = Receipt.decode(message.payload)
        except ValueError as error:
            self._faults.note("bad receipt", str(error))
            return
        with self._lock:
            if (historian, receipt.epoch) in self._receipts or len(self._receipts) < RECEIPTS_MOST:
                self._receipts[historian, receipt.epoch] = ReceivedReceipt(historian, receipt, message.retained)
        self._notify()

    def _obey(self, message: Incoming) -> None:
        try:
            answer = dispatch_command(message, self._topics, self._on_command)
        except CommandError as error:
            self._faults.note("bad command", f"{message.topic}: {error}")
            answer = refusal(error)
        if self._on_obeyed is not None:
            self._on_obeyed(message, answer)
        if may_answer_on(message.response_topic, self._topics):
            self._answer(Outgoing(message.response_topic, orjson.dumps(answer), correlation=message.correlation))

    # For the publisher's thread.

    def events(self) -> Iterator[Event]:
        """Yield what has happened since, in order; an event that is yielded is out of the line."""
        while self._events:
            yield self._events.popleft()

    def receipts(self) -> list[ReceivedReceipt]:
        """Return the newest receipt of each historian and life that came since the last call."""
        with self._lock:
            received, self._receipts = self._receipts, {}
        return list(received.values())

    def put_back(self, received: ReceivedReceipt) -> None:
        """Have a receipt looked at again later, unless a newer one has come."""
        with self._lock:
            self._receipts.setdefault((received.historian, received.receipt.epoch), received)
