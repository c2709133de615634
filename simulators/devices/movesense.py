"""A Movesense with the firmware that speaks the GATT SensorData Protocol: resources by path, each with a reference.

Facts: documentation and captured packets of sensein/movesense-py. A payload that does not fit into a notification is
sent in two, the first as long as fits.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from bumble.att import ATT_Error, ErrorCode
from bumble.gatt import Service

from simulators.devices.battery import Battery
from simulators.devices.common import information
from simulators.devices.running_wave import RunningWave
from simulators.motion.source import BeatSource, MotionSource
from simulators.motion.timeline import Timeline
from simulators.radio.hub import Hub
from simulators.radio.peripheral import Peripheral, advertisement, characteristic

SERVICE, COMMANDS, NOTIFICATIONS = (f"{n}-7185-4D5D-B431-630E7050E8F0" for n in ("34802252", "34800001", "34800002"))
HELLO, SUBSCRIBE, UNSUBSCRIBE, GET = 0, 1, 2, 4
ANSWER, DATA, DATA_PART_2 = 1, 2, 3
OK, BAD_REQUEST, NOT_FOUND, CONFLICT = 200, 400, 404, 409
DEGREES: Final = 57.29577951308232
MICROTESLA: Final = 50.0  # of a source's unit of the field: that of the earth
MOTION_RATES: Final = (13, 26, 52, 104, 208)
ECG_RATES: Final = (125, 128, 200, 250, 256, 500, 512)
ECG_SAMPLES: Final = 16
ECG_MV_A_COUNT: Final = 0.000381469726563
ARRAYS: Final = {"acc": (0,), "gyro": (3,), "magn": (6,), "imu6": (0, 3), "imu9": (0, 3, 6)}
SCALES: Final = {0: 1.0, 3: DEGREES, 6: MICROTESLA}
_PATH: Final = re.compile(r"/?Meas/(\w+)(?:/(\d+))?(/mV)?", re.IGNORECASE)


@dataclass(slots=True)
class Subscribed:
    """A resource that somebody has subscribed to.

    Attributes:
        name: In lower case.
        millivolts: Of an electrocardiogram: whether in thousandths of a millivolt.
        samples: In a notification.
        wave: Where they come from; None for what comes when it comes.
    """

    name: str
    millivolts: bool
    samples: int
    wave: RunningWave | None


class Movesense(Peripheral):
    """A simulated sensor.

    Args:
        name: Unique name in the scene.
        timeline: Simulated time.
        hub: The air.
        address: Public Bluetooth address.
        heart: The heart.
        movement: Makes the movement of the body part at a rate.
        up_ms: What its clock shows when the scene begins, milliseconds.
        drift_ppm: How much faster than true time its clock runs.
        room: Bytes of a notification that its firmware fills; less than the connection has makes payloads of two parts.
        lose_every: One of so many payloads gets lost; 0 for none.
    """

    def __init__(
        self,
        *,
        name: str,
        timeline: Timeline,
        hub: Hub,
        address: str,
        heart: BeatSource,
        movement: Callable[[float], MotionSource],
        up_ms: int = 5_000,
        drift_ppm: float = 20.0,
        room: int = 244,
        lose_every: int = 0,
    ) -> None:
        self._serial = f"1746{int(address.replace(':', ''), 16) % 10**8:08d}"
        super().__init__(
            name=name,
            timeline=timeline,
            hub=hub,
            address=address,
            local_name=(local_name := f"Movesense {self._serial}"),
            advertised=advertisement(local_name),
        )
        self.written: list[bytes] = []
        self.running: dict[int, Subscribed] = {}
        self._heart, self._make_movement = heart, movement
        self._up_ms, self._speed = up_ms, 1.0 + drift_ppm * 1e-6
        self._room, self._lose_every = room, lose_every
        self.battery = Battery(lasts_h=100.0)
        self._notifications = characteristic(NOTIFICATIONS, notify=True)
        self._beat_s = -10.0
        self._payloads = 0

    def services(self) -> list[Service]:
        """Return the GATT services."""
        commands = characteristic(COMMANDS, write=self._write)
        return [
            Service(SERVICE, [commands, self._notifications]),
            information("Movesense Flash", self._serial),
        ]

    @property
    def wanted(self) -> bool:
        """Whether a gateway has subscribed to anything."""
        return bool(self.running) and self.subscribed(self._notifications)

    def _write(self, command: bytes) -> None:
        if len(command) < 2:
            raise ATT_Error(ErrorCode.INVALID_ATTRIBUTE_LENGTH)
        self.written.append(command)
        kind, reference, rest = command[0], command[1], command[2:].rstrip(b"\0").decode("ascii", "replace")
        if kind == HELLO:  # the one answer without a status
            texts = [self._serial, "Movesense Flash", self.address, "gatt_sensordata_app", "1.0"]
            self._answer(reference, b"\x01" + b"".join(text.encode() + b"\0" for text in texts))
        elif kind == SUBSCRIBE:
            self._answer(reference, struct.pack("<H", self._subscribe(reference, rest)))
        elif kind == UNSUBSCRIBE:
            status = OK if self.running.pop(reference, None) else NOT_FOUND
            self._answer(reference, struct.pack("<H", status))
        elif kind == GET and rest == "/System/Energy/Level":
            self._answer(reference, struct.pack("<HB", OK, self.battery.percent(self.timeline.now_s)))
        else:
            self._answer(reference, struct.pack("<H", NOT_FOUND if kind == GET else BAD_REQUEST))

    def _answer(self, reference: int, payload: bytes) -> None:
        self.notify(self._notifications, [bytes((ANSWER, reference)) + payload])

    def _subscribe(self, reference: int, path: str) -> int:
        found = _PATH.fullmatch(path)
        if found is None:
            return NOT_FOUND
        if reference in self.running:
            return CONFLICT
        name, rate_hz = found[1].lower(), int(found[2] or 0)
        if name in ARRAYS and rate_hz in MOTION_RATES:
            wave, samples = RunningWave(rate_hz, self._make_movement(rate_hz), self._looked_s), max(1, rate_hz // 13)
        elif name == "ecg" and rate_hz in ECG_RATES:
            wave, samples = RunningWave(rate_hz * self._speed, None, self._looked_s), ECG_SAMPLES
        elif name == "temp" and not rate_hz:
            wave, samples = RunningWave(1.0, None, self._looked_s), 1
        elif name == "hr" and not rate_hz:
            self.running[reference] = Subscribed(name, False, 0, None)
            return OK
        else:
            return NOT_FOUND
        self.running[reference] = Subscribed(name, found[3] is not None, samples, wave)
        return OK

    def _on_link_lost(self) -> None:
        """End every subscription."""
        self.running.clear()

    def _send(self, until_s: float) -> bool:
        beats = self._heart.read_until(until_s)
        if beats is None:
            return False
        for time_s, rr_s in zip(beats.time_s.tolist(), beats.rr_s.tolist(), strict=True):
            self._beat_s = time_s
            for reference, each in list(self.running.items()):
                if each.name == "hr":
                    self._notify(reference, struct.pack("<fH", 60 / rr_s, round(1000 * rr_s)))
        for reference, each in list(self.running.items()):
            if each.wave is None:
                continue
            each.wave.take(until_s, self._ecg if each.name == "ecg" else lambda _: [304.65])
            for times_s, rows in each.wave.full(each.samples):
                self._notify(reference, self._payload(each, self._stamp(times_s[0]), rows))
        self.streaming = self.wanted
        return True

    def _stamp(self, at_s: float) -> int:
        return (self._up_ms + int(self.clock_s(at_s) * self._speed * 1000)) & 0xFFFFFFFF

    def _payload(self, each: Subscribed, stamp: int, rows: Sequence[Sequence[float]]) -> bytes:
        if each.name == "temp":
            return struct.pack("<fI", rows[0][0], stamp)
        head = struct.pack("<I", stamp)
        if each.name == "ecg":
            scale, wire = (1000.0, "h") if each.millivolts else (1 / ECG_MV_A_COUNT, "i")
            return head + struct.pack(f"<{len(rows)}{wire}", *(round(row[0] * scale) for row in rows))
        return head + b"".join(
            struct.pack("<3f", *(SCALES[at] * value for value in row[at : at + 3]))
            for at in ARRAYS[each.name]
            for row in rows
        )

    def _ecg(self, at_s: float) -> list[float]:
        """Return millivolts: a wave each beat."""
        since_s = at_s - self._beat_s
        return [1.2 * 2.718281828459045 ** (-0.5 * ((since_s - 0.05) / 0.012) ** 2)]

    def _notify(self, reference: int, payload: bytes) -> None:
        self._payloads += 1
        if self._muted or (self._lose_every and self._payloads % self._lose_every == 0):
            self.counts.lost += 1
            return
        first = self._room - 2
        packets = [bytes((DATA, reference)) + payload[:first]]
        if payload[first:]:
            packets.append(bytes((DATA_PART_2, reference)) + payload[first:])
        if self.notify(self._notifications, packets):
            self.counts.sent += 1
        else:
            self.counts.unsent += 1
