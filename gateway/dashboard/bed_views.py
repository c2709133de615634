"""What the pages of the beds are sent: who is there by the registry, and how each sensor is by the status."""

from __future__ import annotations

from typing import Any

from gateway.dashboard.registry import Registry
from gateway.dashboard.ward import Ward

Json = dict[str, Any]


def beds_view(ward: Ward) -> Json:
    """Return every bed, and the sensors that nobody wears."""
    registry, states = ward.registry, _states(ward)
    return {
        "gateway": ward.gateway,
        "number": registry.number,
        "beds": [_bed(registry, bed, states) for bed in registry.beds],
        "free": [{"id": one["id"], "driver": one["driver"]} for one in registry.devices if one["bed"] is None],
    }


def bed_view(ward: Ward, bed: str) -> Json:
    """Return one bed, and what may come into it: of the other beds no more than whether somebody is in them."""
    registry, states = ward.registry, _states(ward)
    others = [{**one, "taken": name in registry.subjects} for name, one in registry.beds.items() if name != bed]
    return {
        "gateway": ward.gateway,  # whom to ask for a change, also before it has said a word
        "number": registry.number,
        "bed": _bed(registry, bed, states) if bed in registry.beds else None,
        "others": others,
        "devices": [
            {**one, "label": registry.beds.get(one["bed"] or "", {}).get("label") or one["bed"]}
            for one in registry.devices
        ],
    }


def _bed(registry: Registry, bed: str, states: dict[str, Json]) -> Json:
    subject, session = registry.subjects.get(bed), registry.session_in(bed)
    placed = [one for one in registry.devices if one["bed"] == bed]
    return {
        **registry.beds[bed],
        "subject": subject and {key: subject[key] for key in ("id", "since_us", "height_m", "notices")},
        "session": session,
        "ended": [one for one in registry.ended if subject and one["subject"] == subject["id"]],
        "worn": [{**one, **_state(states.get(one["id"]), bed)} for one in placed],
    }


def _states(ward: Ward) -> dict[str, Json]:
    return {device["id"]: device for device in ward.devices()}


def _state(device: Json | None, bed: str) -> Json:
    """Return how a device is; unknown where the newest status is of a time when somebody else wore it."""
    if device is None or device.get("slot") != bed:
        return {"state": "unknown", "battery": None}
    return {"state": device.get("state"), "battery": device.get("battery")}
