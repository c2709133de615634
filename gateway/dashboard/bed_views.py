"""What the pages of the beds are sent: who is there by the registry, and how each sensor is by the status."""

from __future__ import annotations

from functools import cache
from typing import Any

from drivers.registry import load_driver
from gateway.dashboard.registry import Registry
from gateway.dashboard.ward import MICRO, Ward
from gateway.ward.published import ENDED_SHOWN

Json = dict[str, Any]
OF_SUBJECT = ("id", "since_us", "height_m", "bands", "sessions_a_week", "notices")


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


def dock_view(ward: Ward) -> Json:
    """Return every sensor of the ward: on whose bed or on nobody, how it is, and how full when it last told."""
    registry, states, now_us = ward.registry, _states(ward), ward.now_us()
    return {
        "gateway": ward.gateway,
        "number": registry.number,
        "sensors": [
            {
                "id": one["id"],
                "driver": one["driver"],
                "blinks": _blinks(one["driver"]),
                "bed": one["bed"],
                "label": registry.beds.get(one["bed"] or "", {}).get("label") or one["bed"],
                "subject": (registry.subjects.get(one["bed"] or "") or {}).get("id"),
                "placement": one["placement"],
                **_state(states.get(one["id"]), one["bed"] or ""),
                **_charge(ward, one["id"], now_us),
            }
            for one in registry.devices
        ],
    }


@cache
def _blinks(driver: str) -> bool:
    """Whether devices of a driver can show themselves; a driver that this machine has not reads none that can."""
    try:
        return load_driver(driver).blinks
    except ValueError:
        return False


def _charge(ward: Ward, device: str, now_us: int) -> Json:
    charge = ward.charges.last(device)
    if charge is None:
        return {"battery": None, "battery_age_s": None}
    return {"battery": charge.battery, "battery_age_s": max(0.0, (now_us - charge.told_us) / MICRO)}


def _bed(registry: Registry, bed: str, states: dict[str, Json]) -> Json:
    subject, session = registry.subjects.get(bed), registry.session_in(bed)
    placed = [one for one in registry.devices if one["bed"] == bed]
    return {
        **registry.beds[bed],
        "subject": subject and {key: subject[key] for key in OF_SUBJECT},
        "session": session,
        "ended": [one for one in registry.ended if subject and one["subject"] == subject["id"]][-ENDED_SHOWN:],
        "worn": [{**one, **_state(states.get(one["id"]), bed)} for one in placed],
    }


def _states(ward: Ward) -> dict[str, Json]:
    return {device["id"]: device for device in ward.devices()}


def _state(device: Json | None, bed: str) -> Json:
    """Return how a device is; unknown where the newest status is of a time when somebody else wore it."""
    if device is None or device.get("slot") != bed:
        return {"state": "unknown", "battery": None}
    return {"state": device.get("state"), "battery": device.get("battery")}
