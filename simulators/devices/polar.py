"""Polar sensors: the Bluetooth heart rate service, and measurement data that is started through a control point.

Facts: Polar, online_measurement.pdf v1.0 (August 2024), KnownIssues.md and TimeSystemExplained.md of polar-ble-sdk.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Literal

from bumble.att import ATT_Error, ErrorCode
from bumble.gatt import Service

from simulators.devices import pmd
from simulators.devices.battery import Battery
from simulators.devices.common import information
from simulators.devices.heart_rate import BATTERY_LEVEL, BATTERY_SERVICE, MEASUREMENT, SIGNAL_LOST_S, encode_measurement
from simulators.devices.pmd import ACC, ECG, GYRO, MAG, PPG, PPI, PRESSURE, TEMPERATURE, Measurement
from simulators.devices.running_wave import RunningWave
from simulators.motion.source import BeatSource, G, MotionSource
from simulators.motion.timeline import Timeline
from simulators.radio.hub import Hub
from simulators.radio.peripheral import Peripheral, advertisement, characteristic

Model = Literal["H10", "Verity Sense", "OH1", "360"]

HEART_RATE_SERVICE: Final = 0x180D
PMD, CONTROL_POINT, DATA = (f"FB005C8{n}-02E7-F387-1CAD-8ACD2D8DF0C8" for n in range(3))
CLOCK_STARTS_NS: Final = 599_616_000_000_000_000  # 2019-01-01, since 2000: what the clock shows when it was off
PPI_LATENCY_S: Final = 25.0
PPI_EVERY_S: Final = 5.0  # and so does the heart rate, while these run
LEAVES_S: Final = 45.0  # after it was taken off its strap
DEGREES: Final = 57.29577951308232
WAVES: Final = (ECG, PPG, PRESSURE, TEMPERATURE)
MOVEMENT: Final = (ACC, GYRO, MAG)

MODELS: Final[Mapping[Model, Mapping[int, Measurement]]] = {
    "H10": {
        ECG: Measurement({0: [130], 1: [14]}, 0, 24, 73),
        ACC: Measurement({0: [25, 50, 100, 200], 1: [16], 2: [2, 4, 8]}, 1, 16, 36),
    },
    "Verity Sense": {
        PPG: Measurement({0: [55], 1: [22], 4: [4]}, 0, 24, 14, compressed=True, factor=1.0),
        ACC: Measurement({0: [52], 1: [16], 2: [8], 4: [3]}, 1, 16, 20, compressed=True, factor=1.0),
        PPI: Measurement({}, 0, 0, 0),
        GYRO: Measurement({0: [52], 1: [16], 2: [2000], 4: [3]}, 0, 16, 20, compressed=True, factor=0.07),
        MAG: Measurement({0: [10, 20, 50], 1: [16], 2: [50], 4: [3]}, 1, 16, 10, compressed=True, factor=1.0),
    },
    "OH1": {
        PPG: Measurement({0: [130], 1: [22], 4: [4]}, 0, 24, 14, real_hz=135.0),
        ACC: Measurement({0: [50], 1: [16], 2: [8]}, 1, 16, 36),
        PPI: Measurement({}, 0, 0, 0),
    },
    "360": {
        ACC: Measurement({0: [50], 1: [16], 2: [8], 4: [3]}, 0, 16, 20, compressed=True, factor=2.44e-4),
        PPI: Measurement({}, 0, 0, 0),
        PRESSURE: Measurement({0: [1]}, 0, -32, 2, compressed=True, factor=1.0),
        TEMPERATURE: Measurement({0: [1, 2, 4]}, 0, -32, 2, compressed=True, factor=1.0),
    },
}
OLD_VERITY: Final = Measurement({0: [135], 1: [22], 4: [4]}, 0, 24, 14, compressed=True, factor=1.0, real_hz=55.0)
"""Its light with firmware 1.1.5: it claims 135 Hz and sends 55."""


class Polar(Peripheral):
    """A simulated sensor.

    Args:
        name: Unique name in the scene.
        timeline: Simulated time.
        hub: The air.
        address: Public Bluetooth address.
        model: Which.
        heart: The heart.
        movement: Makes the movement of the body part at a rate.
        drift_ppm: How much faster than true time its clock runs.
        off: When it is not worn: from, to; simulated seconds.
        old_firmware: Of a Verity Sense: 1.1.5.
        lose_every: One of so many notifications of measurement data gets lost; 0 for none.
    """

    def __init__(
        self,
        *,
        name: str,
        timeline: Timeline,
        hub: Hub,
        address: str,
        model: Model,
        heart: BeatSource,
        movement: Callable[[float], MotionSource],
        drift_ppm: float = 20.0,
        off: tuple[float, float] | None = None,
        old_firmware: bool = False,
        lose_every: int = 0,
    ) -> None:
        self._serial = address.replace(":", "")[-8:]
        local_name = f"Polar {model} {self._serial}"
        super().__init__(
            name=name, timeline=timeline, hub=hub, address=address, local_name=local_name,
            advertised=advertisement(local_name[:20], services=[HEART_RATE_SERVICE]),
        )  # fmt: skip
        self.written: list[bytes] = []
        self.running: dict[int, RunningWave] = {}
        self._measurements = dict(MODELS[model]) | ({PPG: OLD_VERITY} if old_firmware else {})
        self._model, self._make_movement = model, movement
        self._heart_source, self._off, self._lose_every = heart, off, lose_every
        self._speed = 1.0 + drift_ppm * 1e-6
        self.battery = Battery(lasts_h=30.0)
        self._heart = characteristic(MEASUREMENT, notify=True)
        self._level = characteristic(BATTERY_LEVEL, read=self._read_level, notify=True)
        self._control = characteristic(CONTROL_POINT, read=self._read_control, write=self._write, indicate=True)
        self._data = characteristic(DATA, notify=True)
        self._next_s = 1.0
        self._beats: list[tuple[float, float]] = []  # newest beats: when, and the interval before
        self._untold: list[float] = []  # intervals that the heart rate service has not sent yet
        self._pulses: list[float] = []  # and those of measurement data
        self._pulses_next_s = 0.0
        self._shown_bpm = 0
        self._frames = 0
        self._leaving: asyncio.Task[None] | None = None

    def services(self) -> list[Service]:
        """Return the GATT services."""
        return [
            Service(f"{HEART_RATE_SERVICE:04X}", [self._heart]),
            Service(BATTERY_SERVICE, [self._level]),
            information(f"Polar {self._model}", self._serial),
            Service(PMD, [self._control, self._data]),
        ]

    @property
    def wanted(self) -> bool:
        """Whether a gateway has subscribed to the heart rate."""
        return self.subscribed(self._heart)

    async def power_cycle(self, for_s: float = 0.0) -> None:
        """Switch off and on: nothing is measured, and the clock is back in 2019."""
        self.running.clear()
        await super().power_cycle(for_s)

    def worn(self, at_s: float) -> bool:
        """Whether somebody wears it."""
        return self._off is None or not self._off[0] <= at_s < self._off[1]

    def _read_level(self) -> bytes:
        return bytes([self.battery.percent(self.timeline.now_s)])

    def _read_control(self) -> bytes:
        return pmd.features(sorted(self._measurements))

    def _write(self, command: bytes) -> None:
        """Take a command, and indicate what came of it."""
        if len(command) < 2:
            raise ATT_Error(ErrorCode.INVALID_ATTRIBUTE_LENGTH)
        self.written.append(command)
        operation, kind = command[0], command[1]
        status, params = pmd.SUCCESS, b""
        if kind not in self._measurements:
            status = pmd.BAD_TYPE
        elif operation == pmd.GET:
            params = self._measurements[kind].offered()
        elif operation == pmd.START:
            status, params = self._start(kind, command[2:])
        elif operation == pmd.STOP:
            self.running.pop(kind, None)
        else:
            status = pmd.BAD_OPERATION
        self.indicate(self._control, pmd.answer(operation, kind, status, params))

    def _start(self, kind: int, settings: bytes) -> tuple[int, bytes]:
        if kind in self.running:
            return pmd.ALREADY, b""
        measurement = self._measurements[kind]
        status, chosen = measurement.chosen(settings)
        if status != pmd.SUCCESS:
            return status, b""
        now_s = self._looked_s
        rate_hz = measurement.real_hz or float(chosen.get(0, 0))
        source = self._make_movement(rate_hz) if kind in MOVEMENT else None
        self.running[kind] = RunningWave(rate_hz * self._speed, source, now_s)
        if kind == PPI:
            self._pulses.clear()
            self._pulses_next_s = now_s + PPI_LATENCY_S
        return pmd.SUCCESS, measurement.started()

    def _send(self, until_s: float) -> bool:
        beats = self._heart_source.read_until(until_s)
        if beats is None:
            return False
        for time_s, rr_s in zip(beats.time_s.tolist(), beats.rr_s.tolist(), strict=True):
            if self.worn(time_s):
                self._beats = [*self._beats[-4:], (time_s, rr_s)]
                self._untold.append(rr_s)
                self._pulses.append(rr_s)
        while self._next_s <= until_s:
            self._send_rate(self._next_s)
            self._next_s += PPI_EVERY_S if PPI in self.running else 1.0
        self._send_pulses(until_s)
        for kind in [kind for kind in self.running if kind != PPI]:
            self._send_wave(kind, until_s)
        if self._off is not None and self._off[0] + LEAVES_S <= until_s < self._off[1] and self.connected:
            self._leave_link()
        return True

    def _leave_link(self) -> None:
        """Leave a link that nobody wears."""
        if self._leaving is None or self._leaving.done():
            self._leaving = asyncio.get_running_loop().create_task(self._drop(), name=f"leave {self.name}")

    def _send_rate(self, at_s: float) -> None:
        signal = bool(self._beats) and at_s - self._beats[-1][0] < SIGNAL_LOST_S and self.worn(at_s)
        rr_s, self._untold = self._untold, []
        if signal:
            self._shown_bpm = round(60.0 * len(self._beats) / sum(rr for _, rr in self._beats))
        told = rr_s[-9:] if self._model == "H10" and signal else []
        data = encode_measurement(self._shown_bpm if signal else 0, told, contact=signal)
        if self._muted:
            self.counts.lost += 1
        elif self.notify(self._heart, [data]):
            self.streaming = True
            self.counts.sent += 1
        else:
            self.streaming = False
            self.counts.unsent += 1

    def _send_pulses(self, until_s: float) -> None:
        if PPI not in self.running or until_s < self._pulses_next_s:
            return
        rows, self._pulses = self._pulses, []
        self._pulses_next_s += PPI_EVERY_S
        body = b"".join(struct.pack("<BHHB", min(255, round(60 / rr_s)), round(1000 * rr_s), 8, 0x06) for rr_s in rows)
        if body:
            self._notify_data([struct.pack("<BQB", PPI, 0, 0) + body])

    def _send_wave(self, kind: int, until_s: float) -> None:
        measurement, wave = self._measurements[kind], self.running[kind]
        wave.take(until_s, lambda at_s: self._wave(kind, at_s))
        frames = []
        for times_s, rows in wave.full(measurement.frame_samples):
            samples = [self._scaled(kind, row) for row in rows] if kind in MOVEMENT else rows
            stamp = CLOCK_STARTS_NS + round(self.clock_s(times_s[-1]) * self._speed * 1e9)
            frames.append(pmd.frame(kind, stamp, measurement, samples))
        self._notify_data(frames)

    def _notify_data(self, frames: Sequence[bytes]) -> None:
        kept = []
        for each in frames:
            self._frames += 1
            lost = self._muted or (self._lose_every and self._frames % self._lose_every == 0)
            if lost:
                self.counts.lost += 1
            else:
                kept.append(each)
        if kept and not self.notify(self._data, kept):
            self.counts.unsent += len(kept)

    def _wave(self, kind: int, at_s: float) -> list[float]:
        """Return a sample of what is made of the heart, or of the surroundings, in the counts of the wire."""
        since_s = at_s - self._beats[-1][0] if self._beats else 10.0
        if kind == ECG:
            return [1200.0 * _bump(since_s, 0.05, 0.012) + 250.0 * _bump(since_s, 0.3, 0.04)]
        if kind == PPG:
            pulse = 9000.0 * _bump(since_s, 0.25, 0.09)
            return [400_000 + pulse, 390_000 + pulse, 380_000 + pulse, 12_000.0]
        return [1004.5 if kind == PRESSURE else 31.25]

    def _scaled(self, kind: int, row: Sequence[float]) -> list[float]:
        """Return a sample of movement in the counts of the wire."""
        if kind == ACC and self._model == "360":
            return [value / G / (self._measurements[ACC].factor or 1.0) for value in row[:3]]
        if kind == ACC:
            return [1000.0 * value / G for value in row[:3]]
        if kind == GYRO:
            return [value * DEGREES / (self._measurements[GYRO].factor or 1.0) for value in row[3:6]]
        return [500.0 * value for value in row[6:9]] + [3.0]


def _bump(at_s: float, middle_s: float, width_s: float) -> float:
    return float(2.718281828459045 ** (-0.5 * ((at_s - middle_s) / width_s) ** 2))
