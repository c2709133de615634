"""What the fleet's desk and the gateways' agents say, as the fleet page uses it: checked, clean, bounded."""

from __future__ import annotations

from typing import Any

from gateway.dashboard.outside_text import clean, is_number
from gateway.fleet.topics import FleetTopics, sender_of
from gateway.wire.json_object import json_object

Json = dict[str, Any]

MOST = 1024  # gateways of a fleet: more than a desk admits
LARGEST = 1 << 20
STATES = ("open", "stopped", "aborted", "done")
OUTCOMES = ("waiting", "fetching", "applying", "committed", "failed")


class FleetWords:
    """The newest of what is retained about the fleet.

    Args:
        site: Whose fleet.

    Attributes:
        heard: Whether a desk has said who is in the fleet.
        members: By gateway: ring, since when, and since when it is out.
        invited: Gateways whose code is still open.
        roll_out: The newest, or None.
        trouble: What keeps the desk from its work, in its own words; empty where nothing does.
        results: By gateway, what came of the newest roll-out there.
    """

    def __init__(self, site: str) -> None:
        self.topics = FleetTopics(site)
        self.heard = False
        self.members: dict[str, Json] = {}
        self.invited: list[str] = []
        self.roll_out: Json | None = None
        self.trouble = ""
        self.results: dict[str, Json] = {}

    def filters(self) -> list[tuple[str, int]]:
        """Return what to listen to."""
        return [(self.topics.overview, 1), (self.topics.state(), 1)]

    def on_message(self, topic: str, payload: bytes) -> bool:
        """Take a message; return whether it is one of the fleet's, understood or not."""
        if not topic.startswith(f"{self.topics.prefix}/"):
            return False
        found = json_object(payload, LARGEST)
        if found is not None and topic == self.topics.overview:
            self._on_overview(found)
        elif found is not None and (len(self.results) < MOST or sender_of(topic) in self.results):
            outcome = found.get("outcome")
            self.results[sender_of(topic)] = {
                "version": _text(found.get("bundle")), "outcome": outcome if outcome in OUTCOMES else "waiting",
                "why": _text(found.get("why")), "refused": _text(found.get("last_refusal")),
            }  # fmt: skip
        return True

    def _on_overview(self, found: Json) -> None:
        self.heard = True
        self.members = {
            _text(one.get("gateway")): {
                "ring": _text(one.get("ring")), "joined_us": _time(one.get("joined_us")),
                "revoked_us": _time(one.get("revoked_us")), "why": _text(one.get("why")),
            }
            for one in _objects(found.get("members"))
        }  # fmt: skip
        self.invited = [_text(one.get("gateway")) for one in _objects(found.get("invitations"))]
        self.trouble = _text(found.get("trouble"))
        roll_out = found.get("roll_out")
        self.roll_out = _roll_out(roll_out) if isinstance(roll_out, dict) else None


def _roll_out(found: Json) -> Json:
    state = found.get("state")
    return {
        "id": found["id"] if type(found.get("id")) is int else 0,
        "kind": "configuration" if found.get("kind") == "configuration" else "upgrade",
        "version": _text(found.get("version")), "state": state if state in STATES else "",
        "why": _text(found.get("why")),
        "open": found["open"] if type(found.get("open")) is int else 0,
        "rings": [_text(ring.get("name")) for ring in _objects(found.get("rings"))],
    }  # fmt: skip


def _objects(found: object) -> list[Json]:
    return [one for one in found[:MOST] if isinstance(one, dict)] if isinstance(found, list) else []


def _text(found: object) -> str:
    return clean(found) if isinstance(found, str) else ""


def _time(found: object) -> float | None:
    return found if is_number(found) else None  # type: ignore[return-value] # a number then
