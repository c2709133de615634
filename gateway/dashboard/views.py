"""What each page is sent: plain dictionaries made from the ward's state, the same for every viewer of a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.analysis.modalities import measured_by
from gateway.dashboard.gateway_status import PARTS
from gateway.dashboard.known_sentences import with_texts
from gateway.dashboard.outside_text import clean
from gateway.dashboard.slot_state import MICRO, STALE_S, STRIDE_METRICS, STRIDES, SlotState, Wearer
from gateway.dashboard.ward import Ward
from gateway.model.measurement import Measurement
from gateway.texts.languages import english

HEADLINES = (("cadence", "both"), ("heart_rate", "none"))
"""What a tile shows: metric and side."""

ALARMS = (("exo_emergency_stop", "none"), ("exo_fault", "none"))
"""What a tile calls out while it is not nought: what a device says of itself, which nobody may have to look for."""

SIDES = ("both", "none", "left", "right")
"""Of a number that a ward chose for its tiles: the first of which there is one."""

POSTURES = {0: "lying", 1: "sitting", 2: "standing", 4: "on stairs"}
"""By the value of `posture`; whether somebody walks their feet say, and sooner."""

CONTACT_S = 3.0  # somebody whose foot touched the ground within this time is walking
SAME_INSTANT_US = 1_000  # start or end of two measurements of one stride
TILE_DEVICE = ("id", "placement", "driver", "state", "battery", "lost")


VIEW_VERSION = 1
"""Of what the pages are sent; a page that does not know it says so and shows nothing."""


def header(ward: Ward, now_us: int, *, connected: bool) -> dict[str, Any]:
    """Return what stands on every page: whether what one sees can be trusted to be live."""
    return {
        "v": VIEW_VERSION,
        "now_us": now_us,
        "broker": connected,
        "gateway": ward.status.gateway,
        "gateway_state": ward.gateway_state(),
        "gateway_age_s": ward.gateway_age_s(),
        "simulated": ward.simulated,
        "notices": ward.notices.shown(),
        "pauses": ward.notices.pauses,
        **said(doubts(ward)),
    }


@dataclass(frozen=True, slots=True)
class Doubt:
    """A sentence of what is missing on the pages, or may be wrong: its key among the texts, and what stands in it."""

    key: str
    values: Mapping[str, str]
    gateway: str = ""

    def words(self) -> str:
        """Return it in English, as programs are told."""
        sentence = english().text(f"doubts.{self.key}", **self.values)
        return english().text("doubts.of_gateway", gateway=self.gateway, doubt=sentence) if self.gateway else sentence


def said(found: Sequence[Doubt]) -> dict[str, Any]:
    """Return doubts for a page, which says them in its own language, and in English for everybody else."""
    keyed = [{"key": one.key, "values": dict(one.values), "gateway": one.gateway} for one in found]
    return {"doubts": [one.words() for one in found], **({"doubt_keys": keyed} if keyed else {})}


def doubts(ward: Ward, gateway: str = "") -> list[Doubt]:
    """Return what is missing on the pages, or may be wrong; with the name of its gateway where there are several."""
    misunderstood = ward.fresh_doubts()
    found = [
        Doubt(kind, {"reason": reason}, gateway)
        for kind in ("status", "ward")
        if (reason := misunderstood.pop(kind, ""))
    ]
    found += [Doubt("kind", {"kind": kind, "reason": reason}, gateway) for kind, reason in misunderstood.items()]
    if ward.status.odd:
        found.append(Doubt("parts", {"parts": ", ".join(sorted(ward.status.odd))}, gateway))
    beyond = {"beds": ward.status.more_slots, "devices": ward.status.more_devices, "notices": ward.notices.more}
    if any(beyond.values()):
        more = ", ".join(f"{count:,} more {what}" for what, count in beyond.items() if count)
        found.append(Doubt("beyond", {"more": more}, gateway))
    return found


def ward_view(ward: Ward, now_us: int, metric: str = "") -> dict[str, Any]:
    """Return one tile per slot, and how many more there are; with ``metric`` each tells that number too."""
    return {
        "slots": [_tile(ward, slot, now_us, metric) for slot in ward.slot_ids()],
        "more_slots": ward.status.more_slots,
    }


def slot_view(ward: Ward, slot: str, now_us: int) -> dict[str, Any]:
    """Return everything about one slot."""
    state = ward.slot(slot)
    return {
        "slot": {
            **_about(ward, slot),
            "activity": activity(state, ward.devices(slot), now_us),
            "age_s": age_s(ward, slot, now_us),
            "values": [shown(state.best(*key)) for key in sorted(state.values)],
            "tests": [shown(one) for one in state.last_tests(ward.ended.sets_aside)],
            "strides": {side: strides(state, side) for side in ("left", "right")},
            "cycles": cycles(ward, slot),
            "exoskeleton_cycles": exoskeleton_cycles(ward, slot),
            "devices": ward.devices(slot),
        }
    }


def devices_view(ward: Ward) -> dict[str, Any]:
    """Return the devices and the gateway's own state."""
    parts = {part: ward.status.parts.get(part) for part in PARTS}
    return {
        "devices": [with_texts(device) for device in ward.devices()],
        "status_age_s": ward.status_age_s(),
        "more_devices": ward.status.more_devices,
        "delays": ward.delays.summary(),
        **parts,
    }


def age_s(ward: Ward, slot: str, now_us: int) -> float | None:
    """Return the age of the newest sample or measurement of a slot; None if there was none."""
    ages = []
    newest_us = ward.slot(slot).newest_us
    if newest_us:
        ages.append((now_us - newest_us) / MICRO)
    since_status = ward.status_age_s()
    ages += [device["age_s"] + since_status for device in ward.devices(slot) if device.get("age_s") is not None]
    return max(0.0, min(ages)) if ages else None


