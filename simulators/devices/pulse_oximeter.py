"""A pulse oximeter: Bluetooth SIG Pulse Oximeter Service 1.0.1 (0x1822), continuous and spot-check measurements."""

from __future__ import annotations

import struct
from collections import deque

from bumble.gatt import Service

from simulators.body.saturation import Saturation
from simulators.devices.battery import Battery
from simulators.devices.common import battery_service, date_time, information, time_service
from simulators.devices.ieee11073 import SFLOAT_NAN, sfloat
from simulators.motion.source import BeatSource
from simulators.motion.timeline import Timeline
from simulators.radio.hub import Hub
from simulators.radio.peripheral import Peripheral, advertisement, characteristic

SERVICE = 0x1822
SPOT_CHECK, CONTINUOUS, FEATURES = "2A5E", "2A5F", "2A60"

PERIOD_S = 1.0
AVERAGED_BEATS = 8  # oximeters show a mean of some seconds
AWAY_S = 3.0  # without a pulse for so long the clip is taken for off the finger

ONGOING, FULLY_QUALIFIED, FROM_STORAGE, UNAVAILABLE = 1 << 5, 1 << 8, 1 << 9, 1 << 13
"""Bits of the measurement status (section 3.1.1.4)."""
UNCONNECTED = 1 << 11
"""Bit of the device and sensor status: not on the patient."""
_HAS_STATUS, _HAS_SENSOR_STATUS, _HAS_PERFUSION = 0x04, 0x08, 0x10  # flags of continuous measurements
_SPOT_HAS_TIME, _SPOT_HAS_STATUS = 0x01, 0x02
_FEATURES = 0b111  # measurement status, device and sensor status, and spot checks may be stored


def encode_continuous(spo2: float | None, pulse_rate: float | None, *, perfusion: float, away: bool) -> bytes:
    """Return a continuous measurement (section 3.2); None stands for no value."""
    flags = _HAS_STATUS | _HAS_SENSOR_STATUS | _HAS_PERFUSION
    status = UNAVAILABLE if spo2 is None else ONGOING
    sensor = UNCONNECTED if away else 0
    values = [SFLOAT_NAN if value is None else sfloat(value, 1) for value in (spo2, pulse_rate)]
    return (
        bytes([flags]) + b"".join(values) + struct.pack("<H", status) + sensor.to_bytes(3, "little")
        + sfloat(perfusion, 2)
    )  # fmt: skip


def encode_spot(spo2: float, pulse_rate: float, time: bytes, *, stored: bool) -> bytes:
    """Return a spot-check measurement (section 3.1) with the device's time."""
    status = FROM_STORAGE if stored else FULLY_QUALIFIED
    flags = _SPOT_HAS_TIME | _SPOT_HAS_STATUS
    return bytes([flags]) + sfloat(spo2) + sfloat(pulse_rate) + time + struct.pack("<H", status)


class PulseOximeter(Peripheral):
    """A simulated finger clip.

    Args:
        name: Unique name in the scene.
        timeline: Simulated time.
        hub: The air.
        address: Public Bluetooth address.
        source: The heart, as it pulsates in a finger; without beats the clip is off.
        saturation: What the blood there has.
        stored: Spot checks in its memory, which it sends once when it is subscribed to: (seconds ago, %, beats/min).
    """

    def __init__(
        self, *, name: str, timeline: Timeline, hub: Hub, address: str, source: BeatSource, saturation: Saturation,
        stored: tuple[tuple[float, float, float], ...] = (),
    ) -> None:  # fmt: skip
        local_name = f"Oximeter {address[-5:].replace(':', '')}"
        super().__init__(
            name=name, timeline=timeline, hub=hub, address=address, local_name=local_name,
            advertised=advertisement(local_name, services=[SERVICE]),
        )  # fmt: skip
        self.source = source
        self._saturation = saturation
        self._stored = list(stored)
        self.battery = Battery(lasts_h=30.0)
        self._serial = local_name.rsplit(maxsplit=1)[-1]
        self._continuous = characteristic(CONTINUOUS, notify=True)
        self._spot = characteristic(SPOT_CHECK, indicate=True)
        self._recent: deque[float] = deque(maxlen=AVERAGED_BEATS)
        self._last_beat_s = -AWAY_S
        self._next_s = PERIOD_S

    def services(self) -> list[Service]:
        """Return the GATT services."""
        features = characteristic(FEATURES, read=struct.pack("<H", _FEATURES))
        return [
            Service(f"{SERVICE:04X}", [self._spot, self._continuous, features]),
            battery_service(self.battery, self.timeline),
            information("Simulated oximeter", self._serial),
            time_service(self.timeline),
        ]

    @property
    def wanted(self) -> bool:
        """Whether a gateway has subscribed."""
        return self.subscribed(self._continuous)

    def _send(self, until_s: float) -> bool:
        while self._next_s <= until_s:
            beats = self.source.read_until(self._next_s)
            if beats is None:
                return False
            self._recent.extend(float(rr) for rr in beats.rr_s)
            if len(beats.time_s):
                self._last_beat_s = float(beats.time_s[-1])
            self._send_second(away=self._next_s - self._last_beat_s >= AWAY_S)
            self._next_s += PERIOD_S
        return True

    def _send_second(self, *, away: bool) -> None:
        spo2 = self._saturation.percent(self._next_s)
        present = not away and bool(self._recent)
        rate = 60.0 * len(self._recent) / sum(self._recent) if present else None
        data = encode_continuous(spo2 if present else None, rate, perfusion=4.2 if present else 0.0, away=away)
        self._send_stored()
        if self._muted:
            self.counts.lost += 1
        elif self.notify(self._continuous, [data]):
            self.streaming = True
            self.counts.sent += 1
        else:
            self.streaming = False
            self.counts.unsent += 1

    def _send_stored(self) -> None:
        while self._stored and self.subscribed(self._spot):
            ago_s, spo2, rate = self._stored.pop(0)
            self.indicate(self._spot, encode_spot(spo2, rate, date_time(self._next_s - ago_s), stored=True))
