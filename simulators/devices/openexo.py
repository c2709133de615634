"""An OpenExo exoskeleton of both ankles, or hips, as its firmware speaks over Bluetooth (main, May 2026).

Facts: GattDb.h, ExoBLE.cpp, BleParser.cpp, uart_commands.h and PlottingTitles.h of ExoCode/src. Whoever subscribes is
sent READY and the table of names in pieces of 19 bytes; then, while a trial runs, a text message for each sample.
Commands are taken, obeyed by nobody, and kept, so that a test can see that there were none.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Final, Literal

import numpy as np
from bumble.gatt import Service

from simulators.body.exoskeleton import ExoMotion, WornExoskeleton
from simulators.devices.battery import Battery
from simulators.motion.timeline import Timeline
from simulators.radio.hub import Hub
from simulators.radio.peripheral import Peripheral, advertisement, characteristic

UART, COMMANDS, TELEMETRY = (f"6E40000{n}-B5A3-F393-E0A9-E50E24DCCA9E" for n in (1, 2, 3))
INFORMATION = "E0271458-8C6A-11ED-A1EB-0242AC120002"
BOARD, FIRMWARE, DEVICE_NAME = (f"E02714{n}-8C6A-11ED-A1EB-0242AC120002" for n in (59, 60, 61))
ERROR_SERVICE, ERROR = (f"33B65D4{n}-611C-11ED-9B6A-0242AC120002" for n in (2, 3))

CHUNK_BYTES = 19
TOO_LARGE = 1_000_000  # hundredths: from here on the firmware leaves a field empty
EMPTY_V, FULL_V = 10.5, 12.6  # of its battery of three cells
JOINT_IDS = {"hip": 1, "knee": 2, "ankle": 4}
SIDE_IDS = {"L": 0x40, "R": 0x20}

TITLES: Final[dict[str, tuple[str, ...]]] = {
    "ankle": (
        "Desired Torque (L)", "Measured Torque (L)", "Desired Torque (R)", "Measured Torque (R)", "Toe FSR (L)",
        "Toe Stance (L)", "Toe FSR (R)", "Toe Stance (R)", "Channel 8", "Exoskeleton time (seconds)",
        "Battery Level (Volts)",
    ),
    "hip": (
        "Measured Torque (R)", "Desired Torque (R)", "Measured Torque (L)", "Desired Torque (L)", "Gait/100 (R)",
        "Toe FSR (R)", "Gait/100 (L)", "Toe FSR (L)", "Heel FSR (R)", "Heel FSR (L)", "Battery Level (Volts)",
    ),
}  # fmt: skip


def encode_field(value: float) -> bytes:
    """Return a field: hundredths, cut towards zero; of a value that is too large the firmware makes nothing."""
    hundredths = math.trunc(float(np.float32(value)) * 100.0)
    return b"n" if abs(hundredths) >= TOO_LARGE else b"%dn" % hundredths


def encode_message(command: str, values: Sequence[float]) -> bytes:
    """Return a message as the firmware's parser packs it."""
    return b"S%b%dc" % (command.encode("ascii"), len(values)) + b"".join(map(encode_field, values))


def handshake(joint: str, titles: Sequence[str]) -> list[bytes]:
    """Return the notifications that answer a subscription."""
    rows = ["t," + ",".join(titles)]
    rows += [f"{joint.capitalize()}({side}),{bits | JOINT_IDS[joint]},pjmc,3,0.3" for side, bits in SIDE_IDS.items()]
    text = ("|".join(rows) + "\n").encode("ascii")
    return [b"READY", *(text[at : at + CHUNK_BYTES] for at in range(0, len(text), CHUNK_BYTES))]


