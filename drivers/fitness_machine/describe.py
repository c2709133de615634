"""What a fitness machine says that it can, and what passes over its control point: in words, and never sent.

For whoever looks at a recording of another program: this gateway neither asks for these nor writes any.
"""

from __future__ import annotations

from typing import Any, Final

from drivers.errors import MalformedFrameError
from drivers.gatt.record import I16, U8, U16, U24, Kind

RANGES: Final[dict[str, tuple[Kind, float, str]]] = {
    "2AD4": (U16, 100, "km/h"), "2AD5": (I16, 10, "percent"), "2AD6": (I16, 10, "level"), "2AD7": (U8, 1, "bpm"),
    "2AD8": (I16, 1, "watts"),
}  # fmt: skip
"""By characteristic: type of least and greatest value (the step has no sign), so many a unit, unit."""
NARROW_RESISTANCE: Final = (U8, 1, "level")  # the present GATT specification, by its length

FEATURES: Final = (
    "averageSpeedSupported", "cadenceSupported", "totalDistanceSupported", "inclinationSupported",
    "elevationGainSupported", "paceSupported", "stepCountSupported", "resistanceLevelSupported",
    "strideCountSupported", "expendedEnergySupported", "heartRateMeasurementSupported",
    "metabolicEquivalentSupported", "elapsedTimeSupported", "remainingTimeSupported", "powerMeasurementSupported",
    "forceOnBeltSupported", "userDataRetentionSupported",
)  # fmt: skip
TARGETS: Final = (
    "speedTargetSettingSupported", "inclinationTargetSettingSupported", "resistanceTargetSettingSupported",
    "powerTargetSettingSupported", "heartRateTargetSettingSupported", "targetedExpendedEnergySupported",
    "targetedStepNumberSupported", "targetedStrideNumberSupported", "targetedDistanceSupported",
    "targetedTrainingTimeSupported", "targetedTimeTwoHRZonesSupported", "targetedTimeThreeHRZonesSupported",
    "targetedTimeFiveHRZonesSupported", "indoorBikeSimulationSupported", "wheelCircumferenceSupported",
    "spinDownControlSupported", "targetedCadenceSupported",
)  # fmt: skip

Operand = tuple[str, Kind, float]
COMMANDS: Final[dict[int, tuple[str, tuple[Operand, ...]]]] = {
    0x00: ("requestControl", ()),
    0x01: ("reset", ()),
    0x02: ("setTargetSpeed", (("speedKph", U16, 100),)),
    0x03: ("setTargetInclination", (("inclinationPercent", I16, 10),)),
    0x04: ("setTargetResistance", (("resistanceLevel", I16, 10),)),
    0x05: ("setTargetPower", (("powerWatts", I16, 1),)),
    0x06: ("setTargetHeartRate", (("heartRateBpm", U8, 1),)),
    0x07: ("startResume", ()),
    0x08: ("stopPause", (("action", U8, 1),)),
    0x09: ("setTargetedExpendedEnergy", (("energyKcal", U16, 1),)),
    0x0A: ("setTargetedSteps", (("steps", U16, 1),)),
    0x0B: ("setTargetedStrides", (("strides", U16, 1),)),
    0x0C: ("setTargetedDistance", (("distanceMeters", U24, 1),)),
    0x0D: ("setTargetedTrainingTime", (("seconds", U16, 1),)),
    0x0E: ("setTargetedTimeTwoHrZones", (("seconds", U16, 1),) * 2),
    0x0F: ("setTargetedTimeThreeHrZones", (("seconds", U16, 1),) * 3),
    0x10: ("setTargetedTimeFiveHrZones", (("seconds", U16, 1),) * 5),
    0x11: (
        "setIndoorBikeSimulation",
        (("windSpeedMps", I16, 1000), ("gradePercent", I16, 100), ("crr", U8, 10000), ("cwKgPerM", U8, 100)),
    ),
    0x12: ("setWheelCircumference", (("circumferenceMm", U16, 10),)),
    0x13: ("spinDown", (("action", U8, 1),)),
    0x14: ("setTargetedCadence", (("cadenceRpm", U16, 2),)),
}
ACTIONS: Final = {"stopPause": {1: "stop", 2: "pause"}, "spinDown": {1: "start", 2: "ignore"}}
RESPONSE, SPIN_DOWN = 0x80, 0x13
RESULTS: Final = {
    1: "success", 2: "not_supported", 3: "invalid_parameter", 4: "operation_failed", 5: "control_not_permitted",
}  # fmt: skip


