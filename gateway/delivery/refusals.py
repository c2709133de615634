"""What the broker does not take: which answers pass with time, which last, and what is said of them."""

from __future__ import annotations

from collections import Counter
from typing import Any

NOT_AUTHORISED = 0x87
MAY_PASS = frozenset({0x80, 0x83, 0x91, 0x97})
"""Unspecified, implementation specific, packet identifier in use, quota exceeded (MQTT 5, section 3.4.2.1)."""
LARGE = "too large for the broker"
_WORDS = {
    0x80: "the broker gives no reason",
    0x83: "the broker gives no reason that MQTT knows",
    NOT_AUTHORISED: "not allowed: look at the broker's access list",
    0x90: "the broker does not take this topic",
    0x91: "the number of the message is in use",
    0x97: "a quota of the broker is exceeded",
    0x99: "the broker does not take such contents",
}


def words(code: int) -> str:
    """Return a reason code of an acknowledgement in words."""
    return _WORDS.get(code, f"code 0x{code:02X} of the broker")


class Refusals:
    """Counts by kind of message, with the latest reason: for the status, and the notice that follows from it."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._why: dict[str, str] = {}

    def note(self, kind: str, why: str) -> None:
        """Count one message, or a part of one, that the broker did not take."""
        self._counts[kind] += 1
        self._why[kind] = why

    def status(self) -> dict[str, dict[str, Any]]:
        """Return count and reason by kind."""
        return {kind: {"count": count, "why": self._why[kind]} for kind, count in dict(self._counts).items()}