def activity(state: SlotState, devices: list[dict[str, Any]], now_us: int) -> str:
    """Return ``walking``, a posture, ``not walking``, ``unworn``, or ``""`` where nothing that is there could tell.

    A sensor on a table lies as level as somebody in bed: what it said before it was off the body holds no more.
    """
    cadence = state.best("cadence", "both")
    if cadence and cadence.value is not None and cadence.quality != "invalid" and _age(cadence, now_us) <= STALE_S:
        return "walking"
    contacts = (state.best("initial_contact", side) for side in ("left", "right", "both", "none"))
    if any(contact and _age(contact, now_us) <= CONTACT_S for contact in contacts):
        return "walking"
    moving = [device for device in devices if _shows_movement(device)]
    if not moving:
        return ""
    posture = state.best("posture", "none")  # told when it begins, and so of now however old it is
    if posture is not None and posture.quality == "ok" and posture.value is not None:
        if any(state.off_body.get(device, 0) > posture.end_us for device in posture.devices):
            return "unworn"
        return POSTURES.get(round(posture.value), "not walking")
    return "unworn" if all(device.get("id") in state.off_body for device in moving) else "not walking"


def strides(state: SlotState, side: str) -> list[dict[str, Any]]:
    """Return the last strides of one side, oldest first, with their parts in seconds where they are known."""
    of = {metric: state.strides.get((metric, side), ()) for metric in STRIDE_METRICS}
    rows = []
    for stride in of["stride_time"]:
        row: dict[str, Any] = {"end_us": stride.end_us, "stride": stride.value, "quality": stride.quality}
        row["stance"] = _value(m for m in of["stance_time"] if abs(m.start_us - stride.start_us) <= SAME_INSTANT_US)
        row["swing"] = _value(m for m in of["swing_time"] if abs(m.end_us - stride.end_us) <= SAME_INSTANT_US)
        row["step"] = _value(m for m in of["step_time"] if abs(m.end_us - stride.end_us) <= SAME_INSTANT_US)
        rows.append(row)
    return sorted(rows, key=lambda row: int(row["end_us"]))[-STRIDES:]


def cycles(ward: Ward, slot: str) -> list[dict[str, Any]]:
    """Return the mean curves of the joints; none that are of another patient or session than the present one."""
    return [{**curve, "reason": clean(curve["reason"])} for curve in _cycles(ward, slot).get("curves", ())]


def exoskeleton_cycles(ward: Ward, slot: str) -> list[dict[str, Any]]:
    """Return the mean curves that an exoskeleton measured; none of another patient or session than the present one."""
    return list(_cycles(ward, slot).get("exoskeleton", ()))


def _cycles(ward: Ward, slot: str) -> dict[str, Any]:
    found, wearer = ward.slot(slot).cycles, ward.wearer(slot)
    if not found or wearer is None or wearer != (found["subject"], found["session"], found["simulated"]):
        return {}
    return found


def _tile(ward: Ward, slot: str, now_us: int, metric: str) -> dict[str, Any]:
    state, devices = ward.slot(slot), ward.devices(slot)
    values = {name: shown(state.best(name, side)) for name, side in HEADLINES}
    if metric and metric not in values:
        values[metric] = shown(next(filter(None, (state.best(metric, side) for side in SIDES)), None))
    return {
        **_about(ward, slot),
        "activity": activity(state, devices, now_us),
        "age_s": age_s(ward, slot, now_us),
        "values": values,
        "alarms": [shown(each) for each in (state.best(*alarm) for alarm in ALARMS) if each and each.value],
        "devices": [{key: device.get(key) for key in TILE_DEVICE} for device in devices],
    }


def _about(ward: Ward, slot: str) -> dict[str, Any]:
    shown: dict[str, Any] = ward.status.slots.get(slot, {})
    state = ward.slot(slot)
    wearer = state.wearer or Wearer("", "", simulated=False)
    at_home = (shown.get("subject") or "", shown.get("session") or "") == (wearer.subject, wearer.session)
    return {
        "id": slot,
        "label": shown.get("label") or ward.registry.beds.get(slot, {}).get("label") or clean(slot),
        "known": state.wearer is not None or ward.is_empty(slot),
        "subject": clean(wearer.subject),
        "session": clean(wearer.session),
        "patient_since_us": state.patient_since_us,
        "protocol": (shown.get("protocol") or "") if at_home else "",
        "simulated": ward.status.simulated or wearer.simulated,
    }


def shown(measurement: Measurement | None) -> dict[str, Any] | None:
    """Return a value as pages are sent it."""
    if measurement is None:
        return None
    return {
        "metric": measurement.metric,
        "side": measurement.side,
        "value": measurement.value,
        "quality": measurement.quality,
        "reason": clean(measurement.reason),
        "end_us": measurement.end_us,
        "n": measurement.n,
        "algorithm": clean(measurement.algorithm),
    }


def _age(measurement: Measurement, now_us: int) -> float:
    return max(0.0, (now_us - measurement.end_us) / MICRO)


def _value(candidates: Any) -> float | None:
    found: Measurement | None = next(iter(candidates), None)
    return found.value if found else None


def _shows_movement(device: dict[str, Any]) -> bool:
    streams = device.get("streams")
    if device.get("state") != "streaming" or not isinstance(streams, dict):
        return False
    return any(modality.name == "movement" for modality in measured_by(streams))
