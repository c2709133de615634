"""What a fitness machine tells when something is done to it: Machine Status (0x2ADA) and Training Status (0x2AD3)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple

from drivers.errors import MalformedFrameError

RESET, STOPPED, SAFETY_KEY, STARTED = 0x01, 0x02, 0x03, 0x04
IDLE, PREPARING, DONE = 1, 14, 15  # training states in which nobody trains


class StatusChange(NamedTuple):
    """A status.

    Attributes:
        code: Its number.
        label: What it is called.
        details: What it says; empty of a cut one.
    """

    code: int
    label: str
    details: dict[str, Any]


def _unsigned(data: bytes) -> int:
    return int.from_bytes(data, "little")


def _signed(data: bytes) -> int:
    return int.from_bytes(data, "little", signed=True)


def _one(kind: str, name: str, per: float = 1, read: Callable[[bytes], int] = _unsigned) -> Callable[..., Any]:
    return lambda data: {"kind": kind, name: read(data) if per == 1 else read(data) / per}


def _seconds(data: bytes) -> dict[str, Any]:
    return {"kind": "hr_zones", "seconds": [_unsigned(data[at : at + 2]) for at in range(0, len(data), 2)]}


def _simulation(data: bytes) -> dict[str, Any]:
    return {
        "kind": "simulation", "windSpeedMps": _signed(data[:2]) / 1000, "gradePercent": _signed(data[2:4]) / 100,
        "crr": data[4] / 10000, "cwKgPerM": data[5] / 100,
    }  # fmt: skip


def _named(kind: str, key: str, names: dict[int, str]) -> Callable[[bytes], dict[str, Any]]:
    return lambda data: {"kind": kind, key: names.get(data[0], "reserved")}


def _none(_data: bytes) -> dict[str, Any]:
    return {"kind": "none"}


MACHINE_STATUS: Final[dict[int, tuple[str, int, Callable[[bytes], dict[str, Any]]]]] = {
    RESET: ("reset", 0, _none),
    STOPPED: ("stopped_or_paused_by_user", 1, _named("stop_pause", "action", {1: "stop", 2: "pause"})),
    SAFETY_KEY: ("stopped_by_safety_key", 0, _none),
    STARTED: ("started_or_resumed_by_user", 0, _none),
    0x05: ("target_speed_changed", 2, _one("speed", "speedKph", 100)),
    0x06: ("target_inclination_changed", 2, _one("inclination", "inclinationPercent", 10, _signed)),
    0x07: ("target_resistance_changed", 2, _one("resistance", "resistanceLevel", 10, _signed)),
    0x08: ("target_power_changed", 2, _one("power", "powerWatts", 1, _signed)),
    0x09: ("target_heart_rate_changed", 1, _one("heart_rate", "heartRateBpm")),
    0x0A: ("targeted_expended_energy_changed", 2, _one("energy", "energyKcal")),
    0x0B: ("targeted_steps_changed", 2, _one("steps", "steps")),
    0x0C: ("targeted_strides_changed", 2, _one("strides", "strides")),
    0x0D: ("targeted_distance_changed", 3, _one("distance", "distanceMeters")),
    0x0E: ("targeted_training_time_changed", 2, _one("training_time", "seconds")),
    0x0F: ("targeted_time_two_hr_zones_changed", 4, _seconds),
    0x10: ("targeted_time_three_hr_zones_changed", 6, _seconds),
    0x11: ("targeted_time_five_hr_zones_changed", 10, _seconds),
    0x12: ("indoor_bike_simulation_parameters_changed", 6, _simulation),
    0x13: ("wheel_circumference_changed", 2, _one("wheel_circumference", "circumferenceMm", 10)),
    0x14: (
        "spin_down_status", 1,
        _named("spin_down", "status", {1: "requested", 2: "success", 3: "error", 4: "stop_pedaling"}),
    ),
    0x15: ("targeted_cadence_changed", 2, _one("cadence", "cadenceRpm", 2)),
    0xFF: ("control_permission_lost", 0, _none),
}  # fmt: skip
"""By number (section 4.17): what it is called, how many bytes follow, and what they mean."""

TRAINING_STATUS: Final = (
    "other", "idle", "warming_up", "low_intensity_interval", "high_intensity_interval", "recovery_interval",
    "isometric", "heart_rate_control", "fitness_test", "speed_outside_control_region_low",
    "speed_outside_control_region_high", "cool_down", "watt_control", "manual_mode", "pre_workout", "post_workout",
)  # fmt: skip
"""By number (section 4.10)."""


def parse_machine_status(data: bytes) -> StatusChange:
    """Read one Machine Status; raises MalformedFrameError where its parameter is cut."""
    if not data:
        raise MalformedFrameError("empty frame")
    if data[0] not in MACHINE_STATUS:
        return StatusChange(data[0], "unknown", {})
    label, size, details = MACHINE_STATUS[data[0]]
    if len(data) < 1 + size:
        raise MalformedFrameError("truncated status")
    return StatusChange(data[0], label, details(data[1 : 1 + size]))


def parse_training_status(data: bytes) -> StatusChange:
    """Read one Training Status; raises MalformedFrameError where it is cut."""
    if len(data) < 2:
        raise MalformedFrameError("truncated status")
    flags, code = data[0], data[1]
    details: dict[str, Any] = {
        "kind": "training_status", "flags": flags, "stringPresent": bool(flags & 1),
        "extendedStringPresent": bool(flags & 2),
    }  # fmt: skip
    if flags & 1:
        details["trainingStatusString"] = data[2:].decode("utf-8", "replace")
    return StatusChange(code, TRAINING_STATUS[code] if code < len(TRAINING_STATUS) else "reserved", details)


def trains(channel: str, change: StatusChange) -> bool | None:
    """Return whether somebody trains after a status; None where it does not tell."""
    if channel == "training_status":
        return change.code not in (IDLE, PREPARING, DONE) if 0 < change.code < len(TRAINING_STATUS) else None
    return {RESET: False, STOPPED: False, SAFETY_KEY: False, STARTED: True}.get(change.code)
