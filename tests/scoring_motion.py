"""Bytes of inertial sensors and insoles, through the product's own parse functions (for the vector scorer)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

from drivers.errors import MalformedFrameError
from drivers.metamotion.message import parse_message
from drivers.orphe.gait import parse_gait
from drivers.orphe.sensor import GYRO_DPS_A_COUNT, parse_sensor
from drivers.witmotion.frame import FRAME_BYTES, Framing, parse_fields, parse_frame
from drivers.witmotion_serial import packet as serial
from tests.scoring_health import only

Answer = dict[str, Any] | None

KINDS: Final = ("none", "walk", "run", "stance")
DIRECTIONS: Final = ("none", "forward", "backward", "inside", "outside")
PEER: Final = {
    "distance": "distance_m", "stance_time": "stance_s", "swing_time": "swing_s", "energy": "calorie",
    "foot_angle": "foot_angle_deg", "stride_x": "stride_x_m", "stride_y": "stride_y_m", "stride_z": "stride_z_m",
    "strike_angle": "strike_angle_deg", "pronation": "pronation_deg", "rotation": "rotation_deg",
    "quaternion": "quat_wxyz", "delta": "delta_xyz",
}  # fmt: skip


def metamotion(_stream: str, packets: Sequence[bytes], context: Mapping[str, Any]) -> Answer:
    """Return what a message of a MetaMotion says, at the ranges that the vector names."""
    ranges = {name: float(context[name]) for name in ("range_g", "range_dps") if name in context}
    found = parse_message(only(packets), **ranges)
    aliases = {"wxyz": "quat_wxyz", "ut": "uT"}
    return found | {aliases[name]: value for name, value in found.items() if name in aliases}


def orphe(stream: str, packets: Sequence[bytes], context: Mapping[str, Any]) -> Answer:
    """Return what a sensor frame or a gait frame of an insole says."""
    if "4EB776DC" not in stream.upper():
        dps = context.get("gyro_range_dps", 2000)
        return parse_sensor(only(packets), gyro_range=min(len(GYRO_DPS_A_COUNT) - 1, [250, 500, 1000, 2000].index(dps)))
    found = parse_gait(only(packets))
    if "kind" in found:
        direction = found["direction"]
        found["gait_type"] = KINDS[found["kind"]]
        found["direction"] = DIRECTIONS[direction] if direction < len(DIRECTIONS) else "unknown"
    if "stride_x" in found:
        found["stride_xyz"] = [found[f"stride_{axis}"] for axis in "xyz"]
    return found | {name: found[own] for own, name in PEER.items() if own in found}


def witmotion(stream: str, packets: Sequence[bytes], _context: Mapping[str, Any]) -> Answer:
    """Return what a frame says, or all frames of notifications that cut and join them."""
    wire = b"".join(packets)
    if "serial" in stream.lower():
        return serial.parse_packet(wire)
    if len(wire) <= FRAME_BYTES:
        return parse_fields(wire)
    faults: Counter[str] = Counter()
    framing = Framing(faults)
    frames = [parse_frame(frame) for packet in packets for frame in framing.frames(packet)]
    if not frames:
        raise MalformedFrameError("no frame")
    return frames[0] | {"frames": frames, "skipped": sum(faults.values())}
