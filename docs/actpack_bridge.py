"""Tell a rehab-gateway what a Dephy ActPack measures: read by the maker's own package, sent as the open frame over UDP.

Copy this file to the computer that the actuator is plugged into, beside the maker's ``flexsea`` package and library; it
needs nothing else. It opens, streams, reads and closes. It never commands: no other word of the maker's is in it, and
nothing is listened to. The page docs/actpack.md says what each number means and how it is set up.

    python actpack_bridge.py --port /dev/ttyACM0 --firmware 7.2.0 --joint left_knee --to 192.0.2.10:5005 --serial 11 \
        --degrees-a-count 0.02197 --zero-count 1234 --degrees-s-a-step 1.0 --nm-an-ampere 1.02

A program that controls the actuator has its port to itself: let that program call `Bridge.send` with what it reads.
"""

from __future__ import annotations

import argparse
import math
import socket
import struct
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

JOINTS = ("hip", "knee", "ankle", "elbow")
SIDES = ("left", "right")
LIMB, DEVICE = 0x11, 0x12  # version 1
LAST, RIGHT = 0x08, 0x80
NONE_I16, NONE_I8, NONE_U8 = -32768, -128, 255
HOT = 1  # bit of a motor that is too hot
THERMAL_LIMIT = 0x02  # of the maker's status_ex
DESCRIBE_S = 1.0
AGAIN_S = 2.0  # before the actuator is opened again
STALE_S = 1.0  # the maker's package gives its newest values again and again when nothing comes


class Device(Protocol):
    """What is used of the maker's device, and all that is."""

    def open(self) -> object:
        """Connect."""

    def start_streaming(self, frequency: int) -> object:
        """Have it send what it measures, so many times a second."""

    def read(self) -> Mapping[str, Any]:
        """Return the newest of that."""

    def close(self) -> object:
        """Disconnect."""


@dataclass(frozen=True)
class Joint:
    """What the actuator moves, and what its numbers mean there: the laboratory measures these once.

    Attributes:
        name: Side and joint, such as ``left_knee``.
        degrees_a_count: Of the joint's encoder (``ank_ang``); negative where it counts against flexion.
        zero_count: What it counts in the upright stance.
        degrees_s_a_step: Of its velocity (``ank_vel``).
        nm_an_ampere: Torque at the joint for an ampere of motor current; NaN where it is not to be estimated.
    """

    name: str
    degrees_a_count: float
    zero_count: float
    degrees_s_a_step: float
    nm_an_ampere: float = math.nan

    @property
    def right(self) -> bool:
        """Whether it is on the right."""
        return self.name.startswith("right_")

    @property
    def number(self) -> int:
        """Return its number in the frame."""
        return JOINTS.index(self.name.partition("_")[2])


