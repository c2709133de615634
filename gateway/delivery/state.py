"""How sending goes, as the gateway's status says it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class PublisherState:
    """How sending goes.

    Attributes:
        connected: Whether a broker has accepted us.
        under_way: Messages without the broker's acknowledgement.
        sent: Messages that it took.
        resent: Rows that were sent again since no receipt covered them.
        backlog: Old rows that wait behind the live ones, about.
        taken: Everything up to this number was taken by the broker, or is a gap that it was told.
        errors: What went wrong, by kind.
        last_error: Why the last connection ended.
        refused: What the broker does not take, by kind of message: how often (``count``) and ``why``.
        pages: Parts that the status is cut into, beside the topic's own message; 0 where it fits whole.
        turn: Monotonic time of the thread's last turn, for the watchdog.
        historians: What the historians have to tell: of each notice its code, what it is about, and a sentence.
    """

    connected: bool = False
    under_way: int = 0
    sent: int = 0
    resent: int = 0
    backlog: int = 0
    taken: int = 0
    errors: dict[str, int] = field(default_factory=dict)
    last_error: str = ""
    refused: dict[str, dict[str, Any]] = field(default_factory=dict)
    pages: int = 0
    turn: float = 0.0
    historians: list[tuple[str, str, str]] = field(default_factory=list)
