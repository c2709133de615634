"""A MetaMotion: sensors that are set, switched on and subscribed to one by one, and messages of three samples each.

Facts: the registers of MbientLab's SDK (MetaWear-SDK-Cpp). It keeps to the rate of its source: reading the
configuration says so. What it was told that is no part of that is kept in `others`.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence

from bumble.gatt import Service

from simulators.devices.battery import Battery
from simulators.devices.common import battery_service, information, vendor_advertisement
from simulators.motion.source import G, Motion, MotionSource
from simulators.motion.timeline import Timeline
from simulators.radio.hub import Hub
from simulators.radio.peripheral import Peripheral, characteristic
from simulators.radio.pull import Pull
from simulators.sensing.fusion import Fusion, Vector

LOCAL_NAME = "MetaWear"
SERVICE, COMMAND, NOTIFIED = (f"326A900{n}-85CB-9195-D9DD-464CFBBAE75A" for n in (0, 1, 6))
ACC, GYR, MAG, FUSION = 0x03, 0x13, 0x15, 0x19
SMALL_MODELS = {"5": "MetaMotion R", "8": "MetaMotion S"}
ACC_CODES = {"5": {3: 2, 5: 4, 8: 8, 12: 16}, "8": {0: 2, 1: 4, 2: 8, 3: 16}}
GYRO_DPS = (2000, 1000, 500, 250, 125)
PACKED = {"5": {ACC: 0x1C, GYR: 0x07}, "8": {ACC: 0x05, GYR: 0x05}}
SWITCHES = (0x01, 0x02, 0x04, 0x05, 0x07, 0x1C)  # power, sampling, and telling by each register of data
AT_ONCE = 3
INT16_MAX = 32767


def counts(values: Vector, full: float) -> bytes:
    """Return values of three axes as counts of a range, cut at its ends."""
    return struct.pack("<3h", *(max(-INT16_MAX - 1, min(INT16_MAX, round(v / full * 32768))) for v in values))


class MetaMotion(Peripheral):
    """A simulated MetaMotion.

    Args:
        name: Unique name in the scene.
        timeline: Simulated time.
        hub: The air.
        address: Bluetooth address.
        source: Movement of the limb that it is worn on.
        model: ``"8"`` for one with a BMI270, ``"5"`` for one with a BMI160.

    Attributes:
        others: Commands that are no part of setting and starting its sensors.
    """

    def __init__(
        self, *, name: str, timeline: Timeline, hub: Hub, address: str, source: MotionSource, model: str = "8"
    ) -> None:
        super().__init__(
            name=name, timeline=timeline, hub=hub, address=address, local_name=LOCAL_NAME,
            advertised=vendor_advertisement(LOCAL_NAME, SERVICE),
        )  # fmt: skip
        self.source = source
        self.others: list[bytes] = []
        self._model = model
        self._pull = Pull(source, self.counts)
        self.battery = Battery(lasts_h=20.0)
        self._fusion = Fusion()
        self._range_g, self._range_dps = 2.0, 2000.0
        self._set = {ACC: b"\x28\x03", GYR: b"\x28\x00"}
        self._on: set[tuple[int, int]] = set()  # (module, register) that is switched on: power, sampling, telling
        self._waiting: list[tuple[Vector, Vector]] = []
        self._answers: list[bytes] = []
        self._notified = characteristic(NOTIFIED, notify=True)

    def services(self) -> list[Service]:
        """Return the GATT services."""
        return [
            Service(SERVICE, [characteristic(COMMAND, write=self._obey), self._notified]),
            battery_service(self.battery, self.timeline),
            information(self._model, self.address.replace(":", "")[-6:]),
        ]

    def _obey(self, data: bytes) -> None:
        module, register, values = data[0], data[1], data[2:]
        if register == 0x83 and module in self._set:
            self._answers.append(bytes([module, 0x83]) + self._set[module])
        elif module in self._set and register == 0x03 and len(values) == 2:
            self._configure(module, values)
        elif register in SWITCHES and values and not (module == FUSION and register == 0x02):
            self._switch(module, register, on=bool(values[0]))
        elif module not in {FUSION, MAG}:
            self.others.append(data)
        self.streaming = any((module, 0x01) in self._on for module in (ACC, GYR))

    def _configure(self, module: int, values: bytes) -> None:
        code = 5 + round(math.log2(self.source.rate_hz / 12.5))
        self._set[module] = bytes([values[0] & 0xF0 | code, values[1]])
        if module == ACC:
            self._range_g = float(ACC_CODES[self._model].get(values[1], 2))
        else:
            self._range_dps = float(GYRO_DPS[values[1]])

    def _switch(self, module: int, register: int, *, on: bool) -> None:
        if on:
            self._on.add((module, register))
        else:
            self._on.discard((module, register))

    def _on_link_lost(self) -> None:
        """Go on measuring, as the board does; nobody is told any more."""
        self._answers = []

    def _tells(self, module: int) -> bool:
        return {(module, 0x01), (module, 0x02), (module, PACKED[self._model][module])} <= self._on

    def _send(self, until_s: float) -> bool:
        motion = self._pull.due(until_s, wanted=self.subscribed(self._notified) and self.streaming)
        if motion is None:
            return False
        answers, self._answers = self._answers, []
        if answers:
            self.notify(self._notified, answers)
        if len(motion.time_s):
            self._send_motion(motion)
        return True

    def _send_motion(self, motion: Motion) -> None:
        messages: list[bytes] = []
        told = 0
        for time_s, acc, gyr, _, sent in motion.each():
            if {(FUSION, 0x01), (FUSION, 0x07)} <= self._on:
                q = self._fusion.update(time_s, acc, gyr)
                own, count = [bytes([FUSION, 0x07]) + struct.pack("<4f", *q)], 1
            else:
                self._waiting.append((acc, gyr))
                own, count = (self._packed(), AT_ONCE) if len(self._waiting) == AT_ONCE else ([], 0)
            if sent and not self._muted:
                messages += own
                told += count
            else:
                self.counts.lost += count
        if self.notify(self._notified, messages):
            self.counts.sent += told
        else:
            self.counts.unsent += told

    def _packed(self) -> list[bytes]:
        waiting, self._waiting = self._waiting, []
        dps_full = self._range_dps * 32768 / 32800  # 16.4 counts for one deg/s at 2000
        parts: dict[int, Sequence[bytes]] = {
            ACC: [counts([a / G for a in acc], self._range_g) for acc, _ in waiting],
            GYR: [counts([math.degrees(w) for w in gyr], dps_full) for _, gyr in waiting],
        }
        registers = PACKED[self._model]
        return [
            bytes([module, registers[module]]) + b"".join(part) for module, part in parts.items() if self._tells(module)
        ]
