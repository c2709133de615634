"""The books of the present life of the outbox: what goes next, what was handed to a broker, what receipts say of it.

What earlier lives have left is sent by `leftover`.
"""

from __future__ import annotations

from collections.abc import Iterable

from gateway.delivery.receipts import MergedReceipts, Reach
from gateway.delivery.release_policy import ReleasePolicy
from gateway.delivery.resend import Resend
from gateway.delivery.schedule import SendSchedule
from gateway.machine.fault_counts import FaultCounts
from gateway.model.row import Gap
from gateway.outbox.outbox import Outbox
from gateway.wire.payload import MAX_GAPS
from gateway.wire.receipt import IMPOSSIBLE, Receipt

GAPS_S = 0.2
"""Least time between two messages about gaps behind the rows: a full outbox makes new ones with every commit."""


class PresentLife:
    """What is known of one life of the outbox while it is the present one.

    Args:
        outbox: Whose life it is.
        policy: What acknowledgements and receipts mean.
        faults: Where receipts that cannot be are counted.
        resend_after_s: Age at which a row that the broker took, and no receipt covers, is sent again.
        signed: Whether receipts are: then one that cannot be is no forgery, and is not counted as one.
        now: Monotonic seconds.

    Attributes:
        schedule: What goes next.
    """

    def __init__(
        self, outbox: Outbox, policy: ReleasePolicy, faults: FaultCounts, *, resend_after_s: float, signed: bool,
        now: float,
    ) -> None:  # fmt: skip
        self._outbox = outbox
        self._policy = policy
        self._faults = faults
        self._signed = signed
        resend = Resend(after_s=resend_after_s)
        self.schedule = SendSchedule(outbox, resend=resend, now=now, receipts=policy.by_receipt)
        self._merged = MergedReceipts()
        # The highest number that was handed to a broker by this run, now and before this connection.
        self._sent_upto = self._sent_before = 0
        self._dropped_before: dict[str, int] | None = None  # rows dropped, by reason, when all gaps had been sent
        self._gaps_at = 0.0

    @property
    def epoch(self) -> str:
        """Return which life it is."""
        return self.schedule.epoch

    def connected(self) -> None:
        """Note a new connection: what a broker remembers is from before it. All gaps are told again."""
        self._sent_before = self._sent_upto
        self._dropped_before = None

    def sent(self, numbers: Iterable[tuple[int, int]]) -> None:
        """Note ranges of numbers that were handed to a broker."""
        self._sent_upto = max([self._sent_upto, *(last for _, last in numbers)])

    def acknowledged(self, numbers: Iterable[tuple[int, int]], now: float) -> None:
        """Note ranges of numbers that the broker took."""
        self.schedule.acknowledged(numbers, now)
        self._policy.on_acknowledged(self.epoch, self.schedule.taken_upto)
        self._let_go(self._outbox.state().durable_seq)

    def receipt(self, historian: str, receipt: Receipt, now: float, *, retained: bool) -> None:
        """Look at a receipt; what it says counts with the next `apply_receipts`."""
        # What a broker remembers is from before this connection, so it cannot speak of what was sent since.
        sent = self._sent_before if retained else self._sent_upto
        given = max(self._outbox.opened_last, sent)
        durable = self._outbox.state().durable_seq
        if receipt.last > (given if retained else durable):
            # Nobody can have what was never given: the file is an older image of itself, or the receipt is forged.
            if not self._signed:
                self._faults.note(IMPOSSIBLE, f"{receipt.last} of {durable}")
            self._policy.on_impossible_receipt(receipt, given=given)
            return
        if not self._merged.add(historian, receipt, now, retained=retained):
            self._faults.note("receipt left out", "too many historians")
        self._policy.on_own_receipt(historian, receipt, retained=retained)

    def apply_receipts(self, now: float, *, heard: bool) -> None:
        """Go by what the receipts of all historians say together, and by who of them has fallen silent.

        ``heard`` says that a historian has just spoken of this life, and not a broker's memory.
        """
        # Only what is on disk is ever sent, so that no true receipt can speak of more.
        durable = self._outbox.state().durable_seq
        received = self._merged.received(now)
        self.schedule.receipt(received if received.upto <= durable else Reach(durable), now, heard=heard)
        self._let_go(durable)

    def _let_go(self, durable: int) -> None:
        """Have the outbox release what is stored, and what the broker took from here.

        A copy of this outbox has the same numbers with other contents: a receipt may speak of those.
        """
        self._policy.on_stored(self.epoch, min(self._merged.stored().upto, durable, self.schedule.taken_upto))

    def gaps_behind(self, now: float) -> list[Gap]:
        """Return gaps among what was read before that are to be told now: rows that had to go, or were spoilt."""
        dropped = self._outbox.state().dropped
        if now < self._gaps_at or dropped == (self._dropped_before or {}):
            return []
        gaps = self.schedule.gaps_behind(MAX_GAPS)
        self._gaps_at = now + GAPS_S
        if len(gaps) < MAX_GAPS:
            self._dropped_before = dropped
        return gaps

    def look_for_missing(self, now: float) -> None:
        """Have rows sent again, and gaps told again, that no receipt covers, when that is due."""
        if self._policy.by_receipt and self.schedule.again(now):
            self._dropped_before = None