class OpenExo(Peripheral):
    """A simulated OpenExo of one kind of joint.

    Args:
        name: Unique name in the scene.
        timeline: Simulated time.
        hub: The air.
        address: Public Bluetooth address.
        source: The exoskeleton and who wears it.
        names: Whether its card holds a table of names.
        up_s: For how long it has been on when the scene begins, seconds.
    """

    def __init__(
        self,
        *,
        name: str,
        timeline: Timeline,
        hub: Hub,
        address: str,
        source: WornExoskeleton,
        names: bool = True,
        up_s: float = 0.0,
    ) -> None:
        if len(source.joints) != 1 or source.joints[0] not in TITLES:
            raise ValueError("this exoskeleton has hips or ankles")
        local_name = f"EXOBLE_{address.replace(':', '')[-6:]}"
        super().__init__(
            name=name,
            timeline=timeline,
            hub=hub,
            address=address,
            local_name=local_name,
            advertised=advertisement(local_name),
        )
        self.source = source
        self.commands: list[bytes] = []
        self._joint: Literal["hip", "ankle"] = "hip" if source.joints[0] == "hip" else "ankle"
        self._names, self._up_s = names, up_s
        self.battery = Battery(lasts_h=1.5)
        self._greeted = False
        self._telemetry = characteristic(TELEMETRY, notify=True)
        self._error = characteristic(ERROR, notify=True)
        self._local_name = local_name

    def services(self) -> list[Service]:
        """Return the GATT services."""
        information = [
            characteristic(BOARD, read=b"AK_Board_0_5_1"),
            characteristic(FIRMWARE, read=b"0.1.0"),
            characteristic(DEVICE_NAME, read=self._local_name.encode()),
        ]
        return [
            Service(UART, [characteristic(COMMANDS, write=self.commands.append), self._telemetry]),
            Service(INFORMATION, information),
            Service(ERROR_SERVICE, [self._error]),
        ]

    @property
    def wanted(self) -> bool:
        """Whether a gateway has subscribed."""
        return self.subscribed(self._telemetry)

    def notify_error(self, code: int, joint: str, side: str) -> bool:
        """Notify an error of a joint; False when nobody listens."""
        return self.notify(self._error, [f"{code}:{SIDE_IDS[side] | JOINT_IDS[joint]}".encode("ascii")])

    def _on_link_lost(self) -> None:
        self._greeted = False

    def _greet(self) -> None:
        if self._greeted or not self.wanted:
            return
        titles = TITLES[self._joint]
        self._greeted = self.notify(self._telemetry, handshake(self._joint, titles) if self._names else [b"READY"])

    def _send(self, until_s: float) -> bool:
        self._greet()
        pieces = self.source.read_until(until_s)
        if pieces is None:
            return False
        for motion in pieces:
            self._send_motion(motion)
        return True

    def _send_motion(self, motion: ExoMotion) -> None:
        if self._muted:
            self.counts.lost += len(motion)
            return
        message: Callable[[ExoMotion, int], list[float]] = self._ankles if self._joint == "ankle" else self._hips
        packets = [encode_message("?", message(motion, k)) for k in range(len(motion))]
        self.streaming = self.notify(self._telemetry, packets)
        if self.streaming:
            self.counts.sent += len(motion)
        else:
            self.counts.unsent += len(motion)

    def _volts(self) -> float:
        return EMPTY_V + self.battery.percent(self.timeline.now_s) / 100 * (FULL_V - EMPTY_V)

    def _ankles(self, motion: ExoMotion, k: int) -> list[float]:
        torques = [float(part[k, side, 0]) for side in (0, 1) for part in (motion.command, motion.torque)]
        stance = motion.stance[k].tolist()
        feet = [value for on in stance for value in (0.8 * on, float(on))]
        return [*torques, *feet, 8.0, self._up_s + self.clock_s(float(motion.time_s[k])), self._volts()]

    def _hips(self, motion: ExoMotion, k: int) -> list[float]:
        right_first = (1, 0)
        torques = [float(part[k, side, 0]) for side in right_first for part in (motion.torque, motion.command)]
        stance, phase = motion.stance[k].tolist(), motion.phase[k].tolist()
        gait = [value for side in right_first for value in (phase[side], 0.8 * stance[side])]
        return [*torques, *gait, 0.6 * stance[1], 0.6 * stance[0], self._volts()]
