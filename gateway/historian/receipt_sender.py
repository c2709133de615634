"""Publishes what is stored, so that outboxes may forget it; sets right what somebody else publishes in our name."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import replace

from gateway.historian.mailbox import Mailbox
from gateway.historian.troubles import Troubles
from gateway.history.history import History
from gateway.machine.plain_text import printable
from gateway.wire.receipt import MOST_NOTICES, HistorianNotice, Receipt
from gateway.wire.receipt_key import ReceiptKey
from gateway.wire.topics import Topics

RECEIPT_S = 0.2
"""Least time between two rounds of receipts."""
SHARED_RECEIPT_S = 0.4
"""The same of a historian that shares, whose receipts are kilobytes; a gateway that sends a lost queue again takes a
second without one for silence."""
MOST_EARLIER = 16
"""Lives of an outbox that a new one is told of, the latest of them: where the file was removed it knows of none."""
REPAIR_S = 5.0
"""Least time between two answers to receipts of one gateway that are not ours: two historians under one name would
answer each other for ever."""


class ReceiptSender:
    """The receipts that are due. Called by the thread that stores, except for ``mark`` and ``mark_all``.

    Args:
        history: What is stored.
        mailbox: Where receipts go, and where those of others come from; its condition guards what is due.
        troubles: Where forged receipts are counted.
        topics: Of the site.
        shared_id: The id of a historian that shares; None for one that shares with nobody.
        key: Signs the receipts, if there is one.
        stopping: Whether the historian is to end: then nothing waits for its round.
    """

    def __init__(
        self, history: History, mailbox: Mailbox, troubles: Troubles, topics: Topics, *, shared_id: str | None,
        key: ReceiptKey | None, stopping: Callable[[], bool],
    ) -> None:  # fmt: skip
        self._history = history
        self._mailbox = mailbox
        self._troubles = troubles
        self._topics = topics
        self._shared_id = shared_id
        self._key = key
        self._stopping = stopping
        self._due: set[tuple[str, str]] = set()  # gateway and epoch
        self._present: dict[str, str] = {}  # by gateway: the life of its outbox that was last heard of
        self._lives: dict[str, list[str]] = {}  # by gateway: those of which there was a receipt in this run
        self._round_s = RECEIPT_S if shared_id is None else SHARED_RECEIPT_S
        self._next_round = 0.0
        self._repaired_at: dict[str, float] = {}

    @property
    def wait_s(self) -> float | None:
        """Return after how long the next round may be due; None where no receipt is."""
        return self._round_s if self._due else None

    def mark(self, touched: Iterable[tuple[str, str]], *, wake: bool = False) -> None:
        """Have the receipts of some gateways and epochs published; ``wake`` has the thread that stores look at once."""
        lives = set(touched)
        with self._mailbox.condition:
            self._due |= lives
            for gateway, epoch in lives:
                if (gateway, self._present.get(gateway)) not in lives:
                    self._present[gateway] = epoch
            if wake:
                self._mailbox.condition.notify_all()

    def mark_all(self) -> None:
        """Have the receipt of every gateway published, whether or not it says something new."""
        latest = dict(self._history.epochs())
        with self._mailbox.condition:
            self._present = latest | self._present
            self._due.update(self._present.items())
            self._mailbox.condition.notify_all()

    def publish(self) -> None:
        """Publish what is due, if that may be now."""
        with self._mailbox.condition:
            if not self._mailbox.may_publish:
                return
            if self._shared_id is not None and time.monotonic() < self._next_round and not self._stopping():
                return
            self._next_round = time.monotonic() + self._round_s
            due, self._due = self._due, set()
        for gateway, epoch in self._with_earlier(due):
            topic = receipt_topic(Topics(self._topics.site, gateway), self._shared_id)
            if not self._mailbox.publish_receipt(gateway, topic, self._receipt(gateway, epoch, topic)):
                with self._mailbox.condition:
                    self._due.add((gateway, epoch))

    def _with_earlier(self, due: set[tuple[str, str]]) -> list[tuple[str, str]]:
        """Return what is due, and what the outbox of a new life is to know of those before; the present ones last."""
        every: list[tuple[str, str]] = []
        for gateway, epoch in due:
            if epoch not in self._lives.get(gateway, ()):
                every = every or self._history.epochs()
                self._lives[gateway] = [life for whose, life in every if whose == gateway][-1 - MOST_EARLIER :]
                due = due | {(gateway, life) for life in self._lives[gateway]}
        return sorted(due, key=lambda life: self._present.get(life[0]) == life[1])

    def _receipt(self, gateway: str, epoch: str, topic: str) -> bytes:
        notices = [
            HistorianNotice(printable(each.code), printable(each.about), printable(each.text))
            for each in self._history.notices(gateway)[:MOST_NOTICES]
        ]
        payload = replace(self._history.receipt(gateway, epoch), notices=tuple(notices)).encode()
        return payload if self._key is None else self._key.sign(topic, payload)

    def repair(self) -> None:
        """Publish the right receipt where somebody else has published one under our name."""
        with self._mailbox.condition:
            foreign = self._mailbox.foreign_receipts()
            present = dict(self._present)
        for gateway, payload in foreign.items():
            if gateway not in present:
                continue
            topic = receipt_topic(Topics(self._topics.site, gateway), self._shared_id)
            if self._is_forged(topic, gateway, payload):
                self._troubles.errors["forged receipt"] += 1
                text = f"Somebody else publishes receipts for {gateway}: the right one was published again"
                with self._history.own_records() as own:
                    own.raise_notice("receipt-forged", text, gateway=gateway)
            if time.monotonic() - self._repaired_at.get(gateway, -REPAIR_S) < REPAIR_S:
                self._mailbox.put_back(gateway, payload)
                continue
            self._repaired_at[gateway] = time.monotonic()
            self.mark([(gateway, present[gateway])])

    def _is_forged(self, topic: str, gateway: str, payload: bytes) -> bool:
        """Whether we cannot have said this, in this life or an earlier one."""
        if self._key is not None:
            return not self._key.is_signed(topic, payload)
        try:
            receipt = Receipt.decode(payload)
        except ValueError:
            return True
        ours = self._history.receipt(gateway, receipt.epoch)
        return receipt.stored > ours.stored or receipt.received > ours.received


def receipt_topic(topics: Topics, shared_id: str | None) -> str:
    """Return where the receipts of a gateway go."""
    return topics.stored if shared_id is None else topics.stored_by(shared_id)
