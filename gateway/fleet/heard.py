"""What gateways and their agents said last, as the desk has heard it."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

from gateway.fleet.health import MICRO, health_of
from gateway.fleet.register import RollOut
from gateway.fleet.roll_out import Outcome, Word
from gateway.machine.plain_text import text_of
from gateway.wire.json_object import json_object
from gateway.wire.status_pages import StatusPages

MOST_GATEWAYS = 1024
"""Beyond this somebody makes names up."""
LARGEST = 1 << 20
LONGEST_WHY = 300
OUTCOMES: dict[str, Outcome] = {
    "waiting": "waiting", "fetching": "fetching", "applying": "applying", "committed": "committed", "failed": "failed",
}  # fmt: skip


class Heard:
    """The newest words of each gateway."""

    def __init__(self) -> None:
        self._states: dict[str, dict[str, Any]] = {}
        self._statuses: dict[str, tuple[dict[str, Any], float]] = {}  # with our clock's time of it
        self._pages: dict[str, StatusPages] = {}

    def on_state(self, gateway: str, payload: bytes) -> None:
        """Take what an agent says; what is none is left."""
        found = json_object(payload, LARGEST)
        if found is not None and (gateway in self._states or len(self._states) < MOST_GATEWAYS):
            self._states[gateway] = {key: found.get(key) for key in ("roll_out", "attempt", "outcome")}
            self._states[gateway]["why"] = text_of(found.get("why"), LONGEST_WHY)
            self._states[gateway]["plan"] = found["plan"] if type(found.get("plan")) is int else 0

    def forget(self, gateway: str) -> None:
        """Forget a gateway's words: another machine has its name now."""
        for words in (self._states, self._statuses, self._pages):
            words.pop(gateway, None)

    def on_status(self, topic: str, payload: bytes, *, retained: bool) -> None:
        """Take a status, or a page of one."""
        _, _, _, gateway, _, *page = topic.split("/")
        message = json_object(payload, LARGEST)
        if message is None or (gateway not in self._pages and len(self._pages) >= MOST_GATEWAYS):
            return
        whole = self._pages.setdefault(gateway, StatusPages()).add("".join(page[:1]), message, len(payload))
        if whole is not None:
            # What the broker remembered may be of any age: only the gateway's own clock knows.
            age_s = max(0.0, time.time() - _seconds(whole)) if retained else 0.0
            self._statuses[gateway] = (whole, time.monotonic() - age_s)

    def newest_plan(self, gateways: Iterable[str]) -> int:
        """Return the highest number of a plan that some gateways have had, as they say; 0 where none says one."""
        return max((self._states[one]["plan"] for one in gateways if one in self._states), default=0)

    def word(self, gateway: str, roll_out: RollOut) -> Word:
        """Return what is known of a gateway in a roll-out."""
        said = self._states.get(gateway, {})
        status, heard_s = self._statuses.get(gateway, ({}, None))
        health = health_of(status, None if heard_s is None else time.monotonic() - heard_s)
        version = text_of(status.get("version"), LONGEST_WHY)
        if (said.get("roll_out"), said.get("attempt")) != (roll_out.id, roll_out.attempt) and not (
            said.get("roll_out") == roll_out.id and said.get("outcome") == "committed"
        ):
            return Word("waiting", "", health, version)
        outcome = OUTCOMES.get(text_of(said.get("outcome"), LONGEST_WHY), "waiting")
        return Word(outcome, said.get("why", ""), health, version)


def _seconds(status: dict[str, Any]) -> float:
    at_us = status.get("time_us")
    return at_us / MICRO if type(at_us) is int else 0.0
