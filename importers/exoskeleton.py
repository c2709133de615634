"""Rows of a recorded exoskeleton session to the open exoskeleton frame, by its reference encoder."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from drivers.exoskeleton import JOINTS, OF_JOINT, SIDES
from importers.report import Report
from simulators.devices.exo_frame import (
    STANCE,
    SWING,
    TICK_HZ,
    UNKNOWN,
    DeviceState,
    JointSample,
    encode_device,
    encode_limb,
    serial_frame,
)

DESCRIBED_S: Final = 1.0  # between two device parts
LARGEST: Final = {  # that the frame can hold; what is larger is held at the end, and the gateway marks it as clipped
    "angle": 327.67, "velocity": 3276.7, "torque": 327.67, "command": 327.67, "interaction": 327.67,
    "temperature": 127.0,
}  # fmt: skip
LARGEST_SHARE, LARGEST_PERCENT, LARGEST_V = 1.0, 100.0, 655.34  # and nothing below 0
HELD: Final = "beyond what the frame holds, held at its end"
MOST_FAULTS: Final = 2**32 - 1
MOST_MODE: Final = 254


class ExoskeletonEncoder:
    """Turns samples into the bytes that such a device would have sent.

    Args:
        channels: Channels of each sample, in order.
        rate_hz: Nominal.
        serial: Number of the device; 0 for none.
        report: Takes what the frame cannot hold.
    """

    def __init__(self, channels: Sequence[str], rate_hz: int, serial: int, report: Report) -> None:
        self._at: Mapping[str, int] = {channel: at for at, channel in enumerate(channels)}
        self._report = report
        self._joints = [[joint for joint in JOINTS if self._has(side, joint)] for side in SIDES]
        self._legs = [bool(joints) or self._has_leg(side) for side, joints in zip(SIDES, self._joints, strict=True)]
        announced = [joints or [JOINTS[0]] * leg for joints, leg in zip(self._joints, self._legs, strict=True)]
        self._state = DeviceState(announced[0], announced[1], rate_hz, serial=serial)
        self._described: DeviceState | None = None
        self._described_s = -math.inf
        self._rate_hz = rate_hz
        self._counter = -1
        self._last_s = -math.inf

    def encode(self, time_s: float, values: Sequence[float], place: str) -> bytes:
        """Return the frames of a sample, ``time_s`` after the first, and before them the device's where it is due."""
        gap_s = time_s - self._last_s
        self._counter += max(1, round(gap_s * self._rate_hz)) if math.isfinite(gap_s) else 1
        self._last_s = time_s
        time_us = round(time_s * TICK_HZ)
        parts = self._device(time_s, time_us, values, place)
        sides = [at for at, leg in enumerate(self._legs) if leg]
        for side in sides:
            part = encode_limb(
                right=bool(side),
                last=side == sides[-1],
                counter=self._counter,
                time_us=time_us,
                gait_state=self._gait_state(SIDES[side], values),
                gait_phase=self._from_zero(f"{SIDES[side]}_gait_phase", LARGEST_SHARE, values, place),
                joints=[self._joint(SIDES[side], joint, values, place) for joint in self._joints[side]],
            )
            parts.append(part)
        return b"".join(serial_frame(part) for part in parts)

    def _device(self, time_s: float, time_us: int, values: Sequence[float], place: str) -> list[bytes]:
        mode, faults = self._whole("mode", MOST_MODE, values, place), self._whole("fault", MOST_FAULTS, values, place)
        stopped = self._value("emergency_stop", values) > 0
        state = replace(
            self._state,
            stopped=stopped,
            powered=not stopped,
            mode=mode,
            assistance=self._from_zero("assistance", LARGEST_PERCENT, values, place),
            body_weight_support=self._from_zero("body_weight_support", LARGEST_PERCENT, values, place),
            battery=self._from_zero("battery", LARGEST_PERCENT, values, place),
            battery_v=self._from_zero("battery_voltage", LARGEST_V, values, place),
            faults=faults or 0,
        )
        urgent = self._described is None or (state.stopped, state.faults) != (
            self._described.stopped, self._described.faults,
        )  # fmt: skip
        if not urgent and time_s < self._described_s + DESCRIBED_S:
            return []
        self._described, self._described_s = state, time_s
        return [encode_device(state, counter=self._counter, time_us=time_us)]

    def _joint(self, side: str, joint: str, values: Sequence[float], place: str) -> JointSample:
        found = {}
        for what in OF_JOINT:
            value = self._value(f"{side}_{joint}_{what}", values)
            if abs(value) > LARGEST[what]:
                self._report.change(f"{side}_{joint}_{what} {HELD}", place)
                value = math.copysign(LARGEST[what], value)
            found[what] = value
        return JointSample(joint, **found)

    def _gait_state(self, side: str, values: Sequence[float]) -> int:
        state, stance = self._value(f"{side}_gait_state", values), self._value(f"{side}_stance", values)
        if state in {STANCE, SWING}:
            return int(state)
        if math.isnan(stance):
            return UNKNOWN
        return STANCE if stance else SWING

    def _whole(self, channel: str, most: int, values: Sequence[float], place: str) -> int | None:
        value = self._value(channel, values)
        if math.isnan(value):
            return None
        if not 0 <= value <= most or value != int(value):
            self._report.miss(f"{channel} is no whole number from 0 to {most}", place)
            return None
        return int(value)

    def _from_zero(self, channel: str, most: float, values: Sequence[float], place: str) -> float:
        value = self._value(channel, values)
        if value < 0 or value > most:
            self._report.change(f"{channel} {HELD}", place)
            return min(max(value, 0.0), most)
        return value

    def _value(self, channel: str, values: Sequence[float]) -> float:
        at = self._at.get(channel)
        return math.nan if at is None else values[at]

    def _has(self, side: str, joint: str) -> bool:
        return any(f"{side}_{joint}_{what}" in self._at for what in OF_JOINT)

    def _has_leg(self, side: str) -> bool:
        return any(f"{side}_{what}" in self._at for what in ("gait_state", "gait_phase", "stance"))
