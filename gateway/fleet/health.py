"""Whether a gateway is well, from what it says of itself: in one sentence, for roll-outs and for the fleet page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from gateway.machine.plain_text import text_of

MICRO = 1_000_000
STALE_S = 15.0
"""A status comes each second; what is older says nothing of now."""
LONGEST_NAME = 40
MOST_NAMED = 5
"""Of its parts that have been given up: there are a dozen, and a wrong sender may name any number."""
OF_THE_GATEWAY = frozenset(
    {
        "broker-refuses", "certificate-changed", "data-in-doubt", "disk-nearly-full", "numbers-conflict",
        "outbox-failing", "outbox-filling", "overloaded", "part-restarted", "receipt-forged", "receipt-unlisted",
        "store-behind",
    }
)  # fmt: skip
"""Notices that a bad version or configuration may bring. Those about devices are there with any version."""


class Health(NamedTuple):
    """Whether a gateway is well, and the sentence."""

    well: bool
    sentence: str


def health_of(status: Mapping[str, Any], age_s: float | None) -> Health:
    """Return how a gateway is by its newest status, which is so old; None where it has never been heard."""
    if age_s is None:
        return Health(False, "has not been heard yet")
    if status.get("state") == "offline":
        return Health(False, "is offline")
    if age_s > STALE_S:
        return Health(False, f"has not been heard for {age_s:.0f} s")
    if not says_how_it_is(status):
        return Health(False, "does not say how it is")
    trouble = _trouble(status)
    return Health(not trouble, trouble or "is well")


def says_how_it_is(status: Mapping[str, Any]) -> bool:
    """Whether a status speaks of what would be wrong; well is only who was asked."""
    publisher, notices = _object(status.get("publisher")), _object(status.get("notices"))
    return isinstance(publisher.get("connected"), bool) and isinstance(notices.get("active"), list)


def _trouble(status: Mapping[str, Any]) -> str:
    """Return what a status says that is wrong with the gateway; empty where nothing is."""
    given_up = sorted(name for name, part in _object(status.get("parts")).items() if _object(part).get("given_up"))
    if given_up:
        named = ", ".join(text_of(name, LONGEST_NAME) for name in given_up[:MOST_NAMED])
        more = f" and {len(given_up) - MOST_NAMED} more" if len(given_up) > MOST_NAMED else ""
        return f"has given up a part of itself: {named}{more}"
    if not status["publisher"]["connected"]:
        return "does not reach its broker"
    said = [notice for notice in status["notices"]["active"] if isinstance(notice, dict)]
    found = sorted({text_of(notice.get("code"), LONGEST_NAME) for notice in said} & OF_THE_GATEWAY)
    return f"says of itself: {', '.join(found)}" if found else ""


def _object(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