def describe_features(data: bytes) -> dict[str, Any]:
    """Read Fitness Machine Feature (0x2ACC); raises MalformedFrameError where it is cut."""
    if len(data) < 8:
        raise MalformedFrameError("length")
    machine, target = int.from_bytes(data[:4], "little"), int.from_bytes(data[4:8], "little")
    found = {name: bool(machine >> bit & 1) for bit, name in enumerate(FEATURES)}
    found |= {name: bool(target >> bit & 1) for bit, name in enumerate(TARGETS)}
    return found | {
        "supportsERG": found["powerTargetSettingSupported"], "supportsSIM": found["indoorBikeSimulationSupported"],
        "supportsResistance": found["resistanceTargetSettingSupported"],
    }  # fmt: skip


def describe_range(characteristic: str, data: bytes) -> dict[str, Any]:
    """Read a supported range (0x2AD4 to 0x2AD8).

    Raises:
        MalformedFrameError: ``length`` for one that is no range, ``range`` for one whose least is above its greatest.
    """
    kind, per, unit = RANGES[characteristic]
    if characteristic == "2AD6" and len(data) == 3 * U8.size:
        kind, per, unit = NARROW_RESISTANCE
    if len(data) != 3 * kind.size:
        raise MalformedFrameError("length")
    least, most = (kind.read(data[at : at + kind.size]) / per for at in (0, kind.size))
    if least > most:
        raise MalformedFrameError("range")
    return {"min": least, "max": most, "increment": int.from_bytes(data[2 * kind.size :], "little") / per, "unit": unit}


def describe_command(data: bytes) -> dict[str, Any]:
    """Read what somebody wrote to the control point (0x2AD9); raises MalformedFrameError for what is no command."""
    if not data or data[0] not in COMMANDS:
        raise MalformedFrameError("no command")
    name, operands = COMMANDS[data[0]]
    if len(data) != 1 + sum(kind.size for _, kind, _ in operands):
        raise MalformedFrameError("length")
    found: dict[str, Any] = {"op": name}
    at, seconds = 1, []
    for operand, kind, per in operands:
        raw = kind.read(data[at : at + kind.size])
        at += kind.size
        value = raw if per == 1 else raw / per
        found[operand] = ACTIONS[name].get(raw, "reserved") if operand == "action" else value
        seconds.append(value)
    return found | {"seconds": seconds} if len(operands) > 1 and operands[0][0] == "seconds" else found


def describe_response(data: bytes) -> dict[str, Any]:
    """Read an answer of the control point; raises MalformedFrameError (``malformed_response``) for what is none."""
    known = len(data) >= 3 and data[0] == RESPONSE and data[1] in COMMANDS
    speeds = known and data[1] == SPIN_DOWN and data[2] == 1 and len(data) == 7
    if not known or not (len(data) == 3 or speeds):
        raise MalformedFrameError("malformed_response")
    result = data[2]
    parameter: dict[str, Any] = {"kind": "none"}
    if speeds:
        low, high = (int.from_bytes(data[at : at + 2], "little") / 100 for at in (3, 5))
        parameter = {"kind": "spin_down_speeds", "targetSpeedLowKph": low, "targetSpeedHighKph": high}
    return {
        "requestOpCode": data[1], "resultCode": result,
        "resultCodeName": RESULTS.get(result, f"unknown_0x{result:02x}"),
        "success": result == 1, "parameter": parameter, "issues": [] if result in RESULTS else ["reserved_value"],
    }  # fmt: skip
