"""A chest strap: Bluetooth SIG Heart Rate Service 1.0 (0x180D), Battery (0x180F) and Device Information (0x180A)."""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Sequence

from bumble.gatt import Service

from simulators.devices.battery import Battery
from simulators.motion.source import BeatSource
from simulators.motion.timeline import Timeline
from simulators.radio.hub import Hub
from simulators.radio.peripheral import Peripheral, advertisement, characteristic

HEART_RATE_SERVICE = 0x180D
MEASUREMENT, BODY_LOCATION = "2A37", "2A38"
BATTERY_SERVICE, BATTERY_LEVEL = "180F", "2A19"
INFORMATION_SERVICE, MODEL, SERIAL, FIRMWARE, MAKER = "180A", "2A24", "2A25", "2A26", "2A29"

CHEST = 1  # body sensor location
PERIOD_S = 1.0  # straps notify once a second
RR_HZ = 1024.0
MOST_INTERVALS = 9  # that fit into 20 bytes beside flags and an 8-bit rate
AVERAGED_BEATS = 5  # the shown rate is a short mean, as on real straps
SIGNAL_LOST_S = 3.0  # without a beat for so long, the strap shows no rate

_WIDE_RATE, _CONTACT, _CONTACT_SUPPORTED, _INTERVALS = 0x01, 0x02, 0x04, 0x10
_LONGEST_NARROW = 255


def encode_measurement(rate: int, rr_s: Sequence[float], *, contact: bool) -> bytes:
    """Return a Heart Rate Measurement (section 3.1).

    Args:
        rate: Beats a minute; 0 for no signal.
        rr_s: Intervals between beats, oldest first, seconds.
        contact: Whether the strap touches the skin.
    """
    wide = rate > _LONGEST_NARROW
    flags = (
        _CONTACT_SUPPORTED | (_CONTACT if contact else 0) | (_WIDE_RATE if wide else 0) | (_INTERVALS if rr_s else 0)
    )
    return struct.pack(
        f"<B{'H' if wide else 'B'}{len(rr_s)}H", flags, rate, *(min(round(rr * RR_HZ), 0xFFFF) for rr in rr_s)
    )


class HeartRateStrap(Peripheral):
    """A simulated chest strap.

    Args:
        name: Unique name in the scene.
        timeline: Simulated time.
        hub: The air.
        address: Public Bluetooth address.
        source: The heart.
        battery_notifies: Whether the battery level can be subscribed to; the service leaves that open, and many straps
            only let it be read.
    """

    def __init__(
        self,
        *,
        name: str,
        timeline: Timeline,
        hub: Hub,
        address: str,
        source: BeatSource,
        battery_notifies: bool = True,
    ) -> None:
        local_name = f"HR Strap {address[-5:].replace(':', '')}"
        super().__init__(
            name=name,
            timeline=timeline,
            hub=hub,
            address=address,
            local_name=local_name,
            advertised=advertisement(local_name, services=[HEART_RATE_SERVICE]),
        )
        self.source = source
        self.battery = Battery(lasts_h=400.0)  # a coin cell
        self._measurement = characteristic(MEASUREMENT, notify=True)
        self._level = characteristic(BATTERY_LEVEL, read=self._read_level, notify=battery_notifies)
        self._sent_percent = self.battery.percent(0.0)
        self._recent: deque[float] = deque(maxlen=AVERAGED_BEATS)
        self._last_beat_s = -SIGNAL_LOST_S
        self._next_s = PERIOD_S

    def services(self) -> list[Service]:
        """Return the GATT services."""
        information = [
            characteristic(MAKER, read=b"rehab-gateway simulator"),
            characteristic(MODEL, read=b"Simulated strap"),
            characteristic(SERIAL, read=self._read_serial),
            characteristic(FIRMWARE, read=b"1.0"),
        ]
        heart = [self._measurement, characteristic(BODY_LOCATION, read=bytes([CHEST]))]
        return [
            Service(f"{HEART_RATE_SERVICE:04X}", heart),
            Service(BATTERY_SERVICE, [self._level]),
            Service(INFORMATION_SERVICE, information),
        ]

    @property
    def wanted(self) -> bool:
        """Whether a gateway has subscribed: nothing else starts a strap."""
        return self.subscribed(self._measurement)

    def _read_serial(self) -> bytes:
        """Return the number that the advertised name ends with, as straps have it, whatever their address is today."""
        return str(self._config.name).split()[-1].encode()

    def _read_level(self) -> bytes:
        return bytes([self.battery.percent(self.timeline.now_s)])

    def _send(self, until_s: float) -> bool:
        while self._next_s <= until_s:
            beats = self.source.read_until(self._next_s)
            if beats is None:
                return False
            rr_s = [float(rr) for rr in beats.rr_s]
            self._recent.extend(rr_s)
            if len(beats.time_s):
                self._last_beat_s = float(beats.time_s[-1])
            self._send_beats(rr_s, signal=self._next_s - self._last_beat_s < SIGNAL_LOST_S)
            self._next_s += PERIOD_S
        return True

    def _send_beats(self, rr_s: list[float], *, signal: bool) -> None:
        rate = round(60.0 * len(self._recent) / sum(self._recent)) if signal and self._recent else 0
        data = encode_measurement(rate, rr_s[-MOST_INTERVALS:], contact=signal)
        if self._muted:
            self.counts.lost += 1
        elif self.notify(self._measurement, [data]):
            self.streaming = True
            self.counts.sent += 1
        else:
            self.streaming = False
            self.counts.unsent += 1
        percent = self.battery.percent(self._next_s)
        if percent != self._sent_percent and self.notify(self._level, [bytes([percent])]):
            self._sent_percent = percent
