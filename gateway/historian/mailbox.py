"""A historian's side of the link: what comes is put in line for the thread that stores, and receipts go out.

The link calls on its own threads; whatever is shared with the others is guarded by one condition.
"""

from __future__ import annotations

import logging
import re
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable

from config.section import IDENTIFIER
from gateway.broker.link import Handler, Incoming, Limits, Link
from gateway.historian.fair_queue import MOST_GATEWAYS, FairQueue, Waiting
from gateway.historian.troubles import Troubles

log = logging.getLogger(__name__)

GATEWAY = re.compile(IDENTIFIER)
"""As the configuration has it: what stands in a topic comes from whoever published."""
RECEIVE_MAXIMUM = 500
"""Messages that the broker may send before we have stored them."""
QUEUE_MAX = 4 * RECEIVE_MAXIMUM
"""Messages in memory: those of an ended connection come again, so they need not be kept."""
BATCH_COST = 2 * 2**20
"""What one transaction takes on, in the measure of `fair_queue`: two thousand measurements, 0.1 to 0.2 s."""
BATCH_MOST = 200
"""Messages of one transaction."""
BATCH_S = 0.2
"""Longest wait of a message for company in its transaction."""
BATCH_ENOUGH = 16
"""Messages that are worth a transaction at once: brokers hold back after 20 without an acknowledgement."""
OWN_KEPT = 32
"""Receipts of ours that are known when they come back; no more than `RECEIPTS_UNDER_WAY` are on their way."""
RECEIPTS_UNDER_WAY = 20
"""The least Receive Maximum that is common; a later receipt says all that an earlier one did."""


class Mailbox:
    """The handler of the link, which it makes.

    Args:
        make_link: Makes the link for a handler.
        gateways: Those that have been heard of before.
        troubles: Where what cannot be understood is counted.
        on_connected: Called on the link's thread after a broker has accepted us.
        stopping: Whether the historian is to end.

    Attributes:
        condition: Guards what is in line; notified when something comes.
        queue: What waits to be stored.
        link: The connection to the broker.
    """

    def __init__(
        self, make_link: Callable[[Handler], Link], gateways: Iterable[str], troubles: Troubles, *,
        on_connected: Callable[[], None], stopping: Callable[[], bool],
    ) -> None:  # fmt: skip
        self.condition = threading.Condition()
        self.queue = FairQueue(self._acknowledge_early, gateways)
        self._troubles = troubles
        self._on_connected = on_connected
        self._stopping = stopping
        self._foreign: dict[str, bytes] = {}  # receipts that are not ours, by gateway
        self._own: dict[str, deque[bytes]] = {}
        self._connection: int | None = None
        self._receipts_sent = self._receipts_taken = 0
        self.link = make_link(self)

    @property
    def is_connected(self) -> bool:
        """Return whether a broker has accepted us."""
        return self._connection is not None

    # For the link, on its threads.

    def connected(self, connection: int, limits: Limits) -> None:
        """Forget what was in line where that is much: it comes again."""
        with self.condition:
            log.info("connected, session %s", "kept" if limits.session_present else "new")
            if len(self.queue) > QUEUE_MAX:
                self.queue.clear()
            self._connection = connection
            self._receipts_sent = self._receipts_taken = 0
        self._on_connected()

    def lost(self, connection: int, reason: str) -> None:
        """The link connects again by itself; the broker sends again what was not acknowledged."""
        with self.condition:
            if self._connection == connection:
                self._connection = None
        log.info("connection lost: %s", reason)

    def acknowledged(self, connection: int, number: int, code: int) -> None:
        """A receipt was taken."""
        del number, code
        if connection == self._connection:
            self._receipts_taken += 1

    def arrived(self, message: Incoming) -> None:
        """Put it in line for the thread that stores."""
        parts = message.topic.split("/")
        with self.condition:
            if len(parts) > 4 and parts[4] == "stored":
                self.link.acknowledge(message)
                if len(self._foreign) < MOST_GATEWAYS and message.payload not in self._own.get(parts[3], ()):
                    self._foreign[parts[3]] = message.payload
            elif len(parts) < 5 or not GATEWAY.fullmatch(parts[3]):
                self.link.acknowledge(message)
                self._troubles.count_bad("no gateway's topic", message.topic)
            elif reason := self.queue.put(parts[3], message):
                if self.queue.refused[reason] == 1:
                    log.warning("messages of %s are left out: %s (further ones are only counted)", parts[3], reason)
            elif len(self.queue) in (1, BATCH_ENOUGH):
                self.condition.notify_all()

    def _acknowledge_early(self, message: Incoming) -> None:
        """Have the broker send more of others: what came before is in line here, or in an outbox."""
        self.link.acknowledge(message, all_before=True)

    # For the other threads.

    def collect(self, wait_s: float) -> list[Waiting]:
        """Wait for messages and return those of one transaction; empty after so long without any."""
        with self.condition:
            if not self.queue and not self._stopping():
                self.condition.wait(wait_s)
            deadline = time.monotonic() + BATCH_S
            while 0 < len(self.queue) < BATCH_ENOUGH and not self._stopping():
                left_s = deadline - time.monotonic()
                if left_s <= 0 or not self.condition.wait(left_s):
                    break
            return self.queue.next_batch(BATCH_COST, BATCH_MOST)

    def acknowledge(self, batch: Iterable[Waiting]) -> None:
        """Tell the broker that messages are stored."""
        for waiting in batch:
            if not waiting.acknowledged:
                self.link.acknowledge(waiting.message)

    def foreign_receipts(self) -> dict[str, bytes]:
        """Return the receipts since the last call that are not ours, by gateway; the caller holds the condition."""
        foreign, self._foreign = self._foreign, {}
        return foreign

    def put_back(self, gateway: str, receipt: bytes) -> None:
        """Have a receipt of somebody else's looked at again later, unless a newer one has come."""
        with self.condition:
            self._foreign.setdefault(gateway, receipt)

    @property
    def may_publish(self) -> bool:
        """Return whether receipts may go now."""
        return self._connection is not None and self._receipts_sent - self._receipts_taken < RECEIPTS_UNDER_WAY

    def publish_receipt(self, gateway: str, topic: str, payload: bytes) -> bool:
        """Publish a receipt, retained; False if there is no connection for it."""
        with self.condition:
            self._own.setdefault(gateway, deque(maxlen=OWN_KEPT)).append(payload)
        self._receipts_sent += 1
        return self.publish(topic, payload)

    def publish(self, topic: str, payload: bytes) -> bool:
        """Publish a retained message; False if there is no connection for it."""
        connection = self._connection
        return connection is not None and self.link.publish(connection, topic, payload, qos=1, retain=True) is not None
