"""Bytes of fitness machines that others published, through the product's own parse functions.

The vectors come from two peers with names of their own for the same fields: both are given.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from drivers.errors import MalformedFrameError
from drivers.fitness_machine.describe import describe_command, describe_features, describe_range, describe_response
from drivers.fitness_machine.records import BACKWARD, parse_part
from drivers.fitness_machine.status import MACHINE_STATUS, parse_machine_status, parse_training_status
from tests.scoring_health import only

Answer = dict[str, Any] | None

MACHINES: Final = {
    "2ACD": "treadmill", "2ACE": "cross_trainer", "2ACF": "step_climber", "2AD0": "stair_climber", "2AD1": "rower",
    "2AD2": "bike",
}  # fmt: skip
KMH: Final = 3.6
PEER: Final = {
    "distance_m": "distanceMeters", "inclination_pct": "inclinationPercent", "ramp_deg": "rampAngleDegrees",
    "elev_pos_m": "positiveElevationGainMeters", "elev_neg_m": "negativeElevationGainMeters",
    "pace_s_per_500m": "instantaneousPaceSecondsPer500m", "avg_pace_s_per_500m": "averagePaceSecondsPer500m",
    "energy_kcal": "energyKcal", "energy_per_h": "energyPerHourKcal", "energy_per_min": "energyPerMinuteKcal",
    "hr": "hrBpm", "met": "metabolicEquivalent", "elapsed_s": "elapsedTimeSeconds",
    "remaining_s": "remainingTimeSeconds", "force_n": "forceOnBeltNewtons", "power_w": "powerWatts",
    "avg_power_w": "averagePowerWatts", "step_spm": "stepRateSpm", "avg_step_spm": "averageStepRateSpm",
    "stride_count": "strideCount", "resistance": "resistanceLevel", "cadence_rpm": "cadenceRpm",
    "avg_cadence_rpm": "averageCadenceRpm", "floors": "floorCount", "step_count": "stepCount",
    "stroke_spm": "strokeRateSpm", "avg_stroke_spm": "averageStrokeRateSpm", "stroke_count": "strokeCount",
}  # fmt: skip


def fitness_machine(stream: str, packets: Sequence[bytes], _context: Mapping[str, Any]) -> Answer:
    """Return what a machine tells, with the names of both peers; records in parts are put together."""
    machine = next((name for number, name in MACHINES.items() if number in stream), None)
    if machine is not None:
        return _record(machine, packets)
    data = only(packets)
    if "2AD3" in stream:
        status = parse_training_status(data)
        return {"status": status.label, "code": status.code, "label": status.label, "details": status.details}
    if "2ADA" in stream:
        return _machine_status(data)
    if "2ACC" in stream:
        return describe_features(data)
    if "2AD9" in stream:
        return _or_error(describe_response, data) if "response" in stream else describe_command(data)
    kind = next((number for number in ("2AD4", "2AD5", "2AD6", "2AD7", "2AD8") if number in stream), None)
    return _or_error(lambda value: describe_range(kind, value), data) if kind else None


def _record(machine: str, packets: Sequence[bytes]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for packet in packets:
        reading = parse_part(machine, packet)
        values |= reading.values
    answer = values | {PEER[name]: value for name, value in values.items() if name in PEER}
    for name, peer in (("speed_kmh", "speedMps"), ("avg_speed_kmh", "averageSpeedMps")):
        if name in values:
            answer[peer] = values[name] / KMH
    if reading.truncated:
        answer |= dict.fromkeys(PEER.values()) | answer
    if machine == "cross_trainer":
        answer["movementDirection"] = "backward" if reading.flags & BACKWARD else "forward"
    return answer | {"_truncated": reading.truncated, "_left": reading.left}


def _machine_status(data: bytes) -> dict[str, Any]:
    status = parse_machine_status(data)
    answer: dict[str, Any] = {"code": status.code, "label": status.label, "details": status.details}
    if status.code in MACHINE_STATUS and "speedKph" in status.details:
        answer["target_speed_kmh"] = status.details["speedKph"]
    return answer


def _or_error(describe: Callable[[bytes], dict[str, Any]], data: bytes) -> dict[str, Any]:
    try:
        return describe(data)
    except MalformedFrameError as problem:
        return {"expectedError": str(problem)}
