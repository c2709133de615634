"""What the receipts say of the history itself: whether it is the one that was there before, and has what it had.

A history says in each receipt which file it is and how often it was opened. Another file, a lower count or lower
numbers mean that it was removed, replaced or restored: what had been receipted and let go may be nowhere now, and that
is said.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import orjson

from gateway.machine.allowance import Allowance
from gateway.outbox.lives import earlier_key
from gateway.outbox.outbox import Outbox
from gateway.wire.receipt import Receipt

MOST_NOTED = 32
"""Incidents at once: whoever forges receipts gets no more of the audit."""
ANOTHER_AFTER_S = 30.0
"""Then one in so long; what happens meanwhile waits, and is told with it."""

GROWS_S = 60.0
"""What a broker still had of an outbox that is gone, it has delivered by then."""


class HistoryWatch:
    """Compares the receipts of this run with what the outbox remembers.

    Args:
        outbox: Where it is remembered, and whose incidents these are.
        monotonic: Seconds.
    """

    def __init__(self, outbox: Outbox, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._outbox = outbox
        self._monotonic = monotonic
        self._noted: set[str] = set()
        self._grows: dict[str, float] = {}  # lives that are not of this folder: since when the history has more of them
        self._allowance = Allowance(MOST_NOTED, 1 / ANOTHER_AFTER_S, monotonic(), left=MOST_NOTED)

    def own_epoch(self, historian: str, receipt: Receipt, *, retained: bool) -> None:
        """Look at a receipt of the present life; ``historian`` is empty for one that shares with nobody."""
        if retained:
            return  # a broker's memory may be older than the history
        released = self._outbox.state().released_seq
        if receipt.history:
            self._compare(historian, receipt, released)
        if not historian:
            self._count_lost(receipt, released)

    def other_epoch(self, receipt: Receipt) -> None:
        """Look at a receipt of a life of the outbox that is neither the present one nor left to be sent."""
        key = earlier_key(receipt.epoch)
        known = self._outbox.facts.get(key)
        if not self._outbox.epoch or receipt.stored <= int(known or -1):
            return
        if known or self._note_once(
            key, "outbox-missing",
            f"The outbox in this folder is not the one that was there before: of outbox {receipt.epoch} the history has"
            f" numbers up to {receipt.stored}; what came after them is lost, unless another gateway has this name;"
            f" see that who is in which bed is right",
            epoch=receipt.epoch, stored=receipt.stored,
        ):  # fmt: skip
            self._outbox.facts.keep(key, str(receipt.stored))
            self._tell_another(receipt)

    def _tell_another(self, receipt: Receipt) -> None:
        """Say that another gateway of our name sends, where an outbox that is not here goes on growing."""
        now = self._monotonic()
        if now - self._grows.setdefault(receipt.epoch, now) < GROWS_S:
            return
        self._note_once(
            f"another {receipt.epoch}", "another-gateway",
            f"Another gateway has the name of this one and sends too: its outbox {receipt.epoch} grows."
            " Commands, and who is in which bed, are those of now one, now the other: stop it, or give it a name of its"
            " own (site.gateway)",
            epoch=receipt.epoch, stored=receipt.stored,
        )  # fmt: skip

    def _count_lost(self, receipt: Receipt, released: int) -> None:
        """Say how many numbers are missing: the history counts them itself once it was told how far we have let go."""
        key = f"lost {receipt.epoch}"
        known = int(self._outbox.facts.get(key) or 0)
        lost = max(receipt.lost, released - receipt.stored)
        if lost <= known:
            return
        if self._note_once(
            f"{key} {lost}", "history-lost",
            f"{lost} numbers of this gateway, of those up to {released}, were stored and are in the history no more",
            lost=lost, upto=released, epoch=receipt.epoch,
        ):  # fmt: skip
            self._outbox.facts.keep(key, str(lost))

    def _compare(self, historian: str, receipt: Receipt, released: int) -> None:
        key = f"history {historian}".rstrip()
        known = _known(self._outbox.facts.get(key))
        now = (receipt.history, receipt.opened)
        if known == now:
            return
        noted = True
        if known is not None and known[0] != receipt.history:
            noted = self._note_once(
                f"{key} {receipt.history}", "history-changed",
                f"The historian{_named(historian)} has another history than before: what was stored in the other, up to"
                f" number {released} of this gateway, is not in this one", history=receipt.history, before=known[0],
                upto=released, epoch=receipt.epoch,
            )  # fmt: skip
        elif known is not None and known[1] > receipt.opened:
            noted = self._note_once(
                f"{key} {receipt.history} {receipt.opened}", "history-restored",
                f"The historian{_named(historian)} has an older copy of its history: what was stored since that copy"
                f" was made, up to number {released} of this gateway, may be missing", history=receipt.history,
                opened=receipt.opened, before=known[1], upto=released, epoch=receipt.epoch,
            )  # fmt: skip
        if noted:
            self._outbox.facts.keep(key, orjson.dumps(now).decode())

    def _note_once(self, key: str, what: str, text: str, **fields: str | int) -> bool:
        """Note an incident once; return whether it is noted, now or before. If not, it is to be tried again."""
        if key in self._noted:
            return True
        if self._allowance.left(self._monotonic()) < 1.0:
            return False
        self._allowance.spend(1.0)
        self._noted.add(key)
        self._outbox.incidents.add(what, text, **fields)
        return True


def _known(text: str) -> tuple[str, int] | None:
    try:
        history, opened = orjson.loads(text)
    except ValueError:
        return None
    return str(history), int(opened)


def _named(historian: str) -> str:
    return f" {historian}" if historian else ""
