"""What the historians of a site have together: one receipt after another, of each of them.

A number may leave the outbox when one of them has it for good, and need not be sent again while one of them has it. A
historian says every minute that it is alive; of one that has gone for good only what is stored for good counts, and the
rest is sent again to the others.
"""

from __future__ import annotations

from dataclasses import dataclass

from gateway.wire.receipt import Receipt

HEARTBEAT_S = 60.0
"""A historian repeats its receipt at least so often."""
LAPSE_S = 600.0
"""Without a word for so long, what a historian had received and not yet stored for good counts no more."""
MOST_HISTORIANS = 64
"""Of one gateway; those that are no more have left a retained receipt with the broker."""


@dataclass(frozen=True, slots=True)
class Reach:
    """Everything up to ``upto``, and beyond it what ``bits`` says: bit 0 is ``upto`` + 1, which is not there."""

    upto: int = 0
    bits: int = 0

    def __contains__(self, seq: int) -> bool:
        return seq <= self.upto or bool(self.bits >> (seq - self.upto - 1) & 1)

    def missing(self, first: int, last: int) -> list[tuple[int, int]]:
        """Return what is not there of ``first`` to ``last``, as ranges with both ends included."""
        found = []
        at = max(first, self.upto + 1)
        while at <= last:
            left = self.bits >> (at - self.upto - 1)
            there = _ones(left)
            at += there
            left >>= there
            end = min(last, at + (left & -left).bit_length() - 2) if left else last
            if at <= end:
                found.append((at, end))
            at = max(at, end + 1)
        return found


class MergedReceipts:
    """The newest receipt of every historian, for one epoch."""

    def __init__(self) -> None:
        self._receipts: dict[str, tuple[Receipt, float]] = {}

    def add(self, historian: str, receipt: Receipt, now: float, *, retained: bool) -> bool:
        """Note a receipt; False if there are too many historians already.

        Args:
            historian: Who sends it; empty for one that shares with nobody.
            receipt: What it has; replaces what it had said before.
            now: Monotonic seconds.
            retained: Whether the broker remembered it; then it is no sign of life.
        """
        known = self._receipts.get(historian)
        if known is None and len(self._receipts) >= MOST_HISTORIANS:
            return False
        at = known[1] if known is not None and retained and known[0] == receipt else now
        self._receipts[historian] = receipt, at
        return True

    def stored(self) -> Reach:
        """Return what is stored for good, by one or the other."""
        return _together([(receipt.stored, receipt.stored_beyond) for receipt, _ in self._receipts.values()])

    def received(self, now: float) -> Reach:
        """Return what need not be sent again at present."""
        claims = []
        for receipt, at in self._receipts.values():
            claims.append((receipt.stored, receipt.stored_beyond))
            if now - at < LAPSE_S:
                claims.append((receipt.received, receipt.received_beyond))
        return _together(claims)


def _together(claims: list[tuple[int, int]]) -> Reach:
    upto = max((number for number, _ in claims), default=0)
    bits = 0
    for number, beyond in claims:
        bits |= beyond >> (upto - number)
    more = _ones(bits)
    return Reach(upto + more, bits >> more)


def _ones(bits: int) -> int:
    """Return how many of the lowest bits are set, without a hole."""
    return (~bits & (bits + 1)).bit_length() - 1
