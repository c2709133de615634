"""A gateway's status as the pages use it: every field of the right type or left out, and never more than fits.

What is left out is remembered, so that a page can say it: `GatewayStatus.odd` names the parts that were not as
expected, ``more_slots`` and ``more_devices`` count what found no room.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from gateway.dashboard.outside_text import bounded, clean, is_number
from gateway.wire.payload import PayloadError
from gateway.wire.receipt import PAYLOAD_VERSION

Json = dict[str, Any]

SLOTS = 256  # beds of one gateway: more than any ward; a bound on what a wrong publisher can make us hold and draw
DEVICES = 2048  # eight for each of them: a body wears seven
CERTIFICATES = 16  # a gateway names five
STATES = frozenset({"online", "offline"})
PARTS = ("pipeline", "outbox", "publisher", "clock", "recorder", "disk")
"""What the gateway says of its own parts; each is an object."""
NAME = 64  # characters of an id; those that the configuration allows have 32


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_object(value: object) -> bool:
    return isinstance(value, dict)


SLOT_FIELDS: dict[str, Callable[[object], bool]] = dict.fromkeys(("label", "subject", "session", "protocol"), _is_text)
DEVICE_FIELDS: dict[str, Callable[[object], bool]] = {
    **dict.fromkeys(("slot", "placement", "driver", "transport", "state", "error", "advice"), _is_text),
    **dict.fromkeys(("samples", "lost", "resets", "rate_hz", "age_s", "battery"), is_number),
    **dict.fromkeys(("faults", "clock", "mounting", "streams"), _is_object),
}
"""The fields that a page is sent, and what they must be where they are there at all; None is always right."""
NEEDED = frozenset({"subject", "session", "slot", "placement", "state", "age_s"})
"""Without these a page would have to guess whose a thing is, or whether it is of now."""


@dataclass(slots=True)
class GatewayStatus:
    """What a gateway said of itself, its beds and its devices.

    Attributes:
        gateway: Its id.
        simulated: Whether it says that its data are.
        slots: Beds by id, in the order in which they were told.
        devices: All devices, with at least ``id``.
        by_slot: The same, of each slot.
        streams: Device and stream of all that may be watched.
        parts: What it says of its own parts, by name.
        odd: The parts of the status that were not as expected.
        more_slots: How many beds found no room.
        more_devices: How many devices found no room.
        version: Of the program that runs.
        certificate_days: Until the first of its certificates is over; None where it has none, or does not tell.
    """

    gateway: str = ""
    simulated: bool = False
    slots: dict[str, Json] = field(default_factory=dict)
    devices: list[Json] = field(default_factory=list)
    by_slot: dict[str, list[Json]] = field(default_factory=dict)
    streams: set[tuple[str, str]] = field(default_factory=set)
    parts: Json = field(default_factory=dict)
    odd: set[str] = field(default_factory=set)
    more_slots: int = 0
    more_devices: int = 0
    version: str = ""
    certificate_days: float | None = None


def check_head(message: Json) -> str:
    """Return the state that a status tells: ``online`` or ``offline``; raises PayloadError where it is no status."""
    state = message.get("state")
    if message.get("v") != PAYLOAD_VERSION:
        raise PayloadError("unknown version")
    if not isinstance(state, str) or state not in STATES:
        raise PayloadError("no state")
    return state


def read_status(message: Json) -> GatewayStatus:
    """Return what a status says, bounded and checked field by field."""
    gateway, simulated = message.get("gateway"), message.get("simulated")
    status = GatewayStatus(clean(gateway, NAME) if isinstance(gateway, str) else "", simulated is True)
    if not isinstance(simulated, bool):
        status.odd.add("simulated")
    version = message.get("version")
    status.version = clean(version, NAME) if isinstance(version, str) else ""
    status.certificate_days = _first_end(message.get("certificates"))
    _read_slots(status, message.get("slots"))
    _read_devices(status, message.get("devices"))
    for name in PARTS:
        part = message.get(name)
        status.parts[name] = bounded(part) if isinstance(part, dict) else None
        if part is not None and not isinstance(part, dict):
            status.odd.add(name)
    return status


def _first_end(certificates: object) -> float | None:
    found = certificates[:CERTIFICATES] if isinstance(certificates, list) else []
    days = [one.get("days_left") for one in found if isinstance(one, dict)]
    return min((float(left) for left in days if left is not None and is_number(left)), default=None)


def _read_slots(status: GatewayStatus, slots: object) -> None:
    items = _items(status, "slots", slots)
    status.more_slots = max(0, len(items) - SLOTS)
    for item in items[:SLOTS]:
        known = _checked(item, SLOT_FIELDS)
        if known is None or known["id"] in status.slots:
            status.odd.add("slots")
            continue
        if not known.keys() >= SLOT_FIELDS.keys():
            status.odd.add("slots")
        status.slots[known["id"]] = known


def _read_devices(status: GatewayStatus, devices: object) -> None:
    items = _items(status, "devices", devices)
    status.more_devices = max(0, len(items) - DEVICES)
    for item in items[:DEVICES]:
        known = _checked(item, DEVICE_FIELDS)
        if known is None:
            status.odd.add("devices")
            continue
        if not known.keys() >= DEVICE_FIELDS.keys():
            status.odd.add("devices")
        known["streams"] = _streams(status, known.get("streams") or {})
        status.devices.append(known)
        status.by_slot.setdefault(known.get("slot") or "", []).append(known)
        status.streams.update((known["id"], stream) for stream in known["streams"])


def _items(status: GatewayStatus, name: str, items: object) -> list[Any]:
    if isinstance(items, list):
        return items
    status.odd.add(name)
    return []


def _checked(item: object, fields: dict[str, Callable[[object], bool]]) -> Json | None:
    """Return id and fields of an object, without what is of a wrong type or missing; None where it has no id."""
    if not isinstance(item, dict) or not isinstance(item.get("id"), str) or not 0 < len(item["id"]) <= NAME:
        return None
    known: Json = {"id": clean(item["id"], NAME)}
    for name, is_right in fields.items():
        if name not in item and name not in NEEDED:
            known[name] = None
        elif name in item and (item[name] is None or is_right(item[name])):
            known[name] = bounded(item[name])
    return known


def _streams(status: GatewayStatus, streams: Json) -> Json:
    """Return those streams that can be drawn: with channels, units and a rate."""
    right = {}
    for name, stream in streams.items():
        texts = isinstance(stream, dict) and all(
            isinstance(stream.get(key), list) and all(map(_is_text, stream[key])) for key in ("channels", "units")
        )
        if texts and (stream.get("rate_hz") is None or is_number(stream["rate_hz"])):
            right[name] = stream
        else:
            status.odd.add("devices")
    return right
