"""The two services that nearly every Bluetooth device has beside its own: Device Information and Battery."""

from __future__ import annotations

import struct

from bumble.gatt import Service

from simulators.devices.battery import Battery
from simulators.motion.timeline import Timeline
from simulators.radio.peripheral import ADVERTISEMENT_BYTES, advertisement, characteristic

INFORMATION, MODEL, SERIAL, FIRMWARE, MAKER = "180A", "2A24", "2A25", "2A26", "2A29"
BATTERY_SERVICE, BATTERY_LEVEL = "180F", "2A19"
TIME_SERVICE, CURRENT_TIME = "1805", "2A2B"
EPOCH = (2026, 3, 12, 9, 0)  # what a device's clock shows when a scene begins: year, month, day, hour, minute


def information(model: str, serial: str) -> Service:
    """Return Device Information."""
    texts = {MAKER: "rehab-gateway simulator", MODEL: model, SERIAL: serial, FIRMWARE: "1.0"}
    return Service(INFORMATION, [characteristic(uuid, read=text.encode()) for uuid, text in texts.items()])


def battery_service(battery: Battery, timeline: Timeline) -> Service:
    """Return a battery that may be read and not subscribed to, as most have it."""
    return Service(
        BATTERY_SERVICE, [characteristic(BATTERY_LEVEL, read=lambda: bytes([battery.percent(timeline.now_s)]))]
    )


def date_time(now_s: float) -> bytes:
    """Return seven bytes of date and time, so many seconds after (or before) the beginning of a scene, within days."""
    year, month, day, hour, minute = EPOCH
    minutes, second = divmod(int(now_s // 1) + 60 * (60 * hour + minute), 60)
    days, minutes = divmod(minutes, 24 * 60)
    return struct.pack("<H5B", year, month, day + days, *divmod(minutes, 60), second)


def time_service(timeline: Timeline) -> Service:
    """Return Current Time, by which a gateway sees how far a device's clock is off."""
    return Service(TIME_SERVICE, [characteristic(CURRENT_TIME, read=lambda: date_time(timeline.now_s) + bytes(3))])


def vendor_advertisement(name: str, service: str) -> bytes:
    """Return advertising data with a maker's own service, its whole UUID backwards; raises ValueError as above."""
    data = advertisement(name) + bytes([17, 0x07]) + bytes.fromhex(service.replace("-", ""))[::-1]
    if len(data) > ADVERTISEMENT_BYTES:
        raise ValueError(f"the advertisement of '{name}' has {len(data)} bytes, {ADVERTISEMENT_BYTES} fit")
    return data
