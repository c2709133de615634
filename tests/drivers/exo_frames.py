"""Golden frames of the open exoskeleton frame, and wires made of the reference encoder."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from simulators.body.exoskeleton import WornExoskeleton
from simulators.devices.exo_frame import DeviceState, JointSample, encode_device, encode_limb, serial_frame

GOLDEN: list[dict[str, Any]] = json.loads(Path(__file__).with_name("exo_frame_golden.json").read_text("utf-8"))[
    "frames"
]
LEFT_ANKLE = DeviceState(("ankle",), (), 100, assistance=40.0, battery=80.0, battery_v=48.0, serial=7)
BOTH_LEGS = DeviceState(("hip", "knee"), ("hip", "knee"), 100, assistance=40.0, battery=80.0, serial=7)


def number(value: float | None) -> float:
    return math.nan if value is None else float(value)


def encoded(golden: dict[str, Any]) -> bytes:
    """Return the part of a golden frame as the reference encoder makes it."""
    if golden["kind"] == "limb":
        return encode_limb(
            right=golden["right"], last=golden["last"], counter=golden["counter"], time_us=golden["time_us"],
            gait_state=golden["gait_state"], gait_phase=number(golden["gait_phase"]),
            joints=[JointSample(name, *map(number, values)) for name, *values in golden["joints"]],
        )  # fmt: skip
    state = DeviceState(
        golden["joints_left"], golden["joints_right"], golden["rate_hz"], stopped=golden["stopped"],
        powered=golden["powered"], charging=golden["charging"], mode=golden["mode"],
        assistance=number(golden["assistance"]), body_weight_support=number(golden["body_weight_support"]),
        battery=number(golden["battery"]), battery_v=number(golden["battery_v"]), faults=golden["faults"],
        serial=golden["serial_number"],
    )  # fmt: skip
    return encode_device(state, counter=golden["counter"], time_us=golden["time_us"])


def device(state: DeviceState, counter: int = 0) -> bytes:
    return serial_frame(encode_device(state, counter=counter, time_us=10_000 * counter))


def limb(counter: int, *, right: bool = False, last: bool = True, joint: str = "ankle", angle: float = 1.0) -> bytes:
    """Return a limb part over a serial port, at 100 samples a second."""
    sample = JointSample(joint, angle, 2.0, -3.0, -4.0, 0.5, 30.0)
    return serial_frame(
        encode_limb(
            right=right, last=last, counter=counter, time_us=10_000 * counter, gait_state=1, gait_phase=0.25,
            joints=[sample],
        )
    )  # fmt: skip


def legs(counter: int) -> bytes:
    """Return both sides of a sample of `BOTH_LEGS`: of two hips."""
    return limb(counter, last=False, joint="hip", angle=counter % 90) + limb(
        counter, right=True, joint="hip", angle=-5.0
    )


def walked(source: WornExoskeleton, *, lost: float = 0.0, seed: int = 0) -> Iterator[tuple[float, bytes]]:
    """Yield device seconds and what an exoskeleton sends then over a serial port; of its limb parts a share is lost."""
    rng = np.random.default_rng(seed)
    joints = list(source.joints)
    counter = 0
    described_s = -math.inf
    for motion in source.read_until(math.inf) or ():
        for k in range(len(motion)):
            at_s = float(motion.time_s[k])
            time_us = round(at_s * 1e6)
            if at_s >= described_s + 1.0:
                state = DeviceState(joints, joints, round(source.rate_hz), assistance=source.assistance, serial=7)
                yield at_s, serial_frame(encode_device(state, counter=counter, time_us=time_us))
                described_s = at_s
            for side in (0, 1):
                samples = [
                    JointSample(joint, *(float(part[k, side, j]) for part in (
                        motion.angle, motion.velocity, motion.torque, motion.command, motion.interaction,
                    )))
                    for j, joint in enumerate(joints)
                ]  # fmt: skip
                part = encode_limb(
                    right=bool(side), last=bool(side), counter=counter, time_us=time_us,
                    gait_state=1 if motion.stance[k, side] else 2, gait_phase=float(motion.phase[k, side]),
                    joints=samples,
                )  # fmt: skip
                if rng.random() >= lost:
                    yield at_s, serial_frame(part)
            counter += 1