class Bridge:
    """Sends what was read as frames.

    Args:
        to: Address and port of the gateway.
        joint: What the actuator moves.
        rate_hz: Samples a second.
        serial: Number of this actuator, as the gateway is to know it; 0 for none.
    """

    def __init__(self, to: tuple[str, int], joint: Joint, rate_hz: int, serial: int) -> None:
        self._socket = socket.socket(socket.AF_INET6 if ":" in to[0] else socket.AF_INET, socket.SOCK_DGRAM)
        self._to, self._joint, self._rate_hz, self._serial = to, joint, rate_hz, serial
        self._counter = 0
        self._time_ms: int | None = None
        self._fresh_s = self._described_s = -math.inf
        self._faults = 0

    def send(self, read: Mapping[str, Any]) -> bool:
        """Send one reading of the maker's package; False if it is the same as the one before."""
        time_ms, now_s = int(read["state_time"]), time.monotonic()
        if time_ms == self._time_ms:
            return False
        if self._time_ms is not None:
            since = max(1, round((time_ms - self._time_ms) * self._rate_hz / 1000))
            self._counter = (self._counter + since) & 0xFFFF
        self._time_ms, self._fresh_s = time_ms, now_s
        faults = HOT if int(read.get("status_ex", 0)) & THERMAL_LIMIT else 0
        if now_s >= self._described_s + DESCRIBE_S or faults != self._faults:
            self._described_s, self._faults = now_s, faults
            self._put(self._device(read, faults))
        self._put(self._limb(read))
        return True

    def close(self) -> None:
        """Send no more."""
        self._socket.close()

    @property
    def stale(self) -> bool:
        """Whether nothing new was read for so long that the actuator is to be opened again."""
        return time.monotonic() > self._fresh_s + STALE_S

    def _put(self, part: bytes) -> None:
        try:
            self._socket.sendto(part, self._to)
        except OSError as problem:  # the network comes and goes; the actuator is read on
            print(f"not sent: {problem}", file=sys.stderr)

    def _head(self, kind: int, what: int) -> bytes:
        return struct.pack("<BBHI", kind, what, self._counter, (self._time_ms or 0) * 1000 & 0xFFFFFFFF)

    def _limb(self, read: Mapping[str, Any]) -> bytes:
        joint = self._joint
        angle = (read["ank_ang"] - joint.zero_count) * joint.degrees_a_count if "ank_ang" in read else math.nan
        velocity = read["ank_vel"] * joint.degrees_s_a_step if "ank_vel" in read else math.nan
        torque = read["mot_cur"] / 1000 * joint.nm_an_ampere if "mot_cur" in read else math.nan
        celsius = max(-127, min(127, round(read["temperature"]))) if "temperature" in read else NONE_I8
        numbers = (_steps(angle, 100), _steps(velocity, 10), _steps(torque, 100), NONE_I16, NONE_I16)
        body = struct.pack("<BBBb5h", 0, NONE_U8, joint.number, celsius, *numbers)
        return self._head(LIMB, 1 | LAST | (RIGHT if joint.right else 0)) + body

    def _device(self, read: Mapping[str, Any], faults: int) -> bytes:
        masks = [0, 0]
        masks[self._joint.right] = 1 << self._joint.number
        volts = min(round(read["batt_volt"] / 10), 65534) if "batt_volt" in read else 65535
        rest = (self._rate_hz, NONE_U8, NONE_U8, NONE_U8, NONE_U8, volts, 0, faults, self._serial)
        return self._head(DEVICE, 0) + struct.pack("<BBHBBBBHHIQ", *masks, *rest)


def _steps(value: float, steps: float) -> int:
    if math.isnan(value):
        return NONE_I16
    count = min(32767, math.floor(abs(value) * steps + 0.5))
    return count if value >= 0 else -count


def run(device: Device, bridge: Bridge, rate_hz: int) -> None:
    """Read the actuator until nothing new comes of it."""
    device.open()
    try:
        device.start_streaming(rate_hz)
        begun_s = time.monotonic()
        while not bridge.stale or time.monotonic() < begun_s + 2 * STALE_S:
            bridge.send(device.read())
            time.sleep(0.5 / rate_hz)  # twice as often as it has news: none is passed over
    finally:
        device.close()


def main() -> None:
    """Read and send until it is interrupted."""
    parser = argparse.ArgumentParser(description="Sends what a Dephy ActPack measures to a rehab-gateway; read only.")
    parser.add_argument("--port", required=True)
    parser.add_argument("--firmware", required=True)
    parser.add_argument("--joint", required=True, choices=[f"{side}_{joint}" for side in SIDES for joint in JOINTS])
    parser.add_argument("--to", required=True, help="address:port of the gateway, as its 'listen' says")
    parser.add_argument("--serial", type=int, default=0)
    parser.add_argument("--rate", type=int, default=100)
    parser.add_argument("--degrees-a-count", type=float, required=True)
    parser.add_argument("--zero-count", type=float, required=True)
    parser.add_argument("--degrees-s-a-step", type=float, required=True)
    parser.add_argument("--nm-an-ampere", type=float, default=math.nan)
    given = parser.parse_args()
    from flexsea.device import Device as Actuator

    joint = Joint(given.joint, given.degrees_a_count, given.zero_count, given.degrees_s_a_step, given.nm_an_ampere)
    host, _, port = given.to.rpartition(":")
    bridge = Bridge((host.strip("[]"), int(port)), joint, given.rate, given.serial)
    while True:
        try:
            run(Actuator(port=given.port, firmwareVersion=given.firmware), bridge, given.rate)
            print("nothing new is read: the actuator is opened again", file=sys.stderr)
        except Exception as problem:  # noqa: BLE001 - the maker's package raises what it likes
            print(f"{type(problem).__name__}: {problem}", file=sys.stderr)
        time.sleep(AGAIN_S)


if __name__ == "__main__":
    main()
